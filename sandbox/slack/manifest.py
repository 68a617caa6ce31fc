"""An app installed as its manifest says: commands, scopes, events.

Source: https://docs.slack.dev/reference/app-manifest
"""

import dataclasses

from ruamel.yaml import YAML

from sandbox.slack.config import Config


def installed(config: Config, manifest: str) -> Config:
    """`config` with the app under test as this YAML manifest describes it: it gets no scope and no event beyond."""
    read = YAML(typ="safe").load(manifest)
    features = read.get("features", {})
    commands = features.get("slash_commands", [])
    app = dataclasses.replace(
        config.app,
        name=features.get("bot_user", {}).get("display_name", config.app.name),
        scopes=frozenset(read.get("oauth_config", {}).get("scopes", {}).get("bot", [])),
        commands=tuple(command["command"] for command in commands),
        escape_commands=any(command.get("should_escape", False) for command in commands),
        events=tuple(read.get("settings", {}).get("event_subscriptions", {}).get("bot_events", [])),
    )
    return dataclasses.replace(config, apps=(app, *config.apps[1:]))
