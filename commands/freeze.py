"""`/maint freeze`: declare a time in which nothing is to be changed, list those there are, lift one."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.errors import BadInput
from bot.freeze_notices import hit_by, told_hit
from bot.freezes import Freeze
from bot.markup import inline, mention
from bot.step import Window
from bot.window import Moment, echo, local, parse_when, zone_of
from commands.conflicts import told
from commands.verb import Bot, Call, Reply, as_typed, verb

_USAGE = "freeze [FROM to UNTIL REASON | lift ID]"
_HOW = "`/maint freeze 18 Dec 18:00 to 5 Jan 09:00 The Christmas sale`"
_TO = re.compile(r"\s+(?:to|until|till)\s+", re.IGNORECASE)
# Words that a time may end with by accident, since `parse_when` passes over them: they begin the reason.
_FILLING = frozenset({"at", "on", "the", "this", "coming"})
_TIMELY = re.compile(
    r"[\d:.,+-]+(?:st|nd|rd|th|[ap]\.?m\.?|Z)?|[\d-]+T[\d:.+-]+Z?|[ap]\.?m\.?|noon|midday|midnight|now"
    r"|(?:mon|tue|wed|thu|fri|sat|sun)\w*\.?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.,]?\d*"
    r"|today|tonight|tomorrow|tmrw|next|at|on|of|the|this|coming|in|and"
    r"|(?:\d+(?:\.\d+)?)?(?:[wdhms]|weeks?|days?|hours?|hrs?|min(?:ute)?s?)|(?:\d+[wdhm])+"
    r"|(?:UTC|GMT)(?:[+-][\d:]+)?|[A-Za-z_]+/[A-Za-z_/+-]+\d*|(?-i:[A-Z]{3,5})",
    re.IGNORECASE,
)
_BY_TODAY = re.compile(r"\b(?:in|today|tonight|tomorrow|tmrw|now)\b", re.IGNORECASE)
_AHEAD = timedelta(days=366)


@verb("freeze", _USAGE, "nothing is planned in a freeze without an override; alone, it lists the freezes there are")
def freeze(call: Call, bot: Bot) -> Reply:
    """List, declare or lift; the channel is told of the latter two."""
    first, _, rest = call.words.partition(" ")
    if not first or first.lower() == "list":
        return _listed(call, bot)
    bot.admit_freeze(call.user)
    return _lift(call, bot, rest.strip()) if first.lower() == "lift" else _declare(call, bot)


def _declare(call: Call, bot: Bot) -> Reply:
    now = bot.maintenances.now()
    begin, until, reason = read(call.words, now, call.zone)
    wished = Freeze(begin.at, until.at, as_typed(reason), zone=begin.zone, who=call.user, at=now)
    channel = str(bot.defaults["channel"])
    made = bot.freezes.declared.declare(wished, channel=channel, delivery=call.delivery)
    bot.wake()
    hit = told_hit(hit_by(made, bot.maintenances.active()))
    span = echo(Window(made.begin, made.until, made.zone), now)
    return Reply(f"`{made.id}` is declared: {span}. <#{channel}> is told.{hit}")


def _lift(call: Call, bot: Bot, words: str) -> Reply:
    if not words:
        raise BadInput("Which one? `/maint freeze lift freeze-1`; `/maint freeze` lists those there are.")
    id_ = words.strip("`")
    channel = str(bot.defaults["channel"])
    bot.freezes.declared.lift(id_, call.user, bot.maintenances.now(), channel=channel, delivery=call.delivery)
    bot.wake()
    return Reply(f"`{id_}` is lifted. <#{channel}> is told.")


def _listed(call: Call, bot: Bot) -> Reply:
    now = bot.maintenances.now()
    found, not_seen = bot.freezes.during(Window(now, now + _AHEAD, call.zone))
    lines = [_line(each, call.zone) for each in found] or [
        f"No freeze is known for the coming year. {_HOW} declares one."
    ]
    return Reply("\n".join(lines) + "\n" + told(not_seen))


def _line(freeze: Freeze, zone: str) -> str:
    span = f"{local(freeze.begin, zone)} to {local(freeze.until, zone)}"
    if freeze.id:
        return f"`{freeze.id}` {span}: {inline(freeze.reason)} (declared by {mention(freeze.who)})"
    return f"{span}: {inline(freeze.reason)} (from {inline(freeze.source)})"


def read(words: str, now: datetime, zone: str) -> tuple[Moment, Moment, str]:
    """Return from when, until when and why, of `FROM to UNTIL REASON` said in `zone` at `now` (aware UTC).

    A zone that only one of the two times names counts for both, and an end is the next such time after the beginning.
    Raises `BadInput`.
    """
    parts = _TO.split(words.strip(), maxsplit=1)
    if len(parts) < 2:  # noqa: PLR2004 - the two sides of "to"
        raise BadInput(f"From when to when, and why? {_HOW}.")
    begin = parse_when(parts[0], now, zone)
    text, reason = _split(parts[1], lambda one: parse_when(one, now, begin.zone))
    until = parse_when(text, now, begin.zone)
    if begin.zone == zone_of(zone).key != until.zone:
        begin = parse_when(parts[0], now, until.zone)
    if until.at <= begin.at:
        until = _after(text, begin, until)
    if not reason:
        raise BadInput(f"A freeze needs a reason, behind its end: {_HOW}.")
    return begin, until, reason


def _split(words: str, parse: Callable[[str], Moment]) -> tuple[str, str]:
    """The longest beginning of `words` that is a time, and what follows it.

    Only words that look like part of a time are tried: in “9:00 the Christmas sale” the island has a zone, too.
    """
    parts = words.split()
    times = [part.rstrip(":") for part in parts]
    length = next((number for number, part in enumerate(times) if not _TIMELY.fullmatch(part)), len(parts))
    refused = None
    while length:
        try:
            parse(" ".join(times[:length]))
        except BadInput as error:
            refused = refused or error
            length -= 1
            continue
        while parts[length - 1].lower() in _FILLING:
            length -= 1
        return " ".join(times[:length]), " ".join(parts[length:])
    raise refused or BadInput(f"“{words}” does not begin with a time. {_HOW}.")


def _after(text: str, begin: Moment, until: Moment) -> Moment:
    """What `text` means for somebody who thinks of `begin`: `7pm` after `tomorrow 5pm` is tomorrow's."""
    too_early = BadInput(
        f"That freeze would end ({local(until.at, until.zone)}) before it begins ({local(begin.at, begin.zone)})."
    )
    if _BY_TODAY.search(text):
        raise too_early
    try:
        later = parse_when(text, begin.at, begin.zone)
    except BadInput:
        raise too_early from None
    if later.at <= begin.at:
        raise too_early
    return later
