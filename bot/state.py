"""The state of a maintenance, and the entries it is made from (`bot.evolve` makes it). Pure: no I/O, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.checklist import Item
from bot.crew import Crew
from bot.promise import Overrun, TurnBack
from bot.step import Window
from bot.step_spec import StepSpec


@dataclass(frozen=True)
class Approval:
    """One request for a decision. `approved_by` and `decided_at` grow with the clicks."""

    token: str
    digest: str
    summary: str
    details: tuple[str, ...]
    count: int
    approvers: tuple[str, ...]
    requested_at: datetime
    expires_at: datetime
    approved_by: tuple[str, ...] = ()
    decided_at: datetime | None = None
    rejected_by: str | None = None
    then: Mapping[str, str] = field(default_factory=dict)
    """The digests of what is approved along with it and done later by itself, by step."""
    closed: str | None = None
    """`granted`, `rejected`, `expired`, `void`, `passed`, `extended`, or `skipped` with its step; None while open."""


@dataclass(frozen=True)
class Planned:
    """How long a step was found to take, in seconds, and from what: `size` or `rehearsal`."""

    likely_s: float
    source: str


@dataclass(frozen=True)
class StepState:
    """Where one step stands. `attempt` counts from 1 at the first start; `retry_at` is set while a retry is due."""

    status: str = "pending"
    attempt: int = 0
    overridden_by: tuple[str, ...] = ()
    """Who let the maintenance go on although this gate is red; its status is `skipped` then, and nobody skipped it."""
    started_at: datetime | None = None
    """When the first attempt started; `attempt_at` is when the latest one did."""
    attempt_at: datetime | None = None
    ended_at: datetime | None = None
    retry_at: datetime | None = None
    approval: Approval | None = None
    requests: int = 0
    waiting_since: datetime | None = None
    """When the decision that is waited for was first asked for, however often it has been asked again."""
    asked_again: int = 0
    """How often it has been asked again because nobody had decided in time."""
    error: str | None = None
    doing: str | None = None
    """What the plan says is being done, where the step was planned before its start: for a person who does it."""
    items: tuple[Item, ...] = ()
    """What a person ticks off one by one, where the step has a list."""
    summary: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    overdue: bool = False
    planned: Planned | None = None
    """What its plan or a rehearsal says it takes, where they say so."""
    held_s: float = 0.0
    """How long the latest attempt was held by pauses that are over; only a pausable step is."""
    undo: str | None = None
    """None, `running`, `failed`, `keep` or `lift` (a person's answer), or `done`."""
    undo_attempt: int = 0


@dataclass(frozen=True)
class Milestone:
    """What the public may know has happened, `at` which time (aware UTC), and the window from then on.

    `what` is `announced`, `moved`, `extended`, `cancelled`, `begun`, `completed` or `aborted`.
    """

    what: str
    at: datetime
    window: Window


FINISHED = frozenset({"completed", "cancelled", "rolled_back"})
"""The statuses after which nothing follows, whatever the steps say."""


@dataclass(frozen=True)
class State:
    """A maintenance now. `status` is one of the words of the glossary; `paused` is a flag beside it."""

    id: str
    title: str
    runbook: str
    status: str
    window: Window
    requester: str
    channel: str
    params: Mapping[str, Any]
    specs: Mapping[str, StepSpec]
    steps: Mapping[str, StepState]
    created_at: datetime
    seq: int
    hash: str
    on_change: tuple[Mapping[str, Any], ...] = ()
    """The steps, as a `created` entry stores them, that tell people when the window has changed."""
    impact: str = ""
    """What its users will notice, in words for them."""
    public: bool = True
    """Whether the public feed may tell of it."""
    radar: Mapping[str, Any] = field(default_factory=dict)
    """The policy for conflicts that it was made with: `levels` (by kind), `notice_s`, `margin_s`."""
    crew: Crew = field(default_factory=Crew)
    """Who works on it: roles, rights, who coordinates it."""
    rehearsable: tuple[str, ...] = ()
    """The steps that a rehearsal does too; none where it cannot be rehearsed."""
    rehearsed: Mapping[str, Any] = field(default_factory=dict)
    """What the latest rehearsal has shown (`bot.rehearsed`); empty where there was none."""
    rehearses: Mapping[str, Any] | None = None
    """For a rehearsal: the `runbook` and the `params` of what it rehearses, its steps by its own (`same`), and those of
    its window (`path`)."""
    milestones: tuple[Milestone, ...] = ()
    """What the public may know, oldest first; empty until it is announced."""
    cancelled_because: str | None = None
    rolled_back_because: str | None = None
    """Why it is, or was, rolled back, once that has been approved."""
    still_up: Mapping[str, str] = field(default_factory=dict)
    """What was seen to be still up when everything else was done: what it shows, by the step that put it up."""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """What people were last seen to see that is not what they should: how, by the step that put it up."""
    looked_at: datetime | None = None
    """When it was last said what is still up."""
    overruns: tuple[Overrun, ...] = ()
    """The questions that were asked because it was expected to end late, oldest first."""
    turn_back: TurnBack | None = None
    paused: bool = False
    paused_by: str | None = None
    """Who has paused it, while it is paused; `paused_at` is when."""
    paused_at: datetime | None = None
    aborted_because: str | None = None
    aborted_by: str | None = None
    half_done_counts: bool = False
    """Whether the abort asks also about what was begun and then skipped; those of older versions of the bot did not."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    unread: str = ""
    """The kind of the first entry that a newer version wrote and this one does not understand; "" where there is none.
    From there on the state says nothing any more but its place in the chain, and nothing follows from it."""

    @property
    def coordinator(self) -> str:
        """Who coordinates it now (a Slack user id)."""
        return self.crew.coordinator or self.requester

    @property
    def taking_down(self) -> bool:
        """Whether it only takes down any more: after an abort, or an approved cancellation or rollback."""
        return self.status == "aborted" or self.takes_all_back

    @property
    def takes_all_back(self) -> bool:
        """Whether all that can be undone is, whatever an abort would do; an abort ends a rollback half-way."""
        return self.cancelled_because is not None or self.rolling_back

    @property
    def rolling_back(self) -> bool:
        """Whether it is on the way back, or has arrived there."""
        return self.rolled_back_because is not None and self.status != "aborted"

    @property
    def over(self) -> bool:
        """Whether nothing will ever follow."""
        if self.status in FINISHED:
            return True
        return self.status == "aborted" and not any(must_undo(self, step) for step in self.specs)


def must_undo(state: State, step: str) -> bool:
    """Whether an aborted or cancelled maintenance still has to take down, or decide about, what `step` put up."""
    spec, now = state.specs[step], state.steps[step]
    if now.status == "running":
        return True
    # Also what waits for another attempt, or was skipped after one: it may stand half-way.
    may_stand = {"succeeded", "failed", "unknown"} | (
        {"pending", "waiting", "skipped"} if state.takes_all_back or state.half_done_counts else set()
    )
    if not spec.reversible or now.status not in may_stand or now.attempt == 0:
        return False
    if now.undo in {"done", "keep"}:
        return False
    # What is cancelled or rolled back takes back all that it has published, whatever an abort would do; not what tells
    # of it.
    if state.takes_all_back and spec.change is not None and not spec.surface:
        return False
    return spec.on_failure != "keep" or now.undo is not None or state.takes_all_back


def rollback_of(state: State) -> str | None:
    """Return the step that a rollback was asked for with, until it is rejected; nothing else starts from then on."""
    return next(
        (
            step
            for step, spec in state.specs.items()
            if spec.uses == "maint.rollback" and state.steps[step].status != "skipped"
        ),
        None,
    )


def taken_back(state: State) -> str | None:
    """Return why what was put up is being taken down: `aborted`, `cancelled` or `rolled_back`; None if it is not."""
    if state.status == "aborted":
        return "aborted"
    if state.rolling_back:
        return "rolled_back"
    return "cancelled" if state.cancelled_because is not None else None
