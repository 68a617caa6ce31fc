"""What a step sees of the world: `bot.step.Context` over the journal, the intents, the ledger and the settings."""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.entry import Kind
from bot.errors import Final, Stopped
from bot.journal import Draft
from bot.ledger import Intents, Progress, TableLedger
from bot.maintenances import Maintenances
from bot.state import taken_back
from bot.step import Json, Ledger, Setting, Window

_PROGRESS_EVERY_S = 0.5
_HOLD_LOOKS_EVERY_S = 0.5


@dataclass(frozen=True)
class Surroundings:
    """What all contexts of one process share. `value_of` looks a setting up; `stopping` is set on shutdown.

    `may_act` returns once it is certain that this process still holds its lease (`bot.lease`), and not before;
    `superseded` says whether a newer version of the bot runs too, so that everything new is for that to begin.
    """

    maintenances: Maintenances
    intents: Intents
    progress: Progress
    value_of: Callable[[Setting], str | None]
    workdir: Path
    stopping: threading.Event
    may_act: Callable[[], None] = lambda: None
    superseded: Callable[[], bool] = lambda: False


class StepContext:
    """One attempt of one step (see `bot.step.Context` for what each member promises).

    `window` is the one to plan for while a change of the window is being planned.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        maintenance: str,
        step: str,
        attempt: int,
        *,
        undoing: bool = False,
        window: Window | None = None,
    ) -> None:
        self._all = surroundings
        self._undoing = undoing
        self.maintenance = maintenance
        self.step = step
        self.attempt = attempt
        state = surroundings.maintenances.state(maintenance)
        self.title = state.title
        self.window: Window = window or state.window
        self._progress_at = 0.0

    @property
    def key(self) -> str:
        return f"{self.maintenance}:{self.step}"

    @property
    def workdir(self) -> Path:
        path = self._all.workdir / self.maintenance / self.step
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._all.maintenances.state(self.maintenance).steps[self.step].facts

    @property
    def outcomes(self) -> Mapping[str, Mapping[str, Any]]:
        steps = self._all.maintenances.state(self.maintenance).steps
        return {name: step.outcome for name, step in steps.items() if step.status == "succeeded"}

    @property
    def statuses(self) -> Mapping[str, str]:
        steps = self._all.maintenances.state(self.maintenance).steps
        return {name: step.status for name, step in steps.items()}

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "actor": entry.actor,
                "kind": entry.kind,
                "step": entry.step,
                "payload": entry.payload,
            }
            for entry in self._all.maintenances.journal.read(self.maintenance)
        ]

    def now(self) -> datetime:
        return self._all.maintenances.now()

    def setting(self, setting: Setting) -> str:
        value = self._all.value_of(setting)
        if value is None:
            raise Final(f"The setting {setting.name} is missing: {setting.help} Set it, restart, and retry the step.")
        return value

    def intend(self, name: str) -> bool:
        self._all.may_act()
        return self._all.intents.intend(f"{self.key}:{name}", self.now())

    def intended(self, name: str) -> bool:
        return self._all.intents.known(f"{self.key}:{name}")

    def forget_intent(self, name: str) -> None:
        self._all.intents.forget(f"{self.key}:{name}")

    def record(self, text: str, **facts: Json) -> None:
        draft = Draft(
            Kind.STEP_FACT,
            "maint",
            f"{self.key}:{self.attempt}:fact:{uuid.uuid4()}",
            self.step,
            {"text": text, "facts": facts},
        )
        self._all.maintenances.happened(self.maintenance, draft)

    def progress(self, done: float, total: float | None, unit: str, text: str = "") -> None:
        now = time.monotonic()
        if now - self._progress_at < _PROGRESS_EVERY_S and done != total:
            return
        self._progress_at = now
        self._show({"done": done, "total": total, "unit": unit, "text": text})

    def _show(self, payload: dict[str, Any]) -> None:
        self._all.progress.set(self.maintenance, self.step, self.now(), payload)

    def ledger(self, name: str) -> Ledger:
        return TableLedger(self._all.maintenances.journal.database, f"{self.maintenance}:{name}")

    def stop_reason(self) -> str | None:
        state = self._all.maintenances.state(self.maintenance)
        # Where a newer version writes what this one cannot read, it must not miss an abort: that version goes on.
        if self._all.stopping.is_set() or state.unread:
            return "shutdown"
        # What takes down, or tells of it, is not stopped by what it follows from.
        if self._undoing or not state.taking_down or state.specs[self.step].change is not None:
            return None
        return taken_back(state)

    def taken_back(self) -> str | None:
        return taken_back(self._all.maintenances.state(self.maintenance))

    def raise_if_stopped(self) -> None:
        reason = self.stop_reason()
        if reason is not None:
            raise Stopped(f"{self.step} was stopped: {reason}.")
        self._all.may_act()

    def sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.raise_if_stopped()
            self._all.stopping.wait(min(left, 0.5))
        self.raise_if_stopped()

    def paused(self) -> bool:
        # Like an abort: what takes down, or tells of it, is not held up by what it follows from.
        state = self._all.maintenances.state(self.maintenance)
        return state.paused and not self._undoing

    def hold(self, done: float, total: float | None, unit: str) -> None:
        shown = {"done": done, "total": total, "unit": unit, "text": ""}
        self._show({**shown, "held": True})
        while self.paused():
            self.sleep(_HOLD_LOOKS_EVERY_S)
        self._show(shown)
