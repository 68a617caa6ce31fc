"""The step `probe`: it watches alongside, and its figures are what visitors saw."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.entry import Kind
from bot.errors import Final, Stopped
from bot.journal import Draft
from integrations.probe import Probe, Sample, Tally
from tests.integrations.http_call.service import Service, running
from tests.maintenance_fixtures import raw_step

ContextOf = Callable[..., StepContext]
AT = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def ctx(context_of: ContextOf) -> StepContext:
    return context_of(Probe, "watch", steps=[raw_step("app-on", "app.on"), raw_step("watch", "probe")])


def settle(maintenances: Any, ctx: StepContext, kind: Kind = Kind.STEP_SUCCEEDED) -> None:
    drafts = [
        Draft(Kind.STEP_STARTED, "maint", "on:1", "app-on", {"attempt": 1}),
        Draft(kind, "maint", "on:2", "app-on", {"summary": "", "facts": {}, "files": {}, "reason": "x"}),
    ]
    maintenances.record(ctx.maintenance, lambda _: drafts)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Stopped as stopped:
            results.append(stopped)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_it_sees_the_page_go_down_and_come_back(service: Service, ctx: StepContext, maintenances: Any) -> None:
    url = service.url + "/page"
    thread, results = in_thread(lambda: perform(Probe(urls=(url,), until="app-on", every_s=0.1), ctx))
    until(lambda: len(service.headers) >= 2)
    service.off = True
    seen = len(service.headers)
    until(lambda: len(service.headers) >= seen + 3)
    service.off = False
    seen = len(service.headers)
    until(lambda: len(service.headers) >= seen + 2)
    settle(maintenances, ctx)
    thread.join(60)
    told = results[0].facts["urls"][url]
    lines = [json.loads(line) for line in (ctx.workdir / "probe.jsonl").read_text().splitlines()]
    failing = [line for line in lines if line["why"]]
    assert {line["why"] for line in failing} == {"status 503"}
    good_after = next(line for line in lines if not line["why"] and line["at"] > failing[-1]["at"])
    assert told["down"] == [[failing[0]["at"], good_after["at"]]]
    assert told["probes"] == len(lines) == len(service.headers)
    assert told["failures"] == len(failing) >= 2
    assert told["up_at_the_end"]
    assert results[0].summary.startswith(f"{url} down ")


def test_it_goes_on_after_a_restart_with_all_that_it_saw(
    service: Service, ctx: StepContext, context_of: ContextOf, surroundings: Any, maintenances: Any
) -> None:
    url = service.url + "/page"
    step = Probe(urls=(url,), until="app-on", every_s=0.1)
    service.off = True
    thread, results = in_thread(lambda: step.apply(ctx))
    until(lambda: len(service.headers) >= 2)
    surroundings.stopping.set()
    thread.join(60)
    assert isinstance(results[0], Stopped)
    surroundings.stopping.clear()
    with (ctx.workdir / "probe.jsonl").open("a") as file:
        file.write('{"at": "2026-')  # as a power failure leaves it
    before = len(service.headers)
    service.off = False
    settle(maintenances, ctx, Kind.STEP_SKIPPED)
    told = step.apply(context_of(id_="watch")).facts["urls"][url]
    assert told["probes"] == before + 1
    assert told["failures"] == before
    assert len(told["down"]) == 1
    assert step.check(context_of(id_="watch")) is not None


def test_check_says_not_done_while_the_other_step_is_not(service: Service, ctx: StepContext) -> None:
    assert Probe(urls=(service.url + "/page",), until="app-on").check(ctx) is None


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({}, ""),
        ({"text": "Welcome"}, ""),
        ({"text": "Goodbye"}, "'Goodbye' is not in the page"),
        ({"status": 204}, "status 200"),
    ],
)
def test_what_a_working_page_is_like(
    service: Service, ctx: StepContext, maintenances: Any, expect: dict[str, Any], why: str
) -> None:
    url = service.url + "/page"
    settle(maintenances, ctx)
    outcome = Probe.model_validate({"urls": [url], "until": "app-on", "expect": expect}).apply(ctx)
    assert outcome.facts["urls"][url]["failures"] == (1 if why else 0)
    assert why in outcome.facts["urls"][url]["last_trouble"]
    assert (outcome.summary == "Every address was up all the time") is not bool(why)


def test_an_address_that_does_not_answer_is_down(ctx: StepContext, maintenances: Any) -> None:
    with running() as gone:
        url = gone.url + "/page"
    settle(maintenances, ctx)
    told = Probe(urls=(url,), until="app-on").apply(ctx).facts["urls"][url]
    assert "cannot be reached" in told["last_trouble"]


def test_an_answer_that_takes_too_long_is_down(service: Service, ctx: StepContext, maintenances: Any) -> None:
    url = service.url + "/page"
    service.faults.arm("delay", delay_s=3)
    settle(maintenances, ctx)
    told = Probe(urls=(url,), until="app-on", limit_s=0.2).apply(ctx).facts["urls"][url]
    assert "did not answer" in told["last_trouble"]


def test_planning_tells_how_it_is_now(service: Service, ctx: StepContext) -> None:
    url = service.url + "/page"
    plan = Probe(urls=(url,), until="app-on").plan(ctx)
    assert plan.summary == "Watch 1 address every 1 s until app-on is done"
    assert plan.details == (f"{url} is up now",)
    service.off = True
    again = Probe(urls=(url,), until="app-on").plan(ctx)
    assert again.details == (f"{url} is down now: status 503",)
    assert again.digest == plan.digest


@pytest.mark.parametrize("name", ["nobody", "watch"])
def test_a_step_that_is_not_there_is_told(service: Service, ctx: StepContext, name: str) -> None:
    with pytest.raises(Final, match="no other step"):
        Probe(urls=(service.url,), until=name).plan(ctx)


@pytest.mark.parametrize("fields", [{"urls": []}, {"urls": ["example.com"]}, {"every_s": 0}, {"every": 1}])
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Probe.model_validate({"urls": ["https://example.com/"], "until": "x", **fields})


def tally_of(pattern: str, gap_after: int | None = None) -> Tally:
    """A tally of one probe a second, `x` failing and `.` good; two minutes without a probe after one of them."""
    tally = Tally(longest_gap_s=3)
    at = AT
    for number, mark in enumerate(pattern):
        tally.add(Sample(at, "u", "status 503" if mark == "x" else "", 1))
        at += timedelta(seconds=120 if number == gap_after else 1)
    return tally


def test_intervals_run_from_the_first_failure_to_the_next_good_probe() -> None:
    told = tally_of("..xx.x...").facts()
    seconds = [
        [(datetime.fromisoformat(moment) - AT).total_seconds() for moment in interval] for interval in told["down"]
    ]
    assert seconds == [[2, 4], [5, 6]]
    assert told["down_s"] == 3


def test_a_down_time_that_has_not_ended_lasts_until_the_last_probe() -> None:
    told = tally_of("..xxx").facts()
    assert (told["down_s"], told["up_at_the_end"]) == (2, False)


def test_time_without_probes_is_told_and_counts_only_between_failures() -> None:
    assert tally_of("....", gap_after=1).facts()["unobserved_s"] == 120
    assert tally_of("....", gap_after=1).facts()["down_s"] == 0
    assert tally_of(".xx.", gap_after=1).facts()["down_s"] == 121


@given(st.text(alphabet="x.", max_size=600))
def test_the_total_is_the_sum_and_memory_is_bounded(pattern: str) -> None:
    told = tally_of(pattern).facts()
    expected = sum(1 for before in pattern[:-1] if before == "x")
    assert told["down_s"] == expected
    assert told["failures"] == pattern.count("x")
    assert len(told["down"]) <= 201
