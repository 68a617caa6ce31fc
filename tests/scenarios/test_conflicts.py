"""Before it is announced: what speaks against a window is told, refused, and overridden by two people with a reason."""

from tests.scenarios.house import Room, planned

STEPS = """\
  - id: tell
    title: Tell the users
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo told >> WORLD"]}
  - id: work
    title: Do the work
    uses: manual
    when: start
    approval: true
    with: {text: Do it.}
"""
HEAD = "window: {notice: 1d}"


def test_a_short_notice_is_refused_and_goes_on_with_a_reason_and_a_second_person(room: Room) -> None:
    name = room.runbook(STEPS, HEAD)
    room.ana.says(f"/maint start {name} at in 2h for 1h")
    view = room.ana.sees_modal("wants 1 day.")
    assert "Why in spite of that?" in view["plain"]
    room.ana.submits()
    assert "wants 1 day" in room.ana.form_errors()["override"]
    room.ana.submits(override="The disk {{ fails }} tonight.")
    room.ana.sees_no_modal()
    maintenance = planned(room.ana, f"Work in {name}")
    assert "until then nothing of it starts" in room.ana.sees("is planned:")["plain"]
    room.channel.shows("Blocks: That is ")
    room.ana.says(f"/maint move {maintenance} in 3d")
    room.ana.sees("waits for the approval of override")
    room.ana.clicks("Approve", on="Go on in spite of", wait=True)
    room.ana.sees("somebody else has to decide")
    room.ana.says(f"/maint skip {maintenance} override no need")
    room.ana.sees("cannot be skipped")
    assert room.done() == []
    assert "The disk {{ fails }} tonight." in room.channel.shows("Approval: Go on in spite of conflicts")["plain"]
    room.ben.clicks("Approve", on="Go on in spite of")
    room.channel.shows("Overridden: notice. The disk {{ fails }} tonight.")
    room.channel.shows("The maintenance is scheduled.")
    room.has_done("told")


def test_words_alone_override_too_and_a_move_asks_anew(room: Room) -> None:
    maintenance = room.plans(STEPS, HEAD, "at in 26h for 1h")
    room.has_done("told")
    room.ana.says(f"/maint move {maintenance} in 5h")
    room.ana.sees("wants 1 day")
    room.ana.says(f"/maint move {maintenance} in 5h override=the vendor insists")
    room.ana.sees("Overridden: That is ")
    shown = room.channel.shows("Approval: Move to")["plain"]
    assert "In spite of what blocks it. Reason: the vendor insists" in shown
    room.ben.clicks("Approve", on="Move to", confirm=True)
    room.channel.shows("The window is now")


def test_what_only_warns_is_told_and_the_plan_made(room: Room) -> None:
    steps = STEPS.replace("approval: true", "approval: false\n    estimate: 50m")
    name = room.runbook(steps, "policy: {conflicts: {too_short: block}}\nwindow: {margin: 3h}")
    room.ana.says(f"/maint start {name} at in 2h for 30m")
    room.ana.sees_modal("after the announced end")
    room.ana.submits(duration="2h")
    room.ana.sees_no_modal()
    planned(room.ana, f"Work in {name}")
    assert "to spare; 3 hours should be" in room.ana.sees("is planned:")["plain"]


def test_a_group_of_approvers_that_cannot_be_looked_at_is_told(room: Room) -> None:
    room.plans(STEPS, "policy: {approvers: [S0NOBODY1]}", "at in 2h for 2h")
    room.ana.sees("Who is in S0NOBODY1 cannot be looked at")


def test_a_freeze_is_told_once_names_what_is_planned_inside_and_blocks_the_next(room: Room) -> None:
    maintenance = room.plans(STEPS, "", "at in 26h for 1h")
    words = "/maint freeze in 25h to in 30h The <!channel> sale"
    room.dev.says(words)
    room.dev.sees("may declare or lift a freeze")
    room.ben.says(words)
    _, _, inside = room.ben.sees("freeze-1 is declared")["plain"].partition("Planned inside it:")
    assert maintenance in inside
    room.house.slack.channel("maintenance").shows("The <!channel> sale")
    room.channel.shows("A freeze was declared for its window")
    room.dev.says("/maint freeze")
    room.dev.sees("The <!channel> sale (declared by ")
    name = room.runbook(STEPS, name=f"{room.name}-next")
    room.ana.says(f"/maint start {name} at in 27h for 1h")
    room.ana.sees_modal("(freeze-1): The ")
    room.ben.says("/maint freeze lift freeze-1")
    room.ben.sees("freeze-1 is lifted")
    told = room.house.slack.channel("maintenance")
    told.shows("has lifted freeze-1")
    assert sum("The <!channel> sale" in shown for shown in told.texts()) == 2, "told once each"
    room.ana.submits()
    room.ana.sees_no_modal()
    room.ana.says(f"/maint abort {planned(room.ana, f'Work in {name}')} enough")
