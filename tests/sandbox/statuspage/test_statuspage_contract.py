"""The stand-in's answers, and the requests we send it, are what Statuspage's own API description says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.statuspage import Statuspage
from tests.sandbox.contract import Contract
from tests.sandbox.statuspage.conftest import Caller


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract("statuspage/bot-subset.patched.json")


def without_nulls(answer: Any) -> Any:
    """The service gives null for what is not set; its description knows no null anywhere."""
    if isinstance(answer, dict):
        return {key: without_nulls(value) for key, value in answer.items() if value is not None}
    return [without_nulls(one) for one in answer] if isinstance(answer, list) else answer


@pytest.fixture
def held(call: Caller, contract: Contract) -> Caller:
    def check(answer: httpx.Response) -> None:
        answer.read()
        path = answer.request.url.path.removeprefix("/v1")
        contract.check(answer.request.method, path, answer.status_code, without_nulls(answer.json()))

    call.http.event_hooks["response"].append(check)
    return call


def test_every_answer(page: Statuspage, held: Caller, contract: Contract) -> None:
    (one, *_) = page.components
    held.http.get("/v1/pages")
    held("GET")
    for path in ("/components", f"/components/{one}", "/components/none"):
        held("GET", path)
    held("PATCH", f"/components/{one}", component={"status": "degraded_performance"})
    held("PATCH", f"/components/{one}", component={"status": "wrong"})
    made = held.incident(component_ids=[one], metadata={"maint": {"maintenance": "x"}})
    held("POST", "/incidents", incident={"name": ""})
    held("POST", "/incidents", other={})
    for path in ("", "/upcoming", "/scheduled", "/active_maintenance"):
        held("GET", f"/incidents{path}")
    held("GET", f"/incidents/{made['id']}")
    moved = {"status": "in_progress", "body": "Now.", "components": {one: "under_maintenance"}}
    told = held("PATCH", f"/incidents/{made['id']}", incident=moved).json()
    assert told["incident_updates"][0]["affected_components"][0]["new_status"] == "under_maintenance"
    assert held("GET", "/incidents/active_maintenance").json()[0]["id"] == made["id"]
    held("DELETE", f"/incidents/{made['id']}")
    held.http.headers["authorization"] = "OAuth wrong"
    held("GET", "/components")
    assert len(contract.checked) >= 17


def test_a_wrong_answer_would_be_found(contract: Contract) -> None:
    with pytest.raises(AssertionError, match="'late' is not one of"):
        contract.check("POST", "/pages/x/incidents", 201, {"id": "x", "status": "late"})


def test_what_is_said_of_the_rate_is_what_we_keep_to(contract: Contract) -> None:
    told = contract.spec["info"]["description"]
    assert "1 request / second as measured on a 60 second rolling window" in " ".join(told.split())
    assert "420 or 429" in told


def test_times_are_read_as_they_are_written(page: Statuspage, call: Caller) -> None:
    made = call.incident(scheduled_for="2026-11-25T17:00:00+13:00")
    assert made["scheduled_for"] == "2026-11-25T17:00:00.000+13:00"
    start = page.incidents[made["id"]].scheduled_for
    assert start is not None
    assert start.astimezone(UTC) == datetime(2026, 11, 25, 4, tzinfo=UTC)
    assert start.utcoffset() == timedelta(hours=13)
