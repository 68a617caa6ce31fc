"""Planning a maintenance: by words, by the form, with every mistake told where it was made."""

import json
from datetime import date, timedelta

import pytest

from tests.scenarios.house import Room, planned

LOOK = """\
  - id: look
    title: Look at it
    uses: manual
    with: {text: Is it green?}
"""
PARAMS = """\
params:
  to: {type: integer, help: The version to go to.}
  mode: {choices: [link, copy], default: link}
"""
LONG_AGO = date.today() - timedelta(days=2)  # noqa: DTZ011 - a day more or less does not matter
QUOTES = ["“”", "‘’", "„“", "«»", '""']  # noqa: RUF001 - exactly these
OTHER = """\
params:
  disk: {help: Which disk is changed.}
"""


def coming_change(month: int) -> date:
    """The coming day in March or October on which the clocks of Europe change: the last Sunday."""
    today = date.today()  # noqa: DTZ011 - a day more or less does not matter
    for year in (today.year, today.year + 1):
        last = date(year, month, 31)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        if sunday > today + timedelta(days=1):
            return sunday
    raise AssertionError("there is one every year")


def year_of_december() -> int:
    """The year of the coming first of December: a window may begin at most a year ahead."""
    return (date.today() + timedelta(days=31)).year  # noqa: DTZ011 - a day more or less does not matter


def test_all_in_one_line(room: Room) -> None:
    room.plans(LOOK, PARAMS, f"to=18 at {year_of_december()}-12-01 22:00 Europe/Berlin for 90m mode=copy")
    shown = room.ana.sees("is planned:")["plain"]
    assert "22:00 to 23:30 Europe/Berlin (UTC+1), 21:00 to 22:30 UTC, 1 hour 30 minutes" in shown
    room.ana.says("/maint log json")
    room.ana.sees("The log of")


@pytest.mark.parametrize("words", [f"at {pair[0]}tomorrow 5pm{pair[1]} for 2h" for pair in QUOTES])
def test_what_keyboards_make_of_quotes_is_understood(room: Room, words: str) -> None:
    room.plans(LOOK, words=words)
    assert " 17:00 to " in room.ana.sees("is planned:")["plain"]


def test_what_keyboards_make_of_dashes_is_understood(room: Room) -> None:
    year = year_of_december()
    room.plans(LOOK, words=f"at {year}–12–01 22:00 UTC−3")  # noqa: RUF001 - exactly these
    assert "22:00 to" in room.ana.sees("is planned:")["plain"]


def test_times_are_in_the_zone_of_the_person_who_types(room: Room) -> None:
    name = room.runbook(LOOK)
    room.dev.says(f"/maint start {name} at tomorrow 5pm")
    planned(room.dev, f"Work in {name}")
    assert "17:00 to 19:00 Asia/Kolkata (UTC+5:30), 11:30 to 13:30 UTC" in room.dev.sees("is planned:")["plain"]
    room.dev.says("/maint abort the test is over")


@pytest.mark.parametrize(
    ("words", "field", "told"),
    [
        (f"at {coming_change(3)} 02:30", "at", "does not exist"),
        (f"at {coming_change(10)} 02:30", "at", "twice"),
        (f"at {LONG_AGO} 10:00", "at", "is in the "),
        ("at next Friday", "at", "Friday"),
        ("at tomorrow 8am for never", "duration", "is not a duration"),
    ],
)
def test_a_time_that_cannot_be_opens_the_form_which_says_so_at_the_field(
    room: Room, words: str, field: str, told: str
) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name} {words}")
    assert told in room.ana.sees_modal("Runbook")["plain"]
    room.ana.submits()
    assert told in room.ana.form_errors()[field]
    room.ana.closes()
    assert room.count("is planned") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("to=x", "to expected a whole number"),
        ("", "to has to be given. The version to go to."),
        ("to=18 mode=steal", "mode expected one of link, copy"),
        ("to=18 moed=copy", "moed is no parameter of this runbook; did you mean mode?"),
    ],
)
def test_a_wrong_parameter_opens_the_form_which_says_so(room: Room, words: str, told: str) -> None:
    name = room.runbook(LOOK, PARAMS)
    room.ana.says(f"/maint start {name} at in 2h {words}")
    room.ana.sees_modal(told)
    room.ana.closes()
    assert room.count("is planned") == 0


def test_the_form_keeps_what_was_said_and_is_mended_step_by_step(room: Room) -> None:
    name = room.runbook(LOOK, PARAMS)
    at = f"{coming_change(3)} 02:30"
    room.ana.says(f"/maint start {name} at {at} for 3h mode=copy")
    view = room.ana.sees_modal("does not exist")
    shown = json.dumps(view["values"])
    assert at in shown
    assert "3h" in shown
    assert "copy" in shown
    room.ana.submits(**{"at": "in 2h", "param:to": "eighteen"})
    assert "expected a whole number" in room.ana.form_errors()["param:to"]
    room.ana.submits(**{"param:to": "18"})
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {name}")


def test_no_runbook_is_chosen_for_anybody(room: Room) -> None:
    name = room.runbook(LOOK)
    other = room.runbook(LOOK, name=f"{room.name}-other")
    room.ana.says("/maint start")
    room.ana.sees_modal("Runbook")
    assert room.ana.submits(at="in 2h")["error"] == "invalid_fields"
    assert room.count("is planned") == 0
    room.ana.chooses(name, "Runbook", view="modal")
    room.ana.submits(at="in 2h")
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {name}")
    assert room.count(f"Work in {other}") == 0


def test_more_than_twelve_hours_have_to_be_meant(room: Room) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name} at tomorrow 8am for 16h")
    room.ana.sees_modal("Is it meant to be so long?")
    room.ana.submits(long="Yes, it is meant to be so long")
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {name}")
    assert "16 hours" in room.ana.sees("is planned:")["plain"]


def test_more_than_twelve_hours_said_in_the_form_can_be_confirmed_there(room: Room) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name}")
    room.ana.sees_modal("Runbook")
    room.ana.submits(at="tomorrow 8am", duration="16h")
    room.ana.sees_modal("Is it meant to be so long?")
    room.ana.submits(long="Yes, it is meant to be so long")
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {name}")


def test_another_runbook_brings_its_own_fields_and_keeps_the_time(room: Room) -> None:
    one = room.runbook(LOOK, PARAMS)
    two = room.runbook(LOOK, OTHER, f"{room.name}-disks")
    room.ana.says(f"/maint start {one}")
    room.ana.sees_modal("The version to go to.")
    room.slack.post("submit", {"person": "ana", "channel": room.name, "values": {"at": "in 3h"}})
    room.ana.chooses(two, "Runbook", view="modal")
    view = room.ana.sees_modal("Which disk is changed.")
    assert "The version to go to." not in view["plain"]
    assert "in 3h" in json.dumps(view["values"])
    room.ana.submits(**{"param:disk": "the big one"})
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {two}")


def test_a_runbook_that_there_is_not(room: Room) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name}x at in 2h")
    room.ana.sees_modal(f"There is no runbook '{name}x'. There is: {name}.")
    room.ana.closes()
    room.ana.says(f"/maint start {name}x")
    room.ana.sees_modal(f"There is no runbook '{name}x'. There is: {name}.")
    room.ana.closes()


def test_a_runbook_that_is_gone_when_it_is_chosen_is_said_in_the_form(room: Room) -> None:
    kept = room.runbook(LOOK)
    gone = room.runbook(LOOK, name=f"{room.name}-gone")
    room.ana.says(f"/maint start {kept}")
    room.ana.sees_modal()
    (room.house.runbooks / f"{gone}.yml").unlink()
    room.ana.chooses(gone, "Runbook", view="modal")
    room.ana.sees_modal(f"There is no runbook '{gone}'")
    (room.house.runbooks / f"{kept}.yml").unlink()
    room.ana.chooses(kept, "Runbook", view="modal")
    room.ana.sees("There is no runbook: put one into the folder")
    room.ana.closes()


def test_words_that_cannot_be_taken_apart(room: Room) -> None:
    name = room.runbook(LOOK, PARAMS)
    room.ana.says(f'/maint start {name} at "in 2h')
    room.ana.sees("A quotation mark is not closed")
    room.ana.says(f"/maint start {name} at in 2h to=1 to=2")
    room.ana.sees("to is given twice")


def test_a_runbook_with_a_mistake_says_where(room: Room) -> None:
    name = room.runbook(LOOK.replace("uses: manual", "uses: manuel"))
    room.ana.says(f"/maint start {name} at in 2h")
    shown = room.ana.sees("A mistake in a runbook")["plain"]
    assert f"{name}.yml:" in shown
    assert "manual" in shown


def test_a_runbook_with_a_mistake_keeps_nobody_from_the_others(room: Room) -> None:
    good = room.runbook(LOOK)
    bad = room.runbook(LOOK.replace("uses: manual", "uses: manuel"), name=f"{room.name}-bad")
    room.ana.says(f"/maint start {bad} at in 2h")
    room.ana.sees_modal(f"{bad}.yml:")
    room.ana.closes()
    room.ana.says(f"/maint start {good} at in 2h")
    planned(room.ana, f"Work in {good}")


def test_a_window_that_is_too_short_by_the_estimates_is_said_at_once(room: Room) -> None:
    name = room.runbook(LOOK.replace("uses: manual", "estimate: 50m\n    when: start\n    uses: manual"))
    room.ana.says(f"/maint start {name} at in 2h for 30m")
    room.ana.sees("By the estimates it ends 20 minutes after the announced end")
    planned(room.ana, f"Work in {name}")
    room.channel.shows("late: ")


def test_without_any_runbook(room: Room) -> None:
    room.ana.says("/maint start")
    room.ana.sees("There is no runbook")


def test_a_form_is_answered_in_time_though_slack_is_slow_to_say_who_is_where(room: Room) -> None:
    name = room.runbook(LOOK, PARAMS)
    room.ana.says(f"/maint start {name}")
    room.ana.sees_modal("Runbook")
    room.slack.break_api("delay", "^/api/conversations.info", delay_s=4)
    assert not room.ana.submits_form({"at": "in 2h", "duration": "1h", "param:to": "many"})["error"]
    assert "it is still being done" in room.ana.sees_modal("longer than usual")["plain"].lower()
    room.ana.sees_modal("expected a whole number")
    assert not room.ana.submits_form({"param:to": "3"})["error"]
    room.ana.sees_no_modal()
    made = planned(room.ana, f"Work in {name}")
    assert "1 hour" in room.ana.sees(f"{made} is planned")["plain"], "what was typed the first time is kept"
    assert room.slack.complaints() == []


def test_a_form_that_was_closed_before_its_late_answer_plans_all_the_same_and_says_so(room: Room) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name}")
    room.ana.sees_modal("Runbook")
    room.slack.break_api("delay", "^/api/conversations.info", delay_s=4)
    assert not room.ana.submits(at="in 2h")["error"]
    room.ana.sees_modal("longer than usual")
    room.ana.closes()
    made = planned(room.ana, f"Work in {name}")
    room.channel.shows(made)
    assert room.ana.screen()["modal"] is None
