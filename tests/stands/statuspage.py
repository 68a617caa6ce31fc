"""Stands for the steps of the status page."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.step import Step
from integrations.statuspage import Begin, Complete, Note, Schedule, Verify
from sandbox.server import serving
from sandbox.statuspage import PAGE_ID, Statuspage
from tests.stands.stand import Stand, stand

CLASSES: dict[str, type[Step]] = {
    "announce": Schedule,
    "begin": Begin,
    "verify": Verify,
    "complete": Complete,
    "note": Note,
}
BEFORE = {
    "statuspage.schedule": ("announce",),
    "statuspage.begin": ("announce", "begin"),
    "statuspage.verify": ("announce", "begin", "verify"),
    "statuspage.complete": ("announce", "begin", "verify", "complete"),
    "statuspage.note": ("announce", "note"),
}
FIELDS: dict[str, dict[str, Any]] = {"announce": {"components": ("API",)}, "note": {"text": "It goes well."}}


@stand(*BEFORE)
@contextmanager
def status_page(_: Path, uses: str) -> Iterator[Stand]:
    """A page with two components."""
    page = Statuspage(key=f"key-{uuid.uuid4()}", limit=None, clock=lambda: datetime(2026, 11, 24, 4, tzinfo=UTC))
    for name in ("API", "Dashboard"):
        page.add_component(name)
    (key,) = page.keys

    def shown() -> object:
        scheduled = [one.name for one in page.incidents.values() if one.status not in ("completed", "resolved")]
        return page.summary()["components"], scheduled

    def seen() -> object:
        incidents = [
            (one.name, one.status, [(update.status, update.body) for update in one.updates])
            for one in page.incidents.values()
        ]
        return shown(), incidents, len(page.notifications)

    with serving(page.app) as server:
        steps = {name: CLASSES[name](page=PAGE_ID, public=server.url, **FIELDS.get(name, {})) for name in BEFORE[uses]}
        settings = {"MAINT_STATUSPAGE_URL": f"{server.url}/v1", "MAINT_STATUSPAGE_KEY": key}
        yield Stand(steps, settings, seen, shown, (key,), page.app)
