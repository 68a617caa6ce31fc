"""Finding the audience: days in the workspace's zone, a cursor in the body, and a hundred thousand people."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.intercom import EVERYONE, Intercom, Mix
from sandbox.server import serving
from tests.sandbox.intercom.conftest import Caller, told


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def every_page(call: Caller, per_page: int = 150, **sort: Any) -> list[str]:
    found: list[str] = []
    paging: dict[str, Any] = {"per_page": per_page}
    while True:
        answer = call.search(("role", "=", "user"), ("last_seen_at", ">", 0), pagination=paging, **sort).json()
        found += [contact["id"] for contact in answer["data"]]
        if "next" not in answer["pages"]:
            assert len(found) == answer["total_count"]
            return found
        paging = {"per_page": per_page, "starting_after": answer["pages"]["next"]["starting_after"]}


def test_a_date_filter_means_whole_days_from_the_next_day_on() -> None:
    intercom = Intercom(clock=lambda: at("2026-11-25T12:00:00"))
    same_day = intercom.add_contact(seen_s_ago=3600)
    now, start = at("2026-11-25T12:00:00"), at("2026-11-25T00:00:00")
    with serving(intercom.app) as server:
        call = Caller(server.url)

        def found(operator: str, value: int) -> bool:
            return bool(call.search(("last_seen_at", operator, value)).json()["data"])

        # Seen at 11:00, asked for "after 09:00 of that day": not found, because > starts with the next day.
        assert found(">", at("2026-11-25T09:00:00")) is False
        assert found(">", at("2026-11-24T23:59:59")) is True
        assert found("=", now) is True
        assert found("<", now) is False
        assert found("<", start + 86_400) is True
    assert same_day.last_seen_at == now - 3600


def test_the_day_is_the_workspaces() -> None:
    # 11:00 UTC on the 24th is already the 25th in Auckland.
    intercom = Intercom(timezone="Pacific/Auckland", clock=lambda: at("2026-11-24T12:00:00"))
    intercom.add_contact(seen_s_ago=3600)
    with serving(intercom.app) as server:
        call = Caller(server.url)
        assert call("GET", "/me").json()["app"]["timezone"] == "Pacific/Auckland"
        assert call.search(("last_seen_at", ">", at("2026-11-24T09:00:00"))).json()["total_count"] == 1
        assert call.search(("last_seen_at", ">", at("2026-11-24T11:00:00"))).json()["total_count"] == 0


def test_filters_and_their_errors(intercom: Intercom, call: Caller) -> None:
    lead = intercom.add_contact("lead", seen_s_ago=None)
    intercom.add_contact()
    ids = [contact["id"] for contact in call.search(("role", "=", "lead")).json()["data"]]
    assert ids == [lead.id]
    assert call.search(("email", "^", "person")).json()["total_count"] == 2
    assert call.search(("role", "IN", ["user"])).json()["total_count"] == 1
    assert call.search(("unsubscribed_from_emails", "=", True)).json()["total_count"] == 0
    for wrong in (
        ("last_seen_at", ">=", 1), ("last_seen_at", "IN", [1]), ("last_seen_at", ">", "soon"), ("shoe_size", "=", "44"),
        ("role", "=", 1), ("role", "<", "user"), ("role", "IN", "user"), ("unsubscribed_from_emails", "~", True),
    ):  # fmt: skip
        assert told(call.search(wrong))[:2] == (400, "parameter_invalid")
    one = {"field": "role", "operator": "=", "value": "user"}
    two = {"operator": "OR", "value": [one, one]}
    assert call("POST", "/contacts/search", query={"operator": "AND", "value": [two]}).json()["total_count"] == 1
    deep = {"operator": "AND", "value": [{"operator": "OR", "value": [two]}]}
    for bad in (deep, {"operator": "AND", "value": [one] * 16}, {"operator": "AND", "value": []}, "all"):
        assert call("POST", "/contacts/search", query=bad).status_code == 400


def test_paging(call: Caller, intercom: Intercom) -> None:
    people = {intercom.add_contact(seen_s_ago=n).id for n in range(1, 8)}
    for order in ("ascending", "descending"):
        sort = {"sort": {"field": "last_seen_at", "order": order}}
        found = every_page(call, 3, **sort)
        assert len(found) == 7
        assert set(found) == people
        newest = min(found, key=lambda one: -(intercom.contacts[one].last_seen_at or 0))
        assert found[-1 if order == "ascending" else 0] == newest
    first = call.search(("role", "=", "user"), pagination={"per_page": 3}).json()
    cursor = first["pages"]["next"]["starting_after"]
    # The trap of the real one: in the query string the cursor is silently ignored.
    body = {"query": {"field": "role", "operator": "=", "value": "user"}, "pagination": {"per_page": 3}}
    again = call.http.post(f"/contacts/search?starting_after={cursor}", json=body).json()
    assert again["data"] == first["data"]
    for paging in ({"per_page": 151}, {"per_page": 0}, {"starting_after": "garbage"}):
        assert told(call.search(("role", "=", "user"), pagination=paging))[:2] == (400, "parameter_invalid")


def test_deleted_and_merged_are_not_found_but_a_stale_index_finds_them(intercom: Intercom, call: Caller) -> None:
    gone, merged, stale, here = (intercom.add_contact() for _ in range(4))
    intercom.delete(gone.id)
    intercom.merge(merged.id)
    intercom.delete(stale.id, indexed=True)
    assert set(every_page(call)) == {stale.id, here.id}
    assert told(call.send(stale.id))[0] == 404


def test_somebody_who_comes_while_we_page_shows_up(intercom: Intercom, call: Caller) -> None:
    early = [intercom.add_contact(seen_s_ago=None) for _ in range(3)]
    assert every_page(call) == []
    intercom.see(early[0].id)
    assert every_page(call) == [early[0].id]


def test_a_hundred_thousand_people_are_all_found_once() -> None:
    intercom = Intercom(100_000, limit=None, mix=EVERYONE)
    with serving(intercom.app) as server:
        found = every_page(Caller(server.url))
    assert len(set(found)) == 100_000


def test_the_mix_is_the_same_for_the_same_seed() -> None:
    def people(seed: int) -> list[tuple[str, str, str]]:
        intercom = Intercom(3000, seed=seed, clock=lambda: 1.8e9)
        return [(one.id, one.role, one.state) for one in intercom.contacts.values()]

    assert people(1) == people(1)
    assert people(1) != people(2)
    states = [state for _, _, state in people(1)]
    assert {"active", "deleted", "merged"} == set(states)
    only_leads = Intercom(50, mix=Mix(leads=1))
    assert {one.role for one in only_leads.contacts.values()} == {"lead"}


@pytest.mark.parametrize("body", [{}, {"query": {}}])
def test_no_query_is_an_error(call: Caller, body: dict[str, Any]) -> None:
    assert told(call.http.post("/contacts/search", json=body))[:2] == (400, "parameter_invalid")
