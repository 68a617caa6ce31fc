"""The SQL of the page about roles, run on a real cluster: the watching account sees enough and can write nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.errors import Red
from integrations.postgres import Analyze, Baseline, Gate
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.night import Night

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "database-roles.md"
JOURNAL, WATCH, UPGRADE = (
    [statement for statement in block.split(";\n") if statement.strip()]
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
)


def test_the_accounts_of_the_page_can_do_their_work_and_no_more(cluster: Cluster, calm: Callable[..., Night]) -> None:
    owner = cluster.dsn("shop")
    execute(owner, *WATCH)
    night = calm(cluster)
    night.settings[DSN] = make_conninfo(owner, user="maint_watch")
    night.do("baseline", Baseline(probes={"one": "SELECT count(*) FROM plain"}))
    with pytest.raises(Red, match="no planner statistics"):
        night.do("gate", Gate(baseline="baseline", grace_ms=5000))
    night.settings[DSN] = owner
    night.do("analyze", Analyze())
    night.settings[DSN] = make_conninfo(owner, user="maint_watch")
    night.do("gate", Gate(baseline="baseline", grace_ms=5000))
    with psycopg.connect(night.settings[DSN], autocommit=True) as watch:
        watch.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            watch.execute("DELETE FROM plain")
    execute(owner, *JOURNAL)  # on a server of its own in truth: the gate wants to see every database
    with psycopg.connect(make_conninfo(owner, dbname="maint", user="maint_journal"), autocommit=True) as journal:
        journal.execute("CREATE TABLE entries (seq int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(make_conninfo(owner, dbname="maint", user="maint_watch"))
    execute(owner, *UPGRADE)
