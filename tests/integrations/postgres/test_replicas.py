"""Standbys and slots: told before an upgrade, and held to follow again after it; on a real standby."""

import psycopg
import pytest

from bot.errors import Red
from integrations.postgres import Baseline, Gate, Replicas
from integrations.postgres.connection import Server
from integrations.postgres.replicas import told
from tests.integrations.postgres.conftest import DSN
from tests.integrations.postgres.night import Night
from tests.postgres_fixtures import ClusterFactory


def test_a_standby_is_told_of_and_held_to_stream_again(cluster_factory: ClusterFactory, tmp_path: object) -> None:
    primary = cluster_factory(14)
    primary.start()
    with psycopg.connect(primary.dsn(), autocommit=True) as session:
        session.execute("SELECT pg_create_physical_replication_slot('beta')")
    standby = primary.standby(cluster_factory.folder / "standby", "alpha")
    try:
        night = Night(tmp_path, {DSN: primary.dsn()})  # type: ignore[arg-type]
        with pytest.raises(Red, match="alpha is not connected") as red:
            night.do("replicas", Replicas(standbys=("alpha",), wait_s=0))
        assert "pg_basebackup -R" in str(red.value)
        standby.start()
        outcome = night.do("replicas", Replicas(standbys=("alpha",), wait_s=60))
        assert "alpha (local socket, streaming, async" in outcome.summary
        with pytest.raises(Red, match="nobody reads from the slot beta"):
            night.do("replicas", Replicas(standbys=("alpha",), slots=("beta",), wait_s=0))

        baseline = night.do("baseline", Baseline(probes={"one": "SELECT 1"}))
        assert "alpha streaming from it: the gate will hold that they do so again" in baseline.summary
        gate = Gate(baseline="baseline", grace_ms=5000)
        assert "alpha streaming again" in night.do("gate", gate).summary

        with Server(primary.dsn(), setting=DSN, application="test").session() as session:
            lines = told(session, 18)
        assert lines[0].startswith("standby alpha (local socket, streaming, async")
        assert "make it again (pg_basebackup of the new major -R" in lines[0]
        assert lines[1].startswith("slot beta (physical, nobody reads it) is not carried over")

        standby.stop()
        with pytest.raises(Red, match="alpha streamed from this server at the baseline, and does not now") as red:
            night.do("gate", gate)
        assert "rebuild_later" in str(red.value)
        later = night.do("gate", gate.model_copy(update={"rebuild_later": ("alpha",)}))
        assert "to be made again: alpha" in later.summary
    finally:
        standby.destroy()
