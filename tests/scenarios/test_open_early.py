"""Statistics, gate, open: the app is back while the vacuum goes on, and the maintenance ends with the vacuum."""

from collections.abc import Iterator

import psycopg
import pytest

from sandbox.postgres.cluster import Cluster
from tests.postgres_fixtures import ClusterFactory
from tests.scenarios.house import Room

SHOP = """
CREATE TABLE orders AS SELECT g AS id, g % 10 AS kind FROM generate_series(1, 2000) g;
CREATE TABLE parts AS SELECT g AS id FROM generate_series(1, 2000) g;
"""
STEPS = """\
  - id: baseline
    uses: postgres.baseline
    with: {probes: {orders: SELECT count(*) FROM orders WHERE kind = 3}}
  - id: app-off
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo app off >> WORLD"]}
  - id: statistics
    title: Statistics
    uses: postgres.analyze
  - id: hold
    title: Wait
    uses: manual
    with: {text: Shall it go on?}
  - id: gate
    title: Gate
    uses: postgres.gate
    with: {baseline: baseline, grace_ms: 5000}
  - id: app-on
    title: App on
    uses: command
    approval: false
    needs: gate
    with: {argv: [sh, -c, "echo app on >> WORLD"]}
  - id: vacuum
    title: Vacuum
    uses: postgres.vacuum
    approval: false
    needs: hold
    with: {analyze: false, blocked_after_s: 0.2}
"""


@pytest.fixture
def shop(cluster_factory: ClusterFactory, room: Room) -> Iterator[Cluster]:
    """A running cluster that the bot knows for the length of a scenario."""
    made = cluster_factory(18)
    made.start()
    with psycopg.connect(made.create_database("shop"), autocommit=True) as session:
        session.execute(SHOP.encode())
    bot = room.house.bot
    bot.environment = {**bot.environment, "MAINT_POSTGRES_DSN": made.dsn("shop")}
    room.house.restarts()
    yield made
    bot.environment = {name: value for name, value in bot.environment.items() if name != "MAINT_POSTGRES_DSN"}
    bot.kill()


def test_the_app_opens_before_the_vacuum_has_ended_and_the_maintenance_ends_after_it(room: Room, shop: Cluster) -> None:
    room.plans(STEPS)
    room.channel.shows("Statistics (statistics) succeeded")
    with psycopg.connect(shop.dsn("shop")) as other:
        other.execute("LOCK TABLE parts IN SHARE MODE")  # so that the vacuum cannot end
        room.ben.says("/maint done hold")
        room.channel.shows("Every table has statistics")
        room.has_done("app off", "app on")
        room.channel.shows("App on (app-on) succeeded")
        room.channel.shows("parts is blocked for")
        assert room.count("The maintenance is completed") == 0
        assert room.count("Vacuum (vacuum) succeeded") == 0
        pid = other.info.backend_pid
        room.dev.clicks(f"End pid {pid}", on="Work in", confirm=True)
        room.dev.sees("may take this up")
        room.ben.clicks(f"End pid {pid}", on="Work in", confirm=True)
        room.channel.shows(f"Ended the session of pid {pid}, as asked for")
        with pytest.raises(psycopg.errors.AdminShutdown):
            other.execute("SELECT 1")
    room.channel.shows("Vacuum (vacuum) succeeded")
    room.channel.shows("The maintenance is completed")
