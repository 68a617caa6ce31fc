"""manifest.yml: what Slack would accept, and exactly what the code uses."""

import ast
import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from slack_sdk import WebClient

import commands
from commands.verb import VERBS

CHECKOUT = Path(__file__).resolve().parents[2]
SPECS = CHECKOUT.parent / "shared" / "specs" / "slack"
WITHOUT_A_METHOD = {
    "commands",  # /maint itself
    "reactions:read",  # the event `reaction_added`
    "files:read",  # files are downloaded by their address, not by a method
}
BOTH_KINDS_OF_CHANNEL = {"channels:history": "groups:history", "channels:read": "groups:read"}


@pytest.fixture(scope="module")
def manifest() -> Any:
    return YAML(typ="safe").load((CHECKOUT / "manifest.yml").read_text())


@pytest.fixture(scope="module")
def scopes_of() -> dict[str, list[str] | None]:
    """The scopes that let a bot call each method: any one of them will do."""
    path = SPECS / "methods-summary.json"
    if not path.exists():
        pytest.skip(f"the description of Slack's methods is not at {path}")
    return {name: told["scopes_bot"] for name, told in json.loads(path.read_text()).items()}


@functools.cache
def code() -> list[ast.AST]:
    paths = [path for folder in ("bot", "commands") for path in (CHECKOUT / folder).rglob("*.py")]
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]


def methods_used() -> set[str]:
    """The Web API methods that the code mentions as attributes of a client, by their names in the SDK."""
    made_of = {"files_upload_v2": {"files_getUploadURLExternal", "files_completeUploadExternal"}}
    known = {name for name in vars(WebClient) if "_" in name.strip("_")}
    names = {node.attr for node in code() if isinstance(node, ast.Attribute)} & known
    return {part for name in names for part in made_of.get(name, {name})}


def registered(kind: str) -> set[str]:
    """The names that listeners are registered for with `app.<kind>("name")`."""
    return {
        node.args[0].value
        for node in code()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == kind
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "app"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_slack_would_accept_it(manifest: Any) -> None:
    path = SPECS / "manifest" / f"manifest.schema.{manifest['_metadata']['major_version']}.0.0.json"
    if not path.exists():
        pytest.skip(f"the manifest schema is not at {path}")
    schema = jsonschema.Draft7Validator(json.loads(path.read_text()))
    schema.validate(manifest)
    assert not schema.is_valid({**manifest, "features": {"slash_commands": [{"command": "maint"}]}})


def test_every_method_that_we_call_is_allowed(manifest: Any, scopes_of: dict[str, list[str] | None]) -> None:
    granted = set(manifest["oauth_config"]["scopes"]["bot"])
    by_sdk_name = {name.replace(".", "_"): name for name in scopes_of}
    used = methods_used()
    assert used >= {"chat_postMessage", "views_open", "conversations_history"}
    unknown = used - set(by_sdk_name)
    assert not unknown, f"methods that the description does not know: {unknown}"
    for method in used:
        needed = scopes_of[by_sdk_name[method]]
        assert needed is None or granted & set(needed), f"{method} needs one of {needed}"
    for public, private in BOTH_KINDS_OF_CHANNEL.items():
        assert (public in granted) == (private in granted), "a maintenance may be in a private channel"


def test_no_scope_is_asked_for_that_nothing_needs(manifest: Any, scopes_of: dict[str, list[str] | None]) -> None:
    used = methods_used()
    needed = {scope for name, scopes in scopes_of.items() if name.replace(".", "_") in used for scope in scopes or []}
    granted = manifest["oauth_config"]["scopes"]["bot"]
    assert set(granted) <= needed | WITHOUT_A_METHOD
    assert len(granted) == len(set(granted))


def test_exactly_the_commands_and_events_that_are_listened_to(manifest: Any) -> None:
    offered = {command["command"] for command in manifest["features"]["slash_commands"]}
    assert offered == registered("command")
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == registered("event")


def test_the_hint_names_every_verb(manifest: Any) -> None:
    commands.load()
    (command,) = manifest["features"]["slash_commands"]
    assert command["should_escape"] is True
    assert set(command["usage_hint"].split(" | ")) == set(VERBS)
