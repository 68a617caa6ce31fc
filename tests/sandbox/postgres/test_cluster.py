import os
import tempfile
from pathlib import Path

import psycopg
import pytest

from sandbox.postgres.account import ProgramFailed
from sandbox.postgres.cluster import Cluster, temporary_cluster
from tests.postgres_fixtures import ClusterFactory


def ask(dsn: str, query: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return str(row[0])


def server_pid(cluster: Cluster) -> str:
    return (cluster.data / "postmaster.pid").read_text().splitlines()[0]


@pytest.mark.parametrize("major", [14, 18])
@pytest.mark.parametrize("checksums", [False, True])
def test_a_new_cluster_is_as_asked(cluster_factory: ClusterFactory, major: int, checksums: bool) -> None:
    cluster = cluster_factory(major, checksums=checksums, settings={"work_mem": "5MB"})
    with cluster.started():
        assert ask(cluster.dsn(), "SHOW server_version").startswith(f"{major}.")
        assert ask(cluster.dsn(), "SHOW data_checksums") == ("on" if checksums else "off")
        assert ask(cluster.dsn(), "SHOW autovacuum") == "off"
        assert ask(cluster.dsn(), "SHOW work_mem") == "5MB"
        assert ask(cluster.dsn(), "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert not cluster.running


def test_the_server_never_runs_as_root(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14)
    with cluster.started():
        owner = Path("/proc", server_pid(cluster)).stat().st_uid
    assert owner == cluster.account.uid != 0


def test_with_a_password_strangers_are_refused(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14, password="it's secret", tcp=True)
    with cluster.started():
        assert ask(cluster.dsn(), "SELECT inet_server_addr()") == "127.0.0.1"
        where = ("-h", cluster.sockets, "-p", str(cluster.port), "-U", "postgres")
        assert "postgres" in cluster.run("psql", *where, "-l")
        wrong = psycopg.conninfo.make_conninfo(cluster.dsn(), password="guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    assert not list(cluster.root.glob("password*"))


def test_a_failed_start_shows_what_the_server_said(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14)
    cluster.configure({"vacuum_mode": "odd"})
    with pytest.raises(ProgramFailed, match='unrecognized configuration parameter "vacuum_mode"'):
        cluster.start()


def test_settings_survive_quotes_and_other_processes(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14)
    cluster.configure({"application_name": "it's"})
    again = Cluster(cluster.root)
    assert again.settings["application_name"] == "it's"
    with cluster.started():
        assert again.running
        again.stop()
        assert not cluster.running


def test_a_copy_is_a_cluster_of_its_own(cluster_factory: ClusterFactory) -> None:
    original = cluster_factory(14, tcp=True)
    copied = cluster_factory(template=original)
    with original.started(), copied.started():
        copied.create_database("only_here")
        assert ask(copied.dsn("only_here"), "SELECT current_database()") == "only_here"
        assert ask(original.dsn(), "SELECT count(*) FROM pg_database WHERE datname = 'only_here'") == "0"
        with pytest.raises(RuntimeError, match="stop it before it is copied"):
            original.copy(cluster_factory.folder / "torn")


def test_a_cluster_that_takes_over_an_address(cluster_factory: ClusterFactory) -> None:
    old = cluster_factory(14)
    new = cluster_factory(18, sockets=old.sockets, port=old.port)
    assert new.dsn("app") == old.dsn("app")
    with new.started():
        assert ask(old.dsn(), "SHOW server_version").startswith("18.")


def test_a_removed_cluster_leaves_nothing() -> None:
    with temporary_cluster(14) as cluster:
        command_line = Path("/proc", server_pid(cluster), "cmdline")
        assert b"postgres" in command_line.read_bytes()
    assert not cluster.root.exists()
    # A machine without a proper init keeps the ended process's entry, but without a command line.
    assert not command_line.exists() or not command_line.read_bytes()


def test_a_deep_folder_gets_a_short_socket(cluster_factory: ClusterFactory) -> None:
    deep = cluster_factory.folder / ("deep" * 30)
    cluster = Cluster.create(deep, 14)
    try:
        with cluster.started():
            assert ask(cluster.dsn(), "SELECT 1") == "1"
            sockets = cluster.sockets
            assert not sockets.is_relative_to(deep)
    finally:
        cluster.destroy()
    assert not sockets.exists()


def test_a_folder_in_use_is_refused(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(14)
    with pytest.raises(ValueError, match="is not empty"):
        Cluster.create(cluster.root, 14)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_folder_out_of_the_accounts_reach_is_refused() -> None:
    with tempfile.TemporaryDirectory() as closed, pytest.raises(ValueError, match="cannot get to"):
        Cluster.create(Path(closed) / "cluster", 14)
