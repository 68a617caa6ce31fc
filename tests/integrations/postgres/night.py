"""A maintenance of PostgreSQL steps on a real journal, run step by step as the engine runs attempts.

As a program (`python -m tests.integrations.postgres.night CONFIG`) it does steps in a process of its own, for tests
that kill it and start it again.
"""

import json
import re
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.attempt import perform, take_down
from bot.context import StepContext, Surroundings
from bot.database import SqliteDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from bot.state import State
from bot.step import REGISTRY, Outcome, Plan, Step
from tests.maintenance_fixtures import created_payload, raw_step

MAINTENANCE = "2026-11-25-postgres"
STEPS = {
    "preflight": "postgres.preflight",
    "note": "postgres.note",
    "baseline": "postgres.baseline",
    "upgrade": "postgres.upgrade",
    "cross": "postgres.cross",
    "read-back": "postgres.read_back",
    "replicas": "postgres.replicas",
    "look": "postgres.look",
    "delete": "postgres.delete_old",
    "clone": "postgres.clone",
    "remove": "postgres.remove_clone",
    "analyze": "postgres.analyze",
    "vacuum": "postgres.vacuum",
    "gate": "postgres.gate",
}


class Night:
    """One maintenance with the steps of `STEPS`, in the folder `folder`; opened again, it goes on."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.settings = settings
        self.database = SqliteDatabase(folder / "night.sqlite3")
        self.maintenances = Maintenances(Journal(self.database))
        self.surroundings = Surroundings(
            maintenances=self.maintenances,
            intents=Intents(self.database),
            progress=Progress(self.database),
            value_of=lambda setting: self.settings.get(setting.name, setting.default),
            workdir=folder / "work",
            stopping=threading.Event(),
        )
        if MAINTENANCE not in self.maintenances.ids():
            payload = created_payload([raw_step(id_, uses) for id_, uses in STEPS.items()], datetime.now(UTC))
            self.maintenances.create(MAINTENANCE, Draft(Kind.CREATED, "U0ANA", "created", payload=payload))

    def context(self, id_: str) -> StepContext:
        return StepContext(self.surroundings, MAINTENANCE, id_, 1)

    def do(self, id_: str, step: Step) -> Outcome:
        """Run an attempt as the engine does; its outcome is there for later steps. Raises `StepError`."""
        self._record(Kind.STEP_STARTED, id_, {"attempt": 1})
        outcome = perform(step, self.context(id_))
        done = {"attempt": 1, "summary": outcome.summary, "facts": dict(outcome.facts), "files": dict(outcome.files)}
        self._record(Kind.STEP_SUCCEEDED, id_, json.loads(json.dumps(done)))
        return outcome

    def undo(self, id_: str, step: Step) -> Outcome:
        """Take down what the step put up, as the engine does. Raises `StepError`."""
        self._record(Kind.UNDO_STARTED, id_, {"attempt": 1})
        outcome = take_down(step, StepContext(self.surroundings, MAINTENANCE, id_, 1, undoing=True))
        self._record(Kind.UNDONE, id_, {"summary": outcome.summary})
        return outcome

    def plan_undo(self, id_: str, step: Step) -> Plan:
        return step.plan_undo(StepContext(self.surroundings, MAINTENANCE, id_, 1, undoing=True), Outcome(""))

    def state(self) -> State:
        return self.maintenances.state(MAINTENANCE)

    def abort(self) -> None:
        self._record(Kind.ABORTED, None, {"reason": "enough for tonight"})

    def lines(self, id_: str) -> list[str]:
        """What the step has put on record."""
        entries = self.maintenances.journal.read(MAINTENANCE)
        return [entry.payload["text"] for entry in entries if entry.kind == Kind.STEP_FACT and entry.step == id_]

    def on_record(self) -> int:
        """How much the steps have put on record."""
        return sum(entry.kind == Kind.STEP_FACT for entry in self.maintenances.journal.read(MAINTENANCE))

    def progress(self, id_: str) -> dict[str, Any]:
        return self.surroundings.progress.read(MAINTENANCE)[id_]

    def shown(self) -> frozenset[tuple[str, str]]:
        """What the run card says of each step besides numbers."""
        shown = self.surroundings.progress.read(MAINTENANCE)
        return frozenset((id_, re.sub(r"[0-9.]+", "", one["text"])) for id_, one in shown.items())

    def journal(self) -> str:
        """All that was written down, for looking for secrets."""
        return "".join(repr(entry) for entry in self.maintenances.journal.read(MAINTENANCE))

    def _record(self, kind: Kind, step: str | None, payload: dict[str, Any]) -> None:
        number = len(self.maintenances.journal.read(MAINTENANCE))
        draft = Draft(kind, "U0ANA", f"{kind}-{number}", step, payload)
        self.maintenances.record(MAINTENANCE, lambda _: [draft])


def live(config_file: str) -> None:
    """Do the steps of a file that are not done yet, as a bot that has just been started does."""
    import integrations.postgres  # noqa: F401 - registers the steps

    config = json.loads(Path(config_file).read_text())
    night = Night(Path(config["folder"]), config["settings"])
    for id_, fields in config["steps"].items():
        step = REGISTRY[STEPS[id_]](**fields)
        if config.get("undo"):
            night.undo(id_, step)
        elif night.state().steps[id_].status != "succeeded":
            night.do(id_, step)


if __name__ == "__main__":
    live(sys.argv[1])
