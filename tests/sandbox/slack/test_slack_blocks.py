"""What Slack refuses in blocks and views, each by its own limit; and that what is just within passes."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from tests.sandbox.slack.kit import (
    CONFIRM,
    actions,
    button,
    field,
    home,
    modal,
    mrkdwn,
    option,
    plain,
    section,
)
from tests.sandbox.slack.place import CHANNEL, Place


def refused(place: Place, blocks: Any, **more: Any) -> SlackApiError:
    with pytest.raises(SlackApiError) as caught:
        place.bot.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks, **more)
    assert place.slack.channel("maintenance").messages() == []
    return caught.value


BAD = {
    "51 blocks": [{"type": "divider"}] * 51,
    "section of 3,001": [section("x" * 3001)],
    "empty section": [section("")],
    "section without text": [{"type": "section"}],
    "header of 151": [{"type": "header", "text": plain("x" * 151)}],
    "header in mrkdwn": [{"type": "header", "text": mrkdwn("x")}],
    "button text of 76": [actions(button("x" * 76, "a"))],
    "button value of 2,001": [actions(button("x", value="v" * 2001))],
    "button style": [actions(button("x", style="warning"))],
    "26 elements": [actions(*(button("x", f"a{n}") for n in range(26)))],
    "no elements": [actions()],
    "11 in a context": [{"type": "context", "elements": [mrkdwn("x")] * 11}],
    "11 fields": [section("x", fields=[mrkdwn("f")] * 11)],
    "field of 2,001": [section("x", fields=[mrkdwn("f" * 2001)])],
    "unknown key": [section("x", colour="red")],
    "unknown block": [{"type": "carousel"}],
    "unknown element": [actions({"type": "slider", "action_id": "a"})],
    "same action_id": [actions(button("a", "same")), actions(button("b", "same"))],
    "same block_id": [section("a", block_id="same"), section("b", block_id="same")],
    "action_id of 256": [actions(button("a", "i" * 256))],
    "block_id of 256": [section("a", block_id="i" * 256)],
    "confirm title of 101": [actions(button("a", confirm={**CONFIRM, "title": plain("x" * 101)}))],
    "confirm text of 301": [actions(button("a", confirm={**CONFIRM, "text": plain("x" * 301)}))],
    "initial option not on offer": [
        actions({"type": "static_select", "options": [option("a")], "initial_option": option("b")})
    ],
    "text as a string": [{"type": "section", "text": "x"}],
    "date": [actions({"type": "datepicker", "initial_date": "1.12.2026"})],
    "101 options": [actions({"type": "static_select", "options": [option(f"o{n}") for n in range(101)]})],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_blocks_are_refused_and_named(place: Place, name: str) -> None:
    answer = refused(place, BAD[name]).response.data
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"]
    assert "json-pointer:/blocks" in answer["response_metadata"]["messages"][0]


def test_the_largest_that_is_allowed_passes(place: Place) -> None:
    blocks = [
        {"type": "header", "text": plain("x" * 150)},
        section("x" * 3000, fields=[mrkdwn("f" * 50)] * 10, block_id="b" * 255),
        actions(*(button("x", f"a{n}", value="v" * 2000) for n in range(25))),
        {"type": "context", "elements": [mrkdwn("x")] * 10},
        *[{"type": "divider"}] * 46,
    ]
    posted = place.bot.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)
    assert len(posted["message"]["blocks"]) == 50
    assert all(block["block_id"] for block in posted["message"]["blocks"])


def test_all_blocks_together_may_hold_about_twelve_thousand_characters(place: Place) -> None:
    assert refused(place, [section("x" * 3000)] * 4).response["error"] == "msg_blocks_too_long"
    place.bot.chat_postMessage(channel=CHANNEL, text="x", blocks=[section("x" * 2900) for _ in range(4)])


def test_blocks_that_are_no_list_are_a_format_error(place: Place) -> None:
    assert refused(place, {"type": "divider"}).response["error"] == "invalid_blocks_format"
    assert refused(place, "not json").response["error"] == "invalid_blocks_format"


BAD_VIEWS = {
    "title of 25": modal(field("a"), title=plain("x" * 25)),
    "private_metadata of 3,001": modal(field("a"), private_metadata="x" * 3001),
    "101 blocks": modal(*[{"type": "divider"}] * 101),
    "input without submit": {k: v for k, v in modal(field("a")).items() if k != "submit"},
    "no title": {k: v for k, v in modal(field("a")).items() if k != "title"},
    "unknown key": modal(field("a"), colour="red"),
    "same block_id": modal(field("a"), field("a")),
    "placeholder of 151": modal(field("a", element={"placeholder": plain("x" * 151)})),
    "label of 2,001": modal({**field("a"), "label": plain("x" * 2001)}),
    "home": home(section("x")),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_bad_views_are_refused_and_named(place: Place, name: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        place.bot.views_open(trigger_id="1.2.3", view=BAD_VIEWS[name])
    assert caught.value.response["error"] == "invalid_arguments"
    assert "json-pointer:/view" in caught.value.response["response_metadata"]["messages"][0]


def test_a_home_takes_the_same_action_in_many_blocks_but_no_field_twice(place: Place) -> None:
    opens = [section(f"run {n}", accessory=button("Open", "open", value=str(n))) for n in range(3)]
    place.bot.views_publish(user_id="U0ANA0001", view=home(*opens))
    assert place.slack.person("ana").sees_home("run 2")["buttons"] == ["Open"] * 3
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        place.bot.views_publish(user_id="U0ANA0001", view=home(actions(button("A", "same"), button("B", "same"))))
