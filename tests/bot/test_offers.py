"""What a running step offers: shown with a button, taken up once, gone when it is over."""

from typing import Any

import pytest

from bot.acts import Act, AlreadyDecided
from bot.entry import Kind
from bot.maintenances import Maintenances
from bot.offers import offer_of, take
from bot.questions import questions
from bot.step import Offer
from tests.bot.entries import BEN, ID, add, begin

OFFER = Offer("pid-7-then", "orders is <blocked> by pid 7", "Cancel pid 7", "Its statement is cancelled.")


@pytest.fixture
def offering(maintenances: Maintenances) -> Maintenances:
    begin(maintenances)
    add(
        maintenances,
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_FACT, "upgrade", {"text": "blocked", "facts": {"offer": OFFER.facts()}}),
    )
    return maintenances


def shown(maintenances: Maintenances) -> list[dict[str, Any]]:
    return [dict(block) for block in questions(maintenances.state(ID))]


def test_it_is_asked_with_a_confirmation_and_its_words_are_text(offering: Maintenances) -> None:
    words, buttons = shown(offering)
    assert "orders is &lt;blocked&gt; by pid 7" in words["text"]["text"]
    [button] = buttons["elements"]
    assert button["action_id"] == "take:upgrade"
    assert button["confirm"]["text"]["text"] == "Its statement is cancelled."


def test_the_first_who_takes_it_up_wins_and_the_button_is_gone(offering: Maintenances) -> None:
    offering.record(ID, lambda state: take(state, Act(BEN, "press"), "upgrade", OFFER.token))
    state = offering.state(ID)
    assert state.steps["upgrade"].facts["taken"] == {"token": OFFER.token, "by": BEN}
    assert offer_of(state, "upgrade") is None
    assert shown(offering) == []
    with pytest.raises(AlreadyDecided, match="somebody was faster"):
        take(state, Act("U0DEV", "later"), "upgrade", OFFER.token)


@pytest.mark.parametrize(
    "draft",
    [
        (Kind.STEP_FACT, "upgrade", {"text": "gone", "facts": {"offer": None}}),
        (Kind.STEP_SUCCEEDED, "upgrade", {"attempt": 1, "summary": "done", "facts": {}, "files": {}}),
    ],
)
def test_it_is_offered_no_longer_than_it_stands(offering: Maintenances, draft: tuple[Any, ...]) -> None:
    add(offering, draft)
    assert shown(offering) == []
    with pytest.raises(AlreadyDecided):
        take(offering.state(ID), Act(BEN, "press"), "upgrade", OFFER.token)
