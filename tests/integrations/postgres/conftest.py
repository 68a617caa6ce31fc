"""Steps on real clusters: the story's database, upgraded in a folder of its own."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from integrations.postgres import Upgrade
from integrations.postgres.connection import Server
from sandbox.postgres.account import new_folder
from sandbox.postgres.cluster import Cluster
from sandbox.postgres.story import story_probes
from tests.integrations.postgres.night import Night
from tests.postgres_fixtures import STORY_DATABASE, ClusterFactory

DSN = "MAINT_POSTGRES_DSN"
TABLES = """
CREATE TABLE measures (day date, value int) PARTITION BY RANGE (day);
CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO measures SELECT '2026-01-01'::date + g % 365, g FROM generate_series(1, 2000) g;
CREATE TABLE plain AS SELECT g AS id, g % 7 AS kind, g % 7 AS kin FROM generate_series(1, 3000) g;
CREATE STATISTICS kinds (dependencies) ON kind, kin FROM plain;
CREATE TABLE "Odd ""x"" name" AS SELECT 1 AS id;
CREATE TABLE empty (id int);
"""


@pytest.fixture
def probes() -> dict[str, str]:
    return story_probes()


@pytest.fixture
def story(pg14_seeded_template: Cluster, cluster_factory: ClusterFactory) -> Iterator[Cluster]:
    """A running 14 with the shop in its database `app`; what was made beside its data is stopped at the end."""
    cluster = cluster_factory(template=pg14_seeded_template)
    cluster.start()
    yield cluster
    if (cluster.root / "new" / "postmaster.pid").exists():
        cluster.run("pg_ctl", "stop", "-m", "immediate", "-D", cluster.root / "new")


@pytest.fixture
def night(story: Cluster, tmp_path: Path) -> Night:
    """A maintenance of the story's cluster."""
    return Night(tmp_path, {DSN: story.dsn(STORY_DATABASE)})


@pytest.fixture
def upgrade_of(pg14_bin: Path, pg18_bin: Path) -> Callable[..., Upgrade]:
    """`upgrade_of(cluster, mode="copy")`: the step that upgrades a 14 to 18, in the folder `new` beside its data."""

    def make(cluster: Cluster, **fields: Any) -> Upgrade:
        places = {"old_bin": pg14_bin, "new_bin": pg18_bin, "old_data": cluster.data, "new_data": cluster.root / "new"}
        return Upgrade.model_validate({**places, **fields})

    return make


@pytest.fixture(scope="session")
def templates() -> Iterator[Callable[[int], Cluster]]:
    """Return stopped clusters without statistics by major, to be copied."""
    folder = new_folder()

    @functools.cache
    def make(major: int) -> Cluster:
        made = Cluster.create(folder / str(major), major)
        with made.started():
            execute(made.create_database("shop"), TABLES)
        return made

    yield make
    shutil.rmtree(folder)


@pytest.fixture(params=[14, 18])
def cluster(
    request: pytest.FixtureRequest, cluster_factory: ClusterFactory, templates: Callable[[int], Cluster]
) -> Cluster:
    """A small running cluster without statistics, of an old and of a new major."""
    made = cluster_factory(template=templates(request.param))
    made.start()
    return made


@pytest.fixture
def small(cluster_factory: ClusterFactory, templates: Callable[[int], Cluster]) -> Cluster:
    made = cluster_factory(template=templates(18))
    made.start()
    return made


@pytest.fixture
def calm(tmp_path: Path) -> Callable[[Cluster], Night]:
    return lambda cluster: Night(tmp_path, {DSN: cluster.dsn("shop")})


def counts(dsn: str) -> dict[str, tuple[int, int]]:
    """Return how often each of the shop's tables was vacuumed and analyzed."""
    query = "SELECT relname, vacuum_count, analyze_count FROM pg_stat_user_tables"
    return {name: (vacuumed, analyzed) for name, vacuumed, analyzed in execute(dsn, query)}


def server(cluster: Cluster) -> Server:
    return Server(cluster.dsn("shop"), setting=DSN, application="test")


def execute(dsn: str, *statements: str) -> list[Any]:
    """Run statements and return the rows of the last one."""
    with psycopg.connect(dsn, autocommit=True) as session:
        for statement in statements:
            cursor = session.execute(statement.encode())
    return cursor.fetchall() if cursor.description else []
