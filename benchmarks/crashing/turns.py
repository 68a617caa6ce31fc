"""What people come to want of a run: that it pauses, is aborted, taken back, moved, … and how they say it."""

import time

from benchmarks.crashing.drawn import Turn
from bot.state import State, StepState, rollback_of

_PAUSED_S = 1.0
_REFUSED = "off"
_SKIPPED = "tell"
_BEGUN = frozenset({"in_progress", "verifying"})
_UNDONE = frozenset({"pending", "waiting"})


class Turns:
    """What they say by what they see in the journal; what was seen of a run once is remembered by its id."""

    def __init__(self) -> None:
        self._paused: dict[str, float] = {}
        self._refused: set[str] = set()

    def wanted(self, turn: Turn | None, state: State) -> str:
        """Return what to write after `/maint ` now, or "" where there is nothing to say (any more)."""
        if state.paused:
            return self._resumed(state)
        if turn is None or state.seq < turn.entries:
            return ""
        said = {
            "pause": f"pause {state.id}" if state.id not in self._paused else "",
            "abort": f"abort {state.id} enough" if state.aborted_because is None else "",
            "rollback": f"rollback {state.id} no good" if state.status in _BEGUN and not rollback_of(state) else "",
            "extend": f"extend {state.id} 30m" if not _has(state, "extend") and not state.taking_down else "",
            "cancel": f"cancel {state.id} not today" if not _has(state, "cancel") else "",
            "move": f"move {state.id} now" if not _has(state, "move") else "",
            "skip": f"skip {state.id} {_SKIPPED} nobody is up" if state.steps[_SKIPPED].status in _UNDONE else "",
        }
        return said.get(turn.what, "")

    def _resumed(self, state: State) -> str:
        """Somebody who said it twice may have paused it again: it is resumed as often."""
        since = self._paused.setdefault(state.id, time.monotonic())
        return f"resume {state.id}" if time.monotonic() - since > _PAUSED_S else ""

    def refuses(self, turn: Turn | None, step: str, now: StepState) -> bool:
        """Whether this request is to be rejected: the first one for the app to go off, in a run of which that is drawn.

        Once it has been, the step is tried again, and approved.
        """
        return turn is not None and turn.what == "reject" and step == _REFUSED and now.requests == 1


def _has(state: State, change: str) -> bool:
    return f"{change}-1" in state.specs
