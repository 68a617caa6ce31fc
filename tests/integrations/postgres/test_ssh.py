"""The same upgrade on another host: a real sshd on the loopback, with connections that really break."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.context import StepContext
from bot.errors import AnswerLost, Final, Temporary
from integrations.postgres import Preflight, Upgrade
from integrations.postgres.machine import ProgramFailed, Unreachable
from integrations.postgres.ssh import SshHost
from integrations.postgres.ssh_machine import SshMachine
from sandbox.postgres.cluster import Cluster
from sandbox.postgres.sshd import Sshd
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.killed import kill, life
from tests.integrations.postgres.night import Night
from tests.integrations.postgres.test_upgrade import major, once

IDENTITY = "MAINT_SSH_IDENTITY_FILE"
SECRET = "hunter2-over-ssh"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    try:
        server = Sshd(folder)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    server.start()
    yield server
    server.stop()


def host_of(sshd: Sshd, **changes: Any) -> SshHost:
    fields = {"ssh": f"{sshd.user}@127.0.0.1", "port": sshd.port, "known_hosts": sshd.known_hosts}
    return SshHost.model_validate({**fields, "identity_file": IDENTITY, **changes})


@pytest.fixture
def machine_of(sshd: Sshd, context_of: Callable[..., StepContext]) -> Callable[..., SshMachine]:
    def make(**changes: Any) -> SshMachine:
        context = context_of(Upgrade, settings={IDENTITY: str(sshd.identity)})
        return SshMachine(context, host_of(sshd, **changes), run_as=None)

    return make


@pytest.fixture
def held_bin(story: Cluster, pg18_bin: Path) -> Path:
    """The programs of 18, with a pg_upgrade that notes each real run in `calls` and waits for the file `go`."""
    folder = story.root / "bin18"
    folder.mkdir()
    for program in pg18_bin.iterdir():
        if program.name != "pg_upgrade":
            (folder / program.name).symlink_to(program)
    wrapper = folder / "pg_upgrade"
    wait = f"n=0; while [ ! -e {folder}/go ] && [ $n -lt 1200 ]; do sleep 0.1; n=$((n + 1)); done"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *--check*) ;; *) echo upgrade >> {folder}/calls; {wait} ;; esac\n'
        f'exec {pg18_bin}/pg_upgrade "$@"\n'
    )
    wrapper.chmod(0o755)
    story.account.give(folder)
    return folder


@pytest.fixture
def held_upgrade(story: Cluster, upgrade_of: Callable[..., Upgrade], sshd: Sshd, held_bin: Path) -> Upgrade:
    run_as = story.account.name if os.geteuid() == 0 else None
    return upgrade_of(story, mode="copy", new_bin=held_bin, host=host_of(sshd), run_as=run_as)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_upgrade_and_way_back_over_ssh_survive_a_dead_bot_and_dropped_connections(
    night: Night, held_upgrade: Upgrade, sshd: Sshd, held_bin: Path, tmp_path: Path
) -> None:
    """Looked at first; the bot is killed while pg_upgrade runs; the next one's connection breaks, its host is away."""
    night.settings[IDENTITY] = str(sshd.identity)
    same = held_upgrade.model_dump(include={"host", "old_bin", "old_data", "new_data", "run_as"})
    ready = night.do("preflight", Preflight(**same, new_bin=held_upgrade.new_bin))
    assert "Nothing stops the upgrade to PostgreSQL 18" in ready.summary
    bot = life(tmp_path, night, {"upgrade": held_upgrade.model_dump(mode="json")})
    wait_for((held_bin / "calls").exists)
    kill(bot)

    lines_then = len(night.lines("upgrade"))

    def away() -> None:
        sshd.stop()
        wait_for(lambda: len(night.lines("upgrade")) > lines_then)
        sshd.start()
        (held_bin / "go").touch()

    once(lambda: "pg_upgrade-1" in str(night.progress("upgrade")), away)
    outcome = night.do("upgrade", held_upgrade)
    assert outcome.facts["to"] == 18
    assert (held_bin / "calls").read_text().split() == ["upgrade"]
    assert major(night.settings[DSN]) == 18
    lines = night.lines("upgrade")
    assert any("pg_upgrade-1 goes on there" in line for line in lines)
    assert any("127.0.0.1 is back after" in line and "not disturbed" in line for line in lines)

    execute(night.settings[DSN], "CREATE TABLE late AS SELECT generate_series(1, 3) AS n")
    once(lambda: any("The way back begins" in line for line in night.lines("upgrade")), sshd.drop)
    back = night.undo("upgrade", held_upgrade)
    assert "PostgreSQL 14 with its own identity" in back.summary
    assert "are as before" in back.summary
    assert major(night.settings[DSN]) == 14
    [begun] = [line for line in night.lines("upgrade") if "The way back begins" in line]
    assert "in the tables are 3 rows (app: public.late 3) new or changed since" in begun


def test_a_start_whose_answer_is_lost_again_and_again_starts_one_job(
    machine_of: Callable[..., SshMachine], sshd: Sshd, tmp_path: Path
) -> None:
    machine = machine_of()
    argv = ["sh", "-c", f"echo once >> {tmp_path}/runs; while [ ! -e {tmp_path}/go ]; do sleep 0.1; done"]
    dice = random.Random(11)

    def start() -> Any:
        return machine.start_or_attach(tmp_path, "job", argv, env={"PGPASSWORD": SECRET}, cwd=tmp_path, user=None)

    dropped = 0
    for number in range(60):  # ever more time, so that a busy machine gets further too
        timer = threading.Timer(dice.uniform(0, 0.05 * (number + 1)), sshd.drop)
        timer.start()
        try:
            start()
            if dropped:
                break
        except Unreachable:
            dropped += 1
        finally:
            timer.join()
    assert dropped, "no connection broke"
    job = start()
    assert (tmp_path / "runs").read_text().split() == ["once"]
    cmdlines = [path.read_text(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(SECRET in cmdline for cmdline in cmdlines)
    (tmp_path / "go").touch()
    assert job.wait(lambda: None) == 0


def test_a_job_ends_as_it_ended_and_a_lost_one_is_told(machine_of: Callable[..., SshMachine], tmp_path: Path) -> None:
    machine = machine_of()

    def run(name: str, script: str) -> Any:
        return machine.start_or_attach(tmp_path, name, ["sh", "-c", script], env={}, cwd=tmp_path, user=None)

    seven = run("seven", "echo said; exit 7")
    assert seven.wait(lambda: None) == 7
    assert seven.log_tail().strip() == "said"
    assert machine.find_job(tmp_path, "nothing") is None
    with pytest.raises(Final, match="with other arguments"):
        run("seven", "echo other")

    long = run("long", "sleep 600")
    long.terminate(grace_s=5)
    assert long.wait(lambda: None) == -signal.SIGTERM

    gone = run("gone", "kill -9 $PPID; kill -9 $$")
    with pytest.raises(AnswerLost, match="gone without an exit status"):
        gone.wait(lambda: None)


def test_files_and_programs_there(machine_of: Callable[..., SshMachine], tmp_path: Path) -> None:
    machine = machine_of()
    folder = machine.work_folder(tmp_path / "it's a folder", None)
    text = "100% of $HOME; `id`\n'quoted' \\n\n\n"
    machine.write(folder / "a.txt", text)
    assert machine.read(folder / "a.txt") == text
    assert machine.read(folder / "b.txt") is None
    assert machine.permissions(folder) == 0o700
    assert machine.names(folder) == ["a.txt"]
    assert machine.text_files([folder, tmp_path / "none"], suffixes=(".txt",)) == {"a.txt": text}
    assert machine.size_bytes(folder) == len(text)
    assert machine.free_bytes(folder) > 0
    assert machine.device(folder) == tmp_path.stat().st_dev
    assert not machine.may(folder / "a.txt", "x")
    machine.rename(folder / "a.txt", folder / "c.txt")
    machine.empty(folder)
    machine.remove(folder)
    assert not machine.exists(folder)
    said = machine.run(["printenv", "GIVEN"], user=None, cwd=tmp_path, env={"GIVEN": "a b"}, timeout_s=30)
    assert said == "a b\n"
    with pytest.raises(ProgramFailed, match="exit code 3"):
        machine.run(["sh", "-c", "exit 3"], user=None, cwd=tmp_path, env={}, timeout_s=30)
    with pytest.raises(Final, match="cannot be read"):
        machine.account_for(None, tmp_path / "nowhere")


def test_a_strange_host_and_a_strange_key_are_refused(
    machine_of: Callable[..., SshMachine], sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "strange").write_text(sshd.known("other_key"))
    with pytest.raises(Final, match="may be another machine"):
        machine_of(known_hosts=tmp_path / "strange").exists(tmp_path)
    (tmp_path / "sshd" / "authorized_keys").write_text("")
    with pytest.raises(Final, match="does not let us in"):
        machine_of(known_hosts=sshd.known_hosts).exists(tmp_path)
    sshd.stop()
    with pytest.raises(Temporary, match="Connection refused"):
        machine_of().exists(tmp_path)
