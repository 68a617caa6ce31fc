"""The gate is evidence: the busiest statements keep their plans, and the app's own way leads to this very server."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bot.errors import Red
from integrations.postgres import Baseline, Gate
from integrations.postgres.probes import Measured
from integrations.postgres.server_log import complaints, english
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.night import Night

APP = "MAINT_POSTGRES_APP"
BUSY = "SELECT kind FROM plain WHERE id = {}"


@pytest.fixture
def counted(small: Cluster) -> Cluster:
    """The small cluster with pg_stat_statements, and a statement that is often run."""
    small.stop()
    small.configure({"shared_preload_libraries": "pg_stat_statements"})
    small.start()
    execute(small.dsn("shop"), "CREATE EXTENSION pg_stat_statements", "CREATE INDEX plain_id ON plain (id)", "ANALYZE")
    execute(small.dsn("shop"), *(BUSY.format(number) for number in range(30)), "SELECT count(*) FROM measures")
    return small


def test_a_busy_statement_that_loses_its_index_is_red_with_both_plans_and_never_run(
    counted: Cluster, calm: Callable[..., Night]
) -> None:
    night = calm(counted)
    baseline = night.do("baseline", Baseline(probes={"one": "SELECT 1"}))
    assert "2 of the busiest statements planned" in baseline.summary
    [name] = [name for name, busy in baseline.facts["busiest"].items() if "FROM plain" in busy["query"]]
    assert baseline.facts["busiest"][name]["query"] == BUSY.format("$1")
    assert "plain_id" in baseline.facts["busiest"][name]["plan"]

    execute(counted.dsn("shop"), BUSY.format(7), BUSY.format(8))
    green = night.do("gate", Gate(baseline="baseline", large_mb=0, grace_ms=5000))
    assert "2 busiest statements planned as well as before" in green.summary
    told = green.files["busiest-times.txt"]
    assert re.search(rf"{name}: mean \S+ ms \(2 times\), \S+ ms before \(30 times\): SELECT kind FROM plain", told)
    assert "mean not run again" in told

    calls = "SELECT sum(calls) FROM pg_stat_statements WHERE query ~ 'FROM plain WHERE' AND query !~ 'PREPARE|EXPLAIN'"
    before = execute(counted.dsn("shop"), calls)
    execute(counted.dsn("shop"), "DROP INDEX plain_id")
    with pytest.raises(Red) as red:
        night.do("gate", Gate(baseline="baseline", large_mb=0, grace_ms=5000))
    assert f"{name} now reads all of plain: SELECT kind FROM plain WHERE id = $1" in str(red.value)
    assert "plain_id" in red.value.files[f"plan-{name}-before.txt"]
    assert "Seq Scan" in red.value.files[f"plan-{name}-now.txt"]
    assert execute(counted.dsn("shop"), calls) == before
    night.do("gate", Gate(baseline="baseline", grace_ms=5000))  # the table is not a large one


def test_the_apps_own_way_has_to_lead_to_this_server(
    small: Cluster, cluster_factory: Callable[..., Cluster], calm: Callable[..., Night]
) -> None:
    execute(small.dsn("shop"), "ANALYZE")
    night = calm(small)
    night.do("baseline", Baseline(probes={"one": "SELECT 1"}))
    gate = Gate(baseline="baseline", grace_ms=5000, app=APP)
    night.settings[APP] = night.settings[DSN]
    night.do("gate", gate)
    night.settings[APP] = "host=/nowhere dbname=shop password=sesame"
    with pytest.raises(Red, match=rf"own way to the database \({APP}\) does not work: OperationalError") as red:
        night.do("gate", gate)
    assert "sesame" not in str(red.value)
    other = cluster_factory(18)
    other.start()
    night.settings[APP] = other.dsn()
    with pytest.raises(Red, match="leads to another server: 18"):
        night.do("gate", gate)


def test_both_first_and_best_times_are_kept_and_the_chosen_one_is_compared() -> None:
    before = Measured("one", "SELECT 1", first_ms=40, median_ms=11, warm_ms=10, rows=1, checksum="x")
    now = replace(before, first_ms=400, warm_ms=12)
    assert now.took == "12 ms (400 ms cold)"
    assert Gate(baseline="b", grace_ms=0)._faults(now, before) == []
    [fault] = Gate(baseline="b", grace_ms=0, compare="cold")._faults(now, before)
    assert fault.what.startswith("one takes 12 ms (400 ms cold), 10 times its baseline of 10 ms (40 ms cold) (allowed:")
    old = {key: value for key, value in before.facts().items() if key != "warm_ms"}
    assert Measured.from_facts(old).warm_ms == 11, "a baseline of an earlier version of the bot"


def test_each_fault_says_what_and_what_to_do(small: Cluster, calm: Callable[..., Night]) -> None:
    dsn = small.dsn("shop")
    execute(dsn, "ANALYZE", "CREATE FUNCTION slow(int) RETURNS int LANGUAGE sql AS 'SELECT $1'")
    execute(dsn, "ALTER DATABASE shop SET statement_timeout = '50ms'")
    probes = {"slept": "SELECT slow(1)", "counted": "SELECT count(*) FROM plain", "gone": "SELECT min(id) FROM empty"}
    night = calm(small)
    night.do("baseline", Baseline(probes=probes))
    execute(dsn, "CREATE OR REPLACE FUNCTION slow(int) RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(60)'")
    execute(dsn, "DELETE FROM plain WHERE id = 1", "DROP TABLE empty")
    with pytest.raises(Red) as red:
        night.do("gate", Gate(baseline="baseline", grace_ms=5000, give_up_after_s=0.3))
    told = str(red.value)
    assert "slept gave up after 0.3 s, baseline" in told
    assert "it was cancelled then (SELECT slow(1))" in told
    assert "counted returns other rows than before (1 rows, 1 before; SELECT count(*) FROM plain)" in told
    assert 'gone failed: relation "empty" does not exist, baseline' in told
    for advice in ("Compare the two plans", "Find out who has written", "Run the query by hand"):
        assert told.count(advice) == 1
    assert set(red.value.files) >= {f"plan-{name}-{when}.txt" for name in probes for when in ("before", "now")}
    assert "Result" in red.value.files["plan-slept-before.txt"]


def test_errors_in_the_servers_log_are_red_with_the_lines(small: Cluster, calm: Callable[..., Night]) -> None:
    small.stop()
    small.configure({"logging_collector": "on", "log_filename": "server.log", "log_rotation_age": "0"})
    small.start()
    dsn = small.dsn("shop")
    execute(dsn, "ANALYZE")
    night = calm(small)
    with pytest.raises(psycopg.Error):
        execute(dsn, "SELECT before_the_baseline")
    night.do("baseline", Baseline(probes={"one": "SELECT id FROM plain WHERE id = 1"}))
    gate = Gate(baseline="baseline", grace_ms=5000)
    assert "no errors in the server's log" in night.do("gate", gate).summary
    for query in ("SELECT no_column", "ANALYZE no_table", "SELECT id FROM\nplain WHERE id = 1 / 0"):
        with pytest.raises(psycopg.Error):
            execute(dsn, query)
    with pytest.raises(Red) as red:
        night.do("gate", gate)
    assert "the server's log has 2 errors" in str(red.value)
    assert "Read server-log.txt" in str(red.value)
    assert "STATEMENT:  SELECT no_column" in red.value.files["server-log.txt"]
    assert "no_table" not in red.value.files["server-log.txt"], "a round tells of its own failures"
    patterns = ("column .no_column. does not exist", "division by zero")
    night.do("gate", gate.model_copy(update={"harmless": patterns}))

    small.stop()
    small.start()
    assert "no errors in the server's log" in night.do("gate", gate).summary, "what was said before its start is over"
    unread = night.do("gate", gate.model_copy(update={"log_file": Path("/nowhere/server.log")}))
    assert "the server's log was not looked at: /nowhere/server.log is not there" in unread.summary
    small.log.write_text("FATAL:  could not write lock file\n")
    with pytest.raises(Red, match="could not write lock file"):
        night.do("gate", gate.model_copy(update={"log_file": small.log}))


def test_damage_is_never_harmless_because_our_own_statement_met_it() -> None:
    said = (
        "2026 [1] LOG:  starting PostgreSQL 18.0\n"
        '2026 [2] ERROR:  invalid page in block 7 of relation "base/5/16384"\n'
        "2026 [2] STATEMENT:  VACUUM public.orders\n"
        "2026 [3] FATAL:  terminating walreceiver process due to administrator command\n"
        "2026 [4] FATAL:  connection to client lost\n"
        '2026-11-25,"u","d",4,"[local]",x,1,"SELECT",,2/3,0,ERROR,42703,"column ""b"" does not exist",,,,,,"SELECT b"\n'
    )
    damage, csv = complaints(said)
    assert damage.endswith("STATEMENT:  VACUUM public.orders")
    assert "42703" in csv
    assert [english(locale) for locale in ("C", "C.UTF-8", "en_NZ.UTF-8", "", "English_United States")] == [True] * 5
    assert not english("de_DE.UTF-8"), "its log says FEHLER"
