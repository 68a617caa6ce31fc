"""A message in a maintenance's channel that somebody has marked with the emoji for notes: it becomes an entry, once."""

from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot import acts
from bot.acts import Act
from bot.errors import BadInput, MaintError
from bot.journal import Duplicate
from bot.plain import plain
from bot.state import State
from commands.verb import Bot, as_typed, record

Json = dict[str, Any]
log = structlog.get_logger()


def marked(event: Mapping[str, Any], client: WebClient, bot: Bot, own_bot: str) -> None:
    """Note the message of a `reaction_added` event, if it is the emoji for notes and in a maintenance's channel.

    Whoever marks it, however often: one message is one entry. `own_bot` is our bot's id; what we say ourselves is in
    the log already. Source: https://docs.slack.dev/reference/events/reaction_added
    """
    item = event.get("item", {})
    if event.get("reaction") != bot.defaults["note_emoji"] or item.get("type") != "message":
        return
    channel, ts, user = item["channel"], item["ts"], event["user"]
    state = _meant(channel, bot)
    if state is None:
        return
    try:
        bot.admit(user, "", "note")
        source = _read(channel, ts, client, own_bot)
        source["text"] = bot.named(source["text"])
        act = Act(user, f"{channel}:{ts}")
        record(bot, state, act, "note", lambda latest: acts.note(latest, act, source["text"], source))
    except Duplicate:
        return
    except MaintError as error:
        _tell(channel, user, f":warning: That message is not noted. {error}", client)


def _meant(channel: str, bot: Bot) -> State | None:
    """The maintenance of this channel that is under way, else the next or the latest one; None where there is none."""
    coming = [state for state in bot.maintenances.active() if state.channel == channel]
    under_way = [state for state in coming if state.status in {"in_progress", "verifying"}]
    found = next((states[-1] for states in (under_way, coming) if states), None)
    return found or next(bot.maintenances.past(channel), None)


def _read(channel: str, ts: str, client: WebClient, own_bot: str) -> Json:
    """The message's text, author and address. Raises `BadInput` where there is nothing to note."""
    try:
        # A reply in a thread is not in the channel's history.
        found = client.conversations_history(channel=channel, oldest=ts, latest=ts, inclusive=True, limit=1)["messages"]
        if not any(each["ts"] == ts for each in found):
            found = client.conversations_replies(channel=channel, ts=ts, limit=1)["messages"]
        link = client.chat_getPermalink(channel=channel, message_ts=ts)["permalink"]
    except SlackApiError as error:
        raise BadInput(f"Slack does not show it to me ({error.response['error']}).") from None
    except (SlackClientError, OSError):
        raise BadInput("Slack could not be asked for it. Take the mark away and set it again in a minute.") from None
    message = next((each for each in found if each["ts"] == ts), None)
    if message is None:
        raise BadInput("Slack does not show it to me.")
    if message.get("bot_id") == own_bot:
        raise BadInput("It is my own, and what I say is in the log already.")
    text = as_typed(plain(str(message.get("text", ""))))
    if not text.strip():
        raise BadInput("It has no text.")
    return {"text": text, "author": str(message.get("user") or message.get("username") or "an app"), "link": str(link)}


def _tell(channel: str, user: str, text: str, client: WebClient) -> None:
    try:
        client.chat_postEphemeral(channel=channel, user=user, text=text)
    except (SlackClientError, OSError) as error:
        log.warning("answer_not_shown", user=user, error=type(error).__name__)
