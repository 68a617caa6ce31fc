"""A step as a maintenance has it, read from the journal's plain JSON. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.step import Retry, Window, read_as

OF_THE_WINDOW = frozenset({"maint.window", "maint.cancel"})
"""The step types that change the window, or call the maintenance off."""


@dataclass(frozen=True)
class ApprovalPolicy:
    """Who has to say yes before a step starts: `count` different people of `approvers`, within `expires_s`.

    When nobody has decided in time, those in `escalate_to` are asked as well.
    """

    count: int = 1
    approvers: tuple[str, ...] = ()
    expires_s: float = 3600.0
    requester_may: bool = False
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepSpec:
    """A step as the runbook has it when the maintenance was made. `due` is an anchor (`start`, `end`) and an offset."""

    id: str
    uses: str
    with_: Mapping[str, Any]
    needs: tuple[str, ...]
    title: str
    approval: ApprovalPolicy | None
    estimate_s: float
    timeout_s: float
    retry: Retry
    on_failure: str
    phase: str
    due: tuple[str, float] | None
    gate: bool
    by_hand: bool
    reversible: bool
    pausable: bool = False
    """Holds between its effects while the maintenance is paused."""
    try_on: str = ""
    """What the button says that shows the effect to whoever presses it first; "" where there is none."""
    surface: bool = False
    """Shows the window to people: it is brought up to date when the window changes."""
    opens: bool = False
    """Undoing it lets users in again."""
    change: str | None = None
    """The id of the step that changes the window, for the steps that came with it (that step itself among them)."""
    approved_with: str | None = None
    """The announcement with which a notice ahead of the window is approved; it goes out by itself, or not at all."""
    asked_by: str | None = None
    """Who asked for the change; they may not approve it themselves."""
    ahead: bool = False
    """A gate that looks ahead: while it is red, nothing else starts."""
    point_of_no_return: bool = False
    """Once it has started, rolling back is impossible, unless the step itself puts on record that it is not."""
    raised: bool = False
    """The last safe moment to turn back has passed: `approval` asks for one person more than `approval_before`."""
    approval_before: ApprovalPolicy | None = None

    @property
    def until(self) -> str:
        """The id of the step until which this one runs alongside the others; empty if it has an end of its own."""
        until = self.with_.get("until", "")
        return until if isinstance(until, str) else ""


def due_at(spec: StepSpec, window: Window) -> datetime | None:
    """Return when `spec` becomes due in `window` (aware UTC), or None if it is due at once."""
    if spec.due is None:
        return None
    anchor, offset_s = spec.due
    return (window.start if anchor == "start" else window.end) + timedelta(seconds=offset_s)


def step_spec(raw: Mapping[str, Any]) -> StepSpec:
    """Return the step that a `created` entry stores as plain JSON."""
    policy = raw["approval"]
    return StepSpec(
        id=raw["id"],
        uses=raw["uses"],
        with_=raw["with"],
        needs=tuple(raw["needs"]),
        title=raw["title"],
        approval=None if policy is None else approval_policy(policy),
        estimate_s=raw["estimate_s"],
        timeout_s=raw["timeout_s"],
        retry=read_as(Retry, raw["retry"]),
        on_failure=raw["on_failure"],
        phase=raw["phase"],
        due=None if raw["due"] is None else (raw["due"][0], raw["due"][1]),
        gate=raw["gate"],
        by_hand=raw["by_hand"],
        reversible=raw["reversible"],
        pausable=raw.get("pausable", False),
        try_on=raw.get("try_on", ""),
        surface=raw.get("surface", False),
        opens=raw.get("opens", False),
        change=raw.get("change"),
        approved_with=raw.get("approved_with"),
        asked_by=raw.get("asked_by"),
        ahead=raw.get("ahead", False),
        point_of_no_return=raw.get("point_of_no_return", False),
    )


def approval_policy(raw: Mapping[str, Any]) -> ApprovalPolicy:
    """Return the policy that an entry stores as plain JSON."""
    people = {name: tuple(raw.get(name, ())) for name in ("approvers", "escalate_to")}
    return read_as(ApprovalPolicy, {**raw, **people})
