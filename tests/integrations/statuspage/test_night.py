"""The maintenance on the status page from its announcement to its end: every text once, components put back."""

from typing import Any

import pytest

from bot.errors import Final
from tests.integrations.statuspage.conftest import ANNOUNCED, Night, plan_of


def test_a_whole_maintenance(night: Night) -> None:
    night.component("Dashboard").status = "degraded_performance"
    published = night.run("announce")
    assert night.incident.name == "Postgres 14 to 18"
    assert night.incident.updates[0].body == ANNOUNCED
    assert published.facts["incident"] == night.incident.id
    assert published.facts["shortlink"] == night.incident.shortlink
    assert night.incident.metadata == {"maint": {"maintenance": night.maintenance}}
    assert night.statuses == {"API": "operational", "Dashboard": "degraded_performance", "Website": "operational"}

    night.run("begin")
    assert night.incident.status == "in_progress"
    assert night.statuses == {"API": "under_maintenance", "Dashboard": "under_maintenance", "Website": "operational"}
    night.run("verify")
    assert night.incident.status == "verifying"
    assert night.statuses["API"] == "under_maintenance"
    ended = night.run("complete")
    assert night.incident.status == "completed"
    assert night.statuses == {"API": "operational", "Dashboard": "degraded_performance", "Website": "operational"}
    assert sorted(ended.facts["put_back"].values()) == ["degraded_performance", "operational"]
    assert [one.status for one in reversed(night.incident.updates)] == [
        "scheduled",
        "in_progress",
        "verifying",
        "completed",
    ]
    assert night.page.summary()["by_kind"] == {"update": 4}
    assert night.page.rate.refused == 0


def test_each_step_run_again_tells_nobody_again(night: Night) -> None:
    for name in ("announce", "begin", "verify", "complete"):
        night.run(name)
        again = night.steps[name].apply(night.context(name)) if name != "announce" else night.run(name)
        assert again.facts["incident"] == night.incident.id
    assert len(night.page.notifications) == 4


def test_the_clock_alone_does_not_complete_it(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    night.page.clock = lambda: night.incident.scheduled_until.replace(year=2027)
    night.page.settle()
    assert night.incident.status == "in_progress"
    assert night.statuses["API"] == "under_maintenance"
    night.run("verify")
    night.page.settle()
    assert night.incident.status == "verifying"


def test_transitions_that_somebody_turned_on_are_turned_off_again(night: Night) -> None:
    night.run("announce")
    night.incident.flags.update(scheduled_auto_in_progress=True, scheduled_auto_completed=True)
    assert "Bring up to date" in plan_of(night.steps["announce"], night.context("announce"))
    night.run("begin")
    assert not any(night.incident.flags[flag] for flag in ("scheduled_auto_in_progress", "scheduled_auto_completed"))


def test_what_somebody_else_completed_is_not_moved(night: Night) -> None:
    night.run("announce")
    night.page.update(night.incident, {"status": "completed", "body": "By hand."})
    for name in ("begin", "verify"):
        with pytest.raises(Final, match="somebody did, or the page's clock"):
            night.run(name)
    assert night.incident.status == "completed"
    assert len(night.page.notifications) == 2


def test_what_somebody_has_done_already_is_done(night: Night) -> None:
    night.run("announce")
    night.page.update(night.incident, {"status": "in_progress", "body": "By hand.", "deliver_notifications": False})
    night.run("begin")
    assert night.statuses["API"] == "under_maintenance"
    assert len(night.page.notifications) == 1
    night.run("complete")
    assert night.statuses["API"] == "operational"


def test_a_component_that_somebody_set_meanwhile_keeps_its_status(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    night.component("API").status = "major_outage"
    night.run("complete")
    assert night.statuses["API"] == "major_outage"
    assert night.statuses["Dashboard"] == "operational"


def test_components_are_those_that_were_approved(night: Night) -> None:
    night.run("announce")
    night.incident.component_ids.append(night.component("Website").id)
    night.run("begin")
    assert night.statuses["Website"] == "operational"


def test_notes_are_told_once_each_also_when_they_say_the_same(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    for name in ("note", "note-again"):
        night.give(name, text="We are still at it.")
        assert night.steps[name].check(night.context(name)) is None
        night.run(name)
        night.steps[name].apply(night.context(name))
    assert [one.body for one in night.incident.updates[:3]].count("We are still at it.") == 2
    assert night.incident.status == "in_progress"
    assert len(night.page.notifications) == 4


def test_nobody_is_notified_where_the_runbook_says_so(night: Night) -> None:
    night.give("announce", components=["API"], notify=False, remind=False)
    for name in ("begin", "verify", "complete"):
        night.give(name, notify=False)
    for name in ("announce", "begin", "verify", "complete"):
        night.run(name)
    assert night.page.notifications == []
    assert len(night.incident.updates) == 4


def test_plans_show_text_and_components_and_change_nothing(night: Night) -> None:
    plan = plan_of(night.steps["announce"], night.context("announce"))
    assert plan.startswith("Publish the maintenance on the status page: Postgres 14 to 18")
    assert ANNOUNCED in plan
    assert "Components: API, Dashboard." in plan
    assert "told, and reminded an hour before" in plan
    begin = plan_of(night.steps["begin"], night.context("begin"))
    assert "The scheduled maintenance has begun. We expect it to end on Wednesday 25 November 2026, 19:00 NZDT" in begin
    assert "not on the page yet" in begin
    assert {one["method"] for one in night.page.app.requests} == {"GET"}
    assert not night.page.incidents
    night.run("announce")
    assert "It is scheduled now. Under maintenance: API, Dashboard." in plan_of(
        night.steps["begin"], night.context("begin")
    )
    night.run("begin")
    assert "Put back: API to operational, Dashboard to operational." in plan_of(
        night.steps["complete"], night.context("complete")
    )


@pytest.mark.parametrize(
    "changes",
    [{"text": "Other"}, {"components": ["API"]}, {"title": "Other"}, {"notify": False}, {"cancel_text": "Off"}],
)
def test_the_digest_holds_for_what_is_published(night: Night, changes: dict[str, Any]) -> None:
    given = {"components": ("API", "Dashboard")}
    digest = night.give("announce", **given).plan(night.context("announce")).digest
    assert night.give("announce", **{**given, **changes}).plan(night.context("announce")).digest != digest


def test_the_digest_stays_when_only_the_page_lives_on(night: Night) -> None:
    step, context = night.steps["announce"], night.context("announce")
    digest = step.plan(context).digest
    night.component("API").status = "partial_outage"
    night.page.add_component("Another")
    assert step.plan(context).digest == digest
    night.run("announce")
    plan = step.plan(context)
    assert plan.summary.startswith("Nothing to do")
    assert plan.digest == digest


def test_no_secret_shows(night: Night) -> None:
    published = night.run("announce")
    night.page.keys.clear()
    with pytest.raises(Final) as refused:
        night.run("begin")
    assert "MAINT_STATUSPAGE_KEY" in str(refused.value)
    for text in (str(refused.value), str(published), repr(night.steps["announce"]), plan_of_all(night)):
        assert night.key not in text


def plan_of_all(night: Night) -> str:
    night.page.keys.add(night.key)
    return "".join(plan_of(step, night.context(name)) for name, step in night.steps.items())
