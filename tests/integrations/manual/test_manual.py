"""The step `manual`: a person does it."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from bot.context import StepContext
from bot.errors import CannotTell, Final
from integrations.manual import Manual


@pytest.fixture
def ctx(context_of: Callable[..., StepContext]) -> StepContext:
    return context_of(Manual, id_="call-them")


def test_the_plan_says_what_to_do_who_and_how_to_end_it(ctx: StepContext) -> None:
    plan = Manual(text="Call the hosting company", owner="U0ANA123").plan(ctx)
    assert plan.summary == "By hand (<@U0ANA123>): Call the hosting company"
    assert plan.details == ("Press Done, or type /maint done call-them, when it is.",)


def test_an_owner_may_be_a_name_or_nobody(ctx: StepContext) -> None:
    assert Manual(text="Look", owner="Ursula").plan(ctx).summary == "By hand (Ursula): Look"
    assert Manual(text="Look").plan(ctx).summary == "By hand: Look"


def test_only_a_person_can_do_it_or_tell(ctx: StepContext) -> None:
    step = Manual(text="Look")
    assert step.by_hand
    with pytest.raises(CannotTell):
        step.check(ctx)
    with pytest.raises(Final, match="maint done call-them"):
        step.apply(ctx)


def test_the_text_is_needed() -> None:
    with pytest.raises(ValidationError):
        Manual.model_validate({"owner": "Ana"})
