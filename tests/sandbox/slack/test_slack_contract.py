"""The stand-in held to Slack's own reference, where a checkout has it beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from sandbox.slack.config import APP
from sandbox.slack.methods import METHODS, SPECIAL
from tests.sandbox.slack.kit import actions, button, field, home, modal, section
from tests.sandbox.slack.peers import Doing, Wire
from tests.sandbox.slack.place import CHANNEL, Place

SPECS = Path(__file__).parents[4] / "shared" / "specs" / "slack"
pytestmark = pytest.mark.skipif(not SPECS.exists(), reason="Slack's reference is not beside this checkout")

# Where the reference lets more than one argument do, the stand-in asks for the one that slack_sdk sends.
ASKED_FOR = {"views.open": {"trigger_id"}, "views.push": {"trigger_id"}}


def reference(method: str) -> dict[str, Any]:
    return json.loads((SPECS / "methods" / f"{method}.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_arguments_tiers_and_scopes_are_those_of_the_reference(name: str) -> None:
    method, described = METHODS[name], reference(name)
    required = set(described["args"]["required"]) - {"token"}
    assert set(method.required) == required | ASKED_FOR.get(name, set())
    assert set(method.optional) <= set(described["args"]["properties"])
    assert method.tier == (SPECIAL if described["rate_limits"] == "t5" else int(described["rate_limits"][1]))
    assert set(method.scopes) <= set((described["scope"] or {}).get("bot") or [])
    assert method.accepts_json == bool(described.get("json_input_supported"))


def calls(place: Place) -> list[tuple[str, dict[str, Any]]]:
    """One call of each method, in an order in which each of them succeeds."""
    posted = place.bot.chat_postMessage(channel=CHANNEL, text="card")["ts"]
    other = place.bot.chat_postMessage(channel=CHANNEL, text="other")["ts"]
    uploaded = place.bot.files_getUploadURLExternal(filename="a.txt", length=3)
    httpx.post(uploaded["upload_url"], content=b"abc")
    surfaces = place.workspace.surfaces
    return [
        ("auth.test", {}),
        ("apps.connections.open", {}),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "blocks": [section("x"), actions(button("Go"))]}),
        ("chat.update", {"channel": CHANNEL, "ts": posted, "text": "changed"}),
        ("chat.postEphemeral", {"channel": CHANNEL, "user": "U0ANA0001", "text": "x"}),
        ("chat.getPermalink", {"channel": CHANNEL, "message_ts": posted}),
        ("chat.delete", {"channel": CHANNEL, "ts": other}),
        ("conversations.history", {"channel": CHANNEL, "limit": 1}),
        ("conversations.replies", {"channel": CHANNEL, "ts": posted}),
        ("conversations.info", {"channel": CHANNEL}),
        ("conversations.list", {}),
        ("conversations.members", {"channel": CHANNEL}),
        ("conversations.open", {"users": "U0ANA0001", "return_im": True}),
        ("conversations.join", {"channel": "C0GENERAL"}),
        ("conversations.setTopic", {"channel": CHANNEL, "topic": "new"}),
        ("pins.add", {"channel": CHANNEL, "timestamp": posted}),
        ("pins.list", {"channel": CHANNEL}),
        ("pins.remove", {"channel": CHANNEL, "timestamp": posted}),
        ("reactions.add", {"channel": CHANNEL, "timestamp": posted, "name": "eyes"}),
        ("users.info", {"user": "U0ANA0001"}),
        ("users.list", {}),
        ("usergroups.list", {"include_users": True, "include_count": True}),
        ("usergroups.users.list", {"usergroup": "S0APPROVE"}),
        ("team.info", {}),
        ("views.open", {"trigger_id": surfaces.trigger("U0ANA0001", APP), "view": modal(field("a"))}),
        ("views.push", {"trigger_id": surfaces.trigger("U0ANA0001", APP), "view": modal(field("b"), external_id="e")}),
        ("views.update", {"external_id": "e", "view": modal(field("c"))}),
        ("views.publish", {"user_id": "U0ANA0001", "view": home(section("x"))}),
        ("files.getUploadURLExternal", {"filename": "b.txt", "length": 3}),
        ("files.completeUploadExternal", {"files": [{"id": uploaded["file_id"]}], "channel_id": CHANNEL}),
        ("files.info", {"file": uploaded["file_id"]}),
    ]


def test_every_answer_fits_the_reference(place: Place) -> None:
    called = calls(place)
    assert {name for name, _ in called} == set(METHODS)
    for name, arguments in called:
        token = APP.app_token if METHODS[name].app_token else APP.bot_token
        form = {key: json.dumps(v) if isinstance(v, dict | list) else v for key, v in arguments.items()}
        answer = httpx.post(f"{place.url}/api/{name}", data=form, headers={"Authorization": f"Bearer {token}"}).json()
        assert answer["ok"], (name, answer)
        if reference(name)["output"]:
            jsonschema.validate(answer, any_of(reference(name)["output"]))


def any_of(schema: Any) -> Any:
    """`oneOf` as `anyOf`: the reference names its object types without describing them, so that several may fit."""
    if isinstance(schema, dict):
        return {("anyOf" if key == "oneOf" else key): any_of(value) for key, value in schema.items()}
    return [any_of(one) for one in schema] if isinstance(schema, list) else schema


def test_every_error_is_one_that_the_reference_names() -> None:
    """Of the errors that methods raise by name; those of every method (tokens, arguments) are in no method's list."""
    common = {"invalid_arguments", "channel_not_found", "not_in_channel", "invalid_limit", "invalid_cursor"}
    named = set().union(*(reference(name)["errors"] for name in METHODS))
    folder = Path(__file__).parents[3] / "sandbox" / "slack"
    raised = set()
    for module in folder.glob("methods_*.py"):
        raised |= {part.split('"')[0] for part in module.read_text().split('RefusedError("')[1:]}
    assert raised
    assert raised - common - named == set()


def sample(path: str) -> dict[str, Any]:
    return json.loads((SPECS / "samples" / path).read_text())  # type: ignore[no-any-return]


def fits(payload: dict[str, Any], described: dict[str, Any], missing: set[str]) -> None:
    """The payload has the fields of the sample: none that is not there, and all but `missing`."""
    assert set(payload) - set(described) == set()
    assert set(described) - set(payload) <= missing


FUNCTIONS = {"bot_access_token", "function_data", "interactivity"}


def delivered(wire: Wire, do: Callable[..., Any], *arguments: Any, **named: Any) -> dict[str, Any]:
    doing = Doing(do, *arguments, **named)
    envelope = wire.next()
    wire.acknowledge(envelope)
    doing.done()
    return envelope


def test_payloads_have_the_fields_of_recorded_ones(place: Place) -> None:
    ana, wire = place.slack.person("ana"), Wire(place)
    slash = delivered(wire, ana.says, "/maint start")
    assert set(slash) == set(json.loads((SPECS / "envelopes" / "bolt-1-slash_commands.json").read_text()))
    described = sample("app-backend/SlashCommandPayload.json")
    fits(slash["payload"], described, {"enterprise_id", "enterprise_name"})
    place.bot.views_open(trigger_id=slash["payload"]["trigger_id"], view=modal(field("a"), notify_on_close=True))
    submitted = delivered(wire, ana.submits, a="x")["payload"]
    described = sample("app-backend/ViewSubmissionPayload.json")
    fits({k: v for k, v in submitted.items() if k != "response_urls"}, described, FUNCTIONS | {"is_cleared"})
    fits({k: v for k, v in submitted["view"].items() if k != "blocks"}, described["view"], {"submit_disabled"})
    slash = delivered(wire, ana.says, "/maint start")
    place.bot.views_open(trigger_id=slash["payload"]["trigger_id"], view=modal(field("a"), notify_on_close=True))
    closed = delivered(wire, ana.closes)["payload"]
    fits(closed, sample("app-backend/ViewClosedPayload.json"), FUNCTIONS)


def test_a_press_and_events_have_the_fields_of_recorded_ones(place: Place) -> None:
    ana = place.slack.person("ana")
    place.bot.chat_postMessage(channel=CHANNEL, text="ask", blocks=[actions(button("Go", value="1", style="primary"))])
    wire = Wire(place)
    pressed = delivered(wire, ana.clicks, "Go")["payload"]
    described = sample("app-backend/BlockActionPayload.json")
    fits(pressed, described, FUNCTIONS | {"view", "app_unfurl"})
    assert set(pressed["actions"][0]) <= set().union(*described["actions"])
    assert set(pressed["container"]) <= set(described["container"])
    assert set(json.loads((SPECS / "vectors" / "block_actions.button.json").read_text())) <= set(pressed)
    posted = delivered(wire, ana.says, "look")["payload"]
    described = sample("events/MessagePayload.json")
    optional = {"enterprise_id", "authed_users", "authed_teams"}
    fits(posted, described, optional)
    fits(posted["event"], described["event"], set(described["event"]) - {"type", "channel", "user", "text", "ts"})
    reacted = delivered(wire, ana.reacts, "eyes", "look")["payload"]
    described = sample("events/ReactionAddedPayload.json")
    fits(reacted["event"], described["event"], set())
    opened = delivered(wire, ana.opens_home)["payload"]
    fits(opened["event"], sample("events/AppHomeOpenedPayload.json")["event"], {"view"})
