"""Handing over: only who was asked accepts, once, in time; and the two-person rule stays what it is."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import handover
from bot.acts import Act, AlreadyDecided
from bot.card import card_text
from bot.errors import BadInput, NotAllowed
from bot.handover_prompt import handover_prompts
from bot.maintenances import Maintenances
from bot.overrun import responsible
from bot.state import State
from tests.bot.entries import ANA, BEN, CHLOE, ID, begin

NOW = datetime.now(UTC)
TOLD = "State: in progress\nOpen questions: is *support* told?"


@pytest.fixture
def asked(maintenances: Maintenances) -> State:
    begin(maintenances)
    return _asks(maintenances, BEN, "1")


def _asks(maintenances: Maintenances, to: str, delivery: str) -> State:
    maintenances.record(ID, lambda state: handover.ask(state, Act(ANA, delivery), to, TOLD, NOW))
    return maintenances.state(ID)


def _answers(maintenances: Maintenances, who: str, number: int, *, accepted: bool) -> State:
    maintenances.record(ID, lambda state: handover.answer(state, Act(who, "2"), number, accepted, NOW))
    return maintenances.state(ID)


def test_whoever_accepts_coordinates_is_pinged_and_is_on_the_card(maintenances: Maintenances, asked: State) -> None:
    assert f"Coordinated by <@{ANA}>, who asks <@{BEN}> to take over" in card_text(asked, {}, NOW)
    assert responsible(asked)[0] == ANA
    state = _answers(maintenances, BEN, 1, accepted=True)
    assert (state.coordinator, state.requester) == (BEN, ANA), "who asked stays who may not approve"
    assert responsible(state)[0] == BEN
    assert f"Coordinated by <@{BEN}>" in card_text(state, {}, NOW)
    assert not handover_prompts(state, NOW)["handover:1"].has_buttons


def test_nobody_else_can_accept(asked: State) -> None:
    with pytest.raises(NotAllowed, match=f"Only <@{BEN}>"):
        handover.answer(asked, Act(CHLOE, "3"), 1, True, NOW)


def test_it_is_answered_once(maintenances: Maintenances, asked: State) -> None:
    state = _answers(maintenances, BEN, asked.crew.handovers[0].number, accepted=False)
    assert state.coordinator == ANA
    with pytest.raises(AlreadyDecided, match="answered already: declined"):
        handover.answer(state, Act(BEN, "4"), 1, True, NOW)


def test_it_expires_and_says_so(asked: State) -> None:
    late = NOW + handover.EXPIRES
    with pytest.raises(AlreadyDecided, match="expired"):
        handover.answer(asked, Act(BEN, "3"), 1, True, late)
    prompt = handover_prompts(asked, late)["handover:1"]
    assert not prompt.has_buttons
    assert handover_prompts(asked, late - timedelta(seconds=1))["handover:1"].has_buttons


def test_asking_somebody_else_takes_the_first_question_back(maintenances: Maintenances, asked: State) -> None:
    assert asked.crew.handovers[0].answer is None
    state = _asks(maintenances, CHLOE, "9")
    with pytest.raises(AlreadyDecided, match="replaced"):
        handover.answer(state, Act(BEN, "3"), 1, True, NOW)
    assert _answers(maintenances, CHLOE, 2, accepted=True).coordinator == CHLOE


def test_the_package_is_shown_as_plain_text(asked: State) -> None:
    blocks = handover_prompts(asked, NOW)["handover:1"].blocks
    (told,) = [block["text"] for block in blocks if "support" in str(block)]
    assert told == {"type": "plain_text", "text": TOLD, "emoji": False}


def test_it_cannot_be_handed_to_whoever_has_it(asked: State) -> None:
    with pytest.raises(BadInput, match="coordinates"):
        handover.ask(asked, Act(BEN, "5"), ANA, TOLD, NOW)
