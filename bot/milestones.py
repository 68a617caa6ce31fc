"""What the public may know of a maintenance, found by comparing it before and after an entry. Pure."""

from datetime import datetime

from bot.state import Milestone, State

_WORKING = frozenset({"in_progress", "verifying"})
ENDS = frozenset({"completed", "cancelled", "aborted"})
"""The milestones after which there is none."""


def milestones(before: State, after: State, at: datetime) -> list[Milestone]:
    """Return what has become public by the entry `at` (aware UTC) that made `after` of `before`, in order.

    Nothing is, before the maintenance is announced: when an approved step, or one that shows the window to people, has
    started, or when the work has begun. A preflight that looks around on its own announces nothing, nor does a gate.
    """
    unmoved = (
        after.status == before.status
        and after.window is before.window
        and after.cancelled_because is before.cancelled_because
    )
    # Most entries change none of this, and a journal has thousands. Before the announcement a step's start counts too.
    if unmoved and (before.milestones or (after.steps is before.steps and after.specs is before.specs)):
        return []
    known = {each.what for each in before.milestones}
    if known & ENDS:
        return []
    what: list[str] = []
    if "announced" not in known:
        if not _is_announced(after):
            return []
        what.append("announced")
    elif after.window != before.window:
        what.append("moved" if after.window.start != before.window.start else "extended")
    begun = "begun" in known
    if not begun and after.status in _WORKING:
        what.append("begun")
        begun = True
    end = _end(after, begun=begun)
    return [Milestone(each, at, after.window) for each in (*what, *([end] if end else []))]


def _is_announced(state: State) -> bool:
    if state.status in _WORKING:
        return True
    return any(
        spec.change is None
        and not spec.gate
        and (spec.approval is not None or spec.surface)
        and state.steps[step].attempt > 0
        for step, spec in state.specs.items()
    )


def _end(state: State, *, begun: bool) -> str | None:
    """Stopping before anything has begun is no different, to those outside, from calling it off."""
    if state.status == "completed":
        return "completed"
    if state.cancelled_because is not None or state.status == "cancelled":
        return "cancelled"
    if state.status in {"aborted", "rolled_back"}:
        return "aborted" if begun else "cancelled"
    return None
