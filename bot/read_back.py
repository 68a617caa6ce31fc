"""Reads back, every few minutes, what people see of what a maintenance put up: the text of a surface may be changed by
hand, or be gone, and those who coordinate should be the first to know. Named once, and once when it is right again.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from bot.database import Unavailable
from bot.entry import Kind
from bot.errors import Conflict
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.radar import targets_of
from bot.state import State
from bot.step import Standing

_PUBLIC = frozenset({"scheduled", "in_progress", "verifying"})
_UNDER_WAY = frozenset({"pending", "waiting", "running"})
_PATIENCE = 2
"""How often in a row a surface cannot be seen before that is said: a short outage is nobody's business."""

Look = Callable[[State], Mapping[str, Standing | str | None]]

log = structlog.get_logger()


class ReadBack:
    """Looks at each maintenance every `every_s` seconds, in the process that leads. What was said is in the journal,
    so that a restart says nothing twice.
    """

    def __init__(self, maintenances: Maintenances, look: Look, leads: Callable[[], bool], every_s: float) -> None:
        self._maintenances = maintenances
        self._look = look
        self._leads = leads
        self._every_s = every_s
        self._looked_at: dict[str, float] = {}
        self._unseen: dict[tuple[str, str], int] = {}

    def run(self, stop: threading.Event, wake: Callable[[], None]) -> None:
        """Read back until `stop` is set; `wake` is called after an entry."""
        while not stop.wait(min(self._every_s, 10.0)):
            try:
                if self._leads() and self.round():
                    wake()
            except (Unavailable, Conflict) as error:
                log.info("read_back_later", error=str(error))
            except Exception:
                log.exception("read_back_failed")

    def round(self) -> bool:
        """Look at every maintenance that is due for it; whether anything was recorded."""
        recorded = False
        for state in (state for state in self._maintenances.active() if not state.unread):
            if time.monotonic() - self._looked_at.get(state.id, -self._every_s) >= self._every_s and is_settled(state):
                self._looked_at[state.id] = time.monotonic()
                recorded |= self._read(state)
        return recorded

    def _read(self, state: State) -> bool:
        wrong = self._wrong(state, self._look(state))

        def decision(latest: State) -> list[Draft]:
            # What has happened meanwhile may be why something looked wrong: then it is looked at again.
            if latest.seq != state.seq or wrong == dict(latest.wrong):
                return []
            payload = {"wrong": wrong, "right": sorted(latest.wrong.keys() - wrong.keys())}
            return [Draft(Kind.READ_BACK, "maint", f"{state.id}:read-back:{state.seq}", payload=payload)]

        return bool(self._maintenances.record(state.id, decision))

    def _wrong(self, state: State, seen: Mapping[str, Standing | str | None]) -> dict[str, str]:
        wrong = {}
        for step in _latest(state):
            text = _told(state, step, seen[step]) if step in seen else None
            times = self._unseen.get((state.id, step), 0) + 1 if isinstance(seen.get(step), str) else 0
            self._unseen[state.id, step] = times
            if text is not None and (not times or times >= _PATIENCE):
                wrong[step] = text
            elif times and step in state.wrong:
                wrong[step] = state.wrong[step]
        return wrong


def is_settled(state: State) -> bool:
    """Whether nothing is just bringing the surfaces of a maintenance up to date, and people may see them."""
    # A page to those on call belongs to a question, which is no step, and changes nothing that people see.
    changing = any(
        spec.change is not None
        and spec.change in state.steps
        and state.steps[spec.change].status == "succeeded"
        and state.steps[step].status in _UNDER_WAY
        for step, spec in state.specs.items()
    )
    putting_up = any(spec.surface and state.steps[step].status == "running" for step, spec in state.specs.items())
    return state.status in _PUBLIC and not state.taking_down and not changing and not putting_up


def _latest(state: State) -> list[str]:
    """The steps that put up what is up now: of a surface that was brought up to date, the last that did."""
    latest = {
        step.partition("-again-")[0]: step
        for step, spec in state.specs.items()
        if spec.surface and state.steps[step].status == "succeeded"
    }
    return list(latest.values())


def _told(state: State, step: str, seen: Standing | str | None) -> str | None:
    if isinstance(seen, str):
        return seen
    if seen is None:
        return None if _is_taken_down(state, step) else "is not up any more as it was put up"
    return f"shows “{seen.shown}”, and should show “{seen.wanted}”" if seen.differs else None


def _is_taken_down(state: State, step: str) -> bool:
    """Whether another step has since begun to work on the same thing, such as the one that turns the banner off."""
    own, since = targets_of(state, state.specs[step]), state.steps[step].ended_at
    return any(
        other != step
        and (at := state.steps[other].attempt_at) is not None
        and (since is None or at >= since)
        and own & targets_of(state, spec)
        for other, spec in state.specs.items()
    )
