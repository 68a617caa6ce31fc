"""The story: upgraded, unusably slow without statistics, stopped by the gate, vacuumed, proved fast."""

from collections.abc import Callable

import psycopg
import pytest

from bot.errors import Red
from integrations.postgres import Baseline, Gate, Look, Upgrade, Vacuum
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN
from tests.integrations.postgres.night import Night


def test_the_gate_holds_until_statistics_are_there(
    night: Night, story: Cluster, upgrade_of: Callable[..., Upgrade], probes: dict[str, str]
) -> None:
    night.do("baseline", Baseline(probes=probes))
    upgraded = night.do("upgrade", upgrade_of(story, no_statistics=True))
    assert "PostgreSQL 14 is now 18" in upgraded.summary
    assert "NO planner statistics" in upgraded.summary

    looked = night.do("look", Look(baseline="baseline", give_up_after_s=1))
    assert "reconciliation gave up after 1 s" in looked.summary
    assert "no planner statistics for public.orders" in looked.summary

    gate = Gate(baseline="baseline", give_up_after_s=1)
    with pytest.raises(Red) as red:
        night.do("gate", gate)
    assert "no planner statistics for public.orders, public.payments, public.customers, public.refunds" in str(
        red.value
    )
    assert "reconciliation gave up after 1 s, baseline" in str(red.value)
    assert "without statistics gave up after 1 s, now gave up after 1 s" in red.value.pictures["probes.png"].alt
    assert "Hash Join" in red.value.files["plan-reconciliation-before.txt"]
    assert "Nested Loop" in red.value.files["plan-reconciliation-now.txt"]
    assert "app: public.refunds (never analyzed)" in red.value.files["without-statistics.txt"]

    vacuumed = night.do("vacuum", Vacuum())
    assert vacuumed.facts["tables"] > 100
    assert night.progress("vacuum")["unit"] == "bytes"
    assert night.progress("vacuum")["done"] == night.progress("vacuum")["total"] > 50_000_000

    green = night.do("gate", gate)
    assert green.summary.startswith("Every table has statistics")
    assert green.facts["probes"]["reconciliation"]["median_ms"] < 1000
    assert "without statistics gave up after 1 s" in green.pictures["probes.png"].alt


def test_statistics_that_are_there_are_not_enough(night: Night, story: Cluster, probes: dict[str, str]) -> None:
    """A tenfold slow-down is red although every step succeeded; so is a probe that returns something else."""
    night.do("baseline", Baseline(probes=probes))
    with psycopg.connect(night.settings[DSN], autocommit=True) as shop:
        shop.execute("DROP INDEX orders_customer")
        shop.execute("DELETE FROM orders WHERE status = 'pending'")
    with pytest.raises(Red) as red:
        night.do("gate", Gate(baseline="baseline", factor=3, grace_ms=2))
    told = str(red.value)
    assert "latest_orders takes" in told
    assert "it now reads all of orders" in told
    assert "date_window returns other rows than before" in told
    assert "planner statistics" not in told
