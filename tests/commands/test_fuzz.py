"""Whatever somebody types, presses or submits: an answer in words, nothing half-done, and never a fault of ours."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.app import Process
from bot.desk import Desk
from bot.errors import BadInput, MaintError
from bot.people import Person
from bot.settings import load
from commands.buttons import PRESSES, press_of, pressed, reasoned
from commands.listeners import run
from commands.start import again, submitted
from commands.verb import VERBS
from sandbox.server import serving
from sandbox.slack import Config, Workspace
from tests.scenarios import house

RUNBOOK = """\
name: small
title: A small {{ params.what }}
params:
  what: {default: thing}
  count: {type: integer, default: 3}
steps:
  - {id: first, uses: manual, with: {text: "Do {{ params.what }}"}}
  - {id: second, uses: command, with: {argv: ["true"]}}
"""
ADMIN, APPROVER = "U0CHLOE01", "U0BEN0001"
FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk of a bot that serves nobody, with two maintenances that nothing works on."""
    folder = tmp_path_factory.mktemp("fuzz")
    with serving(Workspace(Config()).app) as server:
        environment = house.settings(server.url, folder)
        (folder / "runbooks" / "small.yml").write_text(RUNBOOK)
        process = Process(load(environment), environment=environment)
        for number in range(2):
            say(process.desk, f"start small at in {number + 2}h for 30m")
        yield process.desk
        process.database.close()


def say(desk: Desk, text: str) -> None:
    """Type `/maint text`, as Slack delivers it; an error in words is an answer too."""
    reply = run(
        {
            "text": text,
            "user_id": APPROVER,
            "team_id": Config().team_id,
            "channel_id": "C0MAINT01",
            "trigger_id": f"t-{hash(text)}",
        },
        desk,
    )
    assert reply.text or reply.modal or reply.files


def intact(desk: Desk) -> bool:
    journal = desk.maintenances.journal
    return all(journal.broken_at(each) is None and desk.maintenances.state(each) for each in journal.maintenances())


HABITS = re.split(
    r"[ \n]+",
    """small first second at for now tomorrow 5pm in 2h 30m what=x count=² csv html 22:00 Europe/Berlin 2026-12-01
    <@U0BEN0001|ben> <!channel> {{7*7}} " “ — = | reason""",
)
WORDS = st.one_of(st.sampled_from(HABITS), st.text(max_size=12))
FIELDS = ["start_runbook", "at", "duration", "param:what", "param:count", "param:none", "confirm"]
COMMANDS = st.builds(
    lambda verb, words: " ".join([verb, *words]),
    st.one_of(st.sampled_from(sorted(set(VERBS) - {"verify"})), st.text(max_size=8)),
    st.lists(WORDS, max_size=5),
)


@FUZZ
@given(text=COMMANDS)
@example("extend 99999999999999h")
@example("move 0001-01-01 00:00 UTC")
@example("start small at 9999-12-31 23:59 UTC for 9999h")
def test_anything_typed_is_answered(desk: Desk, text: str) -> None:
    with suppress(MaintError):
        say(desk, text)
    assert intact(desk)


@st.composite
def presses(draw: st.DrawFn) -> tuple[str, str]:
    verb = draw(st.one_of(st.sampled_from(PRESSES.split("|")), st.text(max_size=6)))
    step = draw(st.sampled_from(["first", "second", "third", "", "²"]))
    value = "|".join(
        [
            draw(st.sampled_from(["MAINTENANCE", "no-such-thing", ""])),
            step,
            draw(st.sampled_from(["0", "1", "²", "", "token", "-1", "99999999999999999999"])),
        ]
    )
    return f"{verb}:{step}", draw(st.one_of(st.just(value), st.text(max_size=10)))


@FUZZ
@given(press=presses(), reason=st.text(max_size=20))
@example(("skip:third", "MAINTENANCE|third|0"), "because")
@example(("retry:third", "MAINTENANCE|third|²"), "")
@example(("reject:first", "MAINTENANCE|first|token"), "because")
def test_anything_pressed_is_answered(desk: Desk, press: tuple[str, str], reason: str) -> None:
    action, value = press
    person = desk.admit(ADMIN, Config().team_id, "approve")
    maintenance = desk.maintenances.ids()[0]
    with suppress(MaintError):
        made = press_of(action, value.replace("MAINTENANCE", maintenance), person, f"d-{action}-{value}")
        reply = pressed(made, desk)
        if reply.modal is not None:
            reasoned(made, reason, desk)
    assert intact(desk)


def view_of(values: dict[str, str], private: str) -> dict[str, Any]:
    state = {block: {"value": {"type": "plain_text_input", "value": value}} for block, value in values.items()}
    return {"id": "V1", "hash": "h", "private_metadata": private, "state": {"values": state}, "blocks": []}


@FUZZ
@given(
    values=st.dictionaries(
        st.sampled_from(FIELDS),
        WORDS,
    ),
    private=st.sampled_from(["C0MAINT01", "", "nowhere"]),
)
def test_anything_submitted_is_answered(desk: Desk, values: dict[str, str], private: str) -> None:
    person: Person = dataclasses.replace(desk.admit(ADMIN, Config().team_id, "start"), zone="Europe/Berlin")
    view = view_of(values, private)
    with suppress(MaintError):
        made = submitted(view, person, desk)
        assert made.errors or made.form or made.reply.text
        again(view, desk)
    assert intact(desk)


def test_a_form_that_names_a_channel_without_us_plans_in_our_own(desk: Desk) -> None:
    person = desk.admit(ADMIN, Config().team_id, "start")
    values = {"runbook": "small", "at": "in 9h", "duration": "30m"}
    view = {**view_of(values, "C0NOWHERE"), "id": "V2"}
    before = set(desk.maintenances.ids())
    made = submitted(view, person, desk)
    [planned] = set(desk.maintenances.ids()) - before
    assert desk.maintenances.state(planned).channel == desk.defaults["channel"], made


def test_what_is_not_a_verb_names_one_that_is(desk: Desk) -> None:
    with pytest.raises(BadInput, match="Did you mean `/maint status`"):
        say(desk, "statuss")
