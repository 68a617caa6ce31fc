"""One contract for every step: what each has to hold, whatever it works on.

A new step needs a stand (tests/stands), or a line in `ELSEWHERE` that says where it is proved instead.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

import integrations
from bot import window_steps
from bot.context import StepContext, Surroundings
from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.field_docs import description
from bot.step import REGISTRY
from tests.stands import calls, github, sites, statuspage
from tests.stands.stand import CHANGING, STANDS, Stand, Trial

integrations.load()
SHIPPED = {uses for uses in REGISTRY if not uses.startswith("test.")}
"""All but those that other tests in the same process have made."""
TESTS = Path(__file__).parent
IMPORTED = (calls, github, sites, statuspage, window_steps)
ELSEWHERE = {
    "alertmanager.silence": "integrations/alertmanager/test_silence.py",
    "maint.cancel": "scenarios/test_changes.py",
    "maint.open-on-red": "scenarios/test_way_back.py",
    "maint.override": "scenarios/test_conflicts.py",
    "maint.rollback": "scenarios/test_way_back.py",
    "maint.window": "scenarios/test_changes.py",
    "manual": "integrations/manual/test_manual.py",
    "oncall.page": "integrations/oncall/test_page.py",
    "pagerduty.maintenance_window": "integrations/pagerduty/test_maintenance_window.py",
    "postgres.analyze": "integrations/postgres/test_analyze.py",
    "postgres.cross": "integrations/postgres/test_way_back.py",
    "postgres.delete_old": "integrations/postgres/test_way_back.py",
    "postgres.baseline": "integrations/postgres/test_story.py",
    "postgres.clone": "integrations/postgres/test_clone.py",
    "postgres.remove_clone": "integrations/postgres/test_clone.py",
    "postgres.gate": "integrations/postgres/test_story.py",
    "postgres.note": "integrations/postgres/test_upgrade.py",
    "postgres.read_back": "integrations/postgres/test_upgrade.py",
    "postgres.replicas": "integrations/postgres/test_replicas.py",
    "postgres.look": "integrations/postgres/test_story.py",
    "postgres.preflight": "integrations/postgres/test_preflight.py",
    "postgres.upgrade": "integrations/postgres/test_upgrade.py",
    "postgres.vacuum": "integrations/postgres/test_vacuum.py",
    "probe": "integrations/probe/test_probe.py",
    "rds.blue_green": "integrations/rds/test_rds.py",
    "rds.switchover": "integrations/rds/test_rds.py",
    "rds.upgrade": "integrations/rds/test_rds.py",
    "report": "integrations/report/test_report.py",
}
"""Steps that last as long as another, that a person does, or that need a cluster: proved by tests of their own."""

BY_HTTP = sorted(set(STANDS) - {"command"})
UNDONE = sorted(name for name in STANDS if REGISTRY[name].reversible)
Open = Callable[..., tuple[Stand, Trial]]


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    with STANDS[request.param](tmp_path / "stand") as opened:
        yield opened


@pytest.fixture
def trial(stand: Stand, context_of: Callable[..., StepContext], surroundings: Surroundings) -> Trial:
    return Trial(stand, context_of, surroundings)


def each(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stand", names, indirect=True)


def test_every_step_has_a_stand_or_a_place_where_it_is_proved() -> None:
    assert set(STANDS) | set(ELSEWHERE) == SHIPPED
    assert set(STANDS) & set(ELSEWHERE) == set()
    assert [path for path in ELSEWHERE.values() if not (TESTS / path).is_file()] == []


@pytest.mark.parametrize("uses", sorted(SHIPPED))
def test_it_says_what_it_is_and_how_long_it_takes(uses: str) -> None:
    cls = REGISTRY[uses]
    assert cls.__doc__
    assert 0 < cls.estimate_s <= cls.timeout_s
    assert all(description(cls, name) for name in cls.model_fields)


@each(sorted(STANDS))
def test_planning_changes_nothing_and_comes_to_the_same(stand: Stand, trial: Trial) -> None:
    before = stand.seen()
    plan, again = stand.step.plan(trial.context()), stand.step.plan(trial.context())
    assert plan.digest == again.digest
    assert plan.summary
    assert stand.seen() == before
    assert stand.changing() == 0


@each(sorted(STANDS))
def test_one_key_has_one_effect(stand: Stand, trial: Trial) -> None:
    before = stand.seen()
    trial.runs()
    done = stand.seen()
    assert done != before
    # What cannot be recognised outside (a plain call, say) is not done again either: a person is asked.
    with suppress(AnswerLost):
        stand.step.apply(trial.context())
    assert stand.seen() == done


@each(BY_HTTP)
def test_a_lost_answer_is_found_again_or_asked_about(
    stand: Stand, trial: Trial, tmp_path: Path, context_of: Callable[..., StepContext], surroundings: Surroundings
) -> None:
    trial.runs()
    calls_made, wanted = stand.changing(), str(stand.seen())
    assert calls_made > 0
    for number in range(min(calls_made, stand.most_faults)):
        name = f"2026-11-25-lost-{number}"
        with STANDS[stand.step.uses](tmp_path / name) as another:
            again = Trial(another, partial(context_of, maintenance=name), surroundings)
            assert another.faults is not None
            fault = another.faults.arm(
                "drop_after", method="|".join(CHANGING), path=f"^(?!.*({another.looks}))", skip=number
            )
            outcome = again.runs()
            assert fault.times == 0, "the answer was never lost"
            assert str(another.seen()).replace(name, trial.context().maintenance) == wanted
            if outcome is None:
                with pytest.raises(CannotTell):
                    another.step.check(again.context())


@each(BY_HTTP)
def test_a_server_that_fails_is_not_the_end(stand: Stand, trial: Trial) -> None:
    assert stand.faults is not None
    before = stand.seen()
    stand.faults.arm("status", status=503, times=1000)
    with pytest.raises((Temporary, AnswerLost)):
        trial.attempt()
    stand.faults.clear()
    assert stand.seen() == before


@each(BY_HTTP)
def test_what_is_refused_is_final_and_told(stand: Stand, trial: Trial) -> None:
    assert stand.faults is not None
    before = stand.seen()
    stand.faults.arm("status", status=403, body={"message": f"no, {stand.secrets[0]} may not"}, times=1000)
    with pytest.raises(Final) as refused:
        trial.attempt()
    assert "403" in str(refused.value)
    assert stand.secrets[0] not in str(refused.value)
    stand.faults.clear()
    assert stand.seen() == before


@each(UNDONE)
def test_undone_it_is_as_it_was(stand: Stand, trial: Trial) -> None:
    before = stand.shown()
    trial.runs()
    outcome = trial.undoes()
    assert outcome.summary
    assert stand.shown() == before
    quiet = stand.seen()
    trial.undoes()
    assert stand.seen() == quiet
    assert stand.step.standing(trial.context(undoing=True), outcome) is None


@each(sorted(STANDS))
def test_no_secret_is_written_anywhere(stand: Stand, trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    plan = stand.step.plan(trial.context())
    outcome = trial.runs()
    assert outcome is not None
    facts = json.dumps([dict(outcome.facts), dict(outcome.files)])
    written = [repr(stand.step), repr(plan), repr(outcome), facts, trial.told(), caplog.text]
    assert [(secret, text) for secret in stand.secrets for text in written if secret in text] == []
