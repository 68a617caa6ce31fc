from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.postgres.cluster import Cluster
from sandbox.postgres.story import StorySize, load_story, story_probes
from tests.postgres_fixtures import STORY_DATABASE, STORY_SCALE, ClusterFactory

WITHOUT_STATISTICS = -1
RELTUPLES = "SELECT reltuples FROM pg_class WHERE relname IN ('orders', 'payments', 'refunds', 'customers')"


def comparisons(dsn: str) -> int:
    """How many pairs of rows the reconciliation compares and throws away, as the server counts them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        query = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {story_probes()['reconciliation']}"
        [[[explained]]] = connection.execute(query).fetchall()
    return int(sum(plan.get("Rows Removed by Join Filter", 0) for plan in _plans(explained["Plan"])))


def _plans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for child in plan.get("Plans", []) for found in _plans(child))]


def answers(dsn: str) -> dict[str, list[Any]]:
    with psycopg.connect(dsn) as connection:
        return {name: sorted(connection.execute(query).fetchall()) for name, query in story_probes().items()}


def reltuples(dsn: str) -> list[float]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute(RELTUPLES)]


def upgrade(old: Cluster, new: Cluster, *options: str) -> None:
    arguments: list[str | Path] = [
        "-b",
        old.bin,
        "-B",
        new.bin,
        "-d",
        old.data,
        "-D",
        new.data,
        "-U",
        "postgres",
        "-s",
        new.root,
    ]
    new.run("pg_upgrade", "--link", *options, *arguments)


def test_a_smaller_story_has_the_shape_of_the_full_one(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14)
    with cluster.started():
        size = load_story(cluster.create_database("shop"), 0.05)
        assert size == StorySize(customers=10_000, orders=150_000, payments=22_361, refunds=671)
        with psycopg.connect(cluster.dsn("shop")) as connection:
            counts = [
                connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
                for table in ("customers", "orders", "payments", "refunds")
            ]
            orders = "SELECT count(*) FILTER (WHERE status = 'pending'), max(created_at)::date::text FROM orders"
            assert counts == [10_000, 150_000, 22_361, 671]
            assert connection.execute(orders).fetchall() == [(150, "2022-11-26")]
        found = answers(cluster.dsn("shop"))
    assert {name: len(rows) for name, rows in found.items()} == {
        "latest_orders": 15,
        "pending_orders": 3,
        "reconciliation": 1,
        "date_window": 1,
    }
    assert found["reconciliation"][0][0] == 671
    assert found["date_window"][0][0] > 0


def test_the_full_story_is_the_default() -> None:
    assert StorySize.scaled(1.0) == StorySize(200_000, 3_000_000, 100_000, 3_000)


def test_a_story_too_small_to_tell_is_refused() -> None:
    with pytest.raises(ValueError, match=r"below 0\.05"):
        StorySize.scaled(0.01)


@pytest.mark.parametrize(("major", "options"), [(17, []), (18, ["--no-statistics"])])
def test_the_upgrade_loses_statistics_and_vacuum_analyze_brings_them_back(
    cluster_factory: ClusterFactory, pg14_seeded_template: Cluster, major: int, options: list[str]
) -> None:
    size = StorySize.scaled(STORY_SCALE)
    old = cluster_factory(template=pg14_seeded_template)
    dsn = old.dsn(STORY_DATABASE)
    with old.started():
        before = answers(dsn)
        assert comparisons(dsn) == 0
    new = cluster_factory(major, sockets=old.sockets, port=old.port)
    upgrade(old, new, *options)
    with new.started():
        assert reltuples(dsn) == [WITHOUT_STATISTICS] * 4
        assert comparisons(dsn) == size.payments * size.refunds - size.refunds
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
        assert WITHOUT_STATISTICS not in reltuples(dsn)
        assert comparisons(dsn) == 0
        assert answers(dsn) == before


def test_to_18_statistics_are_carried_over_unless_told_otherwise(
    cluster_factory: ClusterFactory, pg14_seeded_template: Cluster
) -> None:
    old = cluster_factory(template=pg14_seeded_template)
    new = cluster_factory(18)
    upgrade(old, new)
    with new.started():
        assert WITHOUT_STATISTICS not in reltuples(new.dsn(STORY_DATABASE))
        assert comparisons(new.dsn(STORY_DATABASE)) == 0
