"""It will end late: people are asked before it does, and every way out is one press away."""

from tests.scenarios.house import Room

LONG = """\
  - id: work
    title: Do the work
    uses: manual
    when: start
    estimate: 3h
    with: {text: Do it.}
  - id: check
    title: Look at it
    uses: manual
    approval: true
    with: {text: Look.}
"""
HEAD = """\
on_change:
  - id: notice
    title: Tell them of the change
    uses: command
    with: {argv: [sh, -c, "echo {{ change.what }} {{ window.duration | duration }} >> WORLD"]}
"""


def test_an_overrun_is_asked_about_before_it_happens_and_an_extension_is_told(room: Room) -> None:
    maintenance = room.plans(LONG, HEAD, "at now for 1h")
    room.channel.shows("it will probably end late, between")
    room.dev.clicks("+60", on="what now?")
    room.dev.sees("may extend it")
    room.ana.clicks("+60", on="what now?")
    room.channel.shows("asked for more time")
    room.ben.clicks("Approve", on="Extend to", confirm=True)
    room.channel.shows("Tell them of the change (extended) (notice-1) succeeded")
    assert room.done() == ["extended 2 hours"]
    # Two hours are not enough either: it is asked once more, for the new end.
    room.ben.clicks("Go on", on="what now?", confirm=True)
    room.channel.shows("Decided to go on as it is, and to end late.")
    room.ana.says(f"/maint status {maintenance}")
    shown = room.ana.sees("In progress")["plain"]
    assert "Forecast: late: " in shown
    assert "last safe moment to turn back" in shown
    assert room.count("it will probably end late, between") == 2
