"""The stand-in behaves as a status page does: updates are told, the clock moves what may move, the rate is limited."""

from typing import Any

import httpx
import pytest

from sandbox.server import serving
from sandbox.statuspage import Statuspage
from tests.sandbox.statuspage.conftest import Caller, Clock


def test_every_body_is_an_update_and_is_told_to_the_subscribers(page: Statuspage, call: Caller) -> None:
    number = call.incident()["id"]
    for _ in range(2):
        call("PATCH", f"/incidents/{number}", incident={"body": "Once more."})
    call("PATCH", f"/incidents/{number}", incident={"body": "In silence.", "deliver_notifications": False})
    call("PATCH", f"/incidents/{number}", incident={"name": "Another name"})
    incident = page.incidents[number]
    assert [one.body for one in incident.updates] == ["In silence.", "Once more.", "Once more.", "It is coming."]
    assert len(page.notifications) == 3
    assert incident.name == "Another name"


def test_the_clock_alone_begins_and_completes_it_where_the_flags_are_on(
    page: Statuspage, call: Caller, clock: Clock
) -> None:
    flags = {"scheduled_auto_in_progress": True, "scheduled_auto_completed": True}
    call.incident(component_ids=list(page.components), **flags)
    clock.ahead(hours=2, minutes=1)
    assert call.public("summary")["scheduled_maintenances"][0]["status"] == "in_progress"
    assert page.summary()["components"] == {"API": "under_maintenance", "Dashboard": "under_maintenance"}
    clock.ahead(hours=2)
    assert call.public("summary")["scheduled_maintenances"] == []
    assert page.summary()["incidents"] == {"Database upgrade": "completed"}
    assert page.summary()["components"] == {"API": "operational", "Dashboard": "operational"}
    assert page.summary()["by_kind"] == {"automatic": 2, "update": 1}


def test_the_clock_moves_nothing_where_they_are_off(page: Statuspage, call: Caller, clock: Clock) -> None:
    call.incident(component_ids=list(page.components))
    clock.ahead(days=2)
    assert call.public("scheduled-maintenances/upcoming")["scheduled_maintenances"][0]["status"] == "scheduled"
    assert len(page.notifications) == 1


def test_a_reminder_goes_out_once_an_hour_before_and_only_while_it_is_scheduled(
    page: Statuspage, call: Caller, clock: Clock
) -> None:
    call.incident(scheduled_remind_prior=True)
    early = call.incident(scheduled_remind_prior=True, name="Cancelled")["id"]
    call("PATCH", f"/incidents/{early}", incident={"status": "completed", "body": "Not after all."})
    clock.ahead(minutes=65)
    for _ in range(2):
        call.public("summary")
    reminders = [one for one in page.notifications if one.kind == "reminder"]
    assert [page.incidents[one.incident].name for one in reminders] == ["Database upgrade"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Name can't be blank"),
        ({"name": "x" * 256}, "too long"),
        ({"body": "x" * 25_001}, "too long"),
        ({"status": "late"}, "not included"),
        ({"metadata": {"maint": "x"}}, "Metadata"),
        ({"component_ids": ["none"]}, "does not exist"),
        ({"components": {"none": "operational"}}, "does not exist"),
        ({"scheduled_until": "2026-11-25T03:00:00Z"}, "must be after"),
        ({"scheduled_for": "soon"}, "is not a time"),
        ({"scheduled_until": None}, "can't be blank"),
    ],
)
def test_what_cannot_be_is_refused(page: Statuspage, call: Caller, fields: dict[str, Any], said: str) -> None:
    given = {
        "name": "x",
        "status": "scheduled",
        "scheduled_for": "2026-11-25T04:00:00Z",
        "scheduled_until": "2026-11-25T06:00:00Z",
    }
    answer = call("POST", "/incidents", incident={**given, **fields})
    assert answer.status_code == 422
    assert said in answer.json()["message"]
    assert not page.incidents


def test_more_than_the_rate_is_refused_by_key(clock: Clock) -> None:
    page = Statuspage(clock=clock, limit=2, window_s=30, refusal=429)
    page.keys.add("another")
    with serving(page.app) as server:
        call = Caller(server.url)
        assert [call("GET", "/components").status_code for _ in range(3)] == [200, 200, 429]
        refused = call("GET", "/components")
        assert 25 <= int(refused.headers["retry-after"]) <= 30
        call.http.headers["authorization"] = "OAuth another"
        assert call("GET", "/components").status_code == 200
        assert call.public("summary")["components"] == []
    assert page.rate.refused == 2


def test_the_page_to_look_at(page: Statuspage, call: Caller) -> None:
    (first, *_) = page.components
    made = call.incident(name="Upgrade <b>", component_ids=[first])
    html = httpx.get(f"{call.http.base_url}/").text
    assert "Upgrade &lt;b&gt;" in html
    assert "Wed 25 Nov 2026, 04:00 UTC to Wed 25 Nov 2026, 06:00 UTC · API" in html
    assert "All Systems Operational" in html
    assert "told to 1,240 subscribers" in html
    call("PATCH", f"/incidents/{made['id']}", incident={"status": "in_progress", "body": "Now."})
    assert "Service Under Maintenance" in httpx.get(f"{call.http.base_url}/").text
    assert "Now." in httpx.get(made["shortlink"]).text
    assert httpx.get(f"{call.http.base_url}/incidents/none").status_code == 404


def test_members_are_listed_below_their_group(page: Statuspage, call: Caller) -> None:
    group = page.add_group("Europe")
    page.add_component("Website")
    page.add_component("Riga", group=group.id)
    html = httpx.get(f"{call.http.base_url}/").text
    places = [html.index(f"<span>{name}") for name in ("API", "Dashboard", "Europe", "Riga", "Website")]
    assert places == sorted(places)
