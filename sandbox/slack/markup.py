"""Slack's text: how the server alters what it is given, and how a person reads what comes of it."""

import datetime
import html
import re
import zoneinfo
from collections.abc import Callable

from sandbox.slack.config import Account, Json
from sandbox.slack.state import State

EMOJI = {
    "✅": ":white_check_mark:",
    "❌": ":x:",
    "⚠️": ":warning:",
    "⏳": ":hourglass_flowing_sand:",
    "🔧": ":wrench:",
    "🚧": ":construction:",
    "🎉": ":tada:",
    "⏸️": ":double_vertical_bar:",
    "🔴": ":red_circle:",
    "🟢": ":large_green_circle:",
}
CONTROL = re.compile(r"<([^<>\n]+)>")
BARE_URL = re.compile(r"(?<![<|\w])(https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"])")
STRAY_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
KNOWN_CONTROL = re.compile(r"<(?=[@#!][^<>\n]*>|https?://[^<>\n]*>|mailto:[^<>\n]*>)[^<>\n]+>")
# A mark counts only at the edge of a word, so `app_off` and `2*3*4` stay as they are.
MARKS = [
    re.compile(rf"(?<![\w{re.escape(m)}]){re.escape(m)}(?=\S)([^\n]*?\S){re.escape(m)}(?![\w{re.escape(m)}])")
    for m in "*_~"
]
DATE_TOKEN = re.compile(r"\{(\w+)\}")


def stored(text: str) -> str:
    """Text as Slack stores and gives it back: entities escaped, bare addresses linked, emoji by name."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\x00{len(kept) - 1}\x00"

    out = KNOWN_CONTROL.sub(keep, text)
    out = STRAY_AMPERSAND.sub("&amp;", out).replace("<", "&lt;").replace(">", "&gt;")
    if not text.startswith(">"):
        out = BARE_URL.sub(r"<\1>", out)
    else:
        out = ">" + BARE_URL.sub(r"<\1>", out.removeprefix("&gt;"))
    for sign, name in EMOJI.items():
        out = out.replace(sign, name)
    return re.sub("\x00(\\d+)\x00", lambda match: kept[int(match.group(1))], out)


def typed_by_person(state: State, text: str, *, labelled: bool) -> str:
    """What a person typed, with `@name`, `#channel` and addresses turned into control sequences.

    `labelled` writes `<@U1|ben>`, as slash commands with escaping on have it; messages have `<@U1>`.
    """
    out = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    out = BARE_URL.sub(r"<\1>", out)

    def mention(match: re.Match[str]) -> str:
        name = match.group(1)
        for person in state.people.values():
            if person.name == name:
                return f"<@{person.id}|{name}>" if labelled else f"<@{person.id}>"
        for app in state.config.apps:
            if app.name == name:
                return f"<@{app.user_id}|{name}>" if labelled else f"<@{app.user_id}>"
        for group in state.config.groups:
            if group.handle == name:
                return f"<!subteam^{group.id}|@{name}>"
        return match.group()

    def room(match: re.Match[str]) -> str:
        channel = state.channel_named(match.group(1))
        return f"<#{channel.id}|{channel.name}>" if channel else match.group()

    out = re.sub(r"(?<![\w<])@([a-z0-9._-]*[a-z0-9])", mention, out)
    return re.sub(r"(?<![\w&<])#([a-z0-9_-]+)", room, out)


def zone_of(person: Account) -> datetime.tzinfo:
    """The zone of a person's device."""
    return zoneinfo.ZoneInfo(person.zone) if person.zone else datetime.UTC


def readable(state: State, text: str, viewer: Account) -> str:
    """mrkdwn as `viewer` sees it on the screen: names, labels, own times, no marks."""
    out = CONTROL.sub(lambda match: _control(state, match.group(1), viewer), text)
    out = re.sub(
        r"```\n?(.*?)```|`([^`\n]+)`", lambda match: match.group(1) or match.group(2) or "", out, flags=re.DOTALL
    )
    for mark in MARKS:
        out = mark.sub(r"\1", out)
    return html.unescape(out)


def _control(state: State, inside: str, viewer: Account) -> str:
    if inside.startswith("!date^"):
        return date_text(inside, viewer)
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return "@" + (label or name_of(state, target[1:]))
    if target.startswith("#"):
        channel = state.channels.get(target[1:])
        return "#" + (label or (channel.name if channel else target[1:]))
    if target.startswith("!subteam^"):
        handles = [group.handle for group in state.config.groups if group.id == target.removeprefix("!subteam^")]
        return label or "@" + (handles[0] if handles else "unknown-group")
    if target.startswith("!"):
        return label or "@" + target[1:]
    return label or target.removeprefix("mailto:")


def name_of(state: State, user_id: str) -> str:
    """The name under which a user's or bot's messages stand."""
    if user_id in state.people:
        return state.people[user_id].name
    app = state.app_by(user_id=user_id)
    return app.name if app else "slackbot" if user_id == "USLACKBOT" else user_id


def date_text(inside: str, viewer: Account) -> str:
    """`!date^UNIX^tokens^link|fallback` in the viewer's zone; the fallback if it makes no sense.

    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    body, _, fallback = inside.partition("|")
    parts = body.split("^")
    if len(parts) < 3 or not parts[1].lstrip("-").isdigit():
        return fallback
    moment = datetime.datetime.fromtimestamp(int(parts[1]), zone_of(viewer))
    return DATE_TOKEN.sub(lambda match: _token(match, moment), parts[2])


def _token(match: re.Match[str], moment: datetime.datetime) -> str:
    make = _TOKENS.get(match.group(1))
    return make(moment) if make else match.group()


def _pretty(plain: Callable[[datetime.datetime], str], *, capital: bool = True) -> Callable[[datetime.datetime], str]:
    def make(moment: datetime.datetime) -> str:
        days = (moment.date() - datetime.datetime.now(moment.tzinfo).date()).days
        word = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get(days)
        return plain(moment) if word is None else word if capital else word.lower()

    return make


def _long_date(moment: datetime.datetime) -> str:
    return f"{moment:%A, %B} {moment.day}, {moment.year}"


def _date(moment: datetime.datetime) -> str:
    return f"{moment:%B} {moment.day}, {moment.year}"


def _short_date(moment: datetime.datetime) -> str:
    return f"{moment:%b} {moment.day}, {moment.year}"


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%H:%M}"


_TOKENS: dict[str, Callable[[datetime.datetime], str]] = {
    "date_num": lambda moment: f"{moment:%Y-%m-%d}",
    "date": _date,
    "date_short": _short_date,
    "date_long": _long_date,
    "date_pretty": _pretty(_date),
    "date_short_pretty": _pretty(_short_date),
    "date_long_pretty": _pretty(_long_date),
    "time": _time,
    "time_secs": lambda moment: f"{moment:%H:%M:%S}",
}


def visible_text(state: State, message: Json, viewer: Account) -> str:
    """All that a message or view shows: blocks if there are any, else the text; then attachments and files."""
    parts = [_block_text(block) for block in message.get("blocks") or []]
    if not parts and message.get("text"):
        parts = [message["text"]]
    for attachment in message.get("attachments") or []:
        parts.append(attachment.get("pretext", ""))
        parts.append(attachment.get("text") or ("" if attachment.get("blocks") else attachment.get("fallback", "")))
        parts += [_block_text(block) for block in attachment.get("blocks", [])]
    parts += [file["name"] for file in message.get("files") or []]
    return readable(state, "\n".join(part for part in parts if part), viewer)


def _block_text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(filter(None, map(_block_text, value)))
    if not isinstance(value, dict):
        return ""
    words = value.get("text")
    if isinstance(words, str):
        return words
    shown = ("title", "label", "text", "fields", "elements", "accessory", "element", "hint", "alt_text")
    return "\n".join(filter(None, (_block_text(value[key]) for key in shown if key in value)))
