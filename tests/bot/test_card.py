"""The run card and the prompts: what they show, which buttons they have, and that Slack takes them at any length."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.blocks import Block, Message, texts
from bot.card import card
from bot.entry import Kind
from bot.estimates import Estimate
from bot.maintenances import Maintenances
from bot.prompts import prompts, replaced_prompt
from bot.sentences import said
from sandbox.slack.blocks import check_message_blocks, elements_of
from tests.bot.entries import ANA, BEN, CHLOE, ID, POLICY, a_night, add, begin, request, told
from tests.maintenance_fixtures import raw_step

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


def shown(message: Message) -> str:
    return "\n".join(texts(message.blocks))


def buttons(message: Message) -> dict[str, Block]:
    assert check_message_blocks(list(message.blocks))
    return {element["action_id"]: element for _, element in elements_of(list(message.blocks))}


def the_card(maintenances: Maintenances, progress: dict[str, dict[str, Any]] | None = None, **more: Any) -> Message:
    return card(maintenances.state(ID), progress or {}, more.pop("now", datetime.now(UTC)), **more)


def failure(**changes: Any) -> dict[str, Any]:
    return {"attempt": 1, "error": "No space left", "files": {}, "temporary": False, "retry_at": None, **changes}


def test_it_shows_title_state_window_and_forecast(maintenances: Maintenances) -> None:
    begin(maintenances, now=NOW, title="Postgres <14> & up")
    text = shown(the_card(maintenances, forecast="done about 05:30, 30 min early", problems=["<!here> cannot pin"]))
    assert "Postgres <14> & up" in text, "a header is plain text"
    assert "Wed 25 Nov 2026 17:00 to 19:00 NZDT (UTC+13:00; Wed 25 Nov 2026 04:00 to 06:00 UTC)" in text
    assert f"<!date^{int(NOW.timestamp())}^" in text
    assert "Forecast: done about 05:30" in text
    assert "&lt;!here&gt; cannot pin" in text


def test_pause_and_abort_become_resume_and_abort(maintenances: Maintenances) -> None:
    begin(maintenances)
    pressed = buttons(the_card(maintenances))
    assert set(pressed) == {"pause", "abort"}
    assert pressed["abort"]["value"] == f"{ID}||"
    assert "confirm" in pressed["abort"]
    add(maintenances, (Kind.PAUSED, None, {}, ANA))
    paused = the_card(maintenances)
    assert set(buttons(paused)) == {"resume", "abort"}
    assert "paused" in shown(paused)


def test_a_failed_step_is_retried_or_skipped_and_a_gate_only_retried(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("upgrade", title="Upgrade"), raw_step("gate", gate=True)])
    for step in ("upgrade", "gate"):
        add(maintenances, (Kind.STEP_STARTED, step, {"attempt": 3}), (Kind.STEP_FAILED, step, failure(attempt=3)))
    message = the_card(maintenances)
    pressed = buttons(message)
    assert set(pressed) == {"retry:upgrade", "skip:upgrade", "retry:gate", "open-on-red:gate", "pause", "abort"}
    assert pressed["retry:upgrade"]["value"] == f"{ID}|upgrade|3"
    assert "No space left" in shown(message)


def test_a_step_that_retries_itself_says_when(maintenances: Maintenances) -> None:
    begin(maintenances)
    retry_at = datetime.now(UTC) + timedelta(minutes=1)
    add(
        maintenances,
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_FAILED, "upgrade", failure(retry_at=retry_at.isoformat())),
    )
    assert f"the next attempt, <!date^{int(retry_at.timestamp())}^" in shown(the_card(maintenances))


def test_by_hand_and_unknown_steps_ask(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("cable", by_hand=True), raw_step("mail")])
    add(
        maintenances,
        (Kind.STEP_STARTED, "cable", {"attempt": 1}),
        (Kind.STEP_STARTED, "mail", {"attempt": 1}),
        (Kind.STEP_UNKNOWN, "mail", failure(error="the answer was lost")),
    )
    message = the_card(maintenances)
    assert {"done:cable", "happened:mail", "not_happened:mail"} <= set(buttons(message))
    assert "a person to do it and press Done" in shown(message)
    assert "confirm" in buttons(message)["not_happened:mail"]


def test_after_an_abort_only_what_is_up_is_asked(maintenances: Maintenances) -> None:
    banner = raw_step("banner", title="Banner on", reversible=True, on_failure="ask")
    begin(maintenances, [banner, raw_step("upgrade")])
    add(
        maintenances,
        (Kind.STEP_STARTED, "banner", {"attempt": 1}),
        (Kind.STEP_SUCCEEDED, "banner", {"attempt": 1, "summary": "live", "facts": {}, "files": {}}),
        (Kind.ABORTED, None, {"reason": "enough"}, ANA),
    )
    message = the_card(maintenances)
    assert set(buttons(message)) == {"lift:banner", "keep:banner"}
    assert buttons(message)["lift:banner"]["value"] == f"{ID}|banner|0"
    assert "Aborted: enough" in shown(message)
    add(maintenances, (Kind.UNDO_ANSWERED, "banner", {"answer": "keep"}, ANA))
    assert buttons(the_card(maintenances)) == {}


def test_progress_has_a_bar_figures_and_the_time_left(maintenances: Maintenances) -> None:
    begin(maintenances)
    add(maintenances, (Kind.STEP_STARTED, "upgrade", {"attempt": 1}))
    started = maintenances.state(ID).steps["upgrade"].attempt_at
    assert started is not None
    row = {"done": 3 * 1024**3, "total": 4 * 1024**3, "unit": "bytes", "text": "copying <b>"}
    at = started + timedelta(minutes=9)
    text = shown(the_card(maintenances, {"upgrade": {**row, "at": at.isoformat()}}, now=at))
    assert "▰▰▰▰▰▰▰▰▰▱▱▱ 75 % · 3.0 GB of 4.0 GB · about 3 min left · copying &lt;b&gt;" in text
    old = {"upgrade": {**row, "at": (started - timedelta(minutes=1)).isoformat()}}
    assert "▰" not in shown(the_card(maintenances, old, now=at)), "the figures of an earlier attempt are not shown"


def test_what_runs_alongside_has_no_estimate_of_its_own(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("watch", title="Watch", estimate_s=1.0, **{"with": {"until": "app-on"}})])
    assert "*Watch* · until `app-on` is done" in shown(the_card(maintenances))
    add(maintenances, (Kind.STEP_STARTED, "watch", {"attempt": 1}))
    *_, (entry, state) = told(maintenances)
    assert said(entry, state).head == "*Watch* (`watch`) started; it goes on until `app-on` is done."
    started = maintenances.state(ID).steps["watch"].attempt_at
    assert started is not None
    at = started + timedelta(minutes=9)
    row = {"done": 0, "total": None, "unit": "", "text": "renewed", "at": at.isoformat()}
    text = shown(the_card(maintenances, {"watch": row}, now=at))
    assert "*Watch* · 9 min so far, until `app-on` is done" in text
    assert text.split("is done", 1)[1].split()[0] == "renewed"


def test_a_long_outcome_is_never_cut_inside_an_address(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("banner")])
    add(maintenances, (Kind.STEP_STARTED, "banner", {"attempt": 1}))
    summary = "x " * 70 + "(https://github.example.com/acme/theme/pull/1)"
    add(maintenances, (Kind.STEP_SUCCEEDED, "banner", {"attempt": 1, "summary": summary, "facts": {}}))
    text = shown(the_card(maintenances))
    assert "https:" not in text
    assert "x x…" in text
    assert "0 s" not in text


@pytest.mark.parametrize("done", [0, 30, 55, 60])
@pytest.mark.parametrize("title", ["Vacuum", "Vacuum & analyze <everything> " * 12])
def test_sixty_steps_fit_and_what_matters_stands_in_full(maintenances: Maintenances, done: int, title: str) -> None:
    names = [f"step-{number}" for number in range(60)]
    begin(maintenances, [raw_step(name, title=f"{title} {name}", due=["start", 60.0]) for name in names])
    summary = "x" * 400
    for name in names[:done]:
        end = {"attempt": 1, "summary": summary, "facts": {}, "files": {}}
        add(maintenances, (Kind.STEP_STARTED, name, {"attempt": 1}), (Kind.STEP_SUCCEEDED, name, end))
    failed = names[done : done + 5]
    for name in failed:
        add(
            maintenances, (Kind.STEP_STARTED, name, {"attempt": 1}), (Kind.STEP_FAILED, name, failure(error="e" * 4000))
        )
    message = the_card(maintenances, problems=["p" * 4000] * 9)
    pressed = buttons(message)
    assert all(f"retry:{name}" in pressed for name in failed)
    if done < 60:
        assert {"pause", "abort"} <= set(pressed)


def test_even_sixty_failures_fit(maintenances: Maintenances) -> None:
    names = [f"step-{number}" for number in range(60)]
    begin(maintenances, [raw_step(name, title="T & " * 100) for name in names])
    for name in names:
        add(
            maintenances, (Kind.STEP_STARTED, name, {"attempt": 1}), (Kind.STEP_FAILED, name, failure(error="&" * 4000))
        )
    message = the_card(maintenances)
    assert buttons(message)
    assert "54 more" in shown(message)


def test_every_state_of_a_night_gives_a_card_that_slack_takes(maintenances: Maintenances) -> None:
    a_night(maintenances)
    for _, state in told(maintenances):
        message = card(state, {}, datetime.now(UTC))
        assert check_message_blocks(list(message.blocks))
        assert len(message.text) < 4000
        for prompt in prompts(state, datetime.now(UTC)).values():
            assert check_message_blocks(list(prompt.blocks))


def asked(maintenances: Maintenances, **changes: Any) -> Message:
    policy = {**POLICY, "count": changes.get("count", 1)}
    begin(
        maintenances,
        [raw_step("upgrade", title="Upgrade", approval=policy, reversible=changes.pop("reversible", False))],
    )
    add(maintenances, request("upgrade", **changes))
    return prompts(maintenances.state(ID), datetime.now(UTC))["approval:upgrade:1"]


def test_a_prompt_says_what_who_and_until_when(maintenances: Maintenances) -> None:
    message = asked(maintenances)
    text = shown(message)
    assert "pg_upgrade 14 to 18 in link mode" in text
    assert "old: 14\nnew: 18" in text
    assert "<!subteam^S0APPROVE>" in text
    assert f"Not by <@{ANA}>" in text
    pressed = buttons(message)
    assert set(pressed) == {"approve:upgrade", "reject:upgrade"}
    assert pressed["approve:upgrade"]["value"] == f"{ID}|upgrade|t0ken"
    assert "cannot be undone" in pressed["approve:upgrade"]["confirm"]["text"]["text"]


def test_what_can_be_undone_needs_no_confirmation(maintenances: Maintenances) -> None:
    assert "confirm" not in buttons(asked(maintenances, reversible=True))["approve:upgrade"]


def test_a_long_plan_is_cut_in_the_prompt(maintenances: Maintenances) -> None:
    message = asked(maintenances, details=[f"-- {number} <x>" * 9 for number in range(200)], summary="& " * 3000)
    assert buttons(message)
    assert "only the beginning" in shown(message)


def test_a_decided_prompt_has_no_buttons_and_says_who(maintenances: Maintenances) -> None:
    asked(maintenances, count=2)
    add(maintenances, (Kind.APPROVED, "upgrade", {"token": "t0ken"}, BEN))
    half = prompts(maintenances.state(ID), datetime.now(UTC))["approval:upgrade:1"]
    assert f"Approved by <@{BEN}>; 1 more needed" in shown(half)
    assert half.has_buttons
    add(maintenances, (Kind.APPROVED, "upgrade", {"token": "t0ken"}, CHLOE))
    whole = prompts(maintenances.state(ID), datetime.now(UTC))["approval:upgrade:1"]
    assert f"Approved by <@{BEN}> and <@{CHLOE}>, <!date^" in shown(whole)
    assert not whole.has_buttons


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        (Kind.REJECTED, {"reason": "not <now>"}, f"Rejected by <@{BEN}>, "),
        (Kind.APPROVAL_EXPIRED, {}, "nobody decided in time"),
        (Kind.APPROVAL_VOID, {"reason": "changed"}, "what would be done has changed"),
        (Kind.ABORTED, {"reason": "over"}, "No longer asked: the maintenance is aborted"),
    ],
)
def test_every_other_end_is_said(maintenances: Maintenances, kind: Kind, payload: dict[str, Any], words: str) -> None:
    asked(maintenances)
    add(maintenances, (kind, None if kind == Kind.ABORTED else "upgrade", {"token": "t0ken", **payload}, BEN))
    ended = prompts(maintenances.state(ID), datetime.now(UTC))["approval:upgrade:1"]
    assert words in shown(ended)
    assert "<now>" not in shown(ended)
    assert not ended.has_buttons


def test_past_its_expiry_nothing_can_be_pressed(maintenances: Maintenances) -> None:
    asked(maintenances)
    later = prompts(maintenances.state(ID), datetime.now(UTC) + timedelta(hours=2))["approval:upgrade:1"]
    assert not later.has_buttons


def test_a_replaced_prompt_has_no_buttons(maintenances: Maintenances) -> None:
    asked(maintenances)
    message = replaced_prompt(maintenances.state(ID), "approval:upgrade:1")
    assert buttons(message) == {}
    assert "no longer open" in shown(message)


def test_an_estimate_that_is_known_from_more_than_the_runbook_is_a_range_with_its_source(
    maintenances: Maintenances,
) -> None:
    begin(maintenances)
    state = maintenances.state(ID)
    known = {"upgrade": Estimate(840, 1200, 1860, "the last 4 runs")}
    assert "14 min to 31 min (the last 4 runs)" in shown(card(state, {}, datetime.now(UTC), estimates=known))
    known = {"upgrade": Estimate(840, 1200, 1860, "the runbook")}
    assert "about 1 min" in shown(card(state, {}, datetime.now(UTC), estimates=known))
