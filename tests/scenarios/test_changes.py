"""The window moves, grows, or is called off: one command, one approval, and everything follows."""

from pathlib import Path

from tests.scenarios.house import Room

STEPS = """\
  - id: tell
    title: Tell the users
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo down at {{ window.start | utc }} for {{ window.duration | duration }} >> WORLD"]}
    when: start - 1d
  - id: work
    title: Do the work
    uses: manual
    when: start
    approval: true
    with: {text: Do it.}
"""
HEAD = """\
on_change:
  - id: notice
    title: Tell them of the change
    uses: command
    with: {argv: [sh, -c, "echo {{ change.what }} {{ window.duration | duration }} {{ change.reason }} >> WORLD"]}
"""


def test_an_extension_is_approved_once_and_told_once(room: Room) -> None:
    maintenance = room.plans(STEPS.replace("    when: start - 1d\n", ""), HEAD, "at in 2h for 1h")
    room.channel.shows("Tell the users (tell) succeeded")
    room.ana.says(f"/maint extend {maintenance} 30m")
    room.ana.sees("is extended once somebody else has approved it")
    room.channel.shows("Asked for: Extend to")
    room.ana.clicks("Approve", on="Extend to", confirm=True)
    room.ana.sees("somebody else has to decide")
    room.ben.clicks("Approve", on="Extend to", confirm=True)
    room.channel.shows("Tell them of the change (extended) (notice-1) succeeded")
    assert room.done()[1:] == ["extended 1 hour 30 minutes"]
    room.channel.shows("The window is now")


def test_a_rejected_change_changes_nothing_and_the_maintenance_goes_on(room: Room) -> None:
    maintenance = room.plans(STEPS.replace("    when: start - 1d\n", ""), HEAD, "at in 2h for 1h")
    room.channel.shows("Tell the users (tell) succeeded")
    room.ana.says(f"/maint move {maintenance} in 5h")
    room.ben.clicks("Reject…", on="Move to")
    room.ben.submits(reason="Not on a Friday.")
    room.channel.shows("Not on a Friday.")
    assert len(room.done()) == 1
    room.ana.says(f"/maint status {maintenance}")
    assert "Move to" in room.ana.sees("Scheduled")["plain"]


def test_what_was_told_ahead_is_told_again_for_the_new_time_and_not_for_the_old(room: Room) -> None:
    maintenance = room.plans(STEPS, HEAD, "at in 20h for 1h")
    room.channel.shows("Tell the users (tell) succeeded")
    room.ana.says(f"/maint move {maintenance} in 22h")
    room.ben.clicks("Approve", on="Move to", confirm=True)
    room.channel.shows("Tell them of the change (moved) (notice-1) succeeded")
    # A day before the new start has passed too: the reminder is not due again, and not sent for the old one either.
    assert [line.split()[0] for line in room.done()] == ["down", "moved"]


def test_a_cancelled_maintenance_tells_and_ends(room: Room) -> None:
    maintenance = room.plans(STEPS.replace("    when: start - 1d\n", ""), HEAD, "at in 2h for 1h")
    room.channel.shows("Tell the users (tell) succeeded")
    room.ana.says(f"/maint cancel {maintenance} the vendor is not ready")
    room.ben.clicks("Approve", on="Cancel the maintenance", confirm=True)
    room.channel.shows("The maintenance is cancelled.")
    assert room.done()[1:] == ["cancelled 1 hour the vendor is not ready"]


def test_what_runs_when_a_maintenance_is_cancelled_is_ended(room: Room) -> None:
    long = """\
  - id: long
    title: Count for a long time
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo $$ >> WORLD; exec sleep 60"]}
  - {id: ask, uses: manual, approval: true, with: {text: Do it.}}
"""
    maintenance = room.plans(long, "", "at in 2h for 1h")
    room.slack.wait("ana", room.name, "begun", lambda _: room.done())
    pid = int(room.done()[0])
    room.ana.says(f"/maint cancel {maintenance} the vendor is not ready")
    room.ben.clicks("Approve", on="Cancel the maintenance", confirm=True)
    room.channel.shows("Stopped cleanly: the vendor is not ready")
    room.channel.shows("The maintenance is cancelled.")
    assert not Path(f"/proc/{pid}").exists()


def test_a_change_without_words_or_too_late_is_refused(room: Room) -> None:
    maintenance = room.plans(STEPS, HEAD, "at now for 1h")
    room.ana.says(f"/maint extend {maintenance}")
    room.ana.sees("By how long?")
    room.ana.says(f"/maint move {maintenance} yesterday 5pm")
    room.ana.sees("is in the past")
    room.ben.clicks("Approve", on="Do the work", confirm=True)
    room.channel.shows("The maintenance has begun")
    room.ana.says(f"/maint move {maintenance} in 3h")
    room.ana.sees("has begun; it can be extended")
    room.ana.says(f"/maint cancel {maintenance} no")
    room.ana.sees("has begun; `/maint abort REASON` stops it".replace("`", ""))


def test_reminders_are_approved_with_the_announcement_and_follow_a_move(room: Room) -> None:
    tell = "    with: {argv: [sh, -c, 'echo ID down at {{ window.start | utc }} >> WORLD']}\n"
    ahead = "    needs: announce\n    approval: {with: announce}\n    when: start - "
    steps = f"  - id: announce\n    uses: command\n    approval: true\n{tell}"
    steps += "".join(f"  - id: remind-{at}\n    uses: command\n{ahead}{at}\n{tell}" for at in ("7d", "1d", "1h"))
    steps += "  - {id: work, uses: manual, needs: announce, when: start, with: {text: Do it.}}\n"
    maintenance = room.plans(steps, "", "at in 3d for 1h")
    shown = room.channel.shows("Approval: announce")["plain"]
    assert "Left out, since its time has passed: remind-7d" in shown
    assert shown.count("By itself, ") == 2
    room.ben.clicks("Approve", on="Approval: announce", confirm=True)
    room.channel.shows("Skipped remind-7d")
    room.ana.says(f"/maint move {maintenance} in 5d")
    assert room.channel.shows("Approval: Move to")["plain"].count("By itself, ") == 2
    room.ben.clicks("Approve", on="Approval: Move to", confirm=True)
    room.channel.shows("The window is now")
    assert len(room.done()) == 1
    room.ana.says(f"/maint status {maintenance}")
    assert "remind-1d" in room.ana.sees("Scheduled")["plain"]
