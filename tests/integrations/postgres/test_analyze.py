"""Statistics first: all of them up to 17, from 18 on only what an upgrade does not carry over."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import charts
from integrations.postgres import Analyze
from integrations.postgres.capacity import capacity
from integrations.postgres.forecast import Track
from integrations.postgres.pictures import tables_by_time, work_and_forecast
from integrations.postgres.scheduler import Done
from integrations.postgres.statistics import missing_statistics
from integrations.postgres.tables import Work
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import counts, execute, server
from tests.integrations.postgres.night import Night

FAMILY = (
    "CREATE TABLE mother (id int)",
    "CREATE TABLE daughter () INHERITS (mother)",
    "INSERT INTO daughter SELECT generate_series(1, 500)",
)


def analyzed(cluster: Cluster) -> set[str]:
    """Return the names of the shop's tables that have been analyzed."""
    return {name for name, (_, times) in counts(cluster.dsn("shop")).items() if times}


def carry_over(cluster: Cluster) -> None:
    """Leave the shop as pg_upgrade to 18 does: with statistics, and with counters that know of nothing."""
    execute(cluster.dsn("shop"), "ANALYZE", "SELECT pg_stat_reset()", "SELECT pg_stat_force_next_flush()")


def test_all_statistics_are_made_and_nothing_is_vacuumed(cluster: Cluster, calm: Callable[..., Night]) -> None:
    execute(cluster.dsn("shop"), *FAMILY)
    calm(cluster).do("analyze", Analyze())
    assert missing_statistics(server(cluster)) == []
    assert {vacuumed for vacuumed, _ in counts(cluster.dsn("shop")).values()} == {0}


def test_what_was_carried_over_is_left_and_the_rest_is_made(small: Cluster, calm: Callable[..., Night]) -> None:
    execute(small.dsn("shop"), *FAMILY)
    carry_over(small)
    execute(
        small.dsn("shop"), "CREATE TABLE fresh AS SELECT 1 AS id", 'CREATE INDEX odd ON "Odd ""x"" name" ((id % 2))'
    )
    calm(small).do("analyze", Analyze())
    assert analyzed(small) == {"measures", "mother", "plain", "fresh", 'Odd "x" name'}
    assert missing_statistics(server(small)) == []


def test_everything_can_be_asked_for(small: Cluster, calm: Callable[..., Night]) -> None:
    carry_over(small)
    calm(small).do("analyze", Analyze(everything=True))
    assert {"plain", "measures_1", "empty"} <= analyzed(small)


def test_targets_and_settings_of_tables_are_left_as_found(cluster: Cluster, calm: Callable[..., Night]) -> None:
    dsn = cluster.dsn("shop")
    execute(
        dsn,
        "ALTER TABLE plain ALTER kind SET STATISTICS 1000",
        "ALTER TABLE plain SET (autovacuum_enabled = false, autovacuum_analyze_scale_factor = 0.01)",
        "ALTER TABLE measures_1 ALTER value SET STATISTICS 0",
    )
    query = (
        "SELECT c.relname, c.reloptions, array_agg(a.attstattarget ORDER BY a.attnum) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 GROUP BY 1, 2 ORDER BY 1"
    )
    before = execute(dsn, query)
    calm(cluster).do("analyze", Analyze())
    assert execute(dsn, query) == before
    assert missing_statistics(server(cluster)) == []


def test_no_more_sessions_are_taken_than_the_server_can_bear(small: Cluster) -> None:
    with server(small).session() as session:
        assert capacity(session, 4).sessions == 4
        execute(small.dsn(), "ALTER SYSTEM SET max_connections = 20")
    small.stop()
    small.start()
    with server(small).session() as session:
        room = capacity(session, 64)
    assert room.sessions == 20 - 3 - 3 - 1  # its own reserve, what we leave to people, and the session that asks
    assert room.kept == 1
    assert 64 * 1024 <= room.memory_kb <= 512 * 1024


def test_a_long_round_comes_with_a_picture_of_its_tables(tmp_path: Path) -> None:
    ctx = Night(tmp_path, {}).context("analyze")
    done = [
        Done(Work("shop", "public", f"table_{number}", 10, vacuum=False, analyze=True), float(number))
        for number in range(20)
    ]
    picture = tables_by_time(ctx, "Analyze", done)["tables.png"]
    assert picture.png.startswith(b"\x89PNG")
    assert picture.alt.startswith("Tables by the time they took: shop.public.table_19 19 s")
    assert tables_by_time(ctx, "Analyze", done[:3]) == {}


def test_a_long_round_shows_whether_its_forecast_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = Night(tmp_path, {})
    ctx, begun = night.context("vacuum"), datetime(2026, 11, 25, 9, tzinfo=UTC)
    track = Track(100 * 1024.0**2)
    for second in range(2001):
        left_s = (2000 - second) * 1.1 if second else None
        track.note(begun + timedelta(seconds=second), track.total * second / 2000, left_s)
    assert len(track.done) < 600, "a vacuum of a night needs no more room than a short one"
    late_s, left_s = track.half_way() or (0.0, 0.0)
    assert (round(late_s, -1), round(left_s, -1)) == (100, 1000)
    picture = work_and_forecast(ctx, "Vacuum", track)["forecast.png"]
    assert picture.png.startswith(b"\x89PNG")
    assert picture.alt.startswith("Vacuum: 100 MB in 33 min; half-way, with 17 min to go, the end was predicted 2 min")

    monkeypatch.setattr(charts, "_LIMIT_S", 0.01)
    assert work_and_forecast(ctx, "Vacuum", track) == {}
    assert "forecast.png could not be drawn, which changes nothing" in night.lines("vacuum")[-1]
