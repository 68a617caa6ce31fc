"""A few maintenances and five hundred on PostgreSQL: what people and the engine wait for should not grow with them."""

import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.bots.entries import entries
from benchmarks.bots.place import bot, median, slack
from bot.app import Process
from bot.build import build_step
from bot.database_postgres import PostgresDatabase
from bot.engine import Engine
from bot.entry import Entry, Kind
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from bot.metrics import Metrics
from bot.rehearsals import Rehearsals
from bot.settings import load
from bot.step import canonical, known_settings
from commands.listeners import run
from sandbox.postgres.cluster import Cluster, temporary_cluster
from sandbox.slack.people import Slack

_FEW, _OPEN = 25, 5
_ROUNDS = 15
_FLAT = (
    "status",
    "tick of the engine",
    "fold of one journal, read anew",
    "delivery, nothing new",
    "delivery of a new entry",
)


class Still:
    """Nothing of these maintenances is to run."""

    def ensure(self, maintenance: str, step: str, attempt: int, what: str) -> None:
        """Leave it: a person does it."""


def scale(folder: Path, options: Namespace) -> dict[str, float]:
    """Return how many times as long with many maintenances as with few it takes what is waited for over and over."""
    with temporary_cluster(18, tcp=True, settings={"fsync": "off"}) as cluster, slack() as where:
        few = _measured(folder / "few", cluster, where, _FEW, options.entries_each)
        many = _measured(folder / "many", cluster, where, options.maintenances, options.entries_each)
    total = options.maintenances * options.entries_each
    print(f"{_FEW} maintenances against {options.maintenances} with {total:,} entries, on PostgreSQL:")
    for name in few:
        print(f"  {name:<42} {few[name]:>8.1f} ms {many[name]:>8.1f} ms   ratio {many[name] / few[name]:.2f}")
    return {"scale-ratio": max(many[name] / few[name] for name in _FLAT)}


def _measured(folder: Path, cluster: Cluster, where: Slack, count: int, each: int) -> dict[str, float]:
    url = _filled(cluster, f"maint_{count}", count, each)
    _summed_up(url, count)
    with bot(folder, where, MAINT_DATABASE_URL=url) as made:
        settings = load({**os.environ, **made.process.environment}, known_settings())
        at = time.perf_counter()
        process = Process(settings, "web", made.process.environment)
        found = {"first status of a process": _timed_ms(lambda: _status(process))}
        print(f"  {count} maintenances: {time.perf_counter() - at:.1f} s to the first status", flush=True)
        process.desk.card_text(process.desk.maintenances.active()[0])
        found["status"] = median([_timed_ms(lambda: _status(process)) for _ in range(_ROUNDS)])
        maintenances = process.desk.maintenances
        found["past that forecasts are made from, first"] = _timed_ms(process.outlook.past)
        found["a look for rehearsals, first"] = _timed_ms(lambda: Rehearsals(maintenances).latest("work", {}))
        metrics = Metrics(maintenances, process.channel.outbox, process.outlook)
        found["first scrape of the metrics"] = _timed_ms(metrics.text)
        found["scrape of the metrics"] = median([_timed_ms(metrics.text) for _ in range(_ROUNDS)])
        found["first /maint stats"] = _timed_ms(process.desk.track_record)
        found["/maint stats"] = median([_timed_ms(process.desk.track_record) for _ in range(_ROUNDS)])
        engine = Engine(process.surroundings, build_step, Still(), look_out=process._lookout().look)
        found["first tick of the engine"] = _timed_ms(engine.tick)
        found["tick of the engine"] = median([_timed_ms(engine.tick) for _ in range(_ROUNDS)])
        found["fold of one journal, read anew"] = median([_timed_ms(lambda: _fold(process)) for _ in range(5)])
        while process.channel.outbox.pending():
            process.channel.deliver(datetime.now(UTC))
        passes = [_timed_ms(lambda: process.channel.deliver(datetime.now(UTC))) for _ in range(_ROUNDS)]
        found["delivery, nothing new"] = median(passes)
        found["delivery of a new entry"] = median([_delivered_ms(process, number) for number in range(_ROUNDS)])
        assert isinstance(process.database, PostgresDatabase)
        process.database.close()
    return found


def _summed_up(url: str, count: int) -> None:
    """Sum up what is over, as the bot does at each end; after an upgrade from a version that did not, it takes this."""
    database = PostgresDatabase(url)
    maintenances = Maintenances(Journal(database))
    took_ms = _timed_ms(lambda: maintenances.endings.known(everything=True))
    print(f"  {count} maintenances: {took_ms / 1000:.1f} s to sum up, once, what is over", flush=True)
    database.close()


def _timed_ms(work: Callable[[], object]) -> float:
    at = time.perf_counter()
    work()
    return (time.perf_counter() - at) * 1000


def _status(process: Process) -> None:
    state = next(iter(process.desk.maintenances.unfinished()))
    call = {"user_id": "U0ANA0001", "team_id": "T0SANDBOX", "channel_id": "C0MAINT01", "trigger_id": "t"}
    reply = run({**call, "text": f"status {state}"}, process.desk)
    assert "Postgres" in reply.text, reply.text


def _fold(process: Process) -> None:
    journal = process.desk.maintenances.journal
    Maintenances(journal).state(next(iter(process.desk.maintenances.unfinished())))


def _delivered_ms(process: Process, number: int) -> float:
    maintenances = process.desk.maintenances
    name = next(iter(maintenances.unfinished()))
    note = Draft(Kind.NOTED, "U0ANA0001", f"{name}:note:{number}", payload={"text": "all quiet"})
    maintenances.record(name, lambda _: [note])

    def until_there() -> None:
        while process.channel.outbox.undelivered(name):
            process.channel.deliver(datetime.now(UTC))

    return _timed_ms(until_there)


def _filled(cluster: Cluster, name: str, count: int, each: int) -> str:
    """Create the database `name` with `count` maintenances of `each` entries, all delivered; returns its URL."""
    cluster.create_database(name)
    url = f"postgresql://postgres@127.0.0.1:{cluster.port}/{name}"
    PostgresDatabase(url).close()
    with psycopg.connect(url) as connection:
        with connection.cursor().copy(
            "COPY entries (maintenance, seq, at, actor, kind, step, payload, key, prev_hash, hash) FROM STDIN"
        ) as copy:
            for entry in _all(count, each):
                payload, at = canonical(dict(entry.payload)), entry.at.isoformat()
                row = (entry.maintenance, entry.seq, at, entry.actor, entry.kind, entry.step, payload)
                copy.write_row((*row, entry.key, entry.prev_hash, entry.hash))
        connection.execute(
            "INSERT INTO deliveries SELECT maintenance, seq, 'C0MAINT01', 'posted', extract(epoch FROM at::timestamptz)"
            "::numeric(20, 6)::text FROM entries"
        )
        connection.execute(
            "INSERT INTO live_messages SELECT maintenance, 'card', 'C0MAINT01', 'closed', ts, 'd' FROM deliveries "
            "JOIN entries USING (maintenance, seq) WHERE payload LIKE '%\"completed\"%'"
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return url


def _all(count: int, each: int) -> Iterator[Entry]:
    """The open maintenances are the newest ones; the others have ended, a few hours apart."""
    for number in range(count):
        begun = datetime.now(UTC) - timedelta(hours=3 * (count - number))
        yield from entries(f"{begun:%Y-%m-%d}-work-{number}", each, ended=number < count - _OPEN, begun=begun)
