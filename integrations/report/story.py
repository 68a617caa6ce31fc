"""What the journal tells, gathered for the report. Pure: the same history gives the same story."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_ALONGSIDE = {"probe", "alertmanager.silence", "pagerduty.maintenance_window"}

History = Sequence[Mapping[str, Any]]
"""Journal entries, oldest first, as `bot.step.Context.history` gives them."""


@dataclass
class StepStory:
    """One step: as planned, and as it went. Times are aware UTC; `facts` and `summary` are of its outcome."""

    id: str
    title: str
    uses: str
    planned_s: float
    status: str = "pending"
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    summary: str = ""
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    phase: str = "in_progress"
    due: tuple[str, float] | None = None
    with_: Mapping[str, Any] = field(default_factory=dict)
    is_change: bool = False
    """Whether it came with a change of the window."""
    stood: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When it stood still, from a failure to the next attempt."""

    @property
    def alongside(self) -> bool:
        """Whether it runs beside the others until another step ends: its length says nothing about it."""
        return self.uses in _ALONGSIDE

    @property
    def stood_s(self) -> float:
        """How many seconds it stood still."""
        return sum((to - since).total_seconds() for since, to in self.stood)

    @property
    def actual_s(self) -> float | None:
        """Seconds from the start of the first attempt to the end of the last, or None if it has not had both."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class Decision:
    """One click on a request: who said yes or no to which step, when, and how long the request had waited."""

    step: str
    by: str
    at: datetime
    waited_s: float
    approved: bool
    reason: str = ""


@dataclass(frozen=True)
class Event:
    """Something that did not go as planned, or that `by` wrote down. `kind` is that of the entry."""

    at: datetime
    step: str
    text: str
    kind: str = ""
    by: str = ""


@dataclass
class Story:
    """Everything that the report is made from."""

    title: str
    start: datetime
    end: datetime
    zone: str
    requester: str
    steps: dict[str, StepStory]
    first_window: tuple[datetime, datetime]
    """The window as it was announced first; `start` and `end` are the latest."""
    began_at: datetime | None = None
    decisions: list[Decision] = field(default_factory=list)
    troubles: list[Event] = field(default_factory=list)
    notes: list[Event] = field(default_factory=list)
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    paused_at: datetime | None = None
    requested_at: dict[str, datetime] = field(default_factory=dict)


def read(history: History) -> Story:
    """Gather the story. Raises `ValueError` if the history does not begin with `created`."""
    if not history or history[0]["kind"] != "created":
        raise ValueError("a history begins with the entry `created`")
    story = _created(history[0])
    for entry in history[1:]:
        tell = _TELL.get(entry["kind"])
        if tell is not None:
            tell(story, entry)
    return story


def name_of(actor: str) -> str:
    """Return an actor of the journal as Slack shows a person, or `maint` itself."""
    return actor if actor == "maint" else f"<@{actor}>"


def _at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _created(entry: Mapping[str, Any]) -> Story:
    made, window = entry["payload"], entry["payload"]["window"]
    start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
    steps = {raw["id"]: _step(raw) for raw in made["steps"]}
    return Story(made["title"], start, end, window["zone"], entry["actor"], steps, (start, end))


def _step(raw: Mapping[str, Any]) -> StepStory:
    return StepStory(
        raw["id"],
        raw["title"] or raw["id"],
        raw["uses"],
        float(raw["estimate_s"]),
        needs=tuple(raw["needs"]),
        phase=raw["phase"],
        due=None if raw["due"] is None else (str(raw["due"][0]), float(raw["due"][1])),
        with_=raw["with"],
        is_change=raw.get("change") is not None,
    )


def _added(story: Story, entry: Mapping[str, Any]) -> None:
    """Steps that came later: with a change of the window, or to page the people on call."""
    found = {raw["id"]: _step(raw) for raw in entry["payload"]["steps"]}
    story.steps |= {name: step for name, step in found.items() if name not in story.steps}


def _succeeded(story: Story, entry: Mapping[str, Any]) -> None:
    _ended("succeeded")(story, entry)
    step = story.steps[entry["step"]]
    if step.uses == "maint.open-on-red":
        story.troubles.append(Event(_at(entry), str(step.facts["gate"]), step.summary))
        gate = story.steps[str(step.facts["gate"])]
        gate.status, gate.error = "skipped", step.summary


def _state_changed(story: Story, entry: Mapping[str, Any]) -> None:
    if entry["payload"]["to"] == "in_progress" and story.began_at is None:
        story.began_at = _at(entry)


def _requested(story: Story, entry: Mapping[str, Any]) -> None:
    story.requested_at[entry["step"]] = _at(entry)


def _decided(story: Story, entry: Mapping[str, Any]) -> None:
    step, at = entry["step"], _at(entry)
    waited_s = (at - story.requested_at.get(step, at)).total_seconds()
    reason = str(entry["payload"].get("reason", ""))
    approved = entry["kind"] == "approved"
    story.decisions.append(Decision(step, entry["actor"], at, waited_s, approved, reason))
    if not approved:
        story.steps[step].status = "failed"


def _started(story: Story, entry: Mapping[str, Any]) -> None:
    step = story.steps[entry["step"]]
    step.status, step.attempts = "running", int(entry["payload"]["attempt"])
    step.started_at = step.started_at or _at(entry)
    if step.ended_at is not None:
        step.stood.append((step.ended_at, _at(entry)))
    step.ended_at = None


def _ended(status: str) -> Callable[[Story, Mapping[str, Any]], None]:
    def tell(story: Story, entry: Mapping[str, Any]) -> None:
        step, said = story.steps[entry["step"]], entry["payload"]
        step.status, step.ended_at = status, _at(entry)
        step.summary = str(said.get("summary", ""))
        step.facts = said.get("facts", {})
        step.error = str(said.get("error", said.get("reason", "")))
        if step.error and status != "skipped":
            story.troubles.append(Event(_at(entry), step.id, step.error, entry["kind"]))
        if step.uses == "maint.window" and status == "succeeded":
            story.start, story.end = (datetime.fromisoformat(step.with_[name]) for name in ("start", "end"))
            story.zone = step.with_["zone"]

    return tell


def _settled(story: Story, entry: Mapping[str, Any]) -> None:
    happened = entry["payload"]["happened"]
    step = story.steps[entry["step"]]
    step.status = "succeeded" if happened else "pending"
    step.summary = str(entry["payload"].get("summary", ""))
    said = "it had happened" if happened else "it had not happened"
    story.troubles.append(Event(_at(entry), step.id, f"{name_of(entry['actor'])} looked: {said}", entry["kind"]))


def _trouble(text: str) -> Callable[[Story, Mapping[str, Any]], None]:
    def tell(story: Story, entry: Mapping[str, Any]) -> None:
        words = text.format(actor=name_of(entry["actor"]))
        story.troubles.append(Event(_at(entry), entry["step"] or "the whole", words, entry["kind"]))

    return tell


def _glass_broken(story: Story, entry: Mapping[str, Any]) -> None:
    told = entry["payload"]
    by, asker = name_of(entry["actor"]), name_of(told["asker"])
    words = f"BREAK-GLASS by {by}: {asker}, who had asked for it, could approve it. {told['reason']}"
    story.troubles.append(Event(_at(entry), entry["step"], words, entry["kind"]))


def _handed_over(story: Story, entry: Mapping[str, Any]) -> None:
    if entry["payload"]["accepted"]:
        words = f"Took over from {name_of(entry['payload']['from'])}."
        story.notes.append(Event(_at(entry), "", words, entry["kind"], entry["actor"]))


def _estimated(story: Story, entry: Mapping[str, Any]) -> None:
    """A better estimate is the plan of what has not begun yet."""
    for name, seconds in entry["payload"]["takes_s"].items():
        step = story.steps.get(name)
        if step is not None and step.started_at is None:
            step.planned_s = float(seconds)


def _undone(story: Story, entry: Mapping[str, Any]) -> None:
    story.steps[entry["step"]].status = "undone"


def _noted(story: Story, entry: Mapping[str, Any]) -> None:
    told = entry["payload"]
    story.notes.append(Event(_at(entry), "", str(told["text"]), entry["kind"], told.get("author", entry["actor"])))


def _paused(story: Story, entry: Mapping[str, Any]) -> None:
    story.paused_at = _at(entry)


def _resumed(story: Story, entry: Mapping[str, Any]) -> None:
    if story.paused_at is not None:
        story.pauses.append((story.paused_at, _at(entry)))
    story.paused_at = None


_TELL: dict[str, Callable[[Story, Mapping[str, Any]], None]] = {
    "change_asked": _added,
    "overrun_escalated": _added,
    "state_changed": _state_changed,
    "approval_requested": _requested,
    "approved": _decided,
    "rejected": _decided,
    "approval_expired": _trouble("nobody decided in time, and the approval was asked for again"),
    "approval_void": _trouble("what would be done had changed, and the approval was asked for again"),
    "step_started": _started,
    "step_succeeded": _succeeded,
    "step_failed": _ended("failed"),
    "step_unknown": _ended("unknown"),
    "step_skipped": _ended("skipped"),
    "step_overdue": _trouble("it passed its time-out and went on"),
    "step_retried": _trouble("retried by {actor}"),
    "step_settled": _settled,
    "undone": _undone,
    "glass_broken": _glass_broken,
    "handover_answered": _handed_over,
    "estimated": _estimated,
    "overrun_expected": _trouble("the forecast was that it would end late"),
    "overrun_averted": _trouble("the forecast was on time again"),
    "overrun_accepted": _trouble("{actor} decided to go on, and to end late"),
    "noted": _noted,
    "paused": _paused,
    "resumed": _resumed,
}
