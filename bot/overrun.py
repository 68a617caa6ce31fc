"""Overruns, handled before they happen: when people are asked what now, whom else if nobody answers. Pure.

They are asked once the forecast is nearly sure that the announced end is missed, and in the last quarter of an hour
already when that is well possible, so that there is time to tell customers; not again while their answer holds. The
thresholds are those with which a simulated year (`script/bench forecast`) misses no overrun and rarely cries wolf.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.acts import Act, AlreadyDecided
from bot.changes import extend, raw_step
from bot.crew import BOT
from bot.entry import Kind
from bot.errors import BadInput
from bot.forecast import Forecast
from bot.journal import Draft
from bot.paging import CHANGE, change_is_open
from bot.promise import Overrun
from bot.state import State
from bot.window_steps import OVERRIDE

LATE = ((timedelta(minutes=15), 0.9), (timedelta(minutes=10), 0.55))
"""From which chance of an overrun people are asked while there is more than so much time: less time, less proof."""
LATE_AT_LAST = 0.45
IN_TIME, IN_TIME_AT_LAST = 0.2, 0.05
"""Below which chance a question is taken back, and in the last quarter of an hour: far from `LATE`, so no flapping."""
LAST_CALL = timedelta(minutes=15)
_MUCH_LATER = timedelta(minutes=30)
_WORKING = frozenset({"in_progress", "verifying"})
_OVERRIDING = frozenset({OVERRIDE, "maint.window"})


@dataclass(frozen=True)
class Circles:
    """Who else is asked when nobody answers: after `wait_s` the people of `escalate_to`, then those on call.

    `page` are the steps (id, uses, title, with, and how they are undone) that page them; none where nobody can be.
    """

    wait_s: float = 300.0
    escalate_to: tuple[str, ...] = ()
    page: tuple[Mapping[str, Any], ...] = ()


def watch(state: State, found: Forecast, now: datetime, circles: Circles) -> list[Draft]:
    """Return what is to be recorded at `now` (aware UTC), given the forecast `found`; mostly nothing."""
    if state.over or state.taking_down or state.rolled_back_because is not None:
        return []
    asked = state.overruns[-1] if state.overruns else None
    if not _is_at_work(state, now):
        return _ahead(state, asked, found)
    if asked is not None and asked.asked_at < min(state.started_at or state.window.start, state.window.start):
        asked = None  # what was answered before it began is another question
    if asked is not None and asked.announced == state.window.end:
        if asked.is_open and found.late_chance < _thresholds(state, now)[1]:
            return [_averted(state, asked, found)]
        if asked.is_open or (asked.answer == "extend" and change_is_open(state)):
            return _escalation(state, asked, now, circles)
    return [_question(state, found)] if _is_to_ask(state, asked, found, now) else []


def _is_at_work(state: State, now: datetime) -> bool:
    return state.status in _WORKING or now >= state.window.start


def _ahead(state: State, asked: Overrun | None, found: Forecast) -> list[Draft]:
    """Ask before it begins where a size or a rehearsal has shown, after it was planned, that the window is too short.

    What was known as it was planned is for the conflicts (`too_short`), and who has overridden that is not asked again.
    Nobody else is asked, and nobody paged: there is time.
    """
    if asked is not None and asked.announced == state.window.end:
        better = asked.is_open and found.late_chance < IN_TIME
        return [_averted(state, asked, found)] if better else []
    is_new = any(step.planned is not None for step in state.steps.values()) and not _is_overridden(state)
    return [_question(state, found, ahead=True)] if is_new and found.is_late and not change_is_open(state) else []


def _is_overridden(state: State) -> bool:
    kept = (
        each for spec in state.specs.values() for each in spec.with_.get("conflicts", ()) if spec.uses in _OVERRIDING
    )
    return any(each["kind"] == "too_short" and each["blocks"] for each in kept)


def _averted(state: State, asked: Overrun, found: Forecast) -> Draft:
    key = f"{state.id}:overrun:{asked.number}:averted"
    return Draft(Kind.OVERRUN_AVERTED, "maint", key, payload=_told(found))


def responsible(state: State) -> tuple[str, ...]:
    """Return who is asked: whoever coordinates the maintenance, and those who may approve in it.

    What comes again by itself is coordinated by the bot until somebody takes over: it has nothing to answer.
    """
    approvers = [who for spec in state.specs.values() if spec.approval for who in spec.approval.approvers]
    people = [who for who in (state.coordinator, *approvers) if who != BOT]
    return tuple(dict.fromkeys(people or [state.coordinator]))


def _thresholds(state: State, now: datetime) -> tuple[float, float]:
    left = state.window.end - now
    late = next((chance for length, chance in LATE if left > length), LATE_AT_LAST)
    return late, IN_TIME_AT_LAST if left <= LAST_CALL else IN_TIME


def _is_to_ask(state: State, asked: Overrun | None, found: Forecast, now: datetime) -> bool:
    if change_is_open(state):
        return False
    if found.late_chance < _thresholds(state, now)[0]:
        return False
    if asked is not None and asked.answer == "go_on" and asked.announced == state.window.end:
        return found.end >= asked.end + _MUCH_LATER
    return True


def _question(state: State, found: Forecast, *, ahead: bool = False) -> Draft:
    number = len(state.overruns) + 1
    before = {"ahead": True} if ahead else {}
    payload = {"number": number, **_told(found), "asked": list(responsible(state)), **before}
    return Draft(Kind.OVERRUN_EXPECTED, "maint", f"{state.id}:overrun:{number}", payload=payload)


def _told(found: Forecast) -> dict[str, Any]:
    return {
        "end": found.end.isoformat(timespec="seconds"),
        "low": found.low.isoformat(timespec="seconds"),
        "high": found.high.isoformat(timespec="seconds"),
        "announced": found.announced.isoformat(),
        "late_chance": round(found.late_chance, 2),
    }


def _escalation(state: State, asked: Overrun, now: datetime, circles: Circles) -> list[Draft]:
    rest = [who for who in circles.escalate_to if who not in asked.asked]
    stages: list[tuple[Sequence[str], Sequence[Mapping[str, Any]]]] = []
    stages += [(rest, ())] if rest else []
    stages += [((), circles.page)] if circles.page else []
    done = asked.escalations
    if done >= len(stages) or now < asked.asked_at + timedelta(seconds=circles.wait_s * (done + 1)):
        return []
    to, page = stages[done]
    change = f"{CHANGE}{asked.number}"
    steps = [{**raw_step(f"{raw['id']}-{asked.number}", change, None), **_page(raw, asked)} for raw in page]
    told = {"pages": "Those on call are paged"} if steps else {}
    payload = {"number": asked.number, "to": list(to), "steps": steps, **told}
    return [Draft(Kind.OVERRUN_ESCALATED, "maint", f"{state.id}:{change}:escalated:{done + 1}", payload=payload)]


def _page(raw: Mapping[str, Any], asked: Overrun) -> dict[str, Any]:
    """The step that pages, with what whoever is woken has to know first in its text: how late it will be."""
    text = f"{raw['with']['text']} Expected: {asked.low:%H:%M} to {asked.high:%H:%M} UTC."
    return {**{key: value for key, value in raw.items() if key != "id"}, "with": {**raw["with"], "text": text}}


def more(state: State, act: Act, number: int, minutes: int, now: datetime) -> list[Draft]:
    """Answer question `number` with an extension by `minutes`: the act that `/maint extend` is, with its approval."""
    _must_be_open(state, number)
    return extend(state, act, timedelta(minutes=minutes), now)


def go_on(state: State, act: Act, number: int) -> list[Draft]:
    """Answer question `number`: go on, and end late. It is not asked again unless it becomes much later."""
    _must_be_open(state, number)
    return [Draft(Kind.OVERRUN_ACCEPTED, act.user, f"go-on:{act.delivery}", payload={"number": number})]


def _must_be_open(state: State, number: int) -> None:
    if not 1 <= number <= len(state.overruns):
        raise BadInput(f"{state.id} has not asked that; look for the latest message in the channel.")
    asked = state.overruns[number - 1]
    if asked.is_open and number < len(state.overruns):
        raise AlreadyDecided("Asked again since; look for the latest message in the channel.")
    if asked.is_open:
        return
    at = f"{asked.answered_at:%H:%M} UTC" if asked.answered_at else "before"
    who = f"<@{asked.answered_by}>" if asked.answered_by != "maint" else "the bot"
    words = {
        "extend": f"{who} has asked for an extension at {at}; it waits for its approval.",
        "go_on": f"{who} decided at {at} to go on.",
        "averted": f"The question was taken back at {at}: it was in time again.",
        "stopped": f"{who} stopped the maintenance at {at}.",
    }
    raise AlreadyDecided(f"Answered already. {words.get(asked.answer or '', '')}")
