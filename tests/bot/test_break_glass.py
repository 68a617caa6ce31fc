"""Break-glass: one request, after a wait, by the one who asked; and never what two have to decide."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import acts
from bot.access import may_break_glass
from bot.acts import Act
from bot.break_glass import break_glass, breakable, must_be_breakable
from bot.card import card_text
from bot.entry import Kind
from bot.errors import BadInput
from bot.maintenances import Maintenances
from bot.people import Person
from bot.prompts import prompts
from bot.state import State
from integrations.report.story import read
from tests.bot.entries import ANA, APPROVERS, CHLOE, ID, POLICY, add, begin, request
from tests.maintenance_fixtures import raw_step

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=30)
REASON = "Nobody answers *at all*"


@pytest.fixture
def asked(maintenances: Maintenances) -> State:
    """A request that nobody has decided, and that has been asked again."""
    begin(maintenances, [raw_step("upgrade", title="Upgrade", approval=POLICY)])
    add(maintenances, request("upgrade"), (Kind.APPROVAL_EXPIRED, "upgrade", {"token": "t0ken"}))
    add(maintenances, request("upgrade", token="t1"))
    return maintenances.state(ID)


def broken(maintenances: Maintenances, state: State, token: str = "t1") -> State:
    drafts = break_glass(state, Act(CHLOE, "1"), token, REASON, LATER, after_s=900)
    maintenances.record(ID, lambda _: drafts)
    return maintenances.state(ID)


def test_it_is_refused_before_it_has_waited_long_enough(asked: State) -> None:
    with pytest.raises(BadInput, match=r"has waited for .*; only after 15 min may the glass be broken"):
        must_be_breakable(asked, "upgrade", NOW + timedelta(minutes=10), 900)
    must_be_breakable(asked, "upgrade", LATER, 900)


def test_it_is_refused_before_it_has_been_asked_again(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("upgrade", approval=POLICY)])
    add(maintenances, request("upgrade"))
    with pytest.raises(BadInput, match="has not been asked again yet"):
        must_be_breakable(maintenances.state(ID), "upgrade", LATER, 900)


def test_a_request_that_came_anew_after_a_decision_has_not_waited(maintenances: Maintenances, asked: State) -> None:
    add(maintenances, (Kind.APPROVAL_VOID, "upgrade", {"token": "t1", "digest": "e", "summary": "s"}))
    add(maintenances, request("upgrade", token="t2"))
    with pytest.raises(BadInput, match="asked again yet"):
        must_be_breakable(maintenances.state(ID), "upgrade", LATER, 900)
    assert asked.steps["upgrade"].asked_again == 1


def test_the_opening_on_red_takes_two_however_late_it_is(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("open", "maint.open-on-red", approval=POLICY)])
    add(maintenances, request("open"), (Kind.APPROVAL_EXPIRED, "open", {"token": "t0ken"}), request("open", token="t1"))
    state = maintenances.state(ID)
    assert breakable(state) == []
    with pytest.raises(BadInput, match="two people decide that"):
        break_glass(state, Act(CHLOE, "1"), "t1", REASON, LATER, after_s=0)


def test_it_holds_for_one_request_and_its_approval_says_so(maintenances: Maintenances, asked: State) -> None:
    state = broken(maintenances, asked)
    glass = state.crew.glass("t1")
    assert glass is not None
    assert (glass.by, glass.asker) == (CHLOE, ANA)
    assert state.crew.glass("t2") is None
    (approved,) = acts.approve(state, ANA, "t1", NOW)
    assert approved.payload["glass"] is True
    (by_another,) = acts.approve(state, CHLOE, "t1", NOW)
    assert "glass" not in by_another.payload
    with pytest.raises(BadInput, match="broken already"):
        broken(maintenances, state)


def test_it_is_seen_on_the_card_at_the_request_and_in_the_report(maintenances: Maintenances, asked: State) -> None:
    state = broken(maintenances, asked)
    shown = card_text(state, {}, NOW)
    assert f"Glass broken* by <@{CHLOE}> for Upgrade: Nobody answers" in shown
    assert "*at all*" not in shown, "its words are no markup"
    (prompt,) = prompts(state, NOW).values()
    assert any(f"<@{ANA}> may approve this themselves" in str(block) for block in prompt.blocks)
    history = [
        {"kind": entry.kind, "at": entry.at.isoformat(), "actor": entry.actor, "step": entry.step, "payload": each}
        for entry in maintenances.journal.read(ID)
        for each in [entry.payload]
    ]
    assert any("BREAK-GLASS" in event.text and REASON in event.text for event in read(history).troubles)


@pytest.mark.parametrize(
    ("admin", "approver", "allowed", "says"),
    [
        (False, True, True, None),
        (True, False, True, None),
        (False, False, True, f"Only <!subteam^{APPROVERS}>, or an admin of the workspace"),
        (True, True, False, "Break-glass is turned off here"),
    ],
)
def test_who_may(admin: bool, approver: bool, allowed: bool, says: Any) -> None:
    person = Person(ANA, "T0", "Ana", "UTC", is_bot=False, is_guest=False, is_deactivated=False, is_admin=admin)
    reason = may_break_glass(person, (APPROVERS,), is_approver=approver, allowed=allowed)
    assert (reason is None) if says is None else (reason is not None and says in reason)
