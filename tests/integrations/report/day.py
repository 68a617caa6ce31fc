"""A maintenance's history, entry by entry, for the report to tell: the story's day, an hour of it gone wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.maintenance_fixtures import raw_step

START = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)  # 17:00 in Auckland

Entry = dict[str, Any]
STEPS: list[Entry] = [
    raw_step("start-message", "intercom.message", estimate_s=600.0),
    raw_step("watch", "probe", estimate_s=1.0),
    raw_step("app-off", "app.off", estimate_s=30.0),
    raw_step("upgrade", "postgres.upgrade", estimate_s=600.0),
    raw_step("changelog", "manual", estimate_s=300.0),
    raw_step("app-on", "app.on", estimate_s=30.0),
    raw_step("report", "report"),
]


class Day:
    """Writes entries: `at(minutes)` sets the clock, counted from the announced start."""

    def __init__(self, steps: list[Entry] | None = None, extra: list[Entry] | None = None) -> None:
        self.now = START - timedelta(days=1)
        self.entries: list[Entry] = []
        window = {
            "start": START.isoformat(),
            "end": (START + timedelta(hours=2)).isoformat(),
            "zone": "Pacific/Auckland",
        }
        self.add(
            "created", actor="U0ANA", title="Postgres 14 to 18", window=window, steps=(steps or STEPS) + (extra or [])
        )

    def at(self, minutes: float) -> "Day":
        self.now = START + timedelta(minutes=minutes)
        return self

    def add(self, kind: str, step: str | None = None, actor: str = "maint", **payload: Any) -> "Day":
        self.entries.append(
            {
                "seq": len(self.entries) + 1,
                "at": self.now.isoformat(),
                "actor": actor,
                "kind": kind,
                "step": step,
                "payload": payload,
            }
        )
        return self

    def start(self, step: str, attempt: int = 1) -> "Day":
        return self.add("step_started", step, attempt=attempt)

    def succeed(self, step: str, summary: str = "done", actor: str = "maint", **facts: Any) -> "Day":
        return self.add("step_succeeded", step, actor, attempt=1, summary=summary, facts=facts, files={})

    def fail(self, step: str, error: str) -> "Day":
        return self.add("step_failed", step, attempt=1, error=error, files={}, temporary=False, retry_at=None)

    def iso(self, minutes: float) -> str:
        return (START + timedelta(minutes=minutes)).isoformat()


def whole_day() -> Day:
    day = Day()
    counts = {"sent": 1204, "skipped": 3, "unknown": 1, "total": 1208}
    day.at(-60).start("start-message")
    day.at(-52).succeed("start-message", "1,204 messages sent, 3 skipped, 1 unknown", **counts)
    day.at(-50).add("approval_requested", "app-off", token="t1")
    day.at(4).add("approved", "app-off", actor="U0BEN", token="t1", of=1)
    day.at(5).add("state_changed", to="in_progress").start("watch").start("app-off")
    day.at(5.1).succeed("app-off", "The app was taken off.", position="off")
    day.at(6).start("upgrade")
    day.at(8).fail("upgrade", "pg_upgrade --check refused: reg* columns")
    day.at(20).add("step_retried", "upgrade", actor="U0ANA", attempt=1).start("upgrade", 2)
    day.at(22).succeed("upgrade", "PostgreSQL 14 is now 18", **{"from": 14, "to": 18})
    day.at(23).add("noted", actor="U0ANA", text="next time: drop the regproc column before")
    day.at(24).add("noted", actor="U0BEN", text="coffee is out")
    day.at(25).add("paused", actor="U0ANA")
    day.at(30).add("resumed", actor="U0ANA")
    day.at(31).add("step_skipped", "changelog", actor="U0ANA", reason="the page is locked")
    day.at(32).add("approval_requested", "app-on", token="t2")
    day.at(32.2).add("approved", "app-on", actor="U0CAT", token="t2", of=1).start("app-on")
    day.at(32.5).succeed("app-on", "The app was taken on.", position="on")
    url = {
        "probes": 1650,
        "failures": 1640,
        "down": [[day.iso(5.1), day.iso(32.5)]],
        "down_s": 1644.0,
        "unobserved_s": 0.0,
    }
    day.at(33).succeed("watch", "1 address watched", urls={"https://app.example.com/": url})
    day.at(105).start("report")
    return day
