"""Real surroundings for tests: a journal on a database of its own, and contexts of steps built on it."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.context import StepContext, Surroundings
from bot.database import Database, SqliteDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from bot.step import Step

RETRY = {"attempts": 5, "wait_s": 5.0, "longest_wait_s": 300.0}


def raw_step(id_: str, uses: str = "manual", **changes: Any) -> dict[str, Any]:
    """Return a step as a `created` entry stores it, with defaults for what `changes` does not name."""
    return {
        "id": id_,
        "uses": uses,
        "with": {},
        "needs": [],
        "title": id_,
        "approval": None,
        "estimate_s": 60.0,
        "timeout_s": 600.0,
        "retry": RETRY,
        "on_failure": "keep",
        "phase": "in_progress",
        "due": None,
        "gate": False,
        "by_hand": False,
        "reversible": False,
        **changes,
    }


def created_payload(steps: list[dict[str, Any]], now: datetime, **changes: Any) -> dict[str, Any]:
    """Return the payload of a `created` entry: window from `now` for two hours, in Pacific/Auckland."""
    return {
        "title": "Postgres 14 to 18",
        "runbook": "postgres-upgrade",
        "window": {
            "start": now.isoformat(),
            "end": (now + timedelta(hours=2)).isoformat(),
            "zone": "Pacific/Auckland",
        },
        "channel": "C0MAINT",
        "params": {},
        "steps": steps,
        **changes,
    }


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = SqliteDatabase(tmp_path / "maint.sqlite3")
    yield database
    database.close()


@pytest.fixture
def maintenances(database: Database) -> Maintenances:
    return Maintenances(Journal(database))


@pytest.fixture
def surroundings(maintenances: Maintenances, tmp_path: Path) -> Surroundings:
    """Surroundings whose settings are the dict `surroundings.settings` (name to value)."""
    settings: dict[str, str] = {}
    made = Surroundings(
        maintenances=maintenances,
        intents=Intents(maintenances.journal.database),
        progress=Progress(maintenances.journal.database),
        value_of=lambda setting: settings.get(setting.name, setting.default),
        workdir=tmp_path / "work",
        stopping=threading.Event(),
    )
    object.__setattr__(made, "settings", settings)
    return made


@pytest.fixture
def context_of(surroundings: Surroundings) -> Callable[..., StepContext]:
    """`context_of(step_class, id_="x", settings={...})` starts a maintenance of that one step and returns its context.

    `steps=` gives the raw steps instead (see `raw_step`); calling it again with the same `maintenance` gives the
    context of a later attempt, as after a crash or a retry.
    """

    def make(
        cls: type[Step] | None = None,
        id_: str = "the-step",
        *,
        maintenance: str = "2026-11-25-test",
        attempt: int = 1,
        undoing: bool = False,
        steps: list[dict[str, Any]] | None = None,
        settings: dict[str, str] | None = None,
        **changes: Any,
    ) -> StepContext:
        surroundings.settings.update(settings or {})  # type: ignore[attr-defined]
        if maintenance not in surroundings.maintenances.ids():
            uses = cls.uses if cls is not None else "manual"
            payload = created_payload(steps or [raw_step(id_, uses)], datetime.now(UTC), **changes)
            surroundings.maintenances.create(
                maintenance, Draft(Kind.CREATED, "U0ANA", f"{maintenance}:created", payload=payload)
            )
        return StepContext(surroundings, maintenance, id_, attempt, undoing=undoing)

    return make
