"""Looks out for what people have to know before it happens: an overrun, and the last safe moment to turn back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot import overrun, turn_back
from bot.connections import PAGERS
from bot.journal import Draft
from bot.outlook import Outlook
from bot.overrun import Circles
from bot.rehearsals import Rehearsals
from bot.state import State
from bot.step import REGISTRY, Setting

PAGE = "oncall.page"


class Lookout:
    """Says what is to be recorded, given the forecast. Thread-safe; holds nothing."""

    def __init__(
        self,
        outlook: Outlook,
        rehearsals: Rehearsals,
        clock: Callable[[], datetime],
        circles: Circles,
        approvers: Sequence[str],
    ) -> None:
        self._outlook = outlook
        self._rehearsals = rehearsals
        self._clock = clock
        self._circles = circles
        self._approvers = tuple(approvers)

    def look(self, state: State) -> list[Draft]:
        """Return what is to be recorded about `state` now; mostly nothing. Raises `Unavailable`."""
        now = self._clock()
        news = self._rehearsals.news(state)
        if news or state.over:
            return news
        if state.started_at is None and now < state.window.start and not _is_sized(state):
            return []
        found = self._outlook.forecast(state, now)
        return [
            *overrun.watch(state, found, now, self._circles),
            *turn_back.watch(state, found, now, self._approvers),
        ]


def _is_sized(state: State) -> bool:
    """Whether a size or a rehearsal tells of a step what was not known as it was planned."""
    return any(step.planned is not None for step in state.steps.values())


def page_steps(value_of: Callable[[Setting], str | None]) -> tuple[Mapping[str, Any], ...]:
    """Return the step that pages those on call, if the settings say how that is done."""
    cls = REGISTRY.get(PAGE)
    if cls is None or not any(value_of(setting) for setting in PAGERS.values()):
        return ()
    text = (
        "It is expected to end late, and nobody has answered in Slack yet. Please decide there: /maint status "
        "{{ maintenance }}. Announced end: {{ window.end | utc }}."
    )
    raw = {"id": "page", "uses": PAGE, "title": "The page to those on call", "with": {"text": text}}
    return ({**raw, "reversible": cls.reversible, "on_failure": cls.on_failure},)
