"""The step `command`: a program run once, detached from the bot, and judged by its exit status."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform, take_down
from bot.context import StepContext
from bot.entry import Kind
from bot.errors import AnswerLost, CannotTell, Final, Stopped, Temporary
from bot.journal import Draft
from integrations.command import Command

SECRET = "pg-password-secret"
ContextOf = Callable[..., StepContext]


@pytest.fixture
def ctx(context_of: ContextOf) -> StepContext:
    return context_of(Command, settings={"MAINT_DB_PASSWORD": SECRET})


def sh(text: str, **fields: Any) -> Command:
    return Command.model_validate({"argv": ["sh", "-c", text], **fields})


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_success_shows_its_last_line_and_keeps_the_output(ctx: StepContext) -> None:
    outcome = perform(sh("echo one; echo two >&2"), ctx)
    assert outcome.summary == "sh ended well: two"
    assert outcome.facts["exit_status"] == 0
    assert outcome.files["output.txt"] == "one\ntwo\n"


def test_failure_is_final_with_the_output(ctx: StepContext) -> None:
    with pytest.raises(Final, match="ended with 4: disk full") as caught:
        perform(sh("echo disk full; exit 4"), ctx)
    assert caught.value.files["output.txt"] == "disk full\n"


def test_a_program_that_does_not_exist_is_told(ctx: StepContext) -> None:
    with pytest.raises(Final, match="no-such-program"):
        perform(Command(argv=("no-such-program",)), ctx)


def test_the_same_attempt_again_does_not_run_it_again(ctx: StepContext, tmp_path: Path) -> None:
    step = sh(f"echo ran >> {tmp_path}/count")
    step.apply(ctx)
    step.apply(ctx)
    assert step.check(ctx) is not None
    assert (tmp_path / "count").read_text() == "ran\n"


def test_a_failed_program_runs_again_only_when_a_person_says_so(
    ctx: StepContext, context_of: ContextOf, maintenances: Any, tmp_path: Path
) -> None:
    step = sh(f"echo ran >> {tmp_path}/count; test -e {tmp_path}/mended")
    for attempt in (1, 2):
        with pytest.raises(Final):
            perform(step, context_of(attempt=attempt))
    assert (tmp_path / "count").read_text() == "ran\n"
    (tmp_path / "mended").touch()
    maintenances.record(
        ctx.maintenance, lambda _: [Draft(Kind.STEP_RETRIED, "U0ANA", "retry:1", ctx.step, {"attempt": 2})]
    )
    perform(step, context_of(attempt=3))
    assert (tmp_path / "count").read_text() == "ran\nran\n"


def test_it_goes_on_when_the_bot_is_shut_down_and_is_found_again(
    ctx: StepContext, surroundings: Any, tmp_path: Path
) -> None:
    step = sh(f"echo ran >> {tmp_path}/count; until test -e {tmp_path}/go; do sleep 0.05; done; echo finished")
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            step.apply(ctx)
        except Stopped as stopped:
            errors.append(stopped)

    bot = threading.Thread(target=attempt)
    bot.start()
    until((tmp_path / "count").exists)
    surroundings.stopping.set()
    bot.join(60)
    assert [type(error) for error in errors] == [Stopped]
    surroundings.stopping.clear()
    (tmp_path / "go").touch()
    assert perform(step, ctx).summary == "sh ended well: finished"
    assert (tmp_path / "count").read_text() == "ran\n"


def test_an_abort_ends_it(ctx: StepContext, maintenances: Any, tmp_path: Path) -> None:
    step = sh(f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60")
    stopped: list[Stopped] = []

    def attempt() -> None:
        try:
            step.apply(ctx)
        except Stopped as error:
            stopped.append(error)

    bot = threading.Thread(target=attempt)
    bot.start()
    until((tmp_path / "pid").exists)
    maintenances.record(ctx.maintenance, lambda _: [Draft(Kind.ABORTED, "U0ANA", "abort:1", payload={"reason": "x"})])
    bot.join(60)
    assert len(stopped) == 1
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_at_its_limit_it_is_ended(ctx: StepContext) -> None:
    with pytest.raises(Final, match=r"still running after 0\.3 seconds"):
        sh("echo begun; sleep 60", limit_s=0.3).apply(ctx)


def test_a_job_that_is_gone_without_a_trace_is_asked_about(ctx: StepContext, tmp_path: Path) -> None:
    step = sh(f"echo $PPID > {tmp_path}/parent.new; mv {tmp_path}/parent.new {tmp_path}/parent; sleep 60")
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            perform(step, ctx)
        except AnswerLost as lost:
            errors.append(lost)

    bot = threading.Thread(target=attempt)
    bot.start()
    until((tmp_path / "parent").exists)
    supervisor = int((tmp_path / "parent").read_text())
    child = int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    bot.join(60)
    assert [type(error) for error in errors] == [AnswerLost]
    with pytest.raises(CannotTell, match="nobody knows"):
        step.check(ctx)


def test_done_when_is_asked_before_and_after(ctx: StepContext, tmp_path: Path) -> None:
    step = sh(f"echo ran >> {tmp_path}/count", done_when=["test", "-e", f"{tmp_path}/count"])
    assert step.check(ctx) is None
    perform(step, ctx)
    perform(step, ctx)
    assert (tmp_path / "count").read_text() == "ran\n"


def test_a_program_that_ended_well_without_its_effect_is_not_believed(ctx: StepContext) -> None:
    step = sh("true", done_when=["false"])
    outcome = step.apply(ctx)
    with pytest.raises(Temporary, match="not done"):
        step.verify(ctx, outcome)


def test_done_when_may_not_know(ctx: StepContext) -> None:
    with pytest.raises(CannotTell, match="ended with 2"):
        sh("true", done_when=["sh", "-c", "exit 2"]).check(ctx)
    with pytest.raises(CannotTell, match="cannot be run"):
        sh("true", done_when=["no-such-program"]).check(ctx)


def test_secrets_reach_the_program_and_nothing_else(ctx: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINT_SLACK_TOKEN", "of-the-bot")
    step = sh("env", secret_env={"PGPASSWORD": "MAINT_DB_PASSWORD"}, env={"MODE": "fast"})
    plan = step.plan(ctx)
    assert "PGPASSWORD=(the value of MAINT_DB_PASSWORD)" in plan.details
    assert "MODE=fast" in plan.details
    outcome = perform(step, ctx)
    assert "PGPASSWORD=•••" in outcome.files["output.txt"]
    assert "of-the-bot" not in outcome.files["output.txt"]
    assert SECRET not in repr(plan) + repr(outcome)
    written = [path.read_text() for path in ctx.workdir.rglob("*") if path.is_file() and path.name != "log"]
    assert not any(SECRET in text for text in written)


def test_undo_runs_its_own_program_after_an_abort(
    context_of: ContextOf, ctx: StepContext, maintenances: Any, tmp_path: Path
) -> None:
    step = sh(f"touch {tmp_path}/there", undo_with=["rm", "-f", f"{tmp_path}/there"])
    perform(step, ctx)
    maintenances.record(ctx.maintenance, lambda _: [Draft(Kind.ABORTED, "U0ANA", "abort:1", payload={"reason": "x"})])
    take_down(step, context_of(Command, undoing=True))
    assert not (tmp_path / "there").exists()


def test_undo_without_a_program_says_so(ctx: StepContext) -> None:
    with pytest.raises(Final, match="undo_with"):
        take_down(sh("true"), ctx)


def test_nothing_in_the_arguments_is_expanded(ctx: StepContext) -> None:
    step = Command(argv=(sys.executable, "-c", "import sys; print(sys.argv[1])", "$(id) *"))
    assert perform(step, ctx).facts["last_line"] == "$(id) *"


@pytest.mark.parametrize("fields", [{"argv": []}, {"argv": "ls -l"}, {"secret_env": {"A": "HOME"}}, {"limit_s": 0}])
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Command.model_validate({"argv": ["true"], **fields})
