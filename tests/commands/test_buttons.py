"""A button's ids, taken apart and matched."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import button
from bot.errors import BadInput
from bot.people import Person
from commands.buttons import _DECISIONS, NEEDS_WORDS, PRESSES, press_of

BEN = Person("U0BEN0001", "T0SANDBOX", "Ben", "UTC", is_bot=False, is_guest=False, is_deactivated=False)
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)


@given(st.sampled_from(PRESSES.split("|")), IDS, IDS, st.integers(0, 99))
def test_what_a_button_carries_comes_back(verb: str, maintenance: str, step: str, attempt: int) -> None:
    made = button("Label", verb, (maintenance, step, str(attempt)))
    press = press_of(made["action_id"], made["value"], BEN, "delivery")
    assert (press.verb, press.maintenance, press.step) == (verb, maintenance, step)
    assert press.act.attempt == attempt
    assert press.act.user == BEN.id


@given(st.text().filter(lambda value: value.count("|") != 2))
def test_a_value_that_is_not_ours_is_refused(value: str) -> None:
    with pytest.raises(BadInput, match="older version"):
        press_of("approve:tell", value, BEN, "delivery")


def test_every_button_is_either_decided_at_once_or_asks_for_a_reason() -> None:
    assert {*_DECISIONS, *NEEDS_WORDS} == set(PRESSES.split("|"))
    assert not _DECISIONS.keys() & NEEDS_WORDS
    assert all(re.fullmatch(rf"({PRESSES})(:.*)?", f"{verb}:step") for verb in _DECISIONS)
