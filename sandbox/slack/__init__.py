"""A local Slack workspace that speaks Slack's protocol: Web API, Socket Mode, signed HTTP, and a page to use it."""

from sandbox.slack.config import Account, App, Config, Group, Limits, Room, Timing
from sandbox.slack.workspace import Workspace

__all__ = ["Account", "App", "Config", "Group", "Limits", "Room", "Timing", "Workspace"]
