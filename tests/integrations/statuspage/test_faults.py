"""Lost answers, refusals, other hands on the page, and read back: nothing twice, nothing half-done in silence."""

import pytest

from bot.errors import AnswerLost, Final, Temporary
from integrations.statuspage import Schedule
from sandbox.statuspage import PAGE_ID
from tests.integrations.statuspage.conftest import Night


@pytest.mark.parametrize("name", ["announce", "begin", "verify", "complete", "note"])
def test_a_lost_answer_is_settled_by_reading_back(night: Night, name: str) -> None:
    night.give("note", text="Still at it.")
    order = ["announce", "begin", "note", "verify", "complete"]
    for before in order[: order.index(name)]:
        night.run(before)
    told = len(night.page.notifications)
    night.page.app.arm("drop_after", method="POST|PATCH", path="/incidents")
    night.run(name)
    assert len(night.page.incidents) == 1
    assert len(night.page.notifications) == told + 1


def test_what_was_lost_before_it_arrived_is_sent_by_the_next_attempt(night: Night) -> None:
    night.page.app.arm("drop", method="POST")
    with pytest.raises(Temporary, match="Reading back shows that it was not done"):
        night.run("announce")
    night.run("announce")
    assert len(night.page.notifications) == 1


def test_a_killed_attempt_is_taken_up_without_a_second_text(night: Night) -> None:
    night.page.app.arm("drop_after", method="POST")
    with pytest.raises(AnswerLost):
        night.steps["announce"].apply(night.context("announce"))
    night.run("announce")
    night.page.app.arm("drop_after", method="PATCH")
    with pytest.raises(AnswerLost):
        night.steps["begin"].apply(night.context("begin"))
    night.run("begin")
    night.run("complete")
    assert night.statuses["API"] == "operational"
    assert len(night.page.notifications) == 3


@pytest.mark.parametrize("status", [420, 429])
def test_the_rate_of_others_is_waited_out(night: Night, status: int) -> None:
    night.page.app.arm("status", method="POST", status=status, headers={"Retry-After": "0.2"}, times=2)
    night.run("announce")
    assert len(night.page.notifications) == 1


def test_a_long_wait_for_the_rate_is_left_to_a_later_attempt(night: Night) -> None:
    night.page.app.arm("status", method="GET", status=420, headers={"Retry-After": "900"})
    with pytest.raises(Temporary, match="rate of this key") as refused:
        night.run("announce")
    assert refused.value.retry_after_s == 900


def test_a_server_error_on_reading_may_be_tried_again(night: Night) -> None:
    night.page.app.arm("status", method="GET", status=503, times=9)
    with pytest.raises(Temporary):
        night.run("announce")
    night.page.app.clear()
    night.run("announce")


def test_a_page_that_is_not_there_and_components_that_are_not(night: Night) -> None:
    night.steps["announce"] = Schedule(page="other")
    with pytest.raises(Final, match="Check `page` in the runbook"):
        night.run("announce")
    night.give("announce", components=["Billing"])
    with pytest.raises(Final, match=r"No component is called 'Billing' on the status page. It has: API, Dashboard"):
        night.run("announce")
    night.page.add_component("API")
    night.give("announce", components=["API"])
    with pytest.raises(Final, match=r"2 components are called 'API'.*name it by its id"):
        night.run("announce")
    assert not night.page.incidents


def test_a_group_stands_for_all_in_it(night: Night) -> None:
    group = night.page.add_group("Europe")
    for name in ("Paris", "Riga"):
        night.page.add_component(name, group=group.id)
    night.give("announce", components=["Europe"])
    assert sorted(night.run("announce").facts["components"].values()) == ["Paris", "Riga"]


@pytest.mark.parametrize("name", ["begin", "verify", "complete"])
def test_what_was_never_published_cannot_be_moved(night: Night, name: str) -> None:
    with pytest.raises(Final, match="was never published, or somebody has deleted it"):
        night.run(name)


def test_a_maintenance_that_was_deleted_by_hand_is_told_and_its_components_put_back(night: Night) -> None:
    night.run("announce")
    night.run("begin")
    night.page.incidents.clear()
    with pytest.raises(Final, match="somebody has deleted it"):
        night.run("verify")
    ended = night.run("complete")
    assert "Somebody has deleted the maintenance" in ended.summary
    assert night.statuses["API"] == "operational"
    assert not night.page.incidents


def test_deleted_before_the_start_it_can_be_published_anew(night: Night) -> None:
    night.run("announce")
    night.page.incidents.clear()
    night.run("announce")
    night.run("begin")
    assert night.incident.status == "in_progress"


def test_two_of_one_maintenance_are_left_to_people(night: Night) -> None:
    night.page.app.arm("duplicate", method="POST")
    night.steps["announce"].apply(night.context("announce"))
    assert len(night.page.incidents) == 2
    with pytest.raises(Final, match="has 2 maintenances of 2026-11-25-postgres"):
        night.run("announce")


def test_another_maintenance_on_the_page_is_not_taken_for_ours(night: Night) -> None:
    times = {"scheduled_for": "2026-11-25T04:00:00Z", "scheduled_until": "2026-11-25T06:00:00Z"}
    other = {"name": "Postgres 14 to 18", "status": "scheduled", **times}
    night.page.create({**other, "metadata": {"maint": {"maintenance": "another"}}}, night.url)
    night.page.create({**other, "metadata": {"jira": {"maintenance": "2026-11-25-postgres"}}}, night.url)
    night.run("announce")
    assert len(night.page.incidents) == 3


def test_read_back_on_the_public_page(night: Night) -> None:
    night.run("announce")
    night.page.app.arm(
        "status", path="/api/v2/summary", status=200, body={"scheduled_maintenances": [], "components": []}, times=9
    )
    with pytest.raises(Final, match=r"reading back does not show it: On http://127.*the maintenance is missing"):
        night.run("announce")
    night.page.app.clear()
    night.page.app.arm("status", path="/api/v2/summary", status=404)
    with pytest.raises(Final, match="404"):
        night.run("announce")
    night.page.app.arm("status", path="/api/v2/summary", status=200, body="<html>")
    with pytest.raises(Final, match="does not answer as a status page does"):
        night.run("announce")


def test_a_page_for_members_only_is_read_back_through_the_api_alone(night: Night) -> None:
    night.page.members_only = True
    night.steps["announce"] = Schedule(page=PAGE_ID)
    night.run("announce")
    assert not [one for one in night.page.app.requests if one["path"].startswith("/api/")]
