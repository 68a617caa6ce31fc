"""Roles and rights: who may do what in a maintenance, and that it is as before where nobody has said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import integrations
from bot.access import DECIDING
from bot.changes import policy
from bot.crew import Crew, crew_of, deciders, people_of, roles_with, starters
from bot.errors import BadInput
from bot.evolve import planned
from bot.overrides import overriding
from bot.radar import Conflict
from bot.runbook import Runbook, RunbookErrors, load, resolve
from bot.runbook_model import RESTRICTABLE
from bot.step import Window

integrations.load()
START = datetime(2026, 12, 1, 21, tzinfo=UTC)
ANA, BEN, LEADS, APPROVERS, TELLERS, DBA = "U0ANA", "U0BEN", "S0LEADS", "S0APPROVE", "S0TELL", "S0DBA"
HOUSE = {"coordinator": (LEADS,), "approver": (APPROVERS,), "communications": (TELLERS,)}


def made(steps: str, head: str = "", tmp_path: Path = Path(), **changes: Any) -> dict[str, Any]:
    path = tmp_path / "book.yml"
    path.write_text(f"name: book\ntitle: Book\n{head}\nsteps:\n{steps}", encoding="utf-8")
    window = Window(START, START + timedelta(hours=2), "UTC")
    asked: dict[str, Any] = {"requester": ANA, "channel": "C0OPS", "approvers": (APPROVERS,), "roles": HOUSE}
    return resolve(load(path), params={}, window=window, **{**asked, **changes})


def approval_of(payload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = payload["steps"][-1]["approval"]
    return found


@pytest.mark.parametrize("verb", sorted(DECIDING))
def test_without_roles_requester_and_approvers_decide_as_ever(verb: str) -> None:
    assert deciders(crew_of({}, ANA), verb, ANA, (APPROVERS,)) == (ANA, APPROVERS)


def test_whoever_coordinates_decides_too_and_communications_only_what_people_are_told() -> None:
    crew = Crew(coordinator=BEN, roles=HOUSE)
    assert deciders(crew, "skip", ANA, (APPROVERS,)) == (ANA, BEN, APPROVERS, LEADS)
    assert deciders(crew, "extend", ANA, (APPROVERS,)) == (ANA, BEN, APPROVERS, LEADS, TELLERS)


def test_a_right_of_the_runbook_leaves_out_everybody_else() -> None:
    assert deciders(Crew(coordinator=ANA, rights={"skip": (DBA,)}), "skip", ANA, (APPROVERS,)) == (DBA,)


def test_who_may_start() -> None:
    assert starters({}, {}) == ()
    assert starters({}, {"approver": (APPROVERS,)}) == ()
    assert starters({}, HOUSE) == (LEADS, APPROVERS)
    assert starters({"start": ("communications", BEN)}, HOUSE) == (TELLERS, BEN)


def test_a_runbook_fills_a_role_in_place_of_the_settings() -> None:
    assert roles_with(HOUSE, {"approver": (DBA,)})["approver"] == (DBA,)


def test_a_role_that_nobody_is_in_lets_nobody_approve() -> None:
    with pytest.raises(BadInput, match="Nobody is communications"):
        people_of(["communications"], {"approver": (APPROVERS,)})
    with pytest.raises(BadInput, match="no role 'aprover'; did you mean approver"):
        people_of(["aprover"], HOUSE)


def test_a_step_names_who_approves_it_by_role(tmp_path: Path) -> None:
    steps = "  - {id: tell, uses: manual, approval: {by: [communications, dba, U0BEN]}, with: {text: Do it.}}"
    payload = made(steps, "roles: {dba: [S0DBA]}", tmp_path)
    assert approval_of(payload)["approvers"] == [TELLERS, DBA, BEN]
    assert payload["roles"] == {**{name: list(who) for name, who in HOUSE.items()}, "dba": [DBA]}


def test_an_environment_needs_its_number_of_people_for_everything(tmp_path: Path) -> None:
    steps = "  - {id: work, uses: manual, approval: true, with: {text: Do it.}}"
    payload = made(steps, "environment: production", tmp_path, environments={"production": 2})
    assert approval_of(payload)["count"] == 2
    crew = crew_of(payload, ANA)
    assert (crew.environment, crew.people) == ("production", 2)
    assert crew_of(made(steps, "environment: staging", tmp_path, environments={"production": 2}), ANA).people == 1
    blocking = [Conflict("notice", "Too late.", blocks=True)]
    assert overriding(payload, blocking, "It has to be", ANA, ())["steps"][0]["approval"]["count"] == 2


def test_what_is_asked_on_the_way_is_decided_by_the_approvers_and_not_by_those_of_one_step(tmp_path: Path) -> None:
    tell = "  - {id: tell, uses: manual, approval: {by: communications, expires: 5m}, with: {text: Say it.}}\n"
    work = "  - {id: work, uses: manual, approval: true, with: {text: Do it.}}\n"
    blocking = [Conflict("notice", "Too late.", blocks=True)]
    for steps in (tell + work, tell):
        payload = made(steps, "", tmp_path)
        assert policy(planned(payload, ANA, START))["approvers"] == [APPROVERS], "for a rollback, or to open on red"
        override = overriding(payload, blocking, "It has to be", ANA, ())["steps"][0]["approval"]
        assert override["approvers"] == [APPROVERS]
    own = made(tell + work, f"policy: {{approvers: [{BEN}]}}", tmp_path)
    assert policy(planned(own, ANA, START))["approvers"] == [BEN]
    before = {key: value for key, value in payload.items() if key != "approvers"}
    assert policy(planned(before, ANA, START))["approvers"] == [TELLERS], "as it was planned by an older version"


def test_an_environment_that_two_cannot_approve_is_refused_when_it_is_planned(tmp_path: Path) -> None:
    steps = "  - {id: work, uses: manual, approval: true, with: {text: Do it.}}"
    with pytest.raises(BadInput, match="approved by 2, and only 1 may"):
        made(steps, "environment: production", tmp_path, environments={"production": 2}, roles={"approver": ("U0BEN",)})


def test_nobody_can_be_kept_from_pulling_the_cord() -> None:
    assert not RESTRICTABLE & {"pause", "abort", "note", "approve", "reject"}
    with pytest.raises(ValueError, match="may be restricted"):
        Runbook.model_validate(
            {"name": "x", "title": "x", "rights": {"abort": ["approver"]}, "steps": [{"id": "a", "uses": "manual"}]}
        )


def test_a_role_that_there_is_not_is_reported_where_it_is_written(tmp_path: Path) -> None:
    steps = "  - {id: work, uses: manual, approval: {by: dbas}, with: {text: Do it.}}"
    with pytest.raises(RunbookErrors, match=r"steps\[0\]\.approval\.by.*no role 'dbas'"):
        made(steps, "roles: {dba: [S0DBA]}\nrights: {skip: [approver]}", tmp_path)
