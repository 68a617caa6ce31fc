"""The rehearsals there were: which one tells most about a maintenance."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.entry import Kind
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.rehearsed import result_of
from bot.state import State
from bot.step import canonical

_NOT_BEGUN = frozenset({"draft", "scheduled"})


class Rehearsals:
    """Finds the latest rehearsal of a maintenance's runbook with its parameters. Thread-safe."""

    def __init__(self, maintenances: Maintenances) -> None:
        self._maintenances = maintenances

    def latest(self, runbook: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the payload of the `estimated` entry of the latest one that showed something; None without one.

        It counts if the parameters that its steps name had the same values. Raises `Unavailable`.
        """
        found = [
            result
            for about, result in self._shown()
            if about["runbook"] == runbook and all(params.get(name) == value for name, value in about["params"].items())
        ]
        return max(found, key=lambda result: str(result["rehearsal"]["at"]), default=None)

    def told_in(self, payload: Mapping[str, Any], rehearsable: Collection[str]) -> dict[str, Any]:
        """Return the payload of a `created` entry with what is known of its rehearsal; `rehearsable` are step ids."""
        steps = [step["id"] for step in payload["steps"] if step["id"] in rehearsable]
        if not steps:
            return dict(payload)
        shown = self.latest(payload["runbook"], payload["params"])
        return {**payload, "rehearsable": steps, **({"estimated": shown} if shown is not None else {})}

    def news(self, state: State) -> list[Draft]:
        """Return what is to be recorded in `state`: its own result for a rehearsal, the latest one for what is planned.

        Mostly nothing. Raises `Unavailable`.
        """
        if state.rehearses is not None:
            result: Mapping[str, Any] | None = result_of(state)
            result = result and {**result, "takes_s": {}}
        elif state.rehearsable and state.status in _NOT_BEGUN:
            result = self.latest(state.runbook, state.params)
        else:
            return []
        if result is None or canonical(result["rehearsal"]) == canonical(dict(state.rehearsed)):
            return []
        told = result["rehearsal"]
        key = f"{state.id}:rehearsed:{told['id']}:{told['at']}"
        return [Draft(Kind.ESTIMATED, "maint", key, payload=result)]

    def _shown(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """What each rehearsal is one of, and what it has shown; one may have shown all before it is over."""
        for ending in self._maintenances.endings.known().values():
            if ending.rehearses is not None and ending.shown is not None:
                yield ending.rehearses, ending.shown
        for state in self._maintenances.active():
            result = result_of(state)
            if state.rehearses is not None and result is not None:
                yield state.rehearses, result
