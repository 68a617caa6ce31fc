"""The closing report: from the history to what is told. Pure; `integrations.report.markdown` puts it into words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.report.story import Decision, Event, History, StepStory, Story, name_of, read
from integrations.report.wording import in_words

_NOTEWORTHY_S = 30.0
_NOTEWORTHY_WAIT_S = 60.0
_NOTEWORTHY_RATIO = 1.2
_SYSTEMS = {"postgres": "PostgreSQL"}
_NEXT = re.compile(r"\s*(next time|todo)\b[\s:,]*", re.IGNORECASE)


@dataclass(frozen=True)
class Down:
    """How long visitors of one address saw no working page. `intervals` are pairs of aware UTC moments."""

    what: str
    total_s: float
    intervals: tuple[tuple[datetime, datetime], ...]
    probes: int
    failures: int
    unobserved_s: float


@dataclass(frozen=True)
class Messages:
    """One mass message: how many people got it, were left out, or may have got it, and the line that told so."""

    step: str
    sent: int
    skipped: int
    unknown: int
    total: int
    summary: str


@dataclass(frozen=True)
class Report:
    """All that the closing report says. Seconds where the name says so, aware UTC moments elsewhere."""

    title: str
    start: datetime
    end: datetime
    zone: str
    first_window: tuple[datetime, datetime]
    began_at: datetime
    ended_at: datetime
    steps: tuple[StepStory, ...]
    upgraded: tuple[str, ...]
    security: tuple[str, ...]
    app_off: tuple[tuple[datetime, datetime], ...]
    downtime: tuple[Down, ...]
    messages: tuple[Messages, ...]
    requester: str
    decisions: tuple[Decision, ...]
    pauses: tuple[tuple[datetime, datetime], ...]
    delays: tuple[str, ...]
    troubles: tuple[Event, ...]
    notes: tuple[Event, ...]
    next_time: tuple[str, ...]

    @property
    def allotted_s(self) -> float:
        """The length of the announced window."""
        return (self.end - self.start).total_seconds()

    @property
    def actual_s(self) -> float:
        """The time from the start of the work to the end."""
        return (self.ended_at - self.began_at).total_seconds()

    @property
    def late_s(self) -> float:
        """Seconds after the announced end; negative if it ended before."""
        return (self.ended_at - self.end).total_seconds()

    @property
    def headline(self) -> str:
        """The whole report in one line."""
        side = "after" if self.late_s > 0 else "before"
        return (
            f"{self.title}: done in {in_words(self.actual_s)} of the {in_words(self.allotted_s)} allotted, "
            f"{in_words(abs(self.late_s))} {side} the announced end."
        )


def closing_report(history: History, now: datetime) -> Report:
    """Make the report of a maintenance whose journal is `history` and whose last step (the report) runs at `now`.

    Raises `ValueError` if the history does not begin with `created`.
    """
    story = read(history)
    told = _told(story)
    return Report(
        title=story.title,
        start=story.start,
        end=story.end,
        zone=story.zone,
        first_window=story.first_window,
        began_at=story.began_at or min((s.started_at for s in told if s.started_at), default=now),
        ended_at=now,
        steps=told,
        upgraded=(*(line for step in told for line in _upgrades(step)), *_noted(story, "upgraded")),
        security=(*(line for step in told for line in _security(step)), *_noted(story, "security")),
        app_off=_times_off(told, now),
        downtime=tuple(down for step in told if step.uses == "probe" for down in _downs(step)),
        messages=tuple(_messages(step) for step in told if "sent" in step.facts and "unknown" in step.facts),
        requester=story.requester,
        decisions=tuple(story.decisions),
        pauses=tuple(story.pauses),
        delays=tuple(_delays(story, told)),
        troubles=tuple(story.troubles),
        notes=tuple(story.notes),
        next_time=tuple(_next_time(story, told, now)),
    )


def _upgrades(step: StepStory) -> list[str]:
    """A step whose type ends in `.upgrade` tells the versions by the facts `from` and `to`."""
    system, _, what = step.uses.rpartition(".")
    if what != "upgrade" or not {"from", "to"} <= step.facts.keys():
        return []
    return [f"{_SYSTEMS.get(system, system)} {step.facts['from']} to {step.facts['to']}"]


def _security(step: StepStory) -> list[str]:
    """What steps say of it, by the fact `security`: one line, or several."""
    said = step.facts.get("security") or ()
    return [said] if isinstance(said, str) else [str(line) for line in said]


def _noted(story: Story, word: str) -> list[str]:
    """What people noted after this word and a colon."""
    begin = f"{word}:"
    return [note.text[len(begin) :].strip() for note in story.notes if note.text.lower().startswith(begin)]


def _told(story: Story) -> tuple[StepStory, ...]:
    """The steps without the report, and without what waits for it and so has not begun: a post about it, say."""
    after = {step.id for step in story.steps.values() if step.uses == "report"}
    for _ in story.steps:
        after |= {step.id for step in story.steps.values() if after & set(step.needs) and step.started_at is None}
    dropped = {step.id for step in story.steps.values() if step.is_change and step.started_at is None}
    return tuple(step for step in story.steps.values() if step.id not in after | dropped)


def _times_off(steps: tuple[StepStory, ...], now: datetime) -> tuple[tuple[datetime, datetime], ...]:
    changes = sorted(
        (step.ended_at, step.uses)
        for step in steps
        if step.uses in {"app.off", "app.on"} and step.status == "succeeded" and step.ended_at is not None
    )
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for at, uses in changes:
        if uses == "app.off":
            since = since or at
        elif since is not None:
            found.append((since, at))
            since = None
    if since is not None:
        found.append((since, now))
    return tuple(found)


def _downs(step: StepStory) -> list[Down]:
    return [
        Down(
            what=url,
            total_s=float(seen["down_s"]),
            intervals=tuple((datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in seen["down"]),
            probes=int(seen["probes"]),
            failures=int(seen["failures"]),
            unobserved_s=float(seen["unobserved_s"]),
        )
        for url, seen in step.facts.get("urls", {}).items()
    ]


def _messages(step: StepStory) -> Messages:
    facts: Mapping[str, Any] = step.facts
    return Messages(
        step.id, int(facts["sent"]), int(facts["skipped"]), int(facts["unknown"]), int(facts["total"]), step.summary
    )


def _is_slow(step: StepStory) -> bool:
    if step.actual_s is None or step.alongside:
        return False
    return step.actual_s > step.planned_s * _NOTEWORTHY_RATIO and step.actual_s - step.planned_s >= _NOTEWORTHY_S


def _delays(story: Story, steps: tuple[StepStory, ...]) -> list[str]:
    found = []
    if (longer_s := _longer_s(story)) > 0:
        found.append(f"The announced window was extended by {in_words(longer_s)}.")
    if story.began_at is not None:
        late_s = (story.began_at - story.start).total_seconds()
        if late_s >= _NOTEWORTHY_WAIT_S:
            found.append(f"The work began {in_words(late_s)} after the announced start.")
    found += [
        f"{step.id} took {in_words(step.actual_s or 0)} instead of {in_words(step.planned_s)}."
        for step in steps
        if _is_slow(step)
    ]
    found += [
        f"{decision.step} waited {in_words(held_s)} for {name_of(decision.by)}."
        for decision in story.decisions
        if (held_s := _held_up_s(story, decision)) >= _NOTEWORTHY_WAIT_S
    ]
    found += [
        f"{step.id} stood still for {in_words(step.stood_s)} between its attempts."
        for step in steps
        if step.stood_s >= _NOTEWORTHY_S
    ]
    paused_s = sum((to - since).total_seconds() for since, to in story.pauses)
    if paused_s:
        found.append(f"It was paused for {in_words(paused_s)}.")
    return found


def _held_up_s(story: Story, decision: Decision) -> float:
    """How long a decision was waited for inside the window: what was decided before has held up nothing."""
    return min(decision.waited_s, (decision.at - story.start).total_seconds())


def _next_time(story: Story, steps: tuple[StepStory, ...], now: datetime) -> list[str]:
    found = []
    if now > story.end:
        needed_s = (now - story.start).total_seconds()
        found.append(f"Announce a longer window: {in_words(needed_s)} were needed from the announced start.")
    elif (longer_s := _longer_s(story)) > 0:
        found.append(f"Announce a longer window at once: it had to be extended by {in_words(longer_s)}.")
    found += [
        f"Plan {in_words(step.actual_s or 0)} for {step.id} (the estimate was {in_words(step.planned_s)})."
        for step in steps
        if _is_slow(step)
    ]
    found += [f"{step.id} was skipped: {step.error}" for step in steps if step.status == "skipped"]
    found += [
        f"{_people(int(step.facts['unknown']))} may or may not have got the message of {step.id}; its file "
        "unknown.csv tells who."
        for step in steps
        if step.facts.get("unknown")
    ]
    found += [
        f"{_NEXT.sub('', note.text) or note.text} ({name_of(note.by)})"
        for note in story.notes
        if _NEXT.match(note.text)
    ]
    return found


def _longer_s(story: Story) -> float:
    first = story.first_window[1] - story.first_window[0]
    return (story.end - story.start - first).total_seconds()


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
