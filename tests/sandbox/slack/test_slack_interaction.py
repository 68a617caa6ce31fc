"""Triggers, response URLs, modals, menus and Home: the payloads that people cause, and what answers may do."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from starlette.responses import JSONResponse

from sandbox.slack import Timing
from tests.sandbox.slack.kit import CONFIRM, actions, button, field, home, modal, option, section
from tests.sandbox.slack.peers import Listener
from tests.sandbox.slack.place import CHANNEL, Place


def test_a_trigger_opens_one_modal(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    place.slack.person("ana").says("/maint start")
    trigger_id = listener.form()["trigger_id"]
    place.bot.views_open(trigger_id=trigger_id, view=modal(field("a")))
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        place.bot.views_open(trigger_id=trigger_id, view=modal(field("a")))
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        place.bot.views_open(trigger_id="1.2.3", view=modal(field("a")))


def test_a_trigger_expires(open_place: Callable[..., Place], listen: Callable[[Place], Listener]) -> None:
    place = open_place(timing=Timing(trigger_s=0.0))
    listener = listen(place)
    place.slack.person("ana").says("/maint start")
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        place.bot.views_open(trigger_id=listener.form()["trigger_id"], view=modal(field("a")))


def test_a_response_url_works_five_times(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    ana = place.slack.person("ana")
    ana.says("/maint start")
    url = listener.form()["response_url"]
    assert httpx.post(url, json={"text": "in channel", "response_type": "in_channel"}).text == "ok"
    for number in range(4):
        assert httpx.post(url, json={"text": f"quietly {number}"}).status_code == 200
    assert httpx.post(url, json={"text": "too often"}).json()["error"] == "used_url"
    assert place.slack.channel("maintenance").texts() == ["in channel"]
    assert ana.sees("quietly 3")["is_ephemeral"]
    assert httpx.post(url.rpartition("/")[0] + "/unknown", json={"text": "x"}).json()["error"] == "expired_url"


def test_a_press_can_replace_or_delete_what_was_pressed(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener, ben = listen(place), place.slack.person("ben")
    blocks = [section("ask"), actions(button("Go", confirm=CONFIRM))]
    place.bot.chat_postMessage(channel=CHANNEL, text="ask", blocks=blocks)
    with pytest.raises(AssertionError, match="confirm=True"):
        ben.clicks("Go")
    ben.clicks("Go", confirm=True)
    payload = listener.interaction()
    assert httpx.post(payload["response_url"], json={"text": "done", "replace_original": True}).text == "ok"
    assert place.slack.channel("maintenance").texts() == ["done"]
    ben.clicks("Go", confirm=True, stale=True)
    payload = listener.interaction()
    httpx.post(payload["response_url"], json={"delete_original": True})
    assert place.slack.channel("maintenance").texts() == []
    place.bot.chat_postEphemeral(channel=CHANNEL, user="U0BEN0001", text="ask", blocks=blocks)
    ben.clicks("Go", confirm=True)
    payload = listener.interaction()
    assert payload["container"]["is_ephemeral"]
    assert "message" not in payload
    httpx.post(payload["response_url"], json={"text": "still", "replace_original": True, "response_type": "in_channel"})
    assert ben.sees("still")["is_ephemeral"]


def test_menus_in_messages_send_what_was_chosen(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener = listen(place)
    menu = {"type": "static_select", "action_id": "later", "options": [option("ten"), option("twenty")]}
    place.bot.chat_postMessage(channel=CHANNEL, text="x", blocks=[actions(menu, block_id="menu")])
    place.slack.person("ben").chooses("Twenty", "later")
    payload = listener.interaction()
    assert payload["actions"][0]["selected_option"]["value"] == "twenty"
    assert payload["state"]["values"]["menu"]["later"]["selected_option"]["value"] == "twenty"


def test_answers_to_a_submission(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener, ana = listen(place), place.slack.person("ana")

    def opened(**more: Any) -> None:
        ana.says("/maint start")
        place.bot.views_open(trigger_id=listener.form()["trigger_id"], view=modal(field("name"), **more))

    opened()
    listener.answers = [JSONResponse({"response_action": "push", "view": modal(field("more"))})]
    ana.submits(name="one")
    assert ana.sees_modal("More")["previous_view_id"]
    listener.answers = [JSONResponse({"response_action": "update", "view": modal(section("Thank you"))})]
    ana.submits(more="two")
    ana.sees_modal("Thank you")
    listener.answers = [JSONResponse({"response_action": "clear"})]
    ana.submits()
    ana.sees_no_modal()
    assert place.slack.complaints() == []
    assert [listener.interaction()["type"] for _ in range(3)] == ["view_submission"] * 3
    opened(notify_on_close=True)
    listener.answers = [JSONResponse({"response_action": "errors", "errors": {"nowhere": "x"}})]
    ana.submits(name="three")
    assert ana.form_errors() == {"": "We had some trouble connecting. Try again?"}
    assert "no input block 'nowhere'" in place.slack.complaints()[0]
    ana.closes()
    assert [listener.interaction()["type"] for _ in range(2)] == ["view_submission", "view_closed"]


def test_the_client_checks_fields_before_it_sends(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener, ana = listen(place), place.slack.person("ana")
    blocks = [
        field("name", element={"min_length": 3, "max_length": 5}),
        field("mail", "email_text_input", optional=True),
        field("count", "number_input", element={"is_decimal_allowed": False, "max_value": "9"}),
        field("kind", "radio_buttons", element={"options": [option("a"), option("b")]}),
    ]
    ana.says("/maint start")
    place.bot.views_open(trigger_id=listener.form()["trigger_id"], view=modal(*blocks))
    ana.submits(name="no", mail="nowhere", count="10")
    assert set(ana.form_errors()) == {"name", "mail", "count", "kind"}
    place.slack.wait_s = 0.1
    with pytest.raises(AssertionError, match="there are: A, B"):
        ana.submits(kind="c")
    ana.submits(name="fine", mail="a@example.com", count="9", kind="b")
    assert listener.interaction()["view"]["state"]["values"]["kind"]["kind"]["selected_option"]["value"] == "b"


def test_home_buttons_carry_their_view(place: Place, listen: Callable[[Place], Listener]) -> None:
    listener, ana = listen(place), place.slack.person("ana")
    ana.opens_home()
    assert listener.event()[1]["event"]["type"] == "app_home_opened"
    view = place.bot.views_publish(user_id="U0ANA0001", view=home(actions(button("Open", value="7"))))["view"]
    ana.clicks_in("home", "Open")
    payload = listener.interaction()
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert payload["actions"][0]["value"] == "7"
    with pytest.raises(SlackApiError, match="hash_conflict"):
        place.bot.views_publish(user_id="U0ANA0001", view=home(section("x")), hash="1.old")
