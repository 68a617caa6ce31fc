"""How payloads reach the app: signatures, time-outs, retries, repeats, broken connections, answers that are wrong."""

import dataclasses
import json
from collections.abc import Callable

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from starlette.responses import Response
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from sandbox.slack import Timing
from sandbox.slack.config import APP
from sandbox.slack.delivery import signature
from sandbox.slack.manifest import installed
from tests.sandbox.slack.kit import actions, button
from tests.sandbox.slack.peers import Doing, Listener, Wire
from tests.sandbox.slack.place import CHANNEL, CONFIG, Place

FAST = Timing(ack_s=0.3, event_retry_delays_s=(0.0, 0.1, 0.2))  # where the app is to be too late
PATIENT = dataclasses.replace(FAST, ack_s=60.0)  # where the app answers, however busy the machine is


def test_the_signature_is_slacks_own_example() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body) == expected


def test_http_deliveries_are_signed(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    place.slack.person("ana").says("/maint status")
    headers, body = listener.forms.get(timeout=60)
    assert SignatureVerifier(APP.signing_secret).is_valid_request(body, headers)
    assert not SignatureVerifier("another secret").is_valid_request(body, headers)


def test_a_request_url_must_pass_the_handshake(place: Place) -> None:
    with pytest.raises(AssertionError, match="challenge"):
        place.slack.use_request_url(f"{place.url}/nowhere")


def test_commands_escape_what_was_typed(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    place.slack.person("ana").says("/maint note <b> & @maint-approvers see https://example.com/x, #general")
    form = listener.form()
    expected = "note &lt;b&gt; &amp; <!subteam^S0APPROVE|@maint-approvers> see <https://example.com/x>, "
    assert form["text"] == expected + "<#C0GENERAL|general>"
    assert (form["command"], form["channel_id"]) == ("/maint", CHANNEL)


def test_a_slow_or_absent_app_shows_an_error_to_the_person_only(
    open_place: Callable[..., Place], listen: Callable[[Place], Listener]
) -> None:
    place = open_place(timing=FAST)
    ana = place.slack.person("ana")
    assert ana.says("/maint status")["error"] == "dispatch_failed"
    ana.sees('/maint failed with the error "dispatch_failed"')
    wire = Wire(place)
    assert ana.says("/maint status")["error"] == "operation_timeout"
    ana.sees('/maint failed with the error "operation_timeout"')
    wire.socket.close()
    assert place.slack.channel("maintenance", reader="ben").texts() == []
    place = open_place(timing=PATIENT)
    listen(place).answers = [Response("broken", 500)]
    assert place.slack.person("ana").says("/maint status")["error"] == "dispatch_failed"
    assert place.slack.channel("maintenance", reader="ben").texts() == []


def test_unknown_commands_and_guests_get_no_further(place: Place) -> None:
    ana, gil = place.slack.person("ana"), place.slack.person("gil", "partner")
    assert ana.says("/maintt start")["error"] == "invalid_command"
    ana.sees("/maintt is not a valid command")
    assert gil.says("/maint start")["error"] == "invalid_command"
    with pytest.raises(AssertionError, match="not in #maintenance"):
        place.slack.person("gil").says("hello")


def test_events_are_retried_with_their_number_and_reason(
    open_place: Callable[..., Place], listen: Callable[[Place], Listener]
) -> None:
    place = open_place(timing=PATIENT)
    listener = listen(place)
    listener.answers = [Response(status_code=500), Response(status_code=500), Response()]
    place.slack.person("ana").says("hello")
    tries = [listener.event() for _ in range(3)]
    assert [headers.get("x-slack-retry-num") for headers, _ in tries] == [None, "1", "2"]
    assert len({body["event_id"] for _, body in tries}) == 1
    listener.answers = [Response(status_code=500, headers={"X-Slack-No-Retry": "1"})]
    place.slack.person("ana").says("last")
    assert listener.event()[1]["event"]["text"] == "last"
    place.slack.person("ana").says("after")
    assert listener.event()[1]["event"]["text"] == "after"


def test_unacknowledged_events_come_again_on_the_socket(open_place: Callable[..., Place]) -> None:
    place = open_place(timing=FAST)
    wire = Wire(place)
    assert wire.hello["type"] == "hello"
    place.slack.person("ana").says("hello")
    first, again = wire.next(), wire.next()
    assert (first["retry_attempt"], again["retry_attempt"], again["retry_reason"]) == (0, 1, "timeout")
    assert first["payload"]["event_id"] == again["payload"]["event_id"]
    wire.acknowledge(again)


def test_a_payload_goes_to_one_of_the_connections_and_ten_is_the_most(place: Place) -> None:
    wires = [Wire(place) for _ in range(10)]
    assert wires[-1].hello["num_connections"] == 10
    assert Wire(place).hello == {
        "type": "disconnect",
        "reason": "too_many_websockets",
        "debug_info": {"host": "sandbox-socket"},
    }
    for wire in wires:
        wire.socket.close()


def test_a_ticket_is_good_once(place: Place) -> None:
    url = place.bot.apps_connections_open(app_token=APP.app_token)["url"]
    with connect(url, proxy=None) as first:
        assert json.loads(first.recv(timeout=60))["type"] == "hello"
    with pytest.raises(InvalidStatus, match="403"), connect(url, proxy=None):
        pass


def test_faults_of_delivery(open_place: Callable[..., Place]) -> None:
    place = open_place(timing=PATIENT)
    wire, ana = Wire(place), place.slack.person("ana")
    place.slack.break_delivery("duplicate", "slash_commands")
    doing = Doing(ana.says, "/maint start")
    one, two = wire.next(), wire.next()
    assert one == two
    wire.acknowledge(one)
    assert doing.done()["error"] == ""
    place = open_place(timing=FAST)
    wire, ana = Wire(place), place.slack.person("ana")
    place.slack.break_delivery("lost")
    assert ana.says("/maint lost")["error"] == "operation_timeout"
    place.slack.break_delivery("ack_lost")
    doing = Doing(ana.says, "/maint done")
    envelope = wire.next()
    assert envelope["payload"]["text"] == "done"
    wire.acknowledge(envelope)
    assert doing.done()["error"] == "operation_timeout"


def test_disconnecting_politely_and_abruptly(place: Place) -> None:
    wire = Wire(place)
    assert place.slack.disconnect_sockets() == 1
    assert wire.next()["reason"] == "refresh_requested"
    broken = Wire(place)
    place.slack.disconnect_sockets(abrupt=True)
    with pytest.raises(ConnectionClosedError):
        broken.next()


def test_connections_are_refreshed_with_a_warning(open_place: Callable[..., Place]) -> None:
    place = open_place(timing=Timing(socket_refresh_s=0.2, socket_warning_s=0.1))
    wire = Wire(place)
    assert [wire.next()["reason"] for _ in range(2)] == ["warning", "refresh_requested"]
    with pytest.raises(ConnectionClosedOK):
        wire.next()


def test_a_guests_press_tells_their_own_team(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    place.bot.chat_postMessage(channel="C0PARTNER", text="ask", blocks=[actions(button("Go"))])
    place.slack.person("gil", "partner").clicks("Go")
    payload = listener.interaction()
    assert payload["user"]["team_id"] == "T0PARTNER"
    assert payload["team"]["id"] == "T0SANDBOX"


MANIFEST = """
features:
  bot_user: {display_name: keeper}
  slash_commands:
    - {command: /keep, description: Keep, should_escape: false}
oauth_config: {scopes: {bot: [commands, "chat:write"]}}
settings:
  event_subscriptions: {bot_events: [app_home_opened]}
"""


def test_the_app_is_installed_as_its_manifest_says(
    open_place: Callable[..., Place], listen: Callable[[Place], Listener]
) -> None:
    place = open_place(apps=installed(CONFIG, MANIFEST).apps)
    listener, ana = listen(place), place.slack.person("ana")
    assert ana.says("/maint start")["error"] == "invalid_command"
    ana.says("/keep calm @ben")
    assert listener.form()["text"] == "calm @ben"
    ana.says("no event for this")
    ana.opens_home()
    assert listener.event()[1]["event"]["type"] == "app_home_opened"
    with pytest.raises(SlackApiError, match="missing_scope"):
        place.bot.users_info(user="U0ANA0001")
