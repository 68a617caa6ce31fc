"""The conflict radar: what speaks against a window, found before anybody is told of it. Pure: all it needs is given.

A conflict blocks or warns, by the policy that the maintenance was made with. One that blocks can be overridden, by a
reason and a second person's approval (`bot.overrides`); a warning is only told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.conflict_kinds import DEFAULTS
from bot.errors import BadInput
from bot.estimates import Past
from bot.forecast import NO_PAST, forecast
from bot.state import State
from bot.step import REGISTRY, Window, canonical
from bot.step_spec import StepSpec
from bot.templates import render, variables_of
from bot.window import duration_words, echo, local
from bot.zones import label, offset_text

_MARGIN = 0.1


@dataclass(frozen=True)
class Conflict:
    """One thing that speaks against a window, explained in `text`.

    `about` names the thing, the same as long as it is the same, whatever times the text gives.
    """

    kind: str
    text: str
    blocks: bool
    about: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The conflict as plain JSON, as the journal keeps it."""
        return {"kind": self.kind, "text": self.text, "blocks": self.blocks}


def conflicts(
    state: State,
    now: datetime,
    others: Iterable[State],
    zones: Sequence[str] = (),
    *,
    past: Past = NO_PAST,
    more: Iterable[Conflict] = (),
) -> list[Conflict]:
    """Return what speaks against the window of `state`, asked for at `now` (aware UTC); what blocks comes first.

    `others` are the maintenances that may still do something; `zones` the IANA names of further zones that people
    read the window in;
    `past` is what completed maintenances took; `more` was found elsewhere. The levels are those of `state.radar`.
    """
    found = [
        *_notice(state, now),
        *_length(state, now, past),
        *_overlaps(state, now, others),
        *_clocks(state.window, zones),
        *_midnight(state.window),
        *more,
    ]
    return judged(found, state.radar.get("levels", {}))


def judged(found: Iterable[Conflict], levels: Mapping[str, str]) -> list[Conflict]:
    """Return the conflicts with the levels of the policy, without those that it does not want to hear of."""
    kept = [
        replace(each, blocks=level == "block")
        for each in found
        if (level := levels.get(each.kind) or DEFAULTS[each.kind]) != "off"
    ]
    return sorted(kept, key=lambda each: not each.blocks)


def of_change(found: Sequence[Conflict], before: Sequence[Conflict], state: State) -> list[Conflict]:
    """Return `found`, the conflicts of `state` with its new window, as they count for a change.

    What was there `before` the change does not block it, and nothing does once the maintenance has begun: there is no
    way not to go on.
    """
    before_it = {(each.kind, each.about) for each in before if each.kind != "notice"}
    begun = state.status not in {"draft", "scheduled"}
    counted = [
        replace(each, blocks=each.blocks and not begun and (each.kind, each.about) not in before_it) for each in found
    ]
    return sorted(counted, key=lambda each: not each.blocks)


def _notice(state: State, now: datetime) -> list[Conflict]:
    wanted = timedelta(seconds=state.radar.get("notice_s", 0.0))
    given = state.window.start - now
    if not wanted or given >= wanted:
        return []
    words = duration_words(given) if given >= timedelta(minutes=1) else "no time at all"
    return [_found("notice", f"That is {words} of notice; {state.runbook} wants {duration_words(wanted)}.")]


def _length(state: State, now: datetime, past: Past) -> list[Conflict]:
    window = state.window
    expected = forecast(state, now, None, past)
    ends = f"at {local(expected.end, window.zone)}"
    if expected.spare < timedelta(0):
        late = duration_words(expected.spare)
        text = f"By the estimates it ends {late} after the announced end, {ends}. Give it a longer window."
        return [_found("too_short", text)]
    margin = timedelta(seconds=state.radar.get("margin_s", (window.end - window.start).total_seconds() * _MARGIN))
    if expected.spare >= margin:
        return []
    spare = duration_words(expected.spare) if expected.spare >= timedelta(minutes=1) else "nothing"
    text = f"By the estimates it ends {ends}, with {spare} to spare; {duration_words(margin)} should be."
    return [_found("margin", text)]


def _overlaps(state: State, now: datetime, others: Iterable[State]) -> list[Conflict]:
    own = targets(state)
    found = []
    for other in others:
        # One that runs late is under way until it says that it has ended.
        ends = max(other.window.end, now) if other.started_at is not None else other.window.end
        shared = sorted(own & targets(other))
        if other.id == state.id or not shared or state.window.start >= ends or other.window.start >= state.window.end:
            continue
        text = f"{other.id} ({other.title}) works on the same at the same time, on {', '.join(shared)}: "
        found.append(_found("overlap", text + echo(other.window, now) + ".", other.id))
    return found


def targets(state: State) -> set[str]:
    """Return what the steps of `state` work on, as the fields in their `targets` name it."""
    return {target for spec in state.specs.values() for target in targets_of(state, spec)}


def targets_of(state: State, spec: StepSpec) -> set[str]:
    """Return what one step works on; what only a later step will tell is missing."""
    cls = REGISTRY.get(spec.uses)
    names = variables_of(state) if cls is not None and cls.targets else {}
    found = set()
    for path in cls.targets if cls is not None else ():
        name, _, inner = path.partition(".")
        default = cls.model_fields[name].default if cls is not None else None
        try:
            value = render(spec.with_.get(name, default), names)
        except BadInput:
            continue
        value = value.get(inner) if inner and isinstance(value, Mapping) else value
        if value and isinstance(value, str):
            found.add(value)
        elif isinstance(value, list | tuple | dict) and value:
            found.add(canonical(value))
    return found


def _clocks(window: Window, zones: Sequence[str]) -> list[Conflict]:
    found = []
    for name in dict.fromkeys([window.zone, *zones]):
        zone = ZoneInfo(name)
        if window.start.astimezone(zone).utcoffset() == window.end.astimezone(zone).utcoffset():
            continue
        at = _changes_at(window, zone)
        before, after = label(at - timedelta(seconds=1), zone), label(at, zone)
        text = (
            f"The clocks of {name} change within the window, from {before} to {after} at {at:%H:%M} UTC: say times "
            "with their offset, and mind what runs by the clock."
        )
        found.append(_found("clocks", text, name))
    return found


def _changes_at(window: Window, zone: ZoneInfo) -> datetime:
    """The minute from which on the offset is that of the window's end."""
    early, late = window.start.astimezone(UTC), window.end.astimezone(UTC)
    last = offset_text(late, zone)
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) / 2
        early, late = (early, middle) if offset_text(middle, zone) == last else (middle, late)
    return late.replace(second=0, microsecond=0)


def _midnight(window: Window) -> list[Conflict]:
    zone = ZoneInfo(window.zone)
    last = (window.end - timedelta(microseconds=1)).astimezone(zone)
    if last.date() == window.start.astimezone(zone).date():
        return []
    return [_found("midnight", f"It runs past midnight, until {local(window.end, window.zone)}: say the date with it.")]


def unseen(what: str, why: object, about: str) -> Conflict:
    """Return the conflict of what had to be looked at, and could not be: that nothing was found says nothing then."""
    return Conflict("unseen", f"{what} cannot be looked at: {why}", blocks=False, about=about)


def _found(kind: str, text: str, about: str = "") -> Conflict:
    return Conflict(kind, text, blocks=False, about=about)
