"""What Slack delivers twice, late or not at all, and what it loses of ours."""

import re

from sandbox.slack.people import Channel
from tests.scenarios.house import Room, planned

TELL = """\
  - id: tell
    title: Tell the others
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo told >> WORLD"]}
"""
SEVERAL = """\
  - id: first
    title: First
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo first >> WORLD; until [ -e WORLD.go ]; do sleep 0.1; done"]}
  - id: second
    title: Second
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo second >> WORLD"]}
  - id: third
    title: Third
    uses: manual
    with: {text: Look}
"""
TITLE = "Approval: Tell the others"


def test_a_command_that_comes_twice_has_one_effect(room: Room) -> None:
    room.plans(TELL)
    room.slack.break_delivery("duplicate", "slash_commands")
    room.ana.says("/maint note the coffee is ready")
    room.ana.sees("That has been recorded already, as entry")
    room.channel.shows("the coffee is ready")
    assert room.count("the coffee is ready") == 1


def test_a_start_that_comes_twice_plans_one_maintenance(room: Room) -> None:
    name = room.runbook(TELL)
    room.slack.break_delivery("duplicate", "slash_commands")
    room.ana.says(f"/maint start {name} at in 2h")
    room.ana.sees("That has been recorded already")
    planned(room.ana, f"Work in {name}")
    room.ana.says("/maint list")
    listed = room.ana.sees(f"-{name} draft")["plain"]
    assert listed.count(f"-{name}") == 1


def test_a_click_that_comes_twice_has_one_effect(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    room.slack.break_delivery("duplicate", "interactive")
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["told"]
    assert room.count("Approved Tell the others") == 1


def test_a_submission_that_comes_twice_has_one_effect(room: Room) -> None:
    name = room.runbook(TELL)
    room.ana.says("/maint start")
    room.ana.sees_modal("Start")
    room.ana.chooses(name, "Runbook", view="modal")
    room.slack.break_delivery("duplicate", "interactive")
    room.ana.submits(at="in 2h")
    planned(room.ana, f"Work in {name}")
    room.ana.says("/maint list")
    assert room.ana.sees(f"-{name} ")["plain"].count(f"-{name}") == 1


def test_a_rejection_that_comes_twice_is_recorded_once(room: Room) -> None:
    room.plans(TELL)
    room.ben.clicks("Reject…", on=TITLE)
    room.ben.sees_modal()
    room.slack.break_delivery("duplicate", "interactive")
    room.ben.submits(reason="Not today")
    room.ben.sees_no_modal()
    room.channel.shows("Rejected Tell the others")
    assert room.count("Rejected Tell the others") == 1


def test_a_command_whose_acknowledgement_is_lost_is_done_once_though_it_is_typed_again(room: Room) -> None:
    room.plans(TELL)
    room.slack.break_delivery("ack_lost", "slash_commands")
    assert room.ana.says("/maint pause")["error"] == "operation_timeout"
    room.channel.shows("Paused")
    room.ana.says("/maint pause")
    room.ana.sees("is paused already")
    assert room.count("Paused: what runs goes on, and no further step starts until somebody resumes.") == 1


def test_an_event_that_is_delivered_again_is_not_dropped_for_being_a_retry(room: Room) -> None:
    room.slack.break_delivery("lost", "events_api")
    room.ana.opens_home()
    room.ana.sees_home("Plan a maintenance")


def test_an_answer_that_slack_loses_is_not_posted_again(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    room.slack.break_api("drop_after", "chat.postMessage$")
    room.ana.says("/maint note once is enough")
    room.channel.shows("once is enough")
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("The maintenance is completed")
    assert room.count("once is enough") == 1
    _in_order(room.channel)
    room.ana.says("/maint verify")
    room.ana.sees("is intact")


def test_while_slack_is_down_the_work_goes_on_and_the_log_comes_later_in_order(room: Room) -> None:
    room.plans(SEVERAL)
    room.ben.clicks("Approve", on="Approval: First", confirm=True)
    room.channel.shows("First (first) started")
    room.slack.goes_down()
    room.lets_go()
    room.has_done("first", "second")
    assert room.count("Second (second) started") == 0
    room.slack.comes_back()
    room.channel.shows("Third (third) is now to be done by hand")
    _in_order(room.channel)
    room.slack.wait_for_app()
    room.ana.clicks("Done", on="Third")
    room.channel.shows("The maintenance is completed")
    _in_order(room.channel)


def test_a_rate_limit_of_slack_delays_the_log_and_nothing_else(room: Room) -> None:
    room.plans(TELL)
    room.channel.shows(TITLE)
    limited = {"status": 429, "headers": {"Retry-After": "1"}, "body": {"ok": False, "error": "ratelimited"}}
    room.slack.break_api("status", "chat.(postMessage|update)$", times=2, **limited)
    room.ben.clicks("Approve", on=TITLE, confirm=True)
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["told"]
    _in_order(room.channel)


def _in_order(channel: Channel) -> None:
    """Each entry of the log once, and in order."""
    numbers = [int(found[1]) for text in channel.texts() if (found := re.match(r"#(\d+) · ", text))]
    assert numbers == list(range(1, len(numbers) + 1))
