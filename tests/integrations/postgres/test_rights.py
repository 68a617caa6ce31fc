"""Without superuser, as with a managed service: the same evidence, and what cannot be seen is red and named."""

from collections.abc import Callable

import pytest
from psycopg.conninfo import make_conninfo

from bot.errors import Red
from integrations.postgres import Analyze, Baseline, Gate, Vacuum
from integrations.postgres.connection import Server
from integrations.postgres.statistics import missing_statistics
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, TABLES, counts, execute
from tests.integrations.postgres.night import Night


@pytest.fixture
def managed(cluster: Cluster, calm: Callable[..., Night]) -> Night:
    """A night of an account that owns the shop's tables and sees the activity, but is no superuser; and of others."""
    execute(
        cluster.dsn("shop"),
        "CREATE ROLE shopkeeper LOGIN",
        "GRANT pg_monitor TO shopkeeper",
        "GRANT ALL ON SCHEMA public TO shopkeeper",
        'DROP TABLE measures, plain, "Odd ""x"" name", empty',
        "SET SESSION AUTHORIZATION shopkeeper",
        f"{TABLES} CREATE INDEX odd ON plain ((id % 2))",
        "RESET SESSION AUTHORIZATION",
        "CREATE DATABASE secret",
        "REVOKE CONNECT ON DATABASE secret FROM PUBLIC",
    )
    night = calm(cluster)
    night.settings[DSN] = make_conninfo(cluster.dsn("shop"), user="shopkeeper")
    return night


def test_an_owner_without_superuser_gets_the_same_evidence(managed: Night, cluster: Cluster) -> None:
    execute(cluster.dsn("shop"), "GRANT CONNECT ON DATABASE secret TO PUBLIC")
    server = Server(managed.settings[DSN], setting=DSN, application="test")
    owner = Server(cluster.dsn("shop"), setting=DSN, application="test")
    assert missing_statistics(server) == missing_statistics(owner) != []
    managed.do("baseline", Baseline(probes={"one": "SELECT count(*) FROM plain"}))
    with pytest.raises(Red, match=r"no planner statistics for public\.plain"):
        managed.do("gate", Gate(baseline="baseline", grace_ms=5000))

    managed.do("analyze", Analyze())
    assert missing_statistics(server) == missing_statistics(owner) == []
    managed.do("gate", Gate(baseline="baseline", grace_ms=5000))
    execute(cluster.dsn("shop"), "CREATE INDEX odder ON plain ((kind % 2))")
    assert [str(table) for table in missing_statistics(server)] == ["shop: public.plain (index odder)"]


@pytest.mark.parametrize("cluster", [18], indirect=True)
def test_what_may_not_be_seen_is_red_and_what_may_not_be_vacuumed_is_left_out(managed: Night, cluster: Cluster) -> None:
    execute(
        cluster.dsn("shop"),
        "CREATE TABLE ledger AS SELECT g AS id FROM generate_series(1, 100) g",
        "CREATE TABLE fresh AS SELECT 1 AS id",
        "ANALYZE ledger",
    )
    vacuumed = managed.do("vacuum", Vacuum())
    assert "left out, for this account may not vacuum or analyze them: shop.public.fresh, shop.public.ledger; " in (
        vacuumed.summary
    )
    assert "system catalogs; database secret" in vacuumed.summary
    assert vacuumed.files["left-out.txt"] == "shop.public.fresh\nshop.public.ledger\ndatabase secret\n"
    done = counts(cluster.dsn("shop"))
    assert (done["plain"], done["ledger"]) == ((1, 1), (0, 1))

    managed.do("baseline", Baseline(probes={"one": "SELECT count(*) FROM plain"}))
    with pytest.raises(Red) as red:
        managed.do("gate", Gate(baseline="baseline", grace_ms=5000))
    lines = red.value.files["without-statistics.txt"].splitlines()
    assert lines[0] == "secret: every table (this account may not connect to the database)"
    assert set(lines[1:]) == {
        "shop: public.fresh (never analyzed)",
        "shop: public.ledger (this account may not see whether it has statistics: grant it pg_read_all_data, or "
        "SELECT on the table)",
    }
