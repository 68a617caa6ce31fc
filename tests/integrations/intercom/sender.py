"""Runs one attempt of `intercom.message` in a process of its own, so that a test can kill it.

    python -m tests.integrations.intercom.sender DATABASE WORKDIR URL

A second run with the same database is the same attempt after a restart.
"""

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.database import SqliteDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from integrations.intercom import Message
from sandbox.intercom import ADMIN_ID
from tests.maintenance_fixtures import created_payload, raw_step

MAINTENANCE = "2026-11-25-test"


def context(database: Path, workdir: Path, url: str) -> StepContext:
    settings = {
        "MAINT_INTERCOM_TOKEN": "intercom-token",
        "MAINT_INTERCOM_URL": url,
        "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
    }
    rows = SqliteDatabase(database)
    maintenances = Maintenances(Journal(rows))
    surroundings = Surroundings(
        maintenances=maintenances,
        intents=Intents(rows),
        progress=Progress(rows),
        value_of=lambda setting: settings.get(setting.name, setting.default),
        workdir=workdir,
        stopping=threading.Event(),
    )
    if MAINTENANCE not in maintenances.ids():
        payload = created_payload([raw_step("start", "intercom.message")], datetime.now(UTC))
        maintenances.create(MAINTENANCE, Draft(Kind.CREATED, "U0ANA", f"{MAINTENANCE}:created", payload=payload))
    return StepContext(surroundings, MAINTENANCE, "start", 1)


if __name__ == "__main__":
    step = Message(body="Scheduled maintenance at 5 pm", read_back_after_s=0.5)
    outcome = perform(step, context(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
    sys.stdout.write(outcome.summary)
