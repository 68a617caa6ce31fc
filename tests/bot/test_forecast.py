import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.entry import Entry, Kind
from bot.estimates import Past, Run
from bot.evolve import evolve
from bot.forecast import forecast, forecast_line
from bot.state import Approval, State, StepState
from tests.maintenance_fixtures import created_payload, raw_step

START = datetime(2026, 11, 25, 4, tzinfo=UTC)  # 17:00 in Auckland; the window ends at 19:00
MINUTE = timedelta(minutes=1)
STEPS = [
    raw_step("off", estimate_s=60, due=["start", 0.0]),
    raw_step("upgrade", estimate_s=3600, needs=["off"]),
    raw_step("vacuum", estimate_s=1800, needs=["upgrade"]),
    raw_step("gate", estimate_s=600, needs=["vacuum"]),
    raw_step("probe", estimate_s=300),
]


def state_of(**steps: StepState) -> State:
    payload: dict[str, Any] = created_payload(STEPS, START)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    return replace(state, steps={**state.steps, **steps})


def running(since: datetime) -> StepState:
    return StepState("running", attempt=1, started_at=since, attempt_at=since)


def near(found: datetime, expected: datetime, minutes: float = 4) -> bool:
    """Whether two moments are the same but for what the spread of the steps adds: the middle of a sum is no sum."""
    return abs(found - expected) <= minutes * MINUTE


def test_before_the_window_it_is_its_start_and_the_estimates() -> None:
    found = forecast(state_of(), START - timedelta(days=5))
    assert near(found.end, START + 101 * MINUTE)
    assert found.low < found.end < found.high
    assert 0.1 < found.late_chance < 0.4
    line = forecast_line(state_of(), START - timedelta(days=5))
    assert re.fullmatch(
        r"on time, ends 18:4\d NZDT \(UTC\+13\), 1\d minutes spare \([1-3]\d % chance of overrun\)", line
    )


def test_the_same_situation_always_has_the_same_forecast() -> None:
    assert forecast(state_of(), START) == forecast(state_of(), START)


def test_a_step_that_runs_over_moves_the_end() -> None:
    state = state_of(off=StepState("succeeded", ended_at=START + MINUTE), upgrade=running(START + MINUTE))
    assert near(forecast(state, START + 31 * MINUTE).end, START + 103 * MINUTE, 6)
    late = START + 91 * MINUTE
    found = forecast(state, late)
    # It has run half as long again as estimated: how much longer it takes is guessed, and it is not "any moment now".
    assert late + 45 * MINUTE < found.end < late + 70 * MINUTE
    assert found.late_chance > 0.95
    assert re.fullmatch(
        r"late: 19:\d\d to \d\d:\d\d NZDT \(UTC\+13\), likely \d+ minutes after the announced end",
        forecast_line(state, late),
    )


def test_progress_says_more_than_an_estimate_the_more_there_is() -> None:
    state = state_of(off=StepState("succeeded", ended_at=START), upgrade=running(START))
    silent = forecast(state, START + 10 * MINUTE).end
    ends = [
        forecast(state, START + 10 * MINUTE, {"upgrade": {"done": done, "total": 100, "unit": "files"}}).end
        for done in (10, 20, 50, 90)
    ]
    assert ends == sorted(ends, reverse=True)
    assert near(ends[-1], START + 52 * MINUTE)
    assert ends[2] < silent - 20 * MINUTE
    too_little = {"upgrade": {"done": 1, "total": 100, "unit": "files"}}
    unknown = {"upgrade": {"done": 50, "total": None, "unit": "files"}}
    for progress in (too_little, unknown, {}):
        assert forecast(state, START + 10 * MINUTE, progress).end == silent


def test_what_waits_for_people_is_named_and_their_time_is_counted() -> None:
    now = START + 10 * MINUTE
    failed = state_of(off=StepState("succeeded", ended_at=START), upgrade=StepState("failed", attempt=1))
    assert forecast_line(failed, now).endswith("; upgrade waits for people")
    assert now + 102 * MINUTE < forecast(failed, now).end < now + 115 * MINUTE
    asked = Approval("t", "d", "s", (), 1, ("U0BEN",), START, START + 60 * MINUTE)
    waiting = state_of(off=StepState("waiting", approval=asked))
    assert forecast(waiting, now).waits_for == "off"
    retried = state_of(off=StepState("failed", attempt=1, retry_at=now + 5 * MINUTE))
    assert forecast(retried, now).waits_for is None
    assert near(forecast(retried, now).end, now + (5 + 101) * MINUTE)


def test_an_approval_to_come_counts_its_wait() -> None:
    policy = {"count": 1, "approvers": ["U0BEN"], "expires_s": 3600.0, "requester_may": False}
    payload = created_payload([raw_step("upgrade", estimate_s=600, approval=policy, due=["start", 0.0])], START)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    assert START + 13 * MINUTE < forecast(state, START).end < START + 18 * MINUTE


def test_what_the_past_shows_is_believed_rather_than_the_runbook() -> None:
    runs = [Run("vacuum", 5400, 1800, None, None)] * 4
    found = forecast(state_of(), START, past=Past().with_runs("postgres-upgrade", runs))
    assert found.is_late
    assert found.late_chance > 0.9


def test_what_keeps_on_until_a_step_ends_with_it() -> None:
    watch = {**raw_step("watch", estimate_s=1), "with": {"until": "upgrade"}}
    payload = created_payload([*STEPS[:2], watch], START)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    long = replace(state, steps={**state.steps, "watch": running(START), "upgrade": running(START)})
    assert near(forecast(long, START + 50 * MINUTE).end, START + 65 * MINUTE, 8)


def test_what_is_due_at_the_end_is_not_late_for_that() -> None:
    steps = [*STEPS, raw_step("all-clear", due=["end", 0.0]), raw_step("then", needs=["all-clear"])]
    payload = created_payload(steps, START)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    assert near(forecast(state, START).end, START + 101 * MINUTE)


def test_an_end_on_another_day_says_the_day() -> None:
    state = state_of(upgrade=StepState("unknown"))
    line = forecast_line(state, START + timedelta(hours=10))
    assert line.startswith("late: Thu 26 Nov 04:")


@pytest.mark.parametrize("status", ["completed", "cancelled", "aborted", "rolled_back"])
def test_what_is_over_has_no_forecast(status: str) -> None:
    assert forecast_line(replace(state_of(), status=status), START) == ""


def test_when_all_is_done_it_ends_when_the_last_one_ended() -> None:
    done = {name: StepState("succeeded", ended_at=START + 30 * MINUTE) for name in ("off", "upgrade", "vacuum", "gate")}
    done["probe"] = StepState("skipped", ended_at=START)
    assert forecast(state_of(**done), START + 90 * MINUTE).end == START + 30 * MINUTE


@given(st.integers(0, 600), st.integers(0, 600))
def test_time_passing_never_brings_the_end_nearer(first: int, later: int) -> None:
    state = state_of(off=StepState("succeeded", ended_at=START), upgrade=running(START))
    now, then = sorted((START + first * MINUTE, START + later * MINUTE))
    assert forecast(state, now).end <= forecast(state, then).end
    assert forecast(state, then).end >= then
