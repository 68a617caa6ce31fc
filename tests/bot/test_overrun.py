"""The overrun that is seen coming, and the last safe moment to turn back: the rules, without a clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import integrations
from bot import changes, overrun, turn_back
from bot.acts import Act, AlreadyDecided, abort, answer_undo
from bot.build import build_step
from bot.connections import PAGERS
from bot.crew import BOT
from bot.decide import Action, Ask, Drop, Start, Sweep, Undo, decide
from bot.entry import Entry, Kind
from bot.errors import BadInput
from bot.estimates import Past, Run
from bot.evolve import evolve
from bot.forecast import Forecast, forecast
from bot.journal import Draft
from bot.lookout import page_steps
from bot.overrun import Circles
from bot.state import StepState
from bot.step import Window
from bot.step_spec import step_spec
from bot.waiting import asks_undo
from integrations.oncall import Page
from tests.maintenance_fixtures import created_payload, raw_step

START = datetime(2026, 11, 25, 4, tzinfo=UTC)
END = START + timedelta(hours=2)
MINUTE = timedelta(minutes=1)
POLICY = {"count": 1, "approvers": ["S0APPROVE"], "expires_s": 3600.0, "requester_may": False, "escalate_to": []}
ANA, BEN = "U0ANA", "U0BEN"
STEPS = [
    raw_step("off", estimate_s=60, due=["start", 0.0], approval=POLICY, reversible=True),
    raw_step("upgrade", estimate_s=1200, needs=["off"]),
    raw_step("vacuum", estimate_s=1200, needs=["upgrade"]),
]


integrations.load()
NOBODY = Circles()


class Night:
    """A maintenance by hand; keys are unique as in a journal."""

    def __init__(self, steps: list[dict[str, Any]] = STEPS) -> None:
        self.now = START
        self.keys: set[str] = set()
        payload = created_payload(steps, START)
        self.state = evolve(None, Entry("m", 1, START, ANA, Kind.CREATED, None, payload, "k", "", "h"))

    def record(self, *drafts: Draft) -> None:
        for draft in drafts:
            assert draft.key not in self.keys
            self.keys.add(draft.key)
            self.state = evolve(
                self.state,
                Entry(
                    "m",
                    self.state.seq + 1,
                    self.now,
                    draft.actor,
                    draft.kind,
                    draft.step,
                    draft.payload,
                    draft.key,
                    "",
                    "",
                ),
            )

    def steps(self, **steps: StepState) -> "Night":
        self.state = replace(self.state, status="in_progress", steps={**self.state.steps, **steps})
        return self

    def watch(self, chance: float, circles: Circles = NOBODY, *, end: datetime | None = None) -> list[str]:
        """Watch at `now` with that chance of an overrun; records what is to be, and returns its kinds."""
        end = end or (END + 10 * MINUTE if chance > 0.5 else END - 10 * MINUTE)
        found = Forecast(end, end - 5 * MINUTE, end + 10 * MINUTE, self.state.window.end, chance)
        drafts = overrun.watch(self.state, found, self.now, circles)
        self.record(*drafts)
        return [str(draft.kind) for draft in drafts]


def act(user: str = BEN, delivery: str = "d1") -> Act:
    return Act(user, delivery)


def running(since: datetime) -> StepState:
    return StepState("running", attempt=1, started_at=since, attempt_at=since)


def done(at: datetime) -> StepState:
    return StepState("succeeded", attempt=1, started_at=at - MINUTE, attempt_at=at - MINUTE, ended_at=at)


def test_people_are_asked_once_and_not_again_when_it_flaps() -> None:
    night = Night().steps(off=running(START))
    assert night.watch(0.7) == []
    assert night.watch(0.95) == [Kind.OVERRUN_EXPECTED]
    assert night.state.overruns[-1].asked == (ANA, "S0APPROVE")
    for chance in (0.95, 0.7, 0.4, 0.95):
        assert night.watch(chance) == []
    assert night.watch(0.1) == [Kind.OVERRUN_AVERTED]
    assert night.watch(0.4) == []
    assert night.watch(0.95) == [Kind.OVERRUN_EXPECTED]
    assert [asked.answer for asked in night.state.overruns] == ["averted", None]


def test_the_bot_does_not_ask_itself_about_what_comes_again() -> None:
    night = Night().steps(off=running(START))
    night.state = replace(night.state, requester=BOT, crew=replace(night.state.crew, coordinator=BOT))
    night.watch(0.95)
    assert night.state.overruns[-1].asked == ("S0APPROVE",)


def test_before_the_end_less_is_enough() -> None:
    night = Night().steps(off=running(START))
    night.now = END - 16 * MINUTE
    assert night.watch(0.6) == []
    night.now = END - 15 * MINUTE
    assert night.watch(0.6) == [Kind.OVERRUN_EXPECTED]
    assert night.watch(0.1) == []


def test_in_the_last_ten_minutes_even_odds_are_enough() -> None:
    night = Night().steps(off=running(START))
    night.now = END - 11 * MINUTE
    assert night.watch(0.5) == []
    night.now = END - 10 * MINUTE
    assert night.watch(0.5) == [Kind.OVERRUN_EXPECTED]


@pytest.mark.parametrize("status", ["draft", "completed", "aborted", "cancelled"])
def test_nobody_is_asked_before_it_has_begun_or_when_it_is_over(status: str) -> None:
    night = Night()
    night.now = START - MINUTE
    night.state = replace(night.state, status=status)
    assert night.watch(1.0) == []


def test_an_extension_answers_is_the_same_act_and_moves_the_end() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    drafts = overrun.more(night.state, act(), 1, 30, night.now)
    assert [draft.kind for draft in drafts] == [Kind.CHANGE_ASKED]
    night.record(*drafts)
    assert (night.state.overruns[-1].answer, night.state.overruns[-1].answered_by) == ("extend", BEN)
    assert night.watch(0.95) == []
    night.record(Draft(Kind.STEP_STARTED, "maint", "s", "extend-1", {"attempt": 1}))
    night.record(Draft(Kind.STEP_SUCCEEDED, "maint", "e", "extend-1", {"summary": "", "facts": {}}))
    assert night.state.window.end == END + 30 * MINUTE
    assert night.watch(0.1) == []
    assert night.watch(0.95, end=END + 60 * MINUTE) == [Kind.OVERRUN_EXPECTED]


def test_an_extension_that_is_refused_leaves_the_question_open() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    night.record(*overrun.more(night.state, act(), 1, 15, night.now))
    night.record(Draft(Kind.STEP_SKIPPED, BEN, "s", "extend-1", {"reason": "no"}))
    assert night.watch(0.95) == [Kind.OVERRUN_EXPECTED]


def test_an_extension_by_command_answers_too() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    night.record(*changes.extend(night.state, act(), timedelta(minutes=45), night.now))
    with pytest.raises(AlreadyDecided, match="has asked for an extension"):
        overrun.go_on(night.state, act(ANA, "d2"), 1)


def test_the_first_click_wins_and_later_ones_are_answered() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    night.record(*overrun.go_on(night.state, act(), 1))
    told = f"<@{BEN}> decided at 04:00 UTC to go on"
    with pytest.raises(AlreadyDecided, match=told):
        overrun.go_on(night.state, act(ANA, "d2"), 1)
    with pytest.raises(AlreadyDecided, match=told):
        overrun.more(night.state, act(ANA, "d3"), 1, 15, night.now)
    with pytest.raises(BadInput, match="has not asked that"):
        overrun.go_on(night.state, act(ANA, "d4"), 2)


def test_going_on_holds_until_it_becomes_much_later() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    night.record(*overrun.go_on(night.state, act(), 1))
    assert night.watch(1.0, end=END + 39 * MINUTE) == []
    assert night.watch(1.0, end=END + 40 * MINUTE) == [Kind.OVERRUN_EXPECTED]


def test_an_abort_answers() -> None:
    night = Night().steps(off=running(START))
    night.watch(0.95)
    night.record(*abort(night.state, act(), "enough"))
    assert night.state.overruns[-1].answer == "stopped"
    assert night.watch(1.0) == []


def test_without_an_answer_it_goes_to_others_and_then_to_those_on_call_each_once() -> None:
    page = {"id": "page", "uses": "oncall.page", "title": "Page whoever is on call", "with": {"text": "late"}}
    circles = Circles(300, ("U0BOSS", "S0APPROVE"), (page,))
    night = Night().steps(off=running(START))
    night.watch(0.95, circles)
    night.now += 4 * MINUTE
    assert night.watch(0.95, circles) == []
    night.now += MINUTE
    drafts = [*overrun.watch(night.state, forecast_late(), night.now, circles)]
    assert drafts[0].payload["to"] == ["U0BOSS"]
    assert night.watch(0.95, circles) == [Kind.OVERRUN_ESCALATED]
    assert night.watch(0.95, circles) == []
    night.now += 5 * MINUTE
    assert night.watch(0.95, circles) == [Kind.OVERRUN_ESCALATED]
    assert night.state.specs["page-1"].uses == "oncall.page"
    assert night.state.specs["page-1"].with_ == {"text": "late Expected: 06:05 to 06:20 UTC."}
    assert Start("page-1", 1) in decide(night.state, night.now)
    night.now += 60 * MINUTE
    assert night.watch(0.95, circles) == []


PAGING = Circles(300, (), page_steps(lambda setting: "x" if setting in PAGERS.values() else None))


def paged(*, status: str = "succeeded") -> Night:
    """A question that nobody has answered in time: those on call have been paged."""
    night = Night().steps(off=running(START))
    night.watch(0.95, PAGING)
    night.now += 5 * MINUTE
    assert night.watch(0.95, PAGING) == [Kind.OVERRUN_ESCALATED]
    return night.steps(**{"page-1": StepState(status, attempt=1, attempt_at=night.now, started_at=night.now)})


def pages(night: Night) -> list[Action]:
    return [action for action in decide(night.state, night.now) if getattr(action, "step", "") == "page-1"]


def resolve(night: Night) -> None:
    attempt = night.state.steps["page-1"].undo_attempt + 1
    night.record(
        Draft(Kind.UNDO_STARTED, "maint", f"u{attempt}", "page-1", {"attempt": attempt}),
        Draft(Kind.UNDONE, "maint", f"v{attempt}", "page-1", {"summary": "resolved"}),
    )


def test_whoever_is_woken_reads_what_it_is_about_and_what_to_do() -> None:
    night = paged()
    step = build_step(night.state, night.state.specs["page-1"])
    assert isinstance(step, Page)
    assert step.text == (
        "It is expected to end late, and nobody has answered in Slack yet. Please decide there: /maint status m. "
        "Announced end: Wed 25 Nov 2026 06:00 UTC. Expected: 06:05 to 06:20 UTC."
    )


def test_a_page_is_resolved_once_when_people_have_answered() -> None:
    night = paged()
    assert pages(night) == []
    night.record(*overrun.go_on(night.state, act(), 1))
    assert pages(night) == [Undo("page-1", 1)]
    resolve(night)
    assert night.state.steps["page-1"].status == "undone"
    assert pages(night) == []


def test_a_page_holds_until_the_extension_is_approved_and_not_only_asked_for() -> None:
    night = paged()
    night.record(*overrun.more(night.state, act(), 1, 30, night.now))
    assert pages(night) == []
    night.record(Draft(Kind.STEP_STARTED, "maint", "s", "extend-1", {"attempt": 1}))
    night.record(Draft(Kind.STEP_SUCCEEDED, "maint", "e", "extend-1", {"summary": "", "facts": {}}))
    assert pages(night) == [Undo("page-1", 1)]


@pytest.mark.parametrize("status", ["failed", "unknown", "skipped"])
def test_what_may_have_reached_somebody_is_resolved_too(status: str) -> None:
    night = paged(status=status)
    night.watch(0.1)
    assert pages(night) == [Undo("page-1", 1)]


def test_nobody_is_paged_any_more_once_it_is_answered() -> None:
    night = paged()
    night.steps(**{"page-1": StepState()})
    assert pages(night) == [Start("page-1", 1)]
    night.record(*overrun.go_on(night.state, act(), 1))
    [dropped] = pages(night)
    assert isinstance(dropped, Drop)


def test_a_pause_holds_up_no_page() -> None:
    night = paged()
    night.steps(**{"page-1": StepState()})
    night.record(Draft(Kind.PAUSED, ANA, "p"))
    assert pages(night) == [Start("page-1", 1)]


def test_a_page_that_cannot_be_resolved_is_asked_about_and_the_end_waits_for_it() -> None:
    night = paged()
    night.record(
        *overrun.go_on(night.state, act(), 1),
        Draft(Kind.UNDO_STARTED, "maint", "u", "page-1", {"attempt": 1}),
        Draft(Kind.UNDO_FAILED, "maint", "f", "page-1", {"attempt": 1, "error": "still open", "files": {}}),
    )
    assert pages(night) == []
    assert asks_undo(night.state, night.state.specs["page-1"])
    night.steps(off=done(night.now), upgrade=done(night.now), vacuum=done(night.now))
    assert Sweep() not in decide(night.state, night.now)
    night.record(*answer_undo(night.state, act(ANA, "d9"), "page-1", "lift"))
    assert pages(night) == [Undo("page-1", 2)]
    night.record(Draft(Kind.UNDO_STARTED, "maint", "u2", "page-1", {"attempt": 2}))
    night.record(Draft(Kind.UNDONE, "maint", "v2", "page-1", {"summary": "resolved"}))
    assert Sweep() in decide(night.state, night.now)


def test_an_unanswered_page_is_resolved_when_everything_is_done_or_it_is_aborted() -> None:
    night = paged()
    night.steps(off=done(night.now), upgrade=done(night.now), vacuum=done(night.now))
    assert decide(night.state, night.now)[0] == Undo("page-1", 1)
    night = paged()
    night.record(*abort(night.state, act(), "enough"))
    assert decide(night.state, night.now) == [Undo("page-1", 1)]
    resolve(night)
    assert pages(night) == []


def forecast_late() -> Forecast:
    return Forecast(END + 10 * MINUTE, END, END + 20 * MINUTE, END, 0.95)


def test_an_extension_that_nobody_approves_goes_on_to_others() -> None:
    circles = Circles(300, ("U0BOSS",))
    night = Night().steps(off=running(START))
    night.watch(0.95, circles)
    night.record(*overrun.more(night.state, act(), 1, 30, night.now))
    night.now += 6 * MINUTE
    assert night.watch(0.95, circles) == [Kind.OVERRUN_ESCALATED]


# The last safe moment.


def turning(night: Night, *, high: datetime = END + 30 * MINUTE) -> list[Draft]:
    found = Forecast(high - 10 * MINUTE, high - 20 * MINUTE, high, night.state.window.end, 0.5)
    drafts = turn_back.watch(night.state, found, night.now, ())
    night.record(*drafts)
    return drafts


def at_work() -> Night:
    """The app is off, which takes 8 minutes to undo, so the moment is 15 minutes before the end; `upgrade` runs."""
    off = StepState("succeeded", 1, started_at=START, attempt_at=START, ended_at=START + 8 * MINUTE)
    return Night().steps(off=off, upgrade=running(START + 8 * MINUTE))


def test_the_moment_leaves_time_for_the_way_back_and_a_margin() -> None:
    night = at_work()
    assert turn_back.last_moment(night.state, START + 30 * MINUTE) == END - 15 * MINUTE
    assert turn_back.last_moment(Night().state, START) is None


def test_the_moment_of_a_short_window_is_not_over_before_it_begins() -> None:
    night = Night().steps(upgrade=running(START))
    night.state = replace(night.state, window=replace(night.state.window, end=START + 3 * MINUTE))
    assert turn_back.last_moment(night.state, START) == START + 2.5 * MINUTE
    assert turning(night, high=START + 2 * MINUTE) == []


def test_it_is_called_out_twice_each_once_and_then_said_to_have_passed() -> None:
    night = at_work()
    moment = END - 15 * MINUTE
    said = []
    for minutes in range(-40, 10):
        night.now = moment + minutes * MINUTE
        said += [(minutes, draft.kind, draft.payload.get("minutes")) for draft in turning(night)]
    near, passed = Kind.TURN_BACK_NEAR, Kind.TURN_BACK_PASSED
    assert said == [(-15, near, 15), (-5, near, 5), (0, passed, None)]


def test_after_a_restart_only_what_still_counts_is_said() -> None:
    night = at_work()
    night.now = END - 15 * MINUTE - 4 * MINUTE
    assert [draft.payload["minutes"] for draft in turning(night)] == [5]
    assert turning(night) == []


def test_nothing_is_said_while_all_will_be_done_by_then() -> None:
    night = at_work()
    night.now = END - 16 * MINUTE
    assert turning(night, high=END - 15 * MINUTE) == []


def test_past_it_the_next_step_for_good_takes_a_person_more_until_the_window_is_extended() -> None:
    night = at_work()
    night.now = END - 15 * MINUTE
    turning(night)
    raised = night.state.specs["vacuum"].approval
    assert raised is not None
    assert (raised.count, raised.approvers) == (1, ("S0APPROVE",))
    night.steps(upgrade=done(night.now))
    assert decide(night.state, night.now) == [Ask("vacuum")]
    night.record(*changes.extend(night.state, act(), timedelta(minutes=30), night.now))
    night.record(Draft(Kind.STEP_STARTED, "maint", "s", "extend-1", {"attempt": 1}))
    night.record(Draft(Kind.STEP_SUCCEEDED, "maint", "e", "extend-1", {"summary": "", "facts": {}}))
    assert night.state.specs["vacuum"].approval is None
    assert Start("vacuum", 1) in decide(night.state, night.now)
    assert turn_back.last_moment(night.state, night.now) == END + 15 * MINUTE
    night.steps(upgrade=running(START))
    night.now = END
    assert [draft.payload["minutes"] for draft in turning(night)] == [15]


def test_an_open_request_is_not_enough_any_more() -> None:
    steps = [STEPS[0], {**STEPS[1], "approval": POLICY}]
    off = StepState("succeeded", 1, started_at=START, attempt_at=START, ended_at=START + 8 * MINUTE)
    night = Night(steps).steps(off=off)
    asked = {"token": "t", "digest": "d", "summary": "", "details": [], "count": 1, "approvers": ["S0APPROVE"]}
    until = {"expires_at": (END + 60 * MINUTE).isoformat()}
    night.record(Draft(Kind.APPROVAL_REQUESTED, "maint", "r", "upgrade", {**asked, **until}))
    night.now = END - 15 * MINUTE
    turning(night)
    now = night.state.steps["upgrade"].approval
    assert now is not None
    assert now.closed == "passed"
    raised = night.state.specs["upgrade"].approval
    assert raised is not None
    assert raised.count == 2
    assert decide(night.state, night.now) == [Ask("upgrade")]


# The story: two hours announced, the vacuum forgotten, and then found to take an hour.


def story(approval: dict[str, Any] | None = None) -> Night:
    minutes = {"off": 2, "upgrade": 95, "gate": 5, "on": 3}
    steps: list[dict[str, Any]] = []
    for step, length in minutes.items():
        needs = [steps[-1]["id"]] if steps else []
        due = None if steps else ["start", 0.0]
        steps.append(raw_step(step, estimate_s=length * 60, needs=needs, due=due, approval=approval))
    vacuum = raw_step("vacuum", estimate_s=600, needs=["upgrade"])
    steps[2] = {**steps[2], "needs": ["vacuum"]}
    return Night([*steps[:2], vacuum, *steps[2:]])


def test_the_story_is_known_before_the_window_is_announced() -> None:
    night = story()
    assert not forecast(night.state, START - timedelta(days=7)).is_late
    # Last time the vacuum took an hour, or a look at the tables says so now.
    past = Past().with_runs("postgres-upgrade", [Run("vacuum", 3600, 600, None, None)])
    assert forecast(night.state, START - timedelta(days=7), past=past).is_late
    night.record(Draft(Kind.ESTIMATED, "maint", "e", None, {"source": "size", "takes_s": {"vacuum": 3600.0}}))
    found = forecast(night.state, START - timedelta(days=7))
    assert found.is_late
    assert found.late_chance > 0.9


def ahead(night: Night) -> list[str]:
    """What is recorded at a look a week before the window."""
    night.now = START - timedelta(weeks=1)
    drafts = overrun.watch(night.state, forecast(night.state, night.now), night.now, PAGING)
    night.record(*drafts)
    return [str(draft.kind) for draft in drafts]


def found_out(night: Night) -> None:
    night.record(Draft(Kind.ESTIMATED, "maint", "e", None, {"source": "size", "takes_s": {"vacuum": 3600.0}}))


def test_the_story_is_asked_about_before_it_is_announced_and_nobody_is_paged_in_the_week_between() -> None:
    night = story()
    assert ahead(night) == []
    found_out(night)
    assert ahead(night) == [Kind.OVERRUN_EXPECTED]
    assert ahead(night) == []
    night.now = START - MINUTE
    assert overrun.watch(night.state, forecast_late(), night.now, PAGING) == []


def test_more_time_asked_for_ahead_answers_and_another_window_as_short_is_asked_about_anew() -> None:
    night = story(POLICY)
    found_out(night)
    ahead(night)
    night.record(*overrun.more(night.state, act(), 1, 60, night.now))
    assert night.state.overruns[-1].answer == "extend"
    assert ahead(night) == []
    night = story(POLICY)
    found_out(night)
    ahead(night)
    day = timedelta(days=1)
    night.state = replace(night.state, window=Window(START + day, END + day, "UTC"))
    assert ahead(night) == [Kind.OVERRUN_EXPECTED]


def test_whoever_has_overridden_it_is_not_asked_ahead_again() -> None:
    night = story()
    kept = {"kind": "too_short", "text": "", "blocks": True}
    override = step_spec({**raw_step("override"), "uses": "maint.override", "with": {"conflicts": [kept]}})
    night.state = replace(
        night.state,
        specs={**night.state.specs, "override": override},
        steps={**night.state.steps, "override": StepState("succeeded", 1)},
    )
    found_out(night)
    assert ahead(night) == []


@pytest.mark.parametrize("answer", ["none", "go on"])
def test_whatever_was_said_ahead_it_is_asked_again_once_it_is_at_work(answer: str) -> None:
    night = story()
    found_out(night)
    ahead(night)
    if answer == "go on":
        night.record(*overrun.go_on(night.state, act(), 1))
    night.now = START + 2 * MINUTE
    night.steps(off=done(night.now), upgrade=running(night.now))
    night.state = replace(night.state, started_at=START)
    assert night.watch(0.95) == [Kind.OVERRUN_EXPECTED]
    assert night.watch(0.95) == []
    if answer == "none":
        with pytest.raises(AlreadyDecided, match="Asked again since"):
            overrun.go_on(night.state, act(ANA, "late"), 1)


def test_the_story_overridden_is_warned_of_when_the_upgrade_ends_at_the_latest() -> None:
    night = story()
    upgraded = START + 97 * MINUTE
    night.steps(off=done(START + 2 * MINUTE), upgrade=running(START + 2 * MINUTE))
    night.record(Draft(Kind.ESTIMATED, "maint", "e", None, {"source": "size", "takes_s": {"vacuum": 3600.0}}))
    asked = None
    while night.now <= upgraded:
        if night.now == upgraded:
            night.steps(upgrade=done(upgraded))
        drafts = overrun.watch(night.state, forecast(night.state, night.now), night.now, Circles())
        asked = asked or (night.now if drafts else None)
        night.record(*drafts)
        night.now += timedelta(seconds=30)
    assert asked is not None
    assert asked <= upgraded
