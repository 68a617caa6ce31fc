"""What an entry costs: appended to a journal, folded into a state, and written by a step that does next to nothing."""

import json
import sqlite3
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bots.entries import entries
from benchmarks.bots.place import bot, median, slack
from bot.database import SqliteDatabase
from bot.entry import Kind
from bot.evolve import fold
from bot.journal import Draft, Journal
from bot.step import canonical
from tests.maintenance_fixtures import created_payload, raw_step

_FOLDED = 10_000
_ROUNDS = 5
_STEPS = 30


def journal(folder: Path, options: Namespace) -> dict[str, float]:
    """Return the time to fold 10,000 entries in milliseconds, the median of several rounds; how many times as long as
    a plain insert an append takes; and how many steps a second are done, each a program that does nothing.
    """
    told = list(entries("2026-11-25-fold", _FOLDED))
    folded = median([_cpu_ms(lambda: fold(told)) for _ in range(_ROUNDS)])
    ours, plain = _appends(folder, options.appends)
    texts = [canonical(dict(entry.payload)) for entry in told]
    parsed = median([_cpu_ms(lambda: [json.loads(text) for text in texts]) for _ in range(_ROUNDS)])
    print(f"{_FOLDED:,} entries folded in {folded:.0f} ms of a processor; their JSON is parsed in {parsed:.0f} ms")
    print(f"an entry appended in {ours:.2f} ms; a plain insert, committed, in {plain:.2f} ms: {ours / plain:.1f} times")
    return {"fold-10k-ms": folded, "append-ratio": ours / plain, "steps-a-second": _steps(folder)}


def _cpu_ms(work: Callable[[], object]) -> float:
    """The processor's time: nothing is waited for, and what others do on the machine is not at issue."""
    at = time.process_time()
    work()
    return (time.process_time() - at) * 1000


def _timed_ms(work: Callable[[], object]) -> float:
    at = time.perf_counter()
    work()
    return (time.perf_counter() - at) * 1000


def _appends(folder: Path, count: int) -> tuple[float, float]:
    """The median of one append of ours, and of one row of the same size inserted and committed, in milliseconds."""
    database = SqliteDatabase(folder / "append.sqlite3")
    own = Journal(database)
    payload = created_payload([raw_step("work")], datetime.now(UTC))
    own.append("m", [Draft(Kind.CREATED, "U0ANA", "created", payload=payload)], after=0)
    ours, plain = [], []
    with closing(sqlite3.connect(folder / "plain.sqlite3", isolation_level=None)) as rows:
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute("PRAGMA synchronous=FULL")
        rows.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, payload TEXT)")
        for number in range(1, count + 1):
            draft = Draft(Kind.NOTED, "U0ANA", f"note:{number}", payload={"text": "all quiet " * 20})

            def append(number: int = number, draft: Draft = draft) -> None:
                own.append("m", [draft], after=number)

            def insert(number: int = number) -> None:
                rows.execute("INSERT INTO entries VALUES (?, ?)", (number, "all quiet " * 50))

            ours.append(_timed_ms(append))
            plain.append(_timed_ms(insert))
    database.close()
    return median(ours), median(plain)


def _steps(folder: Path) -> float:
    steps = "".join(
        f'  - {{id: s{number}, uses: command, title: s{number}, approval: false, with: {{argv: ["true"]}}}}\n'
        for number in range(_STEPS)
    )
    with slack() as where, bot(folder / "steps", where) as made:
        made.process.start()
        made.is_reached()
        name = made.plans("steps", steps)
        made.until("SELECT count(*) FROM entries WHERE maintenance = ? AND payload LIKE '%\"completed\"%'", name)
        times = [
            datetime.fromisoformat(at)
            for (at,) in made.rows(
                "SELECT at FROM entries WHERE maintenance = ? AND step IS NOT NULL ORDER BY seq", name
            )
        ]
    return _STEPS / (times[-1] - times[0]).total_seconds()
