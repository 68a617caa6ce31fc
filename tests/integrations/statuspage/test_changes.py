"""The window moves, the maintenance is cancelled or aborted: the page follows, with one text for each."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.attempt import perform
from bot.errors import Final, Temporary
from bot.step import Outcome, Window
from integrations.statuspage.texts import CANCELLED, ENDED_EARLY
from tests.integrations.statuspage.conftest import ANNOUNCED, Night, plan_of

LATER = Window(
    datetime(2026, 11, 26, 4, tzinfo=UTC), datetime(2026, 11, 26, 7, 30, tzinfo=UTC), zone="Pacific/Auckland"
)
LONGER = Window(
    datetime(2026, 11, 25, 4, tzinfo=UTC), datetime(2026, 11, 25, 7, 30, tzinfo=UTC), zone="Pacific/Auckland"
)


def in_window(night: Night, window: Window, name: str = "announce") -> Any:
    """The context of a step after the window was changed."""
    context = night.context(name)
    context.window = window
    return context


def test_a_moved_window_is_brought_to_the_page_with_one_text(night: Night) -> None:
    night.run("announce")
    step = night.steps["announce"]
    moved = in_window(night, LATER)
    assert step.check(moved) is None
    plan = plan_of(step, moved)
    text = (
        "The scheduled maintenance has been moved. It will now take place on Thursday 26 November 2026, 17:00 to "
        "20:30 NZDT (UTC+13:00), which is 04:00 to 07:30 UTC."
    )
    assert plan.startswith("Bring up to date")
    assert text in plan
    step.verify(moved, step.apply(moved))
    assert step.check(moved) is not None
    step.apply(moved)
    assert night.incident.scheduled_for == LATER.start
    assert night.incident.scheduled_until == LATER.end
    assert night.incident.status == "scheduled"
    assert [one.body for one in night.incident.updates] == [text, ANNOUNCED]
    assert len(night.page.notifications) == 2


def test_a_lost_answer_to_the_move_is_settled_by_reading_back(night: Night) -> None:
    night.run("announce")
    step, moved = night.steps["announce"], in_window(night, LATER)
    night.page.app.arm("drop_after", method="PATCH")
    with pytest.raises(Exception, match="its answer was lost"):
        step.apply(moved)
    assert step.check(moved) is not None
    assert len(night.page.notifications) == 2


def test_a_text_of_ones_own_moves_with_its_times(night: Night) -> None:
    night.give("announce", text="On the 25th.")
    night.run("announce")
    step = night.give("announce", text="On the 26th.")
    step.apply(in_window(night, LATER))
    assert [one.body for one in night.incident.updates] == ["On the 26th.", "On the 25th."]
    # A text without a time does not tell that anything has moved.
    step.apply(in_window(night, LONGER))
    assert night.incident.updates[0].body.startswith("The scheduled maintenance has been moved.")


def test_a_window_prolonged_during_the_work_keeps_the_status(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    step, longer = night.steps["announce"], in_window(night, LONGER)
    step.verify(longer, step.apply(longer))
    assert night.incident.status == "in_progress"
    assert night.incident.updates[0].body.startswith("The maintenance is still in progress. We now expect it to end on")
    assert night.incident.scheduled_until == LONGER.end
    assert night.statuses["API"] == "under_maintenance"


def test_every_later_text_takes_the_window_along(night: Night) -> None:
    night.run("announce")
    step, longer = night.steps["begin"], in_window(night, LONGER, "begin")
    step.apply(longer)
    assert night.incident.scheduled_until == LONGER.end
    assert "20:30 NZDT" in night.incident.updates[0].body


def test_other_components_are_told_anew(night: Night) -> None:
    night.run("announce")
    night.give("announce", components=["API"])
    night.run("announce")
    assert night.incident.component_ids == [night.component("API").id]
    assert night.incident.updates[0].body.endswith("During that time, API may be unavailable.")


def test_what_is_over_on_the_page_is_not_brought_up_to_date(night: Night) -> None:
    night.run("announce")
    night.page.update(night.incident, {"status": "completed"})
    with pytest.raises(Final, match="has completed this maintenance on the status page already"):
        night.run("announce")


def test_what_stands_is_seen_until_it_is_over(night: Night) -> None:
    step = night.steps["announce"]

    def seen() -> Any:
        return step.standing(
            night.context("announce"), Outcome("", facts=night.context("announce").outcomes["announce"])
        )

    night.run("announce")
    assert not seen().differs
    assert seen().shown.endswith("which is 04:00 to 06:00 UTC: scheduled")
    night.incident.scheduled_until = LONGER.end
    assert seen().differs
    night.run("begin")
    assert seen().shown.endswith(": in progress")
    night.incident.flags["scheduled_auto_completed"] = True
    assert seen().differs
    night.page.update(night.incident, {"status": "completed", "body": "By hand."})
    assert seen().shown == "2 components under maintenance on the status page"
    night.run("complete")
    assert seen() is None
    night.page.incidents.clear()
    assert seen() is None


def test_undo_before_the_start_cancels_it_with_one_text(night: Night) -> None:
    night.run("announce")
    for _ in range(2):
        night.undo()
    assert night.incident.status == "completed"
    assert [one.body for one in night.incident.updates] == [CANCELLED, ANNOUNCED]
    assert len(night.page.notifications) == 2
    assert set(night.statuses.values()) == {"operational"}


def test_undo_before_the_start_deletes_it_where_the_runbook_says_so(night: Night) -> None:
    night.give("announce", components=["API"], if_not_begun="delete")
    night.run("announce")
    assert "was deleted" in night.undo().summary
    assert not night.page.incidents
    assert "not on the status page" in night.undo().summary


def test_undo_before_the_start_leaves_components_that_others_work_on(night: Night) -> None:
    night.run("announce")
    night.component("API").status = "under_maintenance"
    night.undo()
    assert night.statuses["API"] == "under_maintenance"


def test_undo_of_what_was_not_read_back_finds_it(night: Night) -> None:
    night.steps["announce"].apply(night.context("announce"))
    night.undo()
    assert night.incident.status == "completed"


@pytest.mark.parametrize("fault", ["drop", "drop_after", None])
def test_undo_after_the_start_ends_it_and_puts_the_components_back(night: Night, fault: str | None) -> None:
    night.give("announce", components=["API"], cancel_text="We stopped, and all is as before.", if_not_begun="delete")
    night.component("API").status = "degraded_performance"
    night.run("announce")
    night.run("begin")
    if fault:
        night.page.app.arm(fault, method="PATCH", path="/incidents/")
    if fault == "drop":
        with pytest.raises(Temporary, match="was not done"):
            night.undo()
    night.undo()
    assert night.incident.status == "completed"
    assert night.incident.updates[0].body == "We stopped, and all is as before."
    assert night.statuses["API"] == "degraded_performance"
    assert len(night.page.notifications) == 3


def test_undo_after_the_start_has_its_own_text(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    night.undo()
    assert night.incident.updates[0].body == ENDED_EARLY


def test_an_extension_that_is_approved_when_it_is_over_changes_nothing(night: Night) -> None:
    for name in ("announce", "begin", "verify", "complete"):
        night.run(name)
    step, told = night.steps["announce"], len(night.incident.updates)
    late = in_window(night, LONGER, "announce-again-1")
    assert plan_of(step, late).startswith("Nothing to do")
    outcome = perform(step, late)
    assert "is told that it is over" in outcome.summary
    assert (night.incident.status, len(night.incident.updates)) == ("completed", told)
