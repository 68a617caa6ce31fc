from dataclasses import replace

import pytest

from bot.access import DECIDING, LOOKING, STARTING, may_approve, may_decide, may_start, may_use
from bot.people import Person
from commands.buttons import PRESSES

ANA = Person(id="U0ANA", team="T0ONE", name="Ana", zone="UTC", is_bot=False, is_guest=False, is_deactivated=False)
EVERY = sorted(LOOKING | STARTING | DECIDING)


@pytest.mark.parametrize("verb", EVERY)
@pytest.mark.parametrize(
    ("person", "says"),
    [
        (replace(ANA, is_bot=True), "Bots"),
        (replace(ANA, is_deactivated=True), "deactivated"),
        (replace(ANA, team="T0TWO"), "Only people of the workspace"),
    ],
)
def test_some_may_do_nothing(verb: str, person: Person, says: str) -> None:
    reason = may_use(verb, person, "T0ONE")
    assert reason is not None
    assert says in reason


@pytest.mark.parametrize("verb", EVERY)
def test_members_may_use_every_verb_and_guests_only_look(verb: str) -> None:
    assert may_use(verb, ANA, "T0ONE") is None
    reason = may_use(verb, replace(ANA, is_guest=True), "T0ONE")
    assert (reason is None) == (verb in LOOKING)


def test_a_verb_that_nobody_has_thought_of_is_not_for_guests() -> None:
    assert may_use("unheard-of", replace(ANA, is_guest=True), "T0ONE") is not None


def test_every_button_has_its_rule() -> None:
    assert set(PRESSES.split("|")) <= STARTING | DECIDING


@pytest.mark.parametrize("verb", sorted(DECIDING))
def test_how_it_goes_on_is_for_the_requester_and_the_approvers(verb: str) -> None:
    assert may_decide(verb, "U0BEN", ("U0BEN", "S0DBA"), is_one=True) is None
    reason = may_decide(verb, "U0BEN", ("U0BEN", "S0DBA", "U0CAT"), is_one=False)
    assert reason is not None
    assert "<@U0BEN>, who asked for this maintenance, or " in reason
    assert "<!subteam^S0DBA> or <@U0CAT>" in reason


@pytest.mark.parametrize("verb", sorted(STARTING | LOOKING))
def test_anybody_may_pull_the_cord(verb: str) -> None:
    assert may_decide(verb, "U0BEN", ("U0BEN",), is_one=False) is None


def test_whoever_asked_is_not_named_where_a_runbook_leaves_them_out() -> None:
    assert may_decide("skip", "U0BEN", ("S0DBA",), is_one=False) == "Only <!subteam^S0DBA> may skip it."


def test_without_starters_every_member_may_start() -> None:
    assert may_start((), is_one=False) is None
    assert may_start(("S0LEAD",), is_one=True) is None
    assert may_start(("S0LEAD", "U0BEN"), is_one=False) == (
        "Only <!subteam^S0LEAD> or <@U0BEN> may start this maintenance; ask one of them."
    )


def test_the_requester_never_approves_their_own_even_as_an_approver() -> None:
    reason = may_approve(ANA, "U0ANA", ("U0ANA", "U0BEN"), is_approver=True)
    assert reason == "You asked for this maintenance, so somebody else has to decide: <@U0BEN>."
    assert may_approve(ANA, "U0ANA", ("U0ANA",), is_approver=True, requester_may=True) is None


def test_only_approvers_approve() -> None:
    assert may_approve(ANA, "U0BEN", ("S0DBA",), is_approver=True) is None
    reason = may_approve(ANA, "U0BEN", ("S0DBA",), is_approver=False)
    assert reason == "This has to be decided by <!subteam^S0DBA>."
    assert may_approve(ANA, "U0ANA", ("S0DBA",), is_approver=False, requester_may=True) is not None
