"""The step `http`: one request, its answer judged, never made twice by accident."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.entry import Kind
from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.journal import Draft
from integrations.http_call import HttpCall
from tests.integrations.http_call.service import Service, running

TOKEN = "tok-very-secret-1234"
ContextOf = Callable[..., StepContext]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def ctx(context_of: ContextOf) -> StepContext:
    return context_of(HttpCall, settings={"MAINT_ORDERS_TOKEN": TOKEN})


def call(service: Service, path: str = "/orders", **fields: Any) -> HttpCall:
    return HttpCall.model_validate({"url": service.url + path, **fields})


def test_a_request_is_made_and_its_answer_is_the_outcome(service: Service, ctx: StepContext) -> None:
    outcome = perform(call(service, method="POST", body={"item": "tea"}), ctx)
    assert service.orders == ['{"item":"tea"}']
    assert outcome.facts["status"] == 200
    assert '"count":1' in outcome.summary
    assert '"count":1' in outcome.files["answer.txt"]


def test_text_is_sent_as_it_is(service: Service, ctx: StepContext) -> None:
    call(service, method="POST", body="a, b & c").apply(ctx)
    assert service.orders == ["a, b & c"]


def test_planning_sends_nothing_and_shows_no_secret(service: Service, ctx: StepContext) -> None:
    plan = call(service, method="POST", body={"a": 1}, bearer="MAINT_ORDERS_TOKEN", headers={"X-Reason": "m"}).plan(ctx)
    assert service.headers == []
    assert plan.summary == f"POST {service.url}/orders"
    assert "X-Reason: m" in plan.details
    assert "Authorization: Bearer (the value of MAINT_ORDERS_TOKEN)" in plan.details
    assert TOKEN not in repr(plan)


def test_the_token_is_sent_and_shown_nowhere(service: Service, ctx: StepContext) -> None:
    outcome = call(service, method="POST", body={}, bearer="MAINT_ORDERS_TOKEN").apply(ctx)
    assert service.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(outcome)
    assert "•••" in outcome.files["answer.txt"]


def test_a_missing_token_is_found_while_planning(service: Service, ctx: StepContext) -> None:
    with pytest.raises(Final, match="MAINT_NOT_SET"):
        call(service, bearer="MAINT_NOT_SET").plan(ctx)


def test_a_refusal_is_final_and_may_be_tried_again_by_a_person(service: Service, ctx: StepContext) -> None:
    with pytest.raises(Final, match="422"):
        call(service, method="POST", body="bad").apply(ctx)
    call(service, method="POST", body="good").apply(ctx)
    assert service.orders == ["good"]


def test_a_lost_answer_is_not_sent_again(service: Service, ctx: StepContext, context_of: ContextOf) -> None:
    service.faults.arm("drop_after", method="POST")
    with pytest.raises(AnswerLost):
        perform(call(service, method="POST", body="one"), ctx)
    with pytest.raises(AnswerLost, match="may or may not"):
        call(service, method="POST", body="one").apply(context_of(attempt=2))
    assert service.orders == ["one"]


def test_reading_back_settles_a_lost_answer_that_arrived(service: Service, ctx: StepContext) -> None:
    step = call(
        service,
        method="POST",
        body="one",
        done_when={"url": service.url + "/orders", "field": "count", "equals": 1},
    )
    service.faults.arm("drop_after", method="POST")
    assert perform(step, ctx).summary.endswith("shows that it is done.")
    assert service.orders == ["one"]


def test_reading_back_lets_a_lost_request_that_never_arrived_go_again(
    service: Service, ctx: StepContext, context_of: ContextOf
) -> None:
    step = call(
        service, method="POST", body="one", done_when={"url": service.url + "/orders", "field": "count", "equals": 1}
    )
    service.faults.arm("drop", method="POST")
    with pytest.raises(Temporary, match="was not done"):
        perform(step, ctx)
    perform(step, context_of(attempt=2))
    assert service.orders == ["one"]


def test_an_answer_that_says_nothing_about_it_does_not_let_it_go_again(service: Service, ctx: StepContext) -> None:
    step = call(service, method="POST", body="one", done_when={"url": service.url + "/orders", "field": "count"})
    service.faults.arm("status", status=401, method="GET")
    with pytest.raises(CannotTell, match="401"):
        step.check(ctx)


def test_a_persons_word_that_it_did_not_happen_sends_it_again(
    service: Service, ctx: StepContext, context_of: ContextOf, maintenances: Any
) -> None:
    step = call(service, method="POST", body="one")
    service.faults.arm("drop", method="POST")
    with pytest.raises(AnswerLost):
        step.apply(ctx)
    maintenances.record(
        ctx.maintenance,
        lambda _: [Draft(Kind.STEP_SETTLED, "U0ANA", "settle:1", ctx.step, {"happened": False, "summary": ""})],
    )
    step.apply(context_of(attempt=2))
    assert service.orders == ["one"]


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"status": 204}, "status is 200, expected 204"),
        ({"field": "count", "equals": 7}, "count is 1, expected 7"),
        ({"field": "count", "equals": True}, "count is 1, expected true"),
        ({"field": "a.b"}, "no field 'a.b'"),
    ],
)
def test_an_unexpected_answer_fails_the_step(
    service: Service, ctx: StepContext, expect: dict[str, Any], said: str
) -> None:
    with pytest.raises(Final, match="not as expected") as caught:
        call(service, method="PUT", body="x", expect=expect).apply(ctx)
    assert said in str(caught.value)
    assert "answer.txt" in caught.value.files


def test_a_server_fault_on_a_repeatable_request_is_temporary(service: Service, ctx: StepContext) -> None:
    service.faults.arm("status", status=500)
    with pytest.raises(Temporary):
        call(service, method="PUT", body="x").apply(ctx)


def test_what_is_read_elsewhere_gets_no_token(service: Service, ctx: StepContext) -> None:
    with running() as other:
        step = call(
            service,
            method="POST",
            body="x",
            bearer="MAINT_ORDERS_TOKEN",
            done_when={"url": other.url + "/switch", "field": "maintenance.enabled", "equals": False},
        )
        step.check(ctx)
        assert "authorization" not in other.headers[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://example.com"},
        {"url": "https://ana:pw@example.com/"},
        {"url": "/only/a/path"},
        {"headers": {"Authorization": "Bearer abc"}},
        {"bearer": "HOME"},
        {"method": "BREW"},
        {"unknown": 1},
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpCall.model_validate({"url": "https://example.com/", **fields})


def test_the_digest_follows_the_request_and_nothing_else(service: Service, ctx: StepContext) -> None:
    one = call(service, method="POST", body={"a": 1}).plan(ctx).digest
    assert call(service, method="POST", body={"a": 1}).plan(ctx).digest == one
    assert call(service, method="POST", body={"a": 2}).plan(ctx).digest != one
