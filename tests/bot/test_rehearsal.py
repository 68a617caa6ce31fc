"""What is rehearsed of a runbook, and what its measured times say."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import integrations
from bot.entry import Kind
from bot.errors import BadInput
from bot.estimates import Past, estimate_of
from bot.evolve import planned
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.prompts import prompts
from bot.rehearsal import COPY, END, about, rehearsable, rehearsal_of
from bot.rehearsals import Rehearsals
from bot.rehearsed import line_of, lines_of, rehearsal_line, result_of, window_s
from bot.runbook import Runbook, RunbookErrors, load, resolve
from bot.state import Approval, State, StepState
from bot.step import REGISTRY, Window
from bot.track_record import TrackRecord

integrations.load()
SHIPPED = Path(__file__).parents[2] / "runbooks" / "postgres-upgrade.yml"
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
GB = 1024**3
DATABASE = ["feasible", "baseline", "upgrade", "cross", "look", "vacuum", "gate"]


@pytest.fixture(scope="module")
def runbook() -> Runbook:
    return load(SHIPPED)


def resolved(runbook: Runbook, **params: str) -> dict[str, Any]:
    window = Window(NOW, NOW + timedelta(hours=24), "Pacific/Auckland")
    return resolve(
        runbook, params=params, window=window, requester="U0ANA", channel="C0MAINT01", approvers=("U0BEN", "U0CHLOE")
    )


@pytest.fixture(scope="module")
def rehearsing(runbook: Runbook) -> State:
    """A rehearsal of the shipped runbook that has just been asked for."""
    rehearsal = rehearsal_of(runbook)
    payload = {**resolved(rehearsal.runbook), "rehearses": about(runbook, rehearsal, resolved(runbook))}
    return planned(payload, "U0ANA", NOW, "2026-11-24-rehearse-postgres-upgrade")


def after(state: State, minutes: Mapping[str, float], **outcomes: Mapping[str, Any]) -> State:
    """The state with these steps done, one after the other, each in so many minutes."""
    steps, at = dict(state.steps), NOW
    for name, length in minutes.items():
        ended = at + timedelta(minutes=length)
        steps[name] = StepState(
            "succeeded", attempt=1, started_at=at, attempt_at=at, ended_at=ended, outcome=outcomes.get(name, {})
        )
        at = ended
    return replace(state, steps=steps)


ALL = {"feasible": 1, "baseline": 1, "upgrade": 10, "cross": 1, "look": 1, "vacuum": 24, "gate": 2}


def test_only_what_works_on_a_copy_is_rehearsed(rehearsing: State) -> None:
    """Neither banner, messages, status page, the app's switch nor the report: nobody notices a rehearsal."""
    assert list(rehearsing.specs) == [COPY, *DATABASE, END]
    assert {spec.uses.split(".")[0] for spec in rehearsing.specs.values()} == {"postgres"}
    assert rehearsing.public is False
    assert rehearsing.on_change == ()
    assert rehearsing.specs["feasible"].needs == (COPY,)
    assert rehearsing.specs["cross"].needs == ("upgrade",)
    assert rehearsing.specs[END].uses == "postgres.remove_clone"
    assert set(rehearsing.specs[END].needs) == set(DATABASE)
    assert [spec.id for spec in rehearsing.specs.values() if spec.approval is not None] == [COPY]
    assert not any(spec.due or spec.point_of_no_return for spec in rehearsing.specs.values())


def test_nothing_in_it_names_the_live_database_any_more(rehearsing: State) -> None:
    for step in DATABASE:
        with_ = rehearsing.specs[step].with_
        if REGISTRY[rehearsing.specs[step].uses].model_fields.get("database") is not None:
            assert with_["database"] == f"copy:{COPY}"
        if "old_data" in with_:
            assert COPY in with_["old_data"]
            assert COPY in with_["new_data"]


@pytest.mark.parametrize("uses", sorted(REGISTRY))
def test_no_step_on_a_copy_keeps_a_way_to_another_server(uses: str) -> None:
    """Whoever gives such a step a new field with a connection string has to say what becomes of it on a copy."""
    cls = REGISTRY[uses]
    fields = [name for name, field in cls.model_fields.items() if "MAINT_POSTGRES_" in repr(field)]
    with_ = {"database": "MAINT_POSTGRES_DSN", **dict.fromkeys(fields, "MAINT_POSTGRES_DSN"), "host": {"ssh": "a@b"}}
    changed = cls.on_copy(with_, COPY, {})
    if changed is not None and fields:
        kept = {name: value for name, value in changed.items() if name in fields}
        assert kept == {"database": f"copy:{COPY}"}
        assert cls.on_copy({**with_, "database": "MAINT_POSTGRES_OTHER"}, COPY, {}) is None


def test_what_cannot_be_rehearsed_says_so(runbook: Runbook, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not say how it is rehearsed"):
        rehearsal_of(runbook.model_copy(update={"rehearsal": None}))
    assert rehearsable(runbook.model_copy(update={"rehearsal": None})) == []
    assert set(rehearsable(runbook)) == {*DATABASE, "preflight-day", "preflight"}
    file = tmp_path / "wrong.yml"
    steps = "name: wrong\ntitle: Wrong\nsteps:\n  - {id: a, uses: manual, with: {text: Hello}}\nrehearsal:\n"
    for keys, told in (
        ("  uses: postgres.gate\n", r"makes a copy \(postgres.clone\), found 'postgres.gate'"),
        ("  uses: postgres.clone\n  with: {bin: /b}\n", "folder: is missing"),
        ("  uses: postgres.clone\n  with: {bin: /b, folder: /f}\n", "no step that can work on a copy"),
    ):
        file.write_text(steps + keys)
        with pytest.raises(RunbookErrors, match=told):
            load(file)


def test_measured_times_are_scaled_by_size_and_go_to_every_step_that_does_the_same(rehearsing: State) -> None:
    copy = {"copy": {"bytes": 100 * GB, "live_bytes": 150 * GB}}
    found = result_of(after(rehearsing, {COPY: 20, **ALL}, **{COPY: copy}))
    assert found is not None
    assert found["source"] == "rehearsal"
    assert found["takes_s"]["upgrade"] == 15 * 60
    assert found["takes_s"]["preflight"] == found["takes_s"]["feasible"] == 90
    told = found["rehearsal"]
    assert line_of(told, "Pacific/Auckland") == "✓ Rehearsed on Tue 24 Nov: 39 min, gate green, 0 findings"
    assert "100 GB; the live database has 150 GB, so times are scaled by 1.5" in lines_of(told)[0]
    # Of the window: the baseline, upgrade, crossing, look, vacuum and gate as measured, the rest by the runbook.
    measured_s = (1 + 10 + 1 + 1 + 24 + 2) * 60 * 1.5
    assert measured_s * 1.25 < told["window_s"] < measured_s * 1.25 + 3600
    assert told["window_s"] % 300 == 0


def test_the_window_is_the_longest_way_and_a_margin() -> None:
    path = [
        {"id": "off", "needs": [], "estimate_s": 60.0},
        {"id": "upgrade", "needs": ["off"], "estimate_s": 600.0},
        {"id": "beside", "needs": ["off"], "estimate_s": 300.0},
        {"id": "on", "needs": ["upgrade", "beside"], "estimate_s": 60.0},
    ]
    assert window_s(path, {}) == 1800  # 12 min and at least 15 more, up to the next five minutes
    assert window_s(path, {"upgrade": 2 * 3600}) == 9300  # 122 min and a quarter more
    assert window_s(path, {"beside": 3600}) == 4800


def test_findings_are_told_with_what_to_do(rehearsing: State) -> None:
    finding = {"severity": "warning", "what": "Two users have no password", "mend": "Give them one.", "where": []}
    note = {**finding, "severity": "note"}
    found = result_of(after(rehearsing, {COPY: 20, **ALL}, feasible={"findings": [finding, note]}))
    assert found is not None
    assert found["rehearsal"]["findings"] == ["Two users have no password. Give them one."]
    assert line_of(found["rehearsal"], "UTC").endswith("gate green, 1 finding")


def test_a_red_gate_is_a_result_and_one_that_is_stopped_is_none(rehearsing: State) -> None:
    most = {step: length for step, length in ALL.items() if step != "gate"}
    going_on = after(rehearsing, {COPY: 20, **most})
    assert result_of(going_on) is None
    at = NOW + timedelta(hours=2)
    red = StepState("failed", attempt=1, started_at=at, attempt_at=at, ended_at=at, error="latest_orders is slow")
    failed = replace(going_on, steps={**going_on.steps, "gate": red})
    found = result_of(failed)
    assert found is not None
    assert found["rehearsal"]["window_s"] is None
    line = line_of(found["rehearsal"], "UTC")
    assert line == "✗ Rehearsed on Tue 24 Nov, and it FAILED. Is the database as fast as before?: latest_orders is slow"
    later = replace(failed, status="aborted", aborted_because="seen", ended_at=at + timedelta(minutes=5))
    assert result_of(later) == found
    before = replace(failed, status="aborted", aborted_because="no time", ended_at=at - timedelta(seconds=1))
    assert result_of(before) is None


def done(maintenances: Maintenances, maintenance: str, *steps: str) -> None:
    for step in steps:
        for kind, payload in (
            (Kind.STEP_STARTED, {"attempt": 1}),
            (Kind.STEP_SUCCEEDED, {"attempt": 1, "summary": "", "details": "", "facts": {}, "files": {}}),
        ):
            draft = Draft(kind, "maint", f"{maintenance}:{step}:{kind}", step, payload)
            maintenances.record(maintenance, lambda _, draft=draft: [draft])


def test_what_is_planned_already_is_told_once_if_it_has_the_same_values(
    runbook: Runbook, maintenances: Maintenances
) -> None:
    rehearsal = rehearsal_of(runbook)
    about_it = about(runbook, rehearsal, resolved(runbook))
    made = {
        "same": {**resolved(runbook, app="https://other.example.com"), "rehearsable": rehearsable(runbook)},
        "other": {**resolved(runbook, to="17"), "rehearsable": rehearsable(runbook)},
        "rehearsal": {**resolved(rehearsal.runbook), "rehearses": about_it},
    }
    for name, payload in made.items():
        maintenances.create(name, Draft(Kind.CREATED, "U0ANA", f"{name}:created", payload=payload))
    rehearsals = Rehearsals(maintenances)
    done(maintenances, "rehearsal", COPY, *DATABASE[:-1])
    assert [rehearsals.news(maintenances.state(name)) for name in made] == [[], [], []]
    done(maintenances, "rehearsal", "gate")
    for name, told in (("same", 1), ("other", 0), ("rehearsal", 1)):
        drafts = rehearsals.news(maintenances.state(name))
        assert [draft.kind for draft in drafts] == [Kind.ESTIMATED] * told
        maintenances.record(name, lambda _, drafts=drafts: drafts)
        assert rehearsals.news(maintenances.state(name)) == []
    assert "Rehearsed on" in rehearsal_line(maintenances.state("same"))
    planned_s = maintenances.state("same").steps["preflight"].planned
    assert planned_s is not None
    assert planned_s.source == "rehearsal"
    later = rehearsals.told_in(resolved(runbook), rehearsable(runbook))
    assert later["estimated"]["rehearsal"]["id"] == "rehearsal"
    assert "estimated" not in rehearsals.told_in(resolved(runbook, to="17"), rehearsable(runbook))
    done(maintenances, "rehearsal", END)
    over = Draft(Kind.STATE_CHANGED, "maint", "over", payload={"from": "verifying", "to": "completed"})
    maintenances.record("rehearsal", lambda _: [over])
    assert sum(TrackRecord(maintenances).summary().by_status.values()) == 0
    assert rehearsals.latest(runbook.name, resolved(runbook)["params"]) == later["estimated"]


def test_a_maintenance_shows_its_rehearsal_or_that_there_was_none(runbook: Runbook, rehearsing: State) -> None:
    payload = {**resolved(runbook), "rehearsable": rehearsable(runbook)}
    state = planned(payload, "U0ANA", NOW, "m")
    assert "⚠ Not rehearsed" in rehearsal_line(state)
    copy = {"copy": {"bytes": 412 * GB, "live_bytes": 412 * GB}}
    shown = result_of(after(rehearsing, {COPY: 20, **ALL}, **{COPY: copy}))
    told = planned({**payload, "estimated": shown}, "U0ANA", NOW, "m")
    assert estimate_of(told, "upgrade", Past()).source == "the rehearsal of Tue 24 Nov, 412 GB in 39 min"
    assert round(estimate_of(told, "upgrade", Past()).likely_s) == 600
    for each, words in ((state, "Not rehearsed"), (told, "Rehearsed on Tue 24 Nov: 39 min, gate green, 0 findings")):
        asked = Approval("t", "d", "Upgrade", (), 1, ("U0BEN",), NOW, NOW + timedelta(hours=1))
        waiting = {**each.steps, "upgrade": StepState("waiting", approval=asked, requests=1)}
        prompt = prompts(replace(each, steps=waiting), NOW)["approval:upgrade:1"]
        assert words in str(prompt.blocks)
