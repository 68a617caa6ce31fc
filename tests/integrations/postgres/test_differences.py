"""What differs after an upgrade is named, and the server's log is told apart."""

from typing import Any

import pytest

from integrations.postgres import snapshot
from integrations.postgres.differences import differences
from integrations.postgres.server_log import judged
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import execute, server

BEFORE: dict[str, Any] = {
    "databases": ["app"],
    "roles": ["postgres", "shop"],
    "tablespaces": ["pg_default"],
    "in": {
        "app": {
            "extensions": {"citext": "1.6"},
            "relations": {"r": 2},
            "sequences": {"public.ids": 7},
            "tables": {"public.t": [3]},
            "samples": {"public.t": "abc"},
        }
    },
}


def changed(**inside: Any) -> dict[str, Any]:
    return {**BEFORE, "in": {"app": {**BEFORE["in"]["app"], **inside}}}


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (BEFORE, []),
        ({**BEFORE, "roles": ["postgres"]}, ["roles: missing shop"]),
        (changed(sequences={"public.ids": 6}), ["app: sequence public.ids was at 7, is at 6"]),
        (changed(tables={"public.t": [2]}), ["app: public.t had 3 rows, has 2"]),
        (
            changed(samples={"public.t": "abd"}),
            ["app: public.t does not hold what it held: a sample of its rows has another checksum"],
        ),
        (changed(tables={}), ["app: public.t had 3 rows, has none that could be counted"]),
        ({**BEFORE, "in": {}}, ["database app cannot be opened"]),
    ],
)
def test_what_is_missing_after_the_upgrade_is_named(after: dict[str, Any], told: list[str]) -> None:
    assert differences(BEFORE, after, exact=True) == told


def test_writes_after_the_count_are_no_difference() -> None:
    after = changed(sequences={"public.ids": 9}, tables={"public.t": [4]}, samples={"public.t": "abd"})
    assert differences(BEFORE, after, exact=False) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"role shop": "login"}, ["role shop: was superuser, login, is login"]),
        ({"role shop": "superuser, login", "setting work_mem for shop in app": "hash 1"},
         ["setting work_mem for shop in app: was nothing, is hash 1"]),
        ({}, []),
    ],
    ids=["attribute", "setting", "missing-has-its-own-line"],
)  # fmt: skip
def test_a_property_that_changed_is_named(now: dict[str, str], told: list[str]) -> None:
    before = {**BEFORE, "properties": {"role shop": "superuser, login"}}
    assert differences(before, {**BEFORE, "properties": now}, exact=True) == told


def test_only_a_sequence_that_has_fallen_behind_meanwhile_is_a_difference() -> None:
    behind = {"public.ids": "would give 8 next, and public.t.id holds 9"}
    assert len(differences(BEFORE, changed(behind=behind), exact=False)) == 1
    assert differences(changed(behind=behind), changed(behind=behind), exact=True) == []


def test_the_log_tells_damage_from_mistakes_of_clients_and_from_the_usual() -> None:
    log = judged(
        "2026-11-25 [7] LOG:  database system is ready to accept connections\n"
        "2026-11-25 [8] FATAL:  the database system is starting up\n"
        '2026-11-25 [9] ERROR:  relation "nowhere" does not exist\n'
        "2026-11-25 [10] ERROR:  invalid page in block 3 of relation base/5/1259\n"
    )
    assert [line.partition("ERROR")[0] for line in log.damage] == ["2026-11-25 [10] "]
    assert len(log.remarks) == 1
    assert "nowhere" in log.remarks[0]
    assert "starting up" not in log.files["server-log.txt"]
    assert judged("").damage == ()


def test_a_row_at_the_end_of_a_table_that_is_too_large_to_count_is_missed(small: Cluster) -> None:
    """As after an upgrade that has left the last file of a table behind."""
    dsn = small.dsn("shop")
    before = snapshot.take(server(small), count_for_s=0, same_files=True)
    assert snapshot.looked_at(before) == "the rows of 0 tables and a sample of 5 larger tables"
    assert differences(before, snapshot.take(server(small), count_for_s=0, like=before), exact=True) == []
    last = "SELECT max(ctid) FROM plain WHERE (ctid::text::point)[1] = 1"
    execute(dsn, f"UPDATE plain SET kind = 8 WHERE ctid = ({last})")
    assert differences(before, snapshot.take(server(small), count_for_s=0, like=before), exact=True) == [
        "shop: public.plain does not hold what it held: a sample of its rows has another checksum"
    ]
