"""Vacuuming over several sessions: nothing is forgotten, nothing stops the others, nobody blocks it in silence."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bot.acts import Act
from bot.errors import Final, Stopped
from bot.offers import offer_of, take
from bot.state import State
from bot.step import Offer
from integrations.postgres import Vacuum, read_ahead, scheduler
from integrations.postgres.batches import Batch, batches
from integrations.postgres.forecast import of_analyze, of_vacuum, remaining_s, vacuum_share
from integrations.postgres.stalled import Stalled
from integrations.postgres.statistics import missing_statistics
from integrations.postgres.tables import Work
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import counts, execute, server
from tests.integrations.postgres.killed import kill, life
from tests.integrations.postgres.night import MAINTENANCE, Night
from tests.integrations.postgres.test_upgrade import once

BEN = Act("U0BEN", "a-press")
PARENT_ONLY_ANALYZED = {"measures": 0}


def test_every_table_is_vacuumed_and_every_parent_analyzed(cluster: Cluster, calm: Callable[..., Night]) -> None:
    missing = {str(table) for table in missing_statistics(server(cluster))}
    assert missing == {
        "shop: public.measures (never analyzed, partitioned parent)",
        "shop: public.measures_1 (never analyzed)",
        "shop: public.measures_2 (never analyzed)",
        "shop: public.plain (never analyzed)",
        'shop: public.Odd "x" name (never analyzed)',
    }
    outcome = calm(cluster).do("vacuum", Vacuum())
    assert missing_statistics(server(cluster)) == []
    assert {
        name: count[0] for name, count in counts(cluster.dsn("shop")).items() if count[0] != 1
    } == PARENT_ONLY_ANALYZED
    assert 'shop.public.Odd ""x"" name' in outcome.files["tables.csv"]
    assert outcome.facts["tables"] > 100


def test_a_first_pass_leaves_statistics_and_the_indexes_as_they_are(
    cluster: Cluster, calm: Callable[..., Night]
) -> None:
    dsn = cluster.dsn("shop")
    execute(dsn, "CREATE INDEX plain_id ON plain (id)", "DELETE FROM plain WHERE id > 1000")
    pages = "SELECT pg_relation_size('plain')"
    before = execute(dsn, pages)
    calm(cluster).do("vacuum", Vacuum.model_validate({"pass": "first"}))
    assert missing_statistics(server(cluster)) == []
    assert execute(dsn, pages) == before, "a first pass gives nothing back"
    assert counts(dsn)["plain"] == (1, 1)


def test_extended_statistics_and_expression_indexes_count(small: Cluster, calm: Callable[..., Night]) -> None:
    dsn = small.dsn("shop")
    calm(small).do("vacuum", Vacuum())
    execute(dsn, "CREATE STATISTICS more ON id, kind FROM plain", "CREATE INDEX odd ON plain ((id % 2))")
    assert {str(table) for table in missing_statistics(server(small))} == {
        "shop: public.plain (index odd)",
        "shop: public.plain (extended statistics more)",
    }


def test_time_limits_of_a_role_or_database_do_not_cancel_it(small: Cluster, calm: Callable[..., Night]) -> None:
    execute(small.dsn(), "ALTER ROLE postgres SET statement_timeout = 1", "ALTER DATABASE shop SET lock_timeout = 1")
    calm(small).do("vacuum", Vacuum())
    assert missing_statistics(server(small)) == []


def test_a_table_that_fails_is_named_and_the_others_go_on(small: Cluster, calm: Callable[..., Night]) -> None:
    """An index whose function relies on a search_path fails inside ANALYZE."""
    dsn = small.dsn("shop")
    execute(
        dsn,
        "CREATE SCHEMA tools",
        "CREATE FUNCTION tools.norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'",
        "CREATE FUNCTION indexed(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN norm($1); END'",
        "CREATE TABLE people AS SELECT 'Ada' || g AS name FROM generate_series(1, 100) g",
        "SET search_path = public, tools; ALTER FUNCTION indexed SET search_path = public, tools",
        "CREATE INDEX people_name ON people (indexed(name)); ALTER FUNCTION indexed RESET search_path",
    )
    night = calm(small)
    with pytest.raises(Final) as failed:
        night.do("vacuum", Vacuum())
    assert "1 table could not be done, all others are" in str(failed.value)
    assert "shop.public.people: function norm(text) does not exist" in str(failed.value)
    assert counts(dsn)["plain"] == (1, 1)

    execute(dsn, "ALTER FUNCTION indexed SET search_path = public, tools")
    night.do("vacuum", Vacuum())
    assert counts(dsn)["people"][1] == 1
    assert counts(dsn)["plain"] == (1, 1), "what was done is not done again"


def test_whoever_blocks_is_named_with_age_and_query(
    small: Cluster, calm: Callable[..., Night], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "FIRST_PATIENCE_S", 0.3)
    night = calm(small)
    with psycopg.connect(small.dsn("shop"), application_name="report writer") as other:
        other.execute("LOCK TABLE plain IN SHARE MODE")
        other.execute("SELECT 'the yearly report'")
        pid = other.info.backend_pid
        once(lambda: any("blocked" in line for line in night.lines("vacuum")), other.commit)
        night.do("vacuum", Vacuum(blocked_after_s=0.2))
    [line] = [line for line in night.lines("vacuum") if "blocked" in line]
    assert "shop.public.plain is blocked for" in line
    assert f"by pid {pid}: postgres (report writer), idle in transaction, its transaction open for" in line
    assert "query: SELECT 'the yearly report'" in line
    assert counts(small.dsn("shop"))["plain"] == (1, 1)
    assert counts(small.dsn("shop"))["empty"] == (1, 1), "the others did not wait for it"


def test_what_prevents_wraparound_is_cancelled_only_when_asked_a_second_time(
    small: Cluster, calm: Callable[..., Night], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "FIRST_PATIENCE_S", 0.3)
    night = calm(small)
    with psycopg.connect(small.dsn("shop")) as other:
        other.execute("LOCK TABLE plain IN SHARE MODE")

        def press(button: str) -> Callable[[], None]:
            def take_up() -> None:
                night.maintenances.record(MAINTENANCE, lambda state: take(state, BEN, "vacuum", offered(state).token))

            def offered(state: State) -> Offer:
                offer = offer_of(state, "vacuum")
                assert offer is not None
                assert offer.button.startswith("Cancel pid")
                return offer

            def shown() -> bool:
                offer = offer_of(night.maintenances.state(MAINTENANCE), "vacuum")
                return offer is not None and offer.button.endswith(button)

            return lambda: once(shown, take_up)

        press(str(other.info.backend_pid))()
        press("all the same")()
        worker = threading.Thread(target=night.do, args=("vacuum", Vacuum(blocked_after_s=0.2)))
        worker.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute("SELECT pg_sleep(600), 'VACUUM (to prevent wraparound)'")
    worker.join()
    lines = night.lines("vacuum")
    assert sum("so this is asked a second time" in line for line in lines) == 1
    assert sum("Cancelled the statement of pid" in line for line in lines) == 1
    assert counts(small.dsn("shop"))["plain"] == (1, 1)


def test_a_vacuum_that_stands_still_names_who_holds_back_the_oldest_snapshot(
    small: Cluster, calm: Callable[..., Night]
) -> None:
    with server(small).session() as monitor, psycopg.connect(small.dsn("shop"), application_name="report") as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM plain")
        night = calm(small)
        stalled = Stalled(night.context("vacuum"), monitor, after_s=0.01)
        work = Work("shop", "public", "plain", 5, vacuum=True, analyze=False)
        for _ in range(3):
            stalled.look({other.info.backend_pid + 1: (Batch((work,)), 5.0)})
            time.sleep(0.02)
        pid = other.info.backend_pid
    [line] = night.lines("vacuum")
    assert "shop.public.plain has made no progress" in line
    assert f"held back by pid {pid} (postgres, report, idle in transaction)" in line
    assert "query: SELECT count(*) FROM plain" in line


def test_an_abort_cancels_what_runs(small: Cluster, calm: Callable[..., Night]) -> None:
    night = calm(small)
    with psycopg.connect(small.dsn("shop")) as other:
        other.execute("LOCK TABLE plain IN SHARE MODE")
        once(lambda: counts(small.dsn("shop"))["empty"] == (1, 1), night.abort)
        with pytest.raises(Stopped):
            night.do("vacuum", Vacuum())
        query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^VACUUM'"
        deadline = time.monotonic() + 60
        while execute(small.dsn(), query) != [(0,)]:
            assert time.monotonic() < deadline, "it was not cancelled"
            time.sleep(0.05)


def test_killed_in_the_middle_it_does_the_rest_only(small: Cluster, calm: Callable[..., Night], tmp_path: Path) -> None:
    night = calm(small)
    dsn = small.dsn("shop")
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE plain IN SHARE MODE")
        bot = life(tmp_path, night, {"vacuum": {}})
        deadline = time.monotonic() + 60
        while counts(dsn)["empty"] != (1, 1):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        kill(bot)
        threading.Timer(0.5, other.commit).start()
        night.do("vacuum", Vacuum())
    assert {name: count[0] for name, count in counts(dsn).items() if count[0] != 1} == PARENT_ONLY_ANALYZED
    assert missing_statistics(server(small)) == []


def test_a_table_that_is_in_memory_is_not_read_ahead(small: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(small.dsn(), "ALTER SYSTEM SET maintenance_io_concurrency = 7", "SELECT pg_reload_conf()")
    execute(small.dsn("shop"), "CREATE ROLE clerk", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk")
    plain = Work("shop", "public", "plain", 10**9, vacuum=True, analyze=True)
    with server(small).session("shop") as session:

        def reads_ahead(work: Work) -> str:
            read_ahead.suit(session, work)
            return str((session.execute("SHOW maintenance_io_concurrency").fetchone() or {}).popitem()[1])

        assert reads_ahead(replace(plain, cost_bytes=8192)) == "7"
        assert reads_ahead(plain) == "0"
        monkeypatch.setattr(read_ahead, "_FROM_MEMORY_MS", -1.0)
        assert reads_ahead(plain) == "7"
        session.execute("SET maintenance_io_concurrency = 3")
        session.execute("SET ROLE clerk")
        assert reads_ahead(plain) == "3", "an account that may not see it leaves it"


def test_the_forecast_knows_that_one_large_table_keeps_one_session_busy() -> None:
    assert remaining_s(done=0, busy_s=5, running={}, waiting=[10], jobs=2) is None
    assert remaining_s(done=100, busy_s=10, running={1: 50, 2: 50}, waiting=[100, 100], jobs=2) == pytest.approx(15)
    assert remaining_s(done=100, busy_s=10, running={1: 300}, waiting=[10], jobs=2) == pytest.approx(30)


def test_what_a_table_has_behind_it_never_goes_back() -> None:
    both = Batch((Work("shop", "public", "plain", 10**9, vacuum=True, analyze=True),))
    only = Batch((Work("shop", "public", "plain", 10**9, vacuum=False, analyze=True),))
    phases = ("initializing", "scanning heap", "vacuuming indexes", "vacuuming heap", "cleaning up indexes")
    steps = [(0, 0), (50, 0), (100, 0), (100, 60), (100, 100)]
    vacuum = [
        of_vacuum({"phase": phase, "total": 100, "scanned": scanned, "vacuumed": vacuumed})
        for phase, (scanned, vacuumed) in zip(phases, steps, strict=True)
    ]
    analyze = [
        of_analyze({"phase": phase, "total": 10, "scanned": 10}) for phase in ("acquiring", "finalizing analyze")
    ]
    assert vacuum == sorted(vacuum)
    assert analyze == sorted(analyze)
    assert 0.8 < vacuum_share(both) < 0.9, "of a large table ANALYZE reads a part only"
    assert vacuum_share(only) == 0


def test_small_tables_share_a_statement_and_large_ones_do_not() -> None:
    def work(table: str, cost_bytes: int, dbname: str = "shop") -> Work:
        return Work(dbname, "public", table, cost_bytes, vacuum=True, analyze=True, options=("TRUNCATE OFF",))

    large = [work("large", 10**9), work("larger", 10**7)]
    small = [work(f"t{number}", 1000 - number) for number in range(20)]
    made = batches([*large, *small, work("other", 5, "books")])
    assert [[w.table for w in batch.works] for batch in made[:2]] == [["large"], ["larger"]]
    assert [(batch.dbname, len(batch.works)) for batch in made[2:]] == [("shop", 16), ("shop", 4), ("books", 1)]
    assert made[3].label == "shop.public.t16 and 3 more"
    assert '"public"."t16", "public"."t17"' in made[3].statement.as_string()
