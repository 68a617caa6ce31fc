"""A small maintenance from the command to its end, as its people see it."""

import time
from typing import Any

from tests.scenarios.house import Room

STEPS = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo told >> WORLD"]}
  - id: look
    title: Look at the dashboard
    uses: manual
    with: {text: Is it green?}
"""


def test_from_start_to_the_end(room: Room) -> None:
    room.plans(STEPS)
    room.channel.shows("is planned from the runbook")
    room.ben.clicks("Approve", on="Approval: Tell the others", confirm=True)
    room.channel.shows("Approved Tell the others")
    room.channel.shows("Is it green?")
    room.ana.clicks("Done", on="Look at the dashboard")
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["told"]
    room.ana.says("/maint verify")
    room.ana.sees("is intact")
    assert room.slack.complaints() == []


def test_while_the_disk_is_full_it_waits_and_then_goes_on(room: Room) -> None:
    """Not even the bot's own log can be written: the engine, which wants to say so, must not end over it."""
    steps = """\
  - id: work
    title: Do the work
    uses: command
    approval: {from: [U0BEN0001], expires: 2s, escalate_to: [U0CHLOE01]}
    with: {argv: [sh, -c, "echo done >> WORLD"]}
"""
    room.plans(steps)
    room.channel.shows("needs approval by @ben")
    with room.house.disk_full():
        until, tries = time.monotonic() + 3.5, 0
        while time.monotonic() < until:  # the request expires meanwhile, which the engine cannot write down
            room.ana.says(f"/maint note number {tries}")
            room.slack.wait("ana", room.name, "a refusal", lambda screen, seen=tries: refusals(screen) > seen)
            tries += 1
            time.sleep(0.3)
    room.channel.shows("needs approval by @ben or @chloe")
    room.approves_in_time(room.chloe, "Do the work")
    room.has_done("done")
    room.channel.shows("The maintenance is completed")
    room.channel.lacks("number 0")


def refusals(screen: dict[str, Any]) -> int:
    return sum("cannot be used just now" in message["plain"] for message in screen["channel"]["messages"])
