"""Every verb of `/maint`, as the person who types it sees it."""

import json
from typing import Any

import pytest

from tests.scenarios.house import House, Room

LOOK = """\
  - id: look
    title: Look at the dashboard
    uses: manual
    with: {text: Is it green?}
"""
VERBS = (
    *("start", "plan", "status", "list", "stats", "note", "pause", "resume"),
    *("abort", "retry", "skip", "done", "log", "verify", "help"),
)
TWO = f"""\
{LOOK}\
  - id: tell
    title: Tell the others
    uses: command
    approval: false
    with: {{argv: [sh, -c, "echo told >> WORLD"]}}
"""


def test_help_names_every_verb(room: Room) -> None:
    room.dev.says("/maint help")
    shown = room.dev.sees("/maint abort REASON")["plain"]
    assert [verb for verb in VERBS if f"/maint {verb}" not in shown] == []


def test_a_verb_that_there_is_not(room: Room) -> None:
    room.dev.says("/maint starrt vacuum")
    room.dev.sees("There is no /maint starrt. Did you mean /maint start? /maint help shows what there is.")


def test_maint_alone_says_what_makes_sense_now(room: Room) -> None:
    room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint")
    shown = room.ana.sees("You can: ")["plain"]
    assert "/maint done look" in shown
    assert "/maint pause" in shown
    room.ana.says("/maint pause")
    room.channel.shows("Paused:")
    room.ana.says("/maint")
    room.ana.sees("/maint resume")
    room.ana.says("/maint done look")


def test_plan_says_what_each_step_would_do_and_does_nothing(room: Room) -> None:
    room.plans(TWO)
    room.channel.shows("is now to be done by hand")
    before = room.log()
    room.dev.says("/maint plan")
    shown = room.dev.sees("tell Run sh -c 'echo told")["plain"]
    assert "look By hand: Is it green?" in shown
    assert "echo told" in file_of(room, "dev", "-plan.txt")
    room.dev.says("/maint plan tell")
    room.dev.says("/maint plan no-such-step")
    room.dev.sees("has no step no-such-step. Its steps: look, tell.")
    assert room.done() == []
    assert room.log() == before
    room.ana.says("/maint done look")


def test_status_is_what_the_card_says(room: Room) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.dev.says("/maint status")
    room.dev.sees("Look at the dashboard: a person to do it and press Done")
    room.ana.says("/maint done look")
    room.channel.shows("The maintenance is completed")
    room.dev.says(f"/maint status {made}")
    room.dev.sees("Completed · asked for by @ana")


def test_list_has_the_running_and_the_past(room: Room) -> None:
    past = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint done look")
    room.channel.shows("The maintenance is completed")
    coming = room.plans(LOOK, words="at in 3h", name=f"{room.name}-later")
    room.dev.says("/maint list")
    shown = room.dev.sees(f"{coming} ")["plain"]
    assert f"{past} completed" in shown
    room.ana.says(f"/maint abort {coming} the test is over")


def test_a_note_stays_the_text_that_was_typed(room: Room) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.dev.says("/maint note <!channel> *all* of @ben's `disks` are > 90% & :fire:")
    noted = json.dumps(room.channel.shows("Note:")["blocks"], ensure_ascii=False).replace("\u2060", "")
    assert "&lt;!channel&gt; *all* of @ben's `disks` are &gt; 90% &amp; :fire:" in noted
    room.dev.says("/maint note    ")
    room.dev.sees("A note needs words")
    room.ana.says("/maint done look")
    room.channel.shows("The maintenance is completed")
    room.dev.says(f"/maint note {made} and thanks for the fish")
    room.channel.shows("and thanks for the fish")


def test_pause_and_resume(room: Room) -> None:
    room.plans(TWO)
    room.channel.shows("is now to be done by hand")
    room.dev.says("/maint pause")
    room.dev.sees("is paused. What runs goes on")
    room.ana.says("/maint done look")
    room.channel.shows("Look at the dashboard (look) is done by @ana")
    room.dev.says("/maint resume")
    room.dev.sees("Only @ana, who asked for this maintenance")
    assert room.done() == []
    room.ben.clicks("Resume", on="paused")
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["told"]


def test_resume_of_what_is_not_paused(room: Room) -> None:
    room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint resume")
    room.ana.sees("is not paused")
    room.ana.says("/maint done look")


def test_abort_needs_a_reason_and_ends_it_all(room: Room) -> None:
    made = room.plans(TWO)
    room.channel.shows("is now to be done by hand")
    room.dev.says("/maint abort")
    room.dev.sees("the report will read. Write it behind the command: /maint abort REASON.")
    room.dev.says("/maint abort the building is on fire")
    room.dev.sees("is aborted. Nothing has to be taken down.")
    room.channel.shows("The maintenance is aborted: the building is on fire")
    room.dev.says(f"/maint abort {made} again")
    room.dev.sees("is aborted; nothing more can be done in it")
    assert room.done() == []


def test_an_id_with_a_slip_hits_no_other_maintenance(room: Room) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.says(f"/maint abort {made}x too slow")
    room.ana.sees(f"There is no maintenance called {made}x")
    room.ana.says(f"/maint pause {made}x")
    room.ana.says("/maint pause please")
    room.ana.sees("/maint pause takes only the id of a maintenance")
    assert room.count("aborted") == 0
    assert room.count("Paused:") == 0
    room.ana.says("/maint done look")


def test_done_is_for_what_people_do(room: Room) -> None:
    room.plans(TWO.replace("echo told", "until [ -e WORLD.go ]; do sleep 0.1; done; echo told"))
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint done")
    room.ana.sees("Which step? /maint done STEP. Now that could be look.")
    room.ana.says("/maint retry")
    room.ana.sees("Which step? /maint retry STEP. There is none now.")
    room.ana.says("/maint approve look")
    room.ana.sees("That is done by the buttons on the request in the channel.")
    room.ana.says("/maint help retry")
    assert "\n" not in room.ana.sees("try a failed step again")["plain"]
    room.ana.says("/maint done tell")
    room.ana.sees("tell is done by the bot")
    room.ana.says("/maint done luk")
    room.ana.sees("has no step 'luk'. Its steps: look, tell.")
    room.dev.says("/maint done look")
    room.dev.sees("may end a step")
    room.ana.says("/maint done look")
    room.channel.shows("Tell the others (tell) started")
    room.lets_go()
    room.channel.shows("The maintenance is completed")


@pytest.mark.parametrize(
    ("kind", "ending", "holds"),
    [
        ("csv", ".csv", "seq,at,actor"),
        ("json", ".jsonl", '"kind":"created"'),
        ("md", ".md", "# Work in"),
        ("html", ".html", "<h1>Work in"),
    ],
)
def test_the_log_comes_as_a_file(room: Room, kind: str, ending: str, holds: str) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.dev.says(f"/maint log {kind}")
    room.dev.sees(f"The log of {made}:")
    text = file_of(room, "dev", f"{made}{ending}")
    assert holds in text
    assert "Look at the dashboard" in text
    room.dev.says("/maint log pdf")
    room.dev.sees("The log comes as csv, json, md or html, not as 'pdf'")
    room.ana.says("/maint done look")


def test_several_maintenances_at_once_are_told_apart_by_name(room: Room) -> None:
    one = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    two = room.plans(LOOK, name=f"{room.name}-two")
    room.ana.says("/maint pause")
    asked = room.ana.sees("Which maintenance? Name it first, for example /maint pause")["plain"]
    assert one in asked
    assert two in asked
    room.ana.says(f"/maint pause {two}")
    room.ana.sees(f"{two} is paused")
    room.ana.says(f"/maint done {one} look")
    room.channel.shows("The maintenance is completed")
    room.ana.says("/maint status")
    room.ana.sees(f"paused · asked for by @ana · {two}")


def test_what_is_typed_where_the_bot_is_not_is_answered_all_the_same(room: Room) -> None:
    room.ana.says("/maint help", channel="general")
    room.ana.sees("/maint abort REASON", channel="general")


def test_what_is_planned_where_the_bot_is_not_happens_in_its_own_channel(room: Room) -> None:
    name = room.runbook(LOOK)
    room.ana.says(f"/maint start {name} at now", channel="general")
    room.ana.sees("Its card is in #maintenance", channel="general")
    room.slack.channel("maintenance").shows("is now to be done by hand")
    room.ana.says("/maint done look", channel="maintenance")
    room.slack.channel("maintenance").shows("The maintenance is completed")


def test_verify_finds_what_was_deleted_and_what_was_forged(room: Room, house: House) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.channel.shows("pinned a message")
    room.dev.says("/maint verify")
    room.dev.sees(f"The log of {made} is intact")
    forged = room.channel.shows("#1 ")
    house.posts_as_another_app(room.channel_id, forged)
    room.chloe.deletes("Look at the dashboard (look) is now to be done by hand")
    house.edits(room.channel_id, room.channel.shows("#2 "), "nothing happened here")
    room.dev.says("/maint verify")
    found = room.dev.sees("is not intact")["plain"]
    assert "#2: was edited: " in found
    assert "is missing: it was posted at" in found
    assert "claims to be entry #1 and is from" in found
    room.ana.says("/maint done look")


def test_the_home_shows_what_there_is_and_has_its_buttons(room: Room) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.opens_home()
    room.ana.sees_home(made)
    room.ana.clicks_in("home", f"home:{made}/pause")
    room.channel.shows("Paused:")
    room.ana.clicks_in("home", f"home:{made}/resume")
    room.channel.shows("Resumed:")
    room.ana.clicks_in("home", f"home:{made}/abort")
    room.ana.sees_modal("is stopped for good")
    room.ana.submits(reason="enough")
    room.ana.sees_no_modal()
    room.channel.shows("The maintenance is aborted: enough")
    home = room.ana.sees_home(", aborted")
    assert made in str(home)
    room.dev.says("/maint stats")
    room.dev.sees("maintenances are over")
    room.ana.clicks_in("home", "Plan a maintenance")
    room.ana.sees_modal("Runbook")
    room.ana.closes()


def test_a_click_in_the_home_that_is_refused_is_answered_by_message(room: Room) -> None:
    made = room.plans(LOOK)
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint pause")
    room.channel.shows("Paused:")
    room.dev.opens_home()
    room.dev.clicks_in("home", f"home:{made}/resume")
    room.dev.sees("Only @ana, who asked for this maintenance", channel="@maint")


def file_of(room: Room, person: str, name: str) -> str:
    """The text of the latest file of that name that the bot has given to somebody in a direct message."""

    def find(screen: dict[str, Any]) -> Any:
        for message in reversed(screen["channel"]["messages"] if screen["channel"] else []):
            for file in message.get("files", []):
                if file["name"].endswith(name):
                    return file
        return None

    file = room.slack.wait(person, "@maint", f"a file {name}", find)
    return room.house.reads_file(file)
