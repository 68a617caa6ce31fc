"""The step `pagerduty.maintenance_window`: what is PagerDuty's own. What it shares is proved with Alertmanager."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from bot.connections import CONNECTIONS
from bot.context import StepContext
from bot.errors import Final, Stopped, Temporary
from bot.step import Setting
from integrations.pagerduty import MaintenanceWindow
from sandbox.faults import Faults
from sandbox.pagerduty import TOKEN, USER, PagerDuty
from sandbox.server import Server, serving
from tests.integrations.leases.alongside import UNTIL, Night, until
from tests.sandbox.contract import Contract

SHOP, MAIL = "PIJ90N7", "PF9KMXH"


class Road:
    """An ASGI application that keeps the method, path, query and body of every request to another."""

    def __init__(self, app: Faults) -> None:
        self.app, self.asked = app, list[tuple[str, str, str, Any]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.asked.append(
            (request.method, request.url.path, request.url.query, json.loads(body) if body else None),
        )

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


@pytest.fixture
def account() -> PagerDuty:
    return PagerDuty({SHOP: "Shop", MAIL: "Mail"})


@pytest.fixture
def road(account: PagerDuty) -> Road:
    return Road(account.app)


@pytest.fixture
def server(road: Road) -> Iterator[Server]:
    with serving(road) as server:
        yield server


@pytest.fixture
def night(server: Server, context_of: Callable[..., StepContext], surroundings: Any) -> Night:
    settings = {"MAINT_PAGERDUTY_URL": server.url, "MAINT_PAGERDUTY_TOKEN": TOKEN, "MAINT_PAGERDUTY_FROM": USER}
    return Night(context_of, surroundings, settings)


def value_of(night: Night) -> Callable[[Setting], str | None]:
    return lambda setting: night.settings.get(setting.name)


STEP = MaintenanceWindow(services=(SHOP,), until=UNTIL, lease_s=3)


def test_services_are_in_maintenance_for_as_long_as_it_takes(account: PagerDuty, night: Night) -> None:
    run = night.run(STEP)
    until(night.told)
    ((id_, window),) = account.windows.items()
    first_end = window.ends_at
    until(lambda: window.ends_at > first_end)
    assert account.in_maintenance(SHOP)
    assert not account.in_maintenance(MAIL)
    assert night.standing(STEP) == f"the maintenance window {id_}"
    night.settle()
    outcome = run.end()
    assert night.standing(STEP) is None
    assert not account.in_maintenance(SHOP)
    assert list(account.windows) == [id_]
    assert outcome.facts == {"maintenance_window": id_, "expired_at": window.ends_at.isoformat()}
    assert window.ends_at <= datetime.now(UTC)
    assert window.description == f"Postgres 14 to 18 [{night.maintenance}:quiet]"
    assert len(night.told()) == 1
    assert STEP.check(night.ctx()) == outcome


def test_a_lost_answer_makes_no_second_window(account: PagerDuty, night: Night) -> None:
    account.app.arm("drop_after", method="POST")
    run = night.run(STEP)
    until(night.told)
    night.settle()
    assert run.end().facts["maintenance_window"] in account.windows
    assert len(account.windows) == 1


def test_nothing_is_made_again_while_nobody_knows(account: PagerDuty, night: Night) -> None:
    account.app.arm("drop", method="POST")
    with pytest.raises(Temporary, match="Reading back shows no maintenance window"):
        night.run(STEP).end()
    assert [one["method"] for one in account.app.requests].count("POST") == 1
    assert account.windows == {}


def test_a_restart_takes_it_up_and_an_abort_ends_it(account: PagerDuty, night: Night) -> None:
    run = night.run(STEP)
    until(night.told)
    with pytest.raises(Stopped):
        night.restart(run)
    assert account.in_maintenance(SHOP)
    again = night.run(STEP)
    (window,) = account.windows.values()
    before = window.ends_at
    until(lambda: window.ends_at > before)
    night.abort()
    with pytest.raises(Stopped):
        again.end()
    assert account.in_maintenance(SHOP)
    for _ in range(2):
        assert window.id in night.undo(STEP).summary
        assert not account.in_maintenance(SHOP)
    assert len(account.windows) == 1


def test_one_that_somebody_ended_by_hand_is_told(account: PagerDuty, night: Night, server: Server) -> None:
    run = night.run(STEP)
    until(night.told)
    (id_,) = account.windows
    headers = {"Authorization": f"Token token={TOKEN}", "Accept": "application/vnd.pagerduty+json;version=2"}
    httpx.delete(f"{server.url}/maintenance_windows/{id_}", headers=headers).raise_for_status()
    with pytest.raises(Final, match="Somebody ended the maintenance window"):
        run.end()
    assert list(account.windows) == [id_]


def test_it_is_found_on_any_page_among_those_of_others(account: PagerDuty, night: Night, server: Server) -> None:
    run = night.run(STEP)
    until(night.told)
    with pytest.raises(Stopped):
        night.restart(run)
    (ours,) = account.windows.values()
    account.windows.clear()
    for number in range(120):
        account.windows[f"PX{number:04}"] = type(ours)(
            f"PX{number:04}", number, ours.starts_at, ours.ends_at, f"[{night.maintenance}:quiet-2]", [MAIL]
        )
    account.windows[ours.id] = ours
    night.settle()
    night.run(STEP).end()
    assert not account.in_maintenance(SHOP)
    assert account.in_maintenance(MAIL)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"MAINT_PAGERDUTY_TOKEN": "hunter2"}, "401.*Check MAINT_PAGERDUTY_TOKEN"),
        ({"MAINT_PAGERDUTY_FROM": "nobody@example.com"}, "Requester User Not Found"),
        ({"MAINT_PAGERDUTY_URL": "http://example.com"}, "MAINT_PAGERDUTY_URL.*https://"),
    ],
)
def test_a_wrong_setting_is_told(account: PagerDuty, night: Night, settings: dict[str, str], told: str) -> None:
    night.settings |= settings
    with pytest.raises(Final, match=told) as caught:
        night.run(STEP).end()
    assert "hunter2" not in str(caught.value)
    assert account.windows == {}


def test_a_service_that_is_not_there_is_told(night: Night) -> None:
    with pytest.raises(Final, match="PNOTHERE"):
        night.run(MaintenanceWindow(services=("PNOTHERE",), until=UNTIL)).end()


@pytest.mark.parametrize("services", [[], ["shop"], ["https://example.pagerduty.com/services/PIJ90N7"]])
def test_what_is_no_service_is_refused(services: list[str]) -> None:
    with pytest.raises(ValidationError):
        MaintenanceWindow.model_validate({"services": services, "until": "x"})


def test_planning_and_the_check_before_the_night_change_nothing(account: PagerDuty, night: Night, road: Road) -> None:
    plan = STEP.plan(night.ctx())
    assert plan.summary == "Keep the service PIJ90N7 in maintenance in PagerDuty until app-on is done"
    assert plan.details[0].endswith(": 0.")
    assert "token is accepted" in CONNECTIONS["PagerDuty"].look(value_of(night))
    with pytest.raises(Final, match="no other step"):
        MaintenanceWindow(services=(SHOP,), until="quiet").plan(night.ctx())
    account.app.arm("status", status=200, body="<html>Welcome</html>")
    with pytest.raises(Final, match="not PagerDuty"):
        CONNECTIONS["PagerDuty"].look(value_of(night))
    assert {method for method, *_ in road.asked} == {"GET"}


def test_every_request_of_a_whole_step_is_as_described(account: PagerDuty, night: Night, road: Road) -> None:
    contract = Contract("pagerduty/openapiv3.maintenance-subset.json")
    STEP.plan(night.ctx())
    first = night.run(STEP)
    until(night.told)
    with pytest.raises(Stopped):
        night.restart(first)
    second = night.run(STEP)
    until(lambda: [method for method, *_ in road.asked if method == "PUT"])
    night.settle()
    second.end()
    used = set()
    for method, path, query, body in road.asked:
        template = contract.template(method, path)
        operation = contract.spec["paths"][template][method.lower()]
        used.add(f"{method} {template}")
        names = [one["$ref"].rsplit("/", 1)[1] for one in operation["parameters"]]
        declared = [contract.spec["components"]["parameters"][name] for name in names]
        assert set(httpx.QueryParams(query)) <= {one["name"] for one in declared if one["in"] == "query"}
        if "requestBody" in operation:
            contract.check_request(method, path, body)
    assert used == {
        "GET /maintenance_windows",
        "POST /maintenance_windows",
        "GET /maintenance_windows/{id}",
        "PUT /maintenance_windows/{id}",
        "DELETE /maintenance_windows/{id}",
    }
