"""Slack's limits and ours, reached exactly when it matters."""

from typing import Any

from tests.scenarios.house import Room

FAILS = """\
  - id: middle
    title: In the middle
    uses: command
    approval: false
    with: {argv: [sh, -c, "seq -f 'line %g of a long story, <b>*told*</b>' 200; exit 3"]}
"""
LOOK = """\
  - id: look
    uses: manual
    with: {text: Is it green?}
"""
LONG_ERROR = """\
  - id: long
    title: A long error
    uses: command
    approval: false
    with: {argv: [sh, -c, "exit 1", "ERROR"]}
"""


def test_sixty_steps_and_a_failure_with_a_long_output(room: Room) -> None:
    room.plans(_quick(1, 8) + FAILS + _quick(9, 60) + LOOK)
    room.channel.shows("In the middle (middle) failed")
    room.slack.wait("ana", room.name, "the output", _files)
    room.ana.clicks("Skip…", on="Work in")
    room.ana.sees_modal("In the middle (middle)")
    room.ana.submits(reason="Not needed")
    room.channel.shows("Skipped In the middle")
    room.channel.shows("Step number 9")
    # The card is updated in place, a moment behind the log.
    left = ["Pause", "Abort…"]
    room.slack.wait("ana", room.name, f"a card with {left}", lambda _: room.channel.pinned()[0]["buttons"] == left)
    room.dev.says("/maint status")
    assert "Step number 59" in room.dev.sees("asked for by @ana")["plain"]
    room.ana.says("/maint abort that is enough")
    room.channel.shows("The maintenance is aborted")
    room.dev.says("/maint verify")
    room.dev.sees("is intact")


def test_an_error_of_four_thousand_characters_is_cut_and_comes_whole_as_a_file(room: Room) -> None:
    error = "e" * 3990 + "the end"
    room.plans(LONG_ERROR.replace("ERROR", error))
    shown = room.channel.shows("A long error (long) failed")
    assert "the end" not in shown["plain"]
    files = room.slack.wait("ana", room.name, "the whole error", _files)
    texts = [room.house.reads_file(file) for file in files]
    assert any("the end" in text for text in texts)


def test_a_note_too_long_for_a_message_is_not_lost(room: Room) -> None:
    room.plans(LONG_ERROR)
    room.channel.shows("A long error (long) failed")
    words = "word " * 700 + "the end"
    room.ana.says(f"/maint note {words}")
    room.channel.shows("Note:")
    files = room.slack.wait("ana", room.name, "the whole note", _files)
    assert room.house.reads_file(files[-1]).endswith("the end")


def test_nobody_waits_for_an_answer_while_others_keep_the_bot_busy(room: Room) -> None:
    room.plans(LONG_ERROR)
    room.channel.shows("A long error (long) failed")
    room.slack.break_api("delay", "^/response/", times=40, delay_s=4)
    for _ in range(20):
        assert room.dev.says("/maint status")["error"] == ""
    for number in range(20):
        assert room.ana.says(f"/maint note number {number}")["error"] == ""
    room.channel.shows("number 19")
    assert room.slack.complaints() == []


def test_a_form_is_answered_in_time_although_slack_is_slow_to_show_what_came_of_it(room: Room) -> None:
    room.plans(LOOK.replace("    with:", "    approval: true\n    with:"))
    room.ben.clicks("Reject…", on="Approval: look")
    room.ben.sees_modal()
    room.slack.break_api("delay", "chat.update", times=4, delay_s=1.9)
    assert room.ben.submits(reason="Not yet")["error"] == ""
    room.ben.sees_no_modal()
    room.channel.shows("Rejected look")
    room.channel.shows("✗ Rejected by @ben")


def _files(screen: dict[str, Any]) -> list[dict[str, Any]]:
    return [file for message in screen["channel"]["messages"] for file in message.get("files", [])]


def _quick(first: int, end: int) -> str:
    """Steps that do nothing, numbered from `first` to before `end`."""
    return "".join(
        f"""\
  - id: step-{number}
    title: Step number {number} with a title as long as people write them when they mean well
    uses: command
    approval: false
    with: {{argv: ["true"]}}
"""
        for number in range(first, end)
    )
