"""Messages: posting, editing, deleting, metadata, history, pins, files; and the tokens and scopes of it all."""

import dataclasses
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.slack import Limits
from sandbox.slack.config import APP, STRANGER_APP
from tests.sandbox.slack.kit import actions, button, section
from tests.sandbox.slack.place import CHANNEL, Place


def error_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return str(caught.value.response["error"])


def entry(seq: int) -> dict[str, Any]:
    return {"event_type": "maint_entry", "event_payload": {"seq": seq, "hash": "ab", "steps": ["a", "b"]}}


def test_tokens_are_checked(place: Place) -> None:
    assert error_of(WebClient(base_url=f"{place.url}/api/").auth_test) == "not_authed"
    assert error_of(place.client("xoxb-wrong").auth_test) == "invalid_auth"
    assert error_of(place.bot.apps_connections_open, app_token=APP.bot_token) == "not_allowed_token_type"
    assert error_of(place.client(APP.app_token).auth_test) == "not_allowed_token_type"
    assert place.bot.auth_test()["user_id"] == APP.user_id
    assert place.bot.apps_connections_open(app_token=APP.app_token)["url"].startswith("ws://127.0.0.1")


def test_only_granted_scopes_work(open_place: Callable[..., Place]) -> None:
    app = dataclasses.replace(APP, scopes=frozenset({"chat:write"}))
    place = open_place(apps=(app, STRANGER_APP))
    assert place.bot.chat_postMessage(channel=CHANNEL, text="x").headers["x-oauth-scopes"] == "chat:write"
    with pytest.raises(SlackApiError) as caught:
        place.bot.pins_list(channel=CHANNEL)
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "pins:read"


def test_what_cannot_be_posted(place: Place) -> None:
    post = place.bot.chat_postMessage
    assert error_of(post, channel="C0NOWHERE", text="x") == "channel_not_found"
    assert error_of(post, channel="C0GENERAL", text="x") == "not_in_channel"
    assert error_of(post, channel="C0OLDNEWS", text="x") == "is_archived"
    assert error_of(post, channel=CHANNEL, text="") == "no_text"
    assert error_of(post, channel=CHANNEL, text="x" * 40_001) == "msg_too_long"
    assert error_of(post, channel=CHANNEL, text="x", thread_ts="1.000000") == "cannot_reply_to_message"
    assert error_of(post, channel=CHANNEL, text="x", tekst="y") == "invalid_arguments"
    missing = httpx.post(f"{place.url}/api/chat.postMessage", headers={"Authorization": f"Bearer {APP.bot_token}"})
    assert missing.json()["response_metadata"]["messages"] == ["[ERROR] missing required field: channel"]
    assert post(channel=CHANNEL, text="x" * 40_000)["ok"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"event_type": "Maint Entry", "event_payload": {}},
        {"event_type": "maint_entry"},
        {"event_type": "maint_entry", "event_payload": {"nested": {"a": 1}}},
        {"event_type": "maint_entry", "event_payload": {"Seq": 1}},
        {"event_type": "maint_entry", "event_payload": {}, "more": 1},
    ],
)
def test_metadata_must_be_flat_and_named(place: Place, metadata: dict[str, Any]) -> None:
    post = place.bot.chat_postMessage
    assert error_of(post, channel=CHANNEL, text="x", metadata=metadata) == "invalid_metadata_format"


def test_metadata_is_read_back_only_when_asked_for_and_kept_by_edits(place: Place) -> None:
    ts = place.bot.chat_postMessage(channel=CHANNEL, text="one", metadata=entry(1))["ts"]
    place.bot.chat_update(channel=CHANNEL, ts=ts, text="two")
    [short] = place.bot.conversations_history(channel=CHANNEL)["messages"]
    [full] = place.bot.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert short["metadata"] == {"event_type": "maint_entry"}
    assert full["metadata"] == entry(1)
    place.bot.chat_update(channel=CHANNEL, ts=ts, text="three", metadata={})
    [bare] = place.bot.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert "metadata" not in bare


def test_text_alone_takes_the_blocks_away_and_marks_the_edit(place: Place) -> None:
    blocks = [actions(button("Go"))]
    ts = place.bot.chat_postMessage(channel=CHANNEL, text="ask", blocks=blocks)["ts"]
    place.bot.chat_update(channel=CHANNEL, ts=ts, text="ask again", blocks=blocks)
    [asked] = place.bot.conversations_history(channel=CHANNEL)["messages"]
    assert asked["blocks"][0]["elements"][0]["action_id"] == "go"
    assert "edited" not in asked
    place.bot.chat_update(channel=CHANNEL, ts=ts, text="done")
    [done] = place.bot.conversations_history(channel=CHANNEL)["messages"]
    assert "blocks" not in done
    assert done["edited"]["user"] == APP.user_id


def test_who_may_alter_what(place: Place) -> None:
    foreign = place.other.chat_postMessage(channel=CHANNEL, text="forged", metadata=entry(2))["ts"]
    assert error_of(place.bot.chat_update, channel=CHANNEL, ts=foreign, text="x") == "cant_update_message"
    assert error_of(place.bot.chat_delete, channel=CHANNEL, ts=foreign) == "cant_delete_message"
    assert error_of(place.bot.chat_update, channel=CHANNEL, ts="1.000000", text="x") == "message_not_found"
    assert error_of(place.bot.chat_update, channel=CHANNEL, ts=foreign, text="x" * 4001) == "cant_update_message"
    own = place.bot.chat_postMessage(channel=CHANNEL, text="own")["ts"]
    assert error_of(place.bot.chat_update, channel=CHANNEL, ts=own, text="x" * 4001) == "msg_too_long"
    with pytest.raises(AssertionError, match="only delete their own"):
        place.slack.person("ben").deletes("own")
    place.slack.person("chloe").deletes("own")
    assert place.slack.channel("maintenance").texts() == ["forged"]


def test_a_deleted_message_with_replies_leaves_a_tombstone(place: Place) -> None:
    ts = place.bot.chat_postMessage(channel=CHANNEL, text="parent")["ts"]
    place.bot.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=ts)
    assert [m["text"] for m in place.bot.conversations_replies(channel=CHANNEL, ts=ts)["messages"]] == [
        "parent",
        "reply",
    ]
    assert len(place.bot.conversations_history(channel=CHANNEL)["messages"]) == 1
    place.bot.chat_delete(channel=CHANNEL, ts=ts)
    [stone] = place.bot.conversations_history(channel=CHANNEL)["messages"]
    assert stone["subtype"] == "tombstone"


def test_history_is_paged_newest_first_and_stays_in_place_while_more_is_posted(place: Place) -> None:
    stamps = [place.bot.chat_postMessage(channel=CHANNEL, text=str(n))["ts"] for n in range(7)]
    read = []
    for page in place.bot.conversations_history(channel=CHANNEL, limit=3):
        read += [message["text"] for message in page["messages"]]
        place.bot.chat_postMessage(channel=CHANNEL, text="meanwhile")
    assert read == ["6", "5", "4", "3", "2", "1", "0"]

    def between(**arguments: Any) -> list[str]:
        return [m["text"] for m in place.bot.conversations_history(channel=CHANNEL, **arguments)["messages"]]

    assert between(oldest=stamps[2], latest=stamps[5]) == ["4", "3"]
    assert between(oldest=stamps[2], latest=stamps[5], inclusive=True) == ["5", "4", "3", "2"]
    assert error_of(place.bot.conversations_history, channel=CHANNEL, cursor="nonsense") == "invalid_cursor"
    assert error_of(place.bot.conversations_history, channel=CHANNEL, oldest="soon") == "invalid_ts_oldest"


def test_text_comes_back_as_slack_stores_it(place: Place) -> None:
    text = "R&D: see https://example.com/a?b=1&c=2, <@U0BEN0001> ✅ 1 < 2"
    stored = place.bot.chat_postMessage(channel=CHANNEL, text=text)["message"]["text"]
    assert stored == "R&amp;D: see <https://example.com/a?b=1&amp;c=2>, <@U0BEN0001> :white_check_mark: 1 &lt; 2"


def test_pins(place: Place) -> None:
    ts = place.bot.chat_postMessage(channel=CHANNEL, text="card")["ts"]
    place.bot.pins_add(channel=CHANNEL, timestamp=ts)
    assert error_of(place.bot.pins_add, channel=CHANNEL, timestamp=ts) == "already_pinned"
    assert error_of(place.bot.pins_add, channel=CHANNEL, timestamp="1.000000") == "message_not_found"
    assert place.bot.pins_list(channel=CHANNEL)["items"][0]["message"]["text"] == "card"
    assert [pin["plain"] for pin in place.slack.channel("maintenance").pinned()] == ["card"]
    place.bot.pins_remove(channel=CHANNEL, timestamp=ts)
    assert error_of(place.bot.pins_remove, channel=CHANNEL, timestamp=ts) == "no_pin"


def test_a_file_is_uploaded_and_read_back(place: Place) -> None:
    text = "line\n" * 1000
    done = place.bot.files_upload_v2(
        channel=CHANNEL, content=text, filename="pg_upgrade.log", title="Log", initial_comment="all of it"
    )
    shown = place.slack.channel("maintenance").shows("pg_upgrade.log")
    assert shown["plain"].startswith("all of it")
    assert place.bot.files_info(file=done["file"]["id"])["file"]["size"] == 5000
    assert httpx.get(shown["files"][0]["url_private"]).text == text
    announced = place.bot.files_getUploadURLExternal(filename="a.txt", length=10)
    assert httpx.post(announced["upload_url"], content=b"short").status_code == 400
    never = {"id": announced["file_id"], "title": "a"}
    assert error_of(place.bot.files_completeUploadExternal, files=[never], channel_id=CHANNEL) == "file_not_found"


def test_ephemerals_are_seen_by_one_and_are_in_no_history(place: Place) -> None:
    place.bot.chat_postEphemeral(channel=CHANNEL, user="U0DEV0001", text="only you")
    assert place.slack.person("dev").sees("only you")
    assert place.slack.channel("maintenance", reader="ben").texts() == []
    assert place.bot.conversations_history(channel=CHANNEL)["messages"] == []
    assert error_of(place.bot.chat_postEphemeral, channel=CHANNEL, user="U0GIL0001", text="x") == "user_not_in_channel"


def test_direct_messages_and_people(place: Place) -> None:
    channel = place.bot.conversations_open(users="U0CHLOE01")["channel"]["id"]
    assert place.bot.chat_postMessage(channel="U0CHLOE01", text="psst")["channel"] == channel
    assert place.slack.person("chloe", "@maint").sees("psst")
    chloe = place.bot.users_info(user="U0CHLOE01")["user"]
    assert (chloe["tz"], chloe["is_bot"], chloe["team_id"]) == ("Pacific/Auckland", False, "T0SANDBOX")
    assert place.bot.users_info(user="U0GIL0001")["user"]["team_id"] == "T0PARTNER"
    assert place.bot.usergroups_users_list(usergroup="S0APPROVE")["users"] == ["U0BEN0001", "U0CHLOE01"]
    assert error_of(place.bot.usergroups_users_list, usergroup="S0NOBODY") == "no_such_subteam"
    assert error_of(place.bot.users_info, user="U0NOBODY") == "user_not_found"
    assert "U0GIL0001" not in place.bot.conversations_members(channel=CHANNEL)["members"]


def test_joining_lets_the_bot_post(place: Place) -> None:
    assert not place.bot.conversations_info(channel="C0GENERAL")["channel"]["is_member"]
    place.bot.conversations_join(channel="C0GENERAL")
    place.bot.chat_postMessage(channel="C0GENERAL", text="hello")
    place.slack.channel("general").shows("has joined")


def test_posting_is_limited_in_each_channel_and_says_how_long_to_wait(open_place: Callable[..., Place]) -> None:
    place = open_place(limits=Limits(post_burst=3))
    for number in range(3):
        place.bot.chat_postMessage(channel=CHANNEL, text=str(number))
    with pytest.raises(SlackApiError) as caught:
        place.bot.chat_postMessage(channel=CHANNEL, text="too much")
    assert caught.value.response.status_code == 429
    assert caught.value.response["error"] == "ratelimited"
    assert int(caught.value.response.headers["Retry-After"]) >= 1
    place.bot.chat_postMessage(channel="C0PARTNER", text="another channel is another bucket")
    assert place.slack.channel("maintenance").texts() == ["0", "1", "2"]


def test_tiers_are_limited_by_the_minute(open_place: Callable[..., Place]) -> None:
    place = open_place(limits=Limits(scale=0.2))
    ts = place.bot.chat_postMessage(channel=CHANNEL, text="x")["ts"]
    for number in range(10):
        place.bot.chat_update(channel=CHANNEL, ts=ts, text=str(number))
    with pytest.raises(SlackApiError) as caught:
        place.bot.chat_update(channel=CHANNEL, ts=ts, text="the eleventh")
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 6


def test_faults_of_the_web_api(place: Place) -> None:
    place.workspace.faults.arm("drop_after", path="chat.postMessage")
    client = WebClient(token=APP.bot_token, base_url=f"{place.url}/api/", retry_handlers=[])
    with pytest.raises(ConnectionResetError):
        client.chat_postMessage(channel=CHANNEL, text="answer lost")
    assert place.slack.channel("maintenance").texts() == ["answer lost"]
    place.slack.goes_down()
    with pytest.raises(SlackApiError):
        place.bot.chat_postMessage(channel=CHANNEL, text="while down")
    place.slack.comes_back()
    place.bot.chat_postMessage(channel=CHANNEL, text="again")
    assert place.slack.channel("maintenance").texts() == ["answer lost", "again"]


def test_what_a_person_reads(place: Place) -> None:
    text = (
        "*bold* app_off `code` <@U0BEN0001> <https://example.com|PR 1> <!date^1796140800^{date_num} {time}|16:00 UTC>"
    )
    place.bot.chat_postMessage(channel=CHANNEL, text="fallback", blocks=[section(text)])
    assert place.slack.channel("maintenance", reader="ana").texts() == ["bold app_off code @ben PR 1 2026-12-01 17:00"]
    assert "2026-12-02 05:00" in place.slack.channel("maintenance", reader="chloe").texts()[0]
