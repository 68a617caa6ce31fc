"""Going back, and going on although a gate is red: asked by one, decided by others, told once."""

import pytest

from tests.scenarios.house import Room

STEPS = """\
  - id: off
    title: Take the app off
    uses: command
    approval: true
    when: start
    with: {argv: [sh, -c, "echo off >> WORLD"], undo_with: [sh, -c, "echo on >> WORLD"]}
  - id: long
    title: Work for a long time
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo begun >> WORLD; exec sleep 60"], undo_with: [sh, -c, "echo put back >> WORLD"]}
"""
HEAD = """\
on_change:
  - id: notice
    title: Tell them of the change
    uses: command
    with: {argv: [sh, -c, "echo it is {{ change.what }}, {{ change.reason }} >> WORLD"]}
"""
RED = """\
  - id: gate
    title: Is it fast
    uses: postgres.gate
    when: start
    with: {baseline: never-taken}
  - {id: ask, uses: manual, approval: {from: [U0BEN0001, U0CHLOE01]}, needs: gate, with: {text: Look.}}
  - id: open
    uses: command
    approval: false
    needs: gate
    with: {argv: [sh, -c, "echo open >> WORLD"]}
"""


def test_a_rollback_stops_what_runs_takes_all_back_and_then_tells(room: Room) -> None:
    maintenance = room.plans(STEPS, HEAD)
    room.ana.says(f"/maint rollback {maintenance} too early")
    room.ana.sees("has not begun")
    room.ben.clicks("Approve", on="Approval: Take the app off", confirm=True)
    room.has_done("off", "begun")
    room.ana.clicks("Roll back…", on="Work in")
    room.ana.submits(reason="too slow")
    room.channel.shows("Asked for: Roll back")
    room.ana.clicks("Approve", on="Approval: Roll back", confirm=True)
    room.ana.sees("somebody else has to decide")
    room.ben.clicks("Approve", on="Approval: Roll back", confirm=True)
    room.channel.shows("Stopped cleanly: too slow")
    room.channel.shows("The maintenance is rolled back")
    room.has_done("off", "begun", "put back", "on", "it is rolled back, too slow")
    assert room.count("Tell them of the change (rolled back) (notice-1) succeeded") == 1


def test_two_others_open_on_red_and_it_is_loud(room: Room) -> None:
    room.plans(RED)
    room.channel.shows("There is no baseline to compare with")
    room.ana.says("/maint skip gate never mind")
    room.ana.sees("is a gate and cannot be skipped")
    room.ana.clicks("Open on red…", on="Work in")
    room.ana.submits(reason="we have measured by hand")
    prompt = "Approval: OPEN ON RED"
    room.ana.clicks("Approve", on=prompt, confirm=True)
    room.ana.sees("somebody else has to decide")
    room.ben.clicks("Approve", on=prompt, confirm=True)
    room.channel.shows("1 more needed")
    assert room.done() == []
    room.chloe.clicks("Approve", on=prompt, confirm=True)
    room.has_done("open")
    room.channel.shows("OPENED ON RED: gate is not green")
    assert "Opened on red: Is it fast, by @ben and @chloe" in room.channel.shows("Opened on red:")["plain"]


_SWITCH = "[sh, -c, 'echo WHERE > WORLD.app; echo WHERE >> WORLD']"
_BY_APP = f"""\
    uses: app.off
    with:
      turn_off: {{command: {_SWITCH.replace("WHERE", "off")}}}
      turn_on: {{command: {_SWITCH.replace("WHERE", "on")}}}
      read: {{command: [sh, -c, "! grep -q off WORLD.app"]}}
"""
_BY_A_PROGRAM = f"""\
    uses: command
    opens: true
    on_failure: ask
    with:
      argv: {_SWITCH.replace("WHERE", "off")}
      undo_with: {_SWITCH.replace("WHERE", "on")}
"""


@pytest.mark.parametrize("step", [_BY_APP, _BY_A_PROGRAM], ids=["app.off", "command"])
def test_an_abort_is_no_way_round_a_red_gate(room: Room, step: str) -> None:
    off = f"""\
  - id: off
    title: Take the app off
    approval: true
{step}\
  - {{id: work, uses: command, approval: false, with: {{argv: ["true"]}}}}
  - {{id: gate, title: Is it fast, uses: postgres.gate, with: {{baseline: never-taken}}}}
"""
    room.world.with_name(f"{room.world.name}.app").write_text("on")
    maintenance = room.plans(off)
    room.ben.clicks("Approve", on="Approval: Take the app off")
    room.channel.shows("There is no baseline to compare with")
    room.ben.says(f"/maint abort {maintenance} too late")
    room.ben.sees("only a second person who may approve can lift off")
    card = room.channel.shows("“Is it fast” has not come out green")["ts"]
    room.ana.clicks("Lift", on=card, confirm=True)
    room.ana.sees("You asked for this maintenance, so somebody else has to decide")
    room.ben.clicks("Lift", on=card, confirm=True)
    room.ben.sees("You have aborted it")
    assert room.done() == ["off"]
    room.chloe.clicks("Lift", on=card, confirm=True)
    room.channel.shows("ALTHOUGH gate HAS NOT COME OUT GREEN")
    room.has_done("off", "on")
