"""Intercom: in-app messages to everybody who uses the app, and the change log that they find in it."""

from integrations.intercom.connect import look
from integrations.intercom.message import Message
from integrations.intercom.news import NewsDraft, PublishNews

__all__ = ["Message", "NewsDraft", "PublishNews", "look"]
