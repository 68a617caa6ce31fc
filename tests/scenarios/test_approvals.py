"""Who decides, how often, and what happens to the buttons."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.scenarios.house import Room

TELL = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo told >> WORLD"]}
"""
SLOW = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo told >> WORLD; until [ -e WORLD.go ]; do sleep 0.1; done"]}
"""
SHORT_LIVED = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: {expires: 1s}
    with: {argv: [sh, -c, "echo told >> WORLD"]}
"""
BY_TWO = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: {count: 2}
    with: {argv: [sh, -c, "echo told >> WORLD"]}
"""
TITLE = "Approval: Tell the others"


def test_the_first_click_of_several_people_counts_and_the_others_read_who_was_faster(room: Room) -> None:
    room.plans(SLOW)
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("Approved Tell the others")  # what is acknowledged first need not be decided first
    room.chloe.clicks("Approve", on=TITLE, confirm=True, stale=True)
    room.ben.clicks("Approve", on=TITLE, confirm=True, stale=True)
    room.chloe.sees("already approved by @ben at ")
    room.ben.sees("already approved by @ben at ")
    room.lets_go()
    room.channel.shows("completed")
    assert room.done() == ["told"]
    assert room.count("Approved Tell the others") == 1


def test_clicks_in_the_same_moment_start_it_once(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    people = [room.ben, room.chloe] * 4
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda who: who.clicks("Approve", on=TITLE, confirm=True, stale=True), people))
    assert [answer["error"] for answer in answers] == [""] * len(people)
    room.channel.shows("completed")
    assert room.done() == ["told"]
    assert room.count("Approved Tell the others") == 1


def test_the_buttons_are_gone_before_a_slow_step_starts(room: Room) -> None:
    room.plans(SLOW)
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.has_done("told")
    assert room.channel.shows(TITLE)["buttons"] == []
    room.lets_go()
    room.channel.shows("completed")


def test_nobody_approves_their_own_maintenance_and_no_click_goes_unanswered(room: Room) -> None:
    room.plans(TELL)
    room.ana.clicks("Approve", on=TITLE, confirm=True)
    room.ana.sees("You asked for this maintenance, so somebody else has to decide: @maint-approvers")
    room.dev.clicks("Approve", on=TITLE, confirm=True)
    room.dev.sees("This has to be decided by @maint-approvers")
    room.dev.clicks("Reject…", on=TITLE)
    room.slack.wait("dev", room.name, "a second answer", lambda screen: _refusals(screen) == 2)
    assert room.done() == []


def test_an_admin_who_asks_is_no_approver_either(room: Room) -> None:
    name = room.runbook(TELL)
    room.chloe.says(f"/maint start {name} at now for 30m")
    room.chloe.clicks("Approve", on=TITLE, confirm=True)
    room.chloe.sees("You asked for this maintenance")
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("completed")


def test_a_guest_of_another_workspace_is_told_that_they_may_not(room: Room) -> None:
    name = room.runbook(TELL)
    shared = room.slack.channel("partner")
    room.ana.says(f"/maint start {name} at now for 30m", channel="partner")
    shared.shows(TITLE)
    gil = room.slack.person("gil", "partner")
    gil.clicks("Approve", on=TITLE, confirm=True)
    gil.sees("Only people of the workspace that runs the maintenance")
    room.ben.clicks("Approve", on=TITLE, channel="partner", confirm=True)
    shared.shows("completed")
    assert room.done() == ["told"]


def test_two_people_approve_what_needs_two(room: Room) -> None:
    room.plans(BY_TWO)
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("1 more needed")
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.ben.sees("You have approved tell already; 2 people have to")
    assert room.done() == []
    room.chloe.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("completed")
    assert room.done() == ["told"]


def test_a_request_that_nobody_decides_is_asked_again_and_nothing_runs(room: Room) -> None:
    room.plans(SHORT_LIVED)
    room.channel.shows("Nobody decided about Tell the others (tell) in time")
    room.slack.wait("ben", room.name, "asked again", lambda _: room.count("needs approval by") >= 2)
    assert room.done() == []


def test_a_click_on_an_expired_request_does_nothing(room: Room) -> None:
    room.plans(SHORT_LIVED)
    first = room.channel.shows(TITLE)["ts"]
    room.channel.shows("Nobody decided about")
    room.ben.clicks("Approve", on=first, confirm=True, stale=True)
    room.ben.sees("replaced by a newer one")
    assert room.done() == []


def test_an_approval_waits_through_a_crash(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    room.house.restarts()
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("completed")
    assert room.done() == ["told"]
    assert room.count(TITLE) == 1


def test_after_a_crash_the_first_click_of_somebody_without_the_right_is_answered(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    room.house.restarts()
    room.dev.clicks("Approve", on=TITLE, confirm=True)
    room.dev.sees("This has to be decided by @maint-approvers")


def test_a_rejection_gives_its_reason_and_a_retry_asks_anew(room: Room) -> None:
    room.plans(TELL)
    room.ben.clicks("Reject…", on=TITLE)
    room.ben.sees_modal("Tell the others (tell) in Work in")
    room.ben.submits(reason="Not before lunch *please*")
    room.ben.sees_no_modal()
    room.channel.shows("Rejected Tell the others (tell): Not before lunch")
    assert room.channel.shows(TITLE)["buttons"] == []
    room.ana.clicks("Retry", on="Work in")
    room.slack.wait("ben", room.name, "asked again", lambda _: room.count("needs approval by") == 2)
    assert room.done() == []
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("completed")
    assert room.done() == ["told"]


def test_a_rejection_without_a_reason_is_refused_at_the_field(room: Room) -> None:
    room.plans(TELL)
    room.ben.clicks("Reject…", on=TITLE)
    room.ben.sees_modal()
    room.ben.submits(reason="   ")
    assert "A reason is needed" in room.ben.form_errors()["reason"]
    room.ben.submits(reason="x" * 1001)
    assert "at most 1000 characters" in room.ben.form_errors()["reason"]
    room.ben.closes()
    assert room.count("Rejected Tell") == 0


def test_a_rejection_that_comes_after_an_approval_is_told_so(room: Room) -> None:
    room.plans(TELL)
    room.chloe.clicks("Reject…", on=TITLE)
    room.chloe.sees_modal()
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("completed")
    room.chloe.submits(reason="Too late")
    errors = room.chloe.form_errors()
    assert "completed" in errors["reason"] or "already approved" in errors["reason"]
    room.chloe.closes()
    assert room.done() == ["told"]


def _refusals(screen: dict[str, Any]) -> int:
    return sum("This has to be decided by" in message["plain"] for message in screen["channel"]["messages"])


def test_nothing_says_approved_before_it_is_written_down(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    with room.house.database_locked():
        room.ben.clicks("Approve", on=TITLE, confirm=True)
        assert room.count("Approved") == 0
        assert room.channel.shows(TITLE)["buttons"] == ["Approve", "Reject…"]
    room.channel.shows("The maintenance is completed")
    assert room.count("Approved Tell the others") == 1


def test_when_nobody_decides_in_time_the_next_ones_are_asked_as_well(room: Room) -> None:
    steps = """\
  - id: work
    title: Do the work
    uses: command
    approval: {from: [U0BEN0001], expires: 2s, escalate_to: [U0CHLOE01]}
    with: {argv: [sh, -c, "echo done >> WORLD"]}
"""
    room.plans(steps)
    room.channel.shows("needs approval by @ben or @chloe")
    room.approves_in_time(room.chloe, "Do the work")
    room.has_done("done")
