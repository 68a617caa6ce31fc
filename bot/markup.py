"""Text as Slack reads it: escaping, mentions, times in each reader's own zone, durations, cutting.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import html
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.step import Window

_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"]")
_MARK = re.compile(r"(?<!\w)[*_~`]|[*_~`](?!\w)")
_OUR_MARK = re.compile(r"(?<!\w)[*`]|[*`](?!\w)")
_REORDERS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_JOINER = "\u2060"  # takes no room; a mark that touches it neither opens nor closes anything
_BY_HAND = re.compile(r"((?:done|confirmed) by )<@([UW][A-Z0-9]+)>")
_TASK = re.compile(r"By hand(?: \((?:<(?:@|!subteam\^)([UWS][A-Z0-9]+)>|(.*?))\))?: (.*)", re.DOTALL)
_ID = r"(?=.{8}|.*\d)[A-Z0-9]{2,}"  # a name in capitals is no id: those have nine characters or more, or digits
_PERSON = re.compile(f"[UW]{_ID}")
_GROUP = re.compile(f"S{_ID}")
_CONTROL = re.compile(r"<([^<>\n]+)>")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def escape(text: str) -> str:
    """Return `text` with the three characters that could begin a mention, a link or an entity escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def inline(text: str, limit: int | None = None) -> str:
    """Return somebody's words as one line of mrkdwn: no mention, no bold by accident; web addresses become links.

    With a `limit`, as much of the beginning as takes at most that many characters once it is escaped.
    """
    # What turns the order of letters round would go on behind these words, into ours.
    line = " ".join(_REORDERS.sub("", text).split())
    made = _linked(line)
    while limit is not None and len(made) > limit:
        line = _without_half_link(line, max(1, min(limit, len(line) * limit // len(made))))
        made = _linked(line)
    return made


def _without_half_link(line: str, limit: int) -> str:
    """Cut as `cut` does, but before an address that the cut would go through: half of one leads somewhere else."""
    for match in _URL.finditer(line):
        if match.start() < limit <= match.end():
            return cut(line, max(1, match.start())) if match.start() > 1 else "…"
    return cut(line, limit)


def _linked(line: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _URL.finditer(line):
        parts += [_unmarked(line[end : match.start()]), f"<{escape(match.group())}>"]
        end = match.end()
    return "".join([*parts, _unmarked(line[end:])])


def _unmarked(text: str) -> str:
    marks = [match.group() for match in _MARK.finditer(text)]
    # A mark alone stays as it is, so that a path can be copied: only two of a kind make bold or italics.
    return escape(
        _MARK.sub(
            lambda mark: f"{_JOINER}{mark.group()}{_JOINER}" if marks.count(mark.group()) > 1 else mark.group(), text
        )
    )


def outcome(summary: str, limit: int | None = None) -> str:
    """Return a step's summary as `inline` does, but keep the mention in what `/maint done` and a settling write."""
    by_hand = _BY_HAND.fullmatch(summary)
    return f"{by_hand.group(1)}<@{by_hand.group(2)}>" if by_hand else inline(summary, limit)


def task(doing: str) -> tuple[str, str]:
    """Return what is to be done by hand, of what its plan says, behind whose it is: `, by <@U…>` in mrkdwn, or ""."""
    found = _TASK.fullmatch(doing)
    if found is None:
        return "", doing
    owner, name, what = found.groups()
    return (f", by {mention(owner or name)}" if owner or name else ""), what


def mention(who: str) -> str:
    """Return a mention of a user or user group id; any other name (such as `maint`) as it is."""
    if _PERSON.fullmatch(who):
        return f"<@{who}>"
    if _GROUP.fullmatch(who):
        return f"<!subteam^{who}>"
    return inline(who)


def mentions(who: tuple[str, ...], word: str = "and") -> str:
    """Return mentions of several, as an enumeration; the last is joined by `word`."""
    named = [mention(one) for one in who]
    return f" {word} ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def stamp(at: datetime) -> str:
    """Return a moment as the log writes it: `2026-11-25 09:42:13 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def when(at: datetime) -> str:
    """Return a moment that each reader sees in the zone of their own device; elsewhere it reads as UTC."""
    fallback = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def between(low: datetime, high: datetime) -> str:
    """Return `between A and B` as `when` writes them, `about A` where that is the same minute."""
    same = low.replace(second=0, microsecond=0) == high.replace(second=0, microsecond=0)
    return f"about {when(low)}" if same else f"between {when(low)} and {when(high)}"


def announced(window: Window) -> str:
    """Return the window in the zone that it was announced in, with its offset, and in UTC (plain text).

    Where clocks change within it, the start has its own offset.
    """
    zone = ZoneInfo(window.zone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    if start.tzname() == end.tzname() == "UTC":
        return f"{_hours(start, end)} UTC"
    changed = "" if start.utcoffset() == end.utcoffset() else f" {start.tzname()} (UTC{_offset(start)})"
    there = _hours(window.start.astimezone(UTC), window.end.astimezone(UTC))
    return f"{_hours(start, end, changed)} {end.tzname()} (UTC{_offset(end)}; {there} UTC)"


def _hours(start: datetime, end: datetime, after_start: str = "") -> str:
    day = "" if end.date() == start.date() else f"{_day(end)} "
    return f"{_day(start)} {start:%H:%M}{after_start} to {day}{end:%H:%M}"


def _day(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y}"


def _offset(at: datetime) -> str:
    text = f"{at:%z}"
    return f"{text[:3]}:{text[3:5]}"


def duration(seconds: float) -> str:
    """Return a duration for people: `45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        minutes, rest = divmod(whole, _MINUTE_S)
        return f"{minutes} min" if rest == 0 else f"{minutes} min {rest} s"
    if whole < _DAY_S:
        hours, rest = divmod(whole // _MINUTE_S, 60)
        return f"{hours} h" if rest == 0 else f"{hours} h {rest:02d} min"
    days, rest = divmod(whole // _HOUR_S, 24)
    return f"{days} d" if rest == 0 else f"{days} d {rest} h"


def cut(text: str, limit: int) -> str:
    """Return `text` if it has at most `limit` characters, else as much of its beginning as fits before an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def plain(markup: str) -> str:
    """Return mrkdwn as a terminal or a Markdown file shows it: labels and fallbacks, no marks, no entities."""

    def shown(control: re.Match[str]) -> str:
        target, _, label = control.group(1).partition("|")
        return label or target.replace("!subteam^", "@").removeprefix("!")

    return html.unescape(_OUR_MARK.sub("", _CONTROL.sub(shown, markup)))
