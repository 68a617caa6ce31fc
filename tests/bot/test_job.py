"""Jobs outlive whoever started them, are found again, and never run twice."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import AnswerLost, Final, Stopped
from bot.job import Job

SH = "/bin/sh"


def until(condition: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def look() -> None:
    """Nothing to show while waiting."""


def script(text: str) -> list[str]:
    return [SH, "-c", text]


def test_output_and_exit_status_are_kept(tmp_path: Path) -> None:
    job = Job.start_or_attach(tmp_path, "upgrade", script("echo out; echo err >&2; exit 3"))
    assert job.wait(look) == 3
    assert job.state() == "finished"
    assert sorted(job.log_tail().split()) == ["err", "out"]
    assert job.log_tail(4) in {"out\n", "err\n"}


def test_the_second_start_attaches_to_the_first(tmp_path: Path) -> None:
    argv = script(f"echo once >> {tmp_path}/effects; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    first = Job.start_or_attach(tmp_path, "upgrade", argv)
    second = Job.start_or_attach(tmp_path, "upgrade", argv)
    assert first.running()
    assert second.running()
    (tmp_path / "go").touch()
    assert second.wait(look) == 0
    third = Job.start_or_attach(tmp_path, "upgrade", argv)
    assert third.exit_status() == 0
    assert (tmp_path / "effects").read_text() == "once\n"


def test_a_killed_bot_finds_its_job_again(tmp_path: Path) -> None:
    argv = script(f"echo once >> {tmp_path}/effects; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 4")
    bot = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from bot.job import Job\n"
            f"Job.start_or_attach(Path({str(tmp_path)!r}), 'upgrade', {argv!r}); time.sleep(600)",
        ]
    )
    until((tmp_path / "effects").exists)
    bot.send_signal(signal.SIGKILL)
    bot.wait()
    found = Job.find(tmp_path, "upgrade")
    assert found is not None
    assert found.running()
    (tmp_path / "go").touch()
    assert Job.start_or_attach(tmp_path, "upgrade", argv).wait(look) == 4
    assert (tmp_path / "effects").read_text() == "once\n"


def test_many_starters_at_once_run_it_once(tmp_path: Path) -> None:
    argv = script(f"echo once >> {tmp_path}/effects")
    code = (
        "from pathlib import Path; from bot.job import Job\n"
        f"Job.start_or_attach(Path({str(tmp_path)!r}), 'upgrade', {argv!r}).wait(lambda: None)"
    )
    starters = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
    assert [starter.wait() for starter in starters] == [0] * 6
    assert (tmp_path / "effects").read_text() == "once\n"


def test_a_bot_killed_between_asking_and_starting_may_start_it(tmp_path: Path) -> None:
    argv = script("exit 5")
    (tmp_path / "upgrade").mkdir()
    (tmp_path / "upgrade" / "spec.json").write_text(json.dumps({"argv": argv, "cwd": "/", "user": None}))
    assert Job(tmp_path / "upgrade").state() == "new"
    assert Job.start_or_attach(tmp_path, "upgrade", argv).wait(look) == 5


def test_a_lost_job_is_not_started_again(tmp_path: Path) -> None:
    argv = script(f"echo once >> {tmp_path}/effects; exec sleep 600")
    job = Job.start_or_attach(tmp_path, "upgrade", argv)
    until((tmp_path / "effects").exists)
    started = json.loads((job.folder / "started").read_text())
    os.kill(started["supervisor"], signal.SIGKILL)
    assert job.running(), "its own process still lives"
    os.killpg(started["pid"], signal.SIGKILL)
    until(lambda: not job.running())
    with pytest.raises(AnswerLost, match="without an exit status"):
        Job.start_or_attach(tmp_path, "upgrade", argv)
    with pytest.raises(AnswerLost):
        job.wait(look)
    assert (tmp_path / "effects").read_text() == "once\n"


def test_a_pid_used_again_by_another_process_is_not_ours(tmp_path: Path) -> None:
    job = Job.start_or_attach(tmp_path, "upgrade", script("true"))
    job.wait(look)
    (job.folder / "status").unlink()
    started = json.loads((job.folder / "started").read_text())
    (job.folder / "started").write_text(json.dumps({**started, "pid": os.getpid()}))
    until(lambda: job.state() == "lost")
    job.terminate()  # must not touch this very process


def test_other_arguments_under_the_same_name_are_refused(tmp_path: Path) -> None:
    Job.start_or_attach(tmp_path, "upgrade", script("exit 0")).wait(look)
    with pytest.raises(Final, match="other arguments"):
        Job.start_or_attach(tmp_path, "upgrade", script("exit 1"))


def test_waiting_can_stop_while_the_job_goes_on(tmp_path: Path) -> None:
    job = Job.start_or_attach(tmp_path, "upgrade", script("sleep 600"))

    def stop() -> None:
        raise Stopped("shutdown")

    with pytest.raises(Stopped):
        job.wait(stop)
    assert job.running()
    job.terminate()
    assert job.exit_status() == -signal.SIGTERM


def test_terminate_reaches_stubborn_children(tmp_path: Path) -> None:
    job = Job.start_or_attach(
        tmp_path, "upgrade", script(f"(trap '' TERM; while :; do sleep 1; done) & echo $! > {tmp_path}/child; wait")
    )
    until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().endswith("\n"))
    job.terminate(grace_s=0.3)
    assert job.exit_status() == -signal.SIGTERM
    child = (tmp_path / "child").read_text().strip()
    until(lambda: not Path(f"/proc/{child}").exists() or ") Z " in Path(f"/proc/{child}/stat").read_text())


def test_secrets_are_passed_in_the_environment_and_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINT_SLACK_BOT_TOKEN", "xoxb-of-the-bot")
    job = Job.start_or_attach(
        tmp_path,
        "upgrade",
        script('echo "length ${#PGPASSWORD}, bot: $MAINT_SLACK_BOT_TOKEN"'),
        env={"PGPASSWORD": "s3cr3t-password"},
    )
    assert job.wait(look) == 0
    assert job.log_tail() == "length 15, bot: \n"
    written = "".join(path.read_text() for path in job.folder.iterdir())
    assert "s3cr3t-password" not in written


def test_a_program_that_does_not_exist_fails_with_a_reason(tmp_path: Path) -> None:
    job = Job.start_or_attach(tmp_path, "upgrade", ["/nowhere/pg_upgrade"])
    assert job.wait(look) == 127
    assert "cannot run /nowhere/pg_upgrade" in job.log_tail()


def test_an_unknown_account_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(Final, match="no account 'nobody-at-all'"):
        Job.start_or_attach(tmp_path, "upgrade", script("true"), user="nobody-at-all")
    assert Job.find(tmp_path, "upgrade") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a job as somebody else")
def test_root_runs_it_as_another_account(tmp_path: Path) -> None:
    job = Job.start_or_attach(tmp_path, "upgrade", script("id -un; echo $HOME"), user="nobody")
    assert job.wait(look) == 0
    assert job.log_tail().split() == ["nobody", pwd.getpwnam("nobody").pw_dir]
