"""The steps `app.off` and `app.on`: by HTTP or by command, believed only when reading back shows it."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform, take_down
from bot.context import StepContext
from bot.entry import Kind
from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.journal import Draft
from integrations.app import Off, On
from tests.integrations.http_call.service import Service, running

TOKEN = "app-token-secret-987"
ContextOf = Callable[..., StepContext]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def ctx(context_of: ContextOf) -> StepContext:
    return context_of(Off, settings={"MAINT_APP_TOKEN": TOKEN})


def fields(service: Service, **changes: Any) -> dict[str, Any]:
    url = service.url + "/switch"
    return {
        "turn_off": {"url": url, "method": "PUT", "body": {"off": True}},
        "turn_on": {"url": url, "method": "PUT", "body": {"off": False}},
        "read": {"url": url, "field": "maintenance.enabled"},
        **changes,
    }


def test_off_and_on_again(service: Service, ctx: StepContext) -> None:
    outcome = perform(Off(**fields(service)), ctx)
    assert service.off
    assert outcome.facts["position"] == "off"
    assert outcome.summary == "The app was taken off."
    assert perform(On(**fields(service)), ctx).facts["position"] == "on"
    assert take_down(On(**fields(service)), ctx).summary == "The app is off again.", "on a way back"
    assert perform(On(**fields(service)), ctx).facts["position"] == "on"
    assert not service.off
    assert service.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_an_app_that_is_off_already_is_left_alone(service: Service, ctx: StepContext) -> None:
    service.off = True
    service.faults.arm("status", status=500, method="PUT")
    assert perform(Off(**fields(service)), ctx).summary == "The app is off."


def test_planning_changes_nothing_and_says_what_is_now(service: Service, ctx: StepContext) -> None:
    plan = Off(**fields(service)).plan(ctx)
    assert not service.off
    assert plan.summary == f'Take the app off: PUT {service.url}/switch {{"off": true}}'
    assert plan.details[0] == "The app is on now."
    assert TOKEN not in repr(plan)
    service.off = True
    assert Off(**fields(service)).plan(ctx).digest == plan.digest
    assert On(**fields(service)).plan(ctx).digest != plan.digest


def test_reading_by_status_from_a_public_page_without_the_token(service: Service, ctx: StepContext) -> None:
    with running() as page:
        page.off = True
        step = Off(**fields(service, read={"url": page.url + "/page"}))
        assert step.check(ctx) is not None
        assert "authorization" not in page.headers[0]


def test_a_switch_that_did_not_take_is_not_believed(service: Service, ctx: StepContext) -> None:
    step = Off(**fields(service, turn_off={"url": service.url + "/switch", "method": "PUT", "body": {"off": False}}))
    outcome = step.apply(ctx)
    with pytest.raises(Temporary, match="still shows it on"):
        step.verify(ctx, outcome)


def test_a_lost_answer_is_settled_by_reading(service: Service, ctx: StepContext) -> None:
    post = {"url": service.url + "/switch", "method": "POST", "body": {"off": True}}
    service.faults.arm("drop_after", method="POST")
    assert perform(Off(**fields(service, turn_off=post)), ctx).facts["position"] == "off"


def test_a_refusal_is_final(service: Service, ctx: StepContext) -> None:
    service.faults.arm("status", status=403, method="PUT", body="no")
    with pytest.raises(Final, match="403"):
        perform(Off(**fields(service)), ctx)
    assert not service.off


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"field": "no.such"}, "no field"),
        ({"field": "jobs.0.state", "off_when": "off", "on_when": "on"}, 'jobs.0.state "idle"'),
        ({"off_status": 503, "on_status": 204}, "status 200"),
    ],
)
def test_what_is_neither_off_nor_on_cannot_be_told(
    service: Service, ctx: StepContext, read: dict[str, Any], said: str
) -> None:
    step = Off(**fields(service, read={"url": service.url + "/switch", **read}))
    with pytest.raises(CannotTell, match=said):
        step.check(ctx)


def test_an_app_that_does_not_answer_cannot_be_told(ctx: StepContext) -> None:
    with running() as gone:
        step = Off(**fields(gone))
    with pytest.raises(CannotTell, match="cannot be reached"):
        step.check(ctx)
    assert "cannot be told" in step.plan(ctx).details[0]


def aborted(context_of: ContextOf, ctx: StepContext, maintenances: Any) -> StepContext:
    """Abort, and return the context in which the step is undone."""
    maintenances.record(ctx.maintenance, lambda _: [Draft(Kind.ABORTED, "U0ANA", "abort:1", payload={"reason": "x"})])
    return context_of(Off, undoing=True)


def test_undo_after_an_abort_brings_the_app_back_even_if_the_answer_is_lost(
    service: Service, context_of: ContextOf, ctx: StepContext, maintenances: Any
) -> None:
    turn_on = {"url": service.url + "/switch", "method": "POST", "body": {"off": False}}
    step = Off(**fields(service, turn_on=turn_on))
    perform(step, ctx)
    undoing = aborted(context_of, ctx, maintenances)
    service.faults.arm("drop_after", method="POST")
    assert take_down(step, undoing).summary == "The app is on again."
    assert not service.off
    assert take_down(step, undoing).summary == "The app is on again."


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def by_command(tmp_path: Path) -> dict[str, Any]:
    mark = tmp_path / "off"
    return {
        "turn_off": {"command": [script(tmp_path / "turn-off", f"echo going down; touch {mark}")]},
        "turn_on": {"command": [script(tmp_path / "turn-on", f"rm -f {mark}")]},
        "read": {"command": [script(tmp_path / "look", f"test ! -e {mark}")]},
    }


def test_by_command_and_undone_after_an_abort(
    tmp_path: Path, context_of: ContextOf, ctx: StepContext, maintenances: Any
) -> None:
    step = Off(**by_command(tmp_path))
    perform(step, ctx)
    assert (tmp_path / "off").exists()
    take_down(step, aborted(context_of, ctx, maintenances))
    assert not (tmp_path / "off").exists()


def test_a_command_that_fails_shows_its_output(tmp_path: Path, ctx: StepContext) -> None:
    given = by_command(tmp_path)
    given["turn_off"] = {"command": [script(tmp_path / "broken", "echo no such cluster; exit 3")]}
    with pytest.raises(Final, match=r"ended with 3.*no such cluster") as caught:
        perform(Off(**given), ctx)
    assert "no such cluster" in caught.value.files["off-1.log"]


def test_a_command_that_hangs_is_ended_at_its_limit(tmp_path: Path, ctx: StepContext) -> None:
    given = by_command(tmp_path)
    given["turn_off"] = {"command": ["sleep", "60"], "limit_s": 0.3}
    with pytest.raises(Final, match="still running"):
        Off(**given).apply(ctx)


@pytest.mark.parametrize(
    "changes",
    [
        {"turn_off": {}},
        {"turn_off": {"url": "https://a.example/", "command": ["x"]}},
        {"read": {}},
        {"read": {"url": "https://a.example/", "field": "state", "off_when": "off"}},
        {"read": {"url": "https://a.example/", "off_status": 200}},
        {"more": 1},
    ],
)
def test_bad_fields_are_refused(service: Service, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Off(**fields(service, **changes))


def test_a_lost_answer_with_nothing_readable_stays_unknown(service: Service, ctx: StepContext) -> None:
    post = {"url": service.url + "/switch", "method": "POST", "body": {"off": True}}
    step = Off(**fields(service, turn_off=post, read={"url": service.url + "/switch", "field": "nothing"}))
    service.faults.arm("drop_after", method="POST")
    with pytest.raises(AnswerLost):
        perform(step, ctx)
