"""The closing report, from a history to its words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.journal import Draft
from bot.maintenances import Maintenances
from integrations.report import ClosingReport, Report, closing_report
from integrations.report.markdown import markdown
from integrations.report.picture import planned
from integrations.report.step import facts
from integrations.report.wording import clock, in_words, span, stretch
from tests.bot.entries import ANA, ID, a_night
from tests.integrations.report.day import START, Day, whole_day
from tests.maintenance_fixtures import raw_step


def minutes(number: float) -> Any:
    return START + timedelta(minutes=number)


@pytest.fixture
def report() -> Report:
    return closing_report(whole_day().entries, minutes(105))


def test_the_headline_compares_what_was_allotted_with_what_was_needed(report: Report) -> None:
    assert report.headline == (
        "Postgres 14 to 18: done in 1 hour 40 minutes of the 2 hours allotted, 15 minutes before the announced end."
    )


def test_a_late_end_is_said_and_is_a_lesson() -> None:
    late = closing_report(whole_day().entries, minutes(185))
    assert late.headline.endswith("done in 3 hours of the 2 hours allotted, 1 hour 5 minutes after the announced end.")
    assert "Announce a longer window: 3 hours 5 minutes were needed from the announced start." in late.next_time


def test_each_step_is_told_planned_and_actual(report: Report) -> None:
    assert [step.id for step in report.steps] == [
        "start-message", "watch", "app-off", "upgrade", "changelog", "app-on",
    ]  # fmt: skip
    upgrade = report.steps[3]
    assert (upgrade.planned_s, upgrade.actual_s, upgrade.attempts, upgrade.status) == (600, 960, 2, "succeeded")


def test_what_was_upgraded(report: Report) -> None:
    assert report.upgraded == ("PostgreSQL 14 to 18",)


def test_downtime_is_what_was_probed_beside_what_was_switched(report: Report) -> None:
    assert report.app_off == ((minutes(5.1), minutes(32.5)),)
    (down,) = report.downtime
    assert (down.what, down.total_s, down.probes) == ("https://app.example.com/", 1644.0, 1650)
    assert down.intervals == ((minutes(5.1), minutes(32.5)),)


def test_an_app_that_is_still_off_is_off_until_now() -> None:
    day = whole_day()
    still_off = [entry for entry in day.entries if entry["step"] != "app-on"]
    assert closing_report(still_off, minutes(105)).app_off == ((minutes(5.1), minutes(105)),)


def test_messages_are_counted(report: Report) -> None:
    (sent,) = report.messages
    assert (sent.sent, sent.skipped, sent.unknown, sent.total) == (1204, 3, 1, 1208)


def test_who_decided_when_and_after_how_long(report: Report) -> None:
    told = [(decision.step, decision.by, decision.waited_s) for decision in report.decisions]
    assert told == [("app-off", "U0BEN", 54 * 60), ("app-on", "U0CAT", 12)]


def test_delays(report: Report) -> None:
    assert report.delays == (
        "The work began 5 minutes after the announced start.",
        "upgrade took 16 minutes instead of 10 minutes.",
        "app-off waited 4 minutes for <@U0BEN>.",
        "upgrade stood still for 12 minutes between its attempts.",
        "It was paused for 5 minutes.",
    )


def test_failures_and_retries(report: Report) -> None:
    assert [(event.step, event.text) for event in report.troubles] == [
        ("upgrade", "pg_upgrade --check refused: reg* columns"),
        ("upgrade", "retried by <@U0ANA>"),
    ]


def test_what_is_left_for_next_time(report: Report) -> None:
    assert report.next_time == (
        "Plan 16 minutes for upgrade (the estimate was 10 minutes).",
        "changelog was skipped: the page is locked",
        "1 person may or may not have got the message of start-message; its file unknown.csv tells who.",
        "drop the regproc column before (<@U0ANA>)",
    )


def test_rejected_expired_and_settled_are_told() -> None:
    day = Day()
    day.at(0).add("approval_requested", "app-off").at(30).add("approval_expired", "app-off")
    day.add("approval_requested", "app-off").at(31).add("rejected", "app-off", actor="U0BEN", reason="not yet")
    day.at(32).start("app-on").at(33).add("step_unknown", "app-on", error="the answer was lost")
    day.at(34).add("step_settled", "app-on", actor="U0ANA", happened=True, summary="confirmed by <@U0ANA>")
    report = closing_report(day.entries, minutes(40))
    assert [(decision.approved, decision.reason, decision.waited_s) for decision in report.decisions] == [
        (False, "not yet", 60)
    ]
    assert [event.text for event in report.troubles] == [
        "nobody decided in time, and the approval was asked for again",
        "the answer was lost",
        "<@U0ANA> looked: it had happened",
    ]
    by_id = {step.id: step.status for step in report.steps}
    assert (by_id["app-off"], by_id["app-on"]) == ("failed", "succeeded")
    assert "app-off rejected by <@U0BEN> at 17:31:00 NZDT, after 1 minute: not yet." in markdown(report)


def test_the_words(report: Report) -> None:
    text = markdown(report)
    assert text.startswith("# Postgres 14 to 18\n\n**Postgres 14 to 18: done in 1 hour 40 minutes")
    for line in [
        "- Announced: Wed 25 Nov 2026, 17:00 to 19:00 NZDT (04:00 to 06:00 UTC)",
        "- Actual: Wed 25 Nov 2026, 17:05 to 18:45 NZDT (04:05 to 05:45 UTC)",
        "- Requested by <@U0ANA>",
        "- PostgreSQL 14 to 18",
        "- The app was off for 27 minutes 24 seconds, 17:05:06 to 17:32:30 NZDT.",
        "- https://app.example.com/: down for 27 minutes 24 seconds, 17:05:06 to 17:32:30 NZDT "
        "(1,640 of 1,650 probes failed).",
        "- start-message: 1,204 messages sent, 3 skipped, 1 unknown",
        "- ✓ **upgrade**: 16 minutes (planned 10 minutes, 2 attempts). PostgreSQL 14 is now 18",
        "- ○ **changelog**: skipped. the page is locked",
        "- app-off approved by <@U0BEN> at 17:04:00 NZDT, after 54 minutes.",
        "- 17:24:00 NZDT coffee is out (<@U0BEN>)",
    ]:
        assert line in text.splitlines()


def test_every_time_of_day_says_its_zone_and_its_day_where_that_is_another_one() -> None:
    paris, before, after = "Europe/Paris", utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)
    assert clock(before, paris, after) == "02:30:00 CEST"
    assert clock(before - timedelta(days=7), paris, after) == "Sun 18 Oct, 02:30:00 CEST"
    assert stretch(before, after, paris, after) == "02:30:00 CEST to 02:30:00 CET"
    assert stretch(before, after + timedelta(days=1), paris, after) == "02:30:00 CEST to Mon 26 Oct, 02:30:00 CET"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_an_address_that_was_never_down_is_told_with_its_count() -> None:
    day = whole_day()
    url = {"probes": 4812, "failures": 0, "down": [], "down_s": 0.0, "unobserved_s": 0.0}
    day.at(34).succeed("watch", urls={"https://www.example.com/": url})
    assert "- https://www.example.com/: never down (0 of 4,812 probes failed)." in markdown(
        closing_report(day.entries, minutes(105))
    )


def test_what_was_noted_for_a_section_is_told_there() -> None:
    day = whole_day().add("noted", actor="U0ANA", text="Security: the old server's certificates are revoked")
    day.add("noted", actor="U0ANA", text="upgraded: PgBouncer 1.21 to 1.23")
    day.succeed("changelog", security="Passwords are hashed with SCRAM")
    report = closing_report(day.entries, minutes(105))
    assert report.security == ("Passwords are hashed with SCRAM", "the old server's certificates are revoked")
    assert report.upgraded == ("PostgreSQL 14 to 18", "PgBouncer 1.21 to 1.23")


def test_a_window_that_was_extended_is_told_beside_the_first() -> None:
    day, later = whole_day(), START + timedelta(hours=3)
    with_ = {"start": START.isoformat(), "end": later.isoformat(), "zone": "Pacific/Auckland"}
    steps = [
        raw_step("change-1", "maint.window", change="change-1", **{"with": with_}),
        raw_step("notice", change="change-1"),
    ]
    day.at(50).add("change_asked", actor="U0ANA", steps=steps, reason="the vacuum")
    day.at(51).start("change-1").succeed("change-1")
    report = closing_report(day.entries, minutes(150))
    assert report.headline.endswith("of the 3 hours allotted, 30 minutes before the announced end.")
    assert "The announced window was extended by 1 hour." in report.delays
    assert "Announce a longer window at once: it had to be extended by 1 hour." in report.next_time
    text = markdown(report)
    assert "- First announced: Wed 25 Nov 2026, 17:00 to 19:00 NZDT (04:00 to 06:00 UTC)" in text
    assert "notice" not in [step.id for step in report.steps]


def test_every_kind_of_entry_can_be_told(maintenances: Maintenances, surroundings: Surroundings) -> None:
    a_night(maintenances)
    report = closing_report(StepContext(surroundings, ID, "upgrade", 1).history, minutes(0))
    text = markdown(report)
    assert "the whole: the forecast was that it would end late" in text
    assert f"the whole: <@{ANA}> decided to go on, and to end late" in text
    assert {step.id: step.status for step in report.steps}["banner"] == "undone"


def test_a_better_estimate_is_the_plan_of_what_has_not_begun() -> None:
    day = Day().start("app-off").add("estimated", source="rehearsal", takes_s={"upgrade": 720.0, "app-off": 5.0})
    planned_s = {step.id: step.planned_s for step in closing_report(day.entries, minutes(5)).steps}
    assert (planned_s["upgrade"], planned_s["app-off"]) == (720.0, 30.0)


def test_a_page_to_the_people_on_call_is_a_step_like_others() -> None:
    day = (
        Day().at(50).add("overrun_escalated", number=1, to=[], steps=[raw_step("page-1", "pagerduty.page", change="x")])
    )
    day.start("page-1").at(51).succeed("page-1", "paged")
    assert "- ✓ **page-1**: 1 minute (planned 1 minute). paged" in markdown(closing_report(day.entries, minutes(55)))


def test_what_waits_for_the_report_is_not_in_it() -> None:
    day = Day(extra=[raw_step("post", "github.post", needs=["report"]), raw_step("after", needs=["post"])])
    assert {"post", "after"}.isdisjoint(step.id for step in closing_report(day.entries, minutes(5)).steps)


def test_the_plan_follows_the_estimates_from_the_announced_start() -> None:
    steps = [
        raw_step("tell", phase="scheduled"),
        raw_step("off", needs=["tell"], estimate_s=60),
        raw_step("upgrade", needs=["off"], estimate_s=600),
        raw_step("late", due=["start", 1800.0], estimate_s=60),
        raw_step("on", needs=["upgrade", "late"], estimate_s=60),
        raw_step("watch", "probe"),
    ]
    plan = planned(closing_report(Day(steps=steps).entries, minutes(5)))
    assert {step: (since - START).total_seconds() / 60 for step, (since, _) in plan.items()} == {
        "off": 0, "upgrade": 1, "late": 30, "on": 31,
    }  # fmt: skip


def test_sections_with_nothing_to_tell_are_left_out() -> None:
    text = markdown(closing_report(Day().entries, minutes(1)))
    assert "## Downtime" not in text
    assert "## Steps" in text


def test_a_long_error_does_not_drown_the_report() -> None:
    day = whole_day().fail("upgrade", "x" * 4000)
    assert len(markdown(closing_report(day.entries, minutes(105)))) < 4000


def test_the_facts_are_json_and_exact(report: Report) -> None:
    plain = json.loads(json.dumps(facts(report)))
    assert (plain["allotted_s"], plain["actual_s"], plain["late_s"]) == (7200, 6000, -900)
    assert plain["steps"][3]["actual_s"] == 960
    assert plain["downtime"][0]["intervals"] == [["2026-11-25T04:05:06+00:00", "2026-11-25T04:32:30+00:00"]]


def test_a_history_that_does_not_begin_is_refused() -> None:
    with pytest.raises(ValueError, match="created"):
        closing_report([], START)


def test_the_step_reads_a_real_journal(context_of: Callable[..., StepContext], maintenances: Any) -> None:
    steps = [raw_step("call", "manual"), raw_step("close", "report")]
    ctx = context_of(ClosingReport, "close", steps=steps)
    for draft in [
        Draft(Kind.STATE_CHANGED, "maint", "1", payload={"to": "in_progress"}),
        Draft(Kind.STEP_STARTED, "maint", "2", "call", {"attempt": 1}),
        Draft(Kind.STEP_SUCCEEDED, "U0BEN", "3", "call", {"summary": "done by <@U0BEN>", "facts": {}, "files": {}}),
        Draft(Kind.NOTED, "U0BEN", "4", payload={"text": "all quiet"}),
        Draft(Kind.STEP_STARTED, "maint", "5", "close", {"attempt": 1}),
    ]:
        maintenances.record(ctx.maintenance, lambda _, draft=draft: [draft])
    outcome = perform(ClosingReport(), ctx)
    assert outcome.summary.startswith("Postgres 14 to 18: done in under a second of the 2 hours allotted")
    assert "all quiet (<@U0BEN>)" in outcome.files["report.md"]
    assert outcome.files["report.md"].startswith("# ")
    shown = outcome.pictures["timeline.png"]
    assert shown.png.startswith(b"\x89PNG\r\n")
    assert shown.alt.startswith("A timeline of 1 step against")
    assert "Postgres 14 to 18: done in" in shown.alt
    assert outcome.facts["words"]["allotted"] == "2 hours"
    assert ClosingReport().plan(ctx).summary == "Write the closing report of Postgres 14 to 18"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "under a second"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (61, "1 minute 1 second"),
        (120, "2 minutes"),
        (3599.7, "1 hour"),
        (3600, "1 hour"),
        (6329, "1 hour 45 minutes"),
        (86400 * 2 + 3 * 3600 + 50, "2 days 3 hours"),
        (86400 * 1200, "1,200 days"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_span_over_midnight_names_both_days() -> None:
    change = datetime(2027, 3, 14, 6, tzinfo=UTC)
    assert span(change, change + timedelta(hours=3), "America/New_York") == (
        "Sun 14 Mar 2027, 01:00 EST to 05:00 EDT (06:00 to 09:00 UTC)"
    )
    assert span(minutes(0), minutes(600), "Pacific/Auckland") == (
        "Wed 25 Nov 2026, 17:00 to Thu 26 Nov 2026, 03:00 NZDT (04:00 to 14:00 UTC)"
    )
    back = (utc(2026, 10, 24, 23, 30), utc(2026, 10, 25, 1, 30))
    assert span(*back, "Europe/Paris") == (
        "Sun 25 Oct 2026, 01:30 CEST to 02:30 CET (Sat 24 Oct 2026, 23:30 to Sun 25 Oct 2026, 01:30 UTC)"
    )
