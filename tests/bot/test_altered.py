"""Copies of the classes of the state: the same as the standard library makes, and no field that there is not."""

import dataclasses
from datetime import UTC, datetime

import pytest

from bot.altered import replace
from bot.promise import Overrun, TurnBack
from bot.state import Approval, Milestone, Planned, State, StepState
from bot.step_spec import StepSpec

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def test_a_copy_equals_the_one_that_the_standard_library_makes() -> None:
    before = StepState(status="running", attempt=2, facts={"pr": 3}, started_at=NOW)
    ours = replace(before, status="succeeded", ended_at=NOW)
    theirs = dataclasses.replace(before, status="succeeded", ended_at=NOW)
    assert (ours, hash(ours.status), repr(ours)) == (theirs, hash(theirs.status), repr(theirs))
    assert (before.status, before.ended_at) == ("running", None)


def test_a_copy_shares_nothing_that_a_later_copy_changes() -> None:
    first = replace(StepState(), attempt=1)
    second = replace(first, attempt=2)
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_copy_is_as_frozen_as_its_class() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(StepState(), attempt=1).attempt = 2  # type: ignore[misc]


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="StepState has no field statsu"):
        replace(StepState(), statsu="running")  # type: ignore[call-arg]


@pytest.mark.parametrize("cls", [State, StepState, StepSpec, Approval, Milestone, Planned, Overrun, TurnBack])
def test_the_classes_of_the_state_do_nothing_when_they_are_made(cls: type) -> None:
    # A constructor that checks or derives something would be passed over.
    assert not hasattr(cls, "__post_init__")
    assert not [field.name for field in dataclasses.fields(cls) if not field.init]
