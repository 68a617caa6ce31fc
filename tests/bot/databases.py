"""The bot's own database on both kinds, by address, so that other processes can open it too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.database import Database, SqliteDatabase
from bot.database_postgres import PostgresDatabase
from sandbox.postgres.cluster import Cluster, temporary_cluster


def opened(address: str) -> Database:
    """Open the database at `address`: `sqlite:///path` or `postgresql://…`."""
    if address.startswith("sqlite:///"):
        return SqliteDatabase(Path(address.removeprefix("sqlite:///")))
    return PostgresDatabase(address, connections=4)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Cluster]:
    with temporary_cluster(18, tcp=True, settings={"fsync": "off"}) as cluster:
        yield cluster


def address_on(cluster: Cluster, name: str) -> str:
    """Create a database on the cluster and return its URL."""
    cluster.create_database(name)
    return f"postgresql://postgres@127.0.0.1:{cluster.port}/{name}"


_made = iter(range(1, 10_000))


@pytest.fixture
def postgres_address(postgres_server: Cluster) -> str:
    return address_on(postgres_server, f"maint_{next(_made)}")


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'maint.sqlite3'}"
    return str(request.getfixturevalue("postgres_address"))


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = opened(address)
    yield database
    database.close()


@pytest.fixture
def another(address: str) -> Iterator[Callable[[], Database]]:
    """Opens the same database once more, as a second process would."""
    others: list[Database] = []

    def open_another() -> Database:
        others.append(opened(address))
        return others[-1]

    yield open_another
    for other in others:
        other.close()
