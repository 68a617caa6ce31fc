"""Long outside jobs (a pg_upgrade) that outlive the bot: started once, found again after a restart, never run twice.

A small detached supervisor (this module run as a program) starts the job and waits for it. A job is a folder:

    spec.json   what is to run; never the environment, which may hold secrets
    lock        locked (flock) by the supervisor as long as it lives
    started     pid and start time of the job's process; written once, before the job's program is executed
    log         its stdout and stderr
    status      its exit status

So a restarted bot can tell: `status` is there: finished; `lock` is held, or the process in `started` lives: running;
no `started`: certainly never run, and safe to start; `started` alone: lost, nobody knows how it ended.
A service manager must leave these processes alone when it restarts the bot (systemd: `KillMode=process`).
"""

import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

from bot.errors import AnswerLost, Final

JobState = Literal["new", "running", "finished", "lost"]

_CHECKOUT = Path(__file__).resolve().parent.parent
_KEPT_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_START_TIMEOUT_S = 60.0
_GLANCE_S = 0.02
_CANNOT_EXECUTE = 127  # as a shell would say


class Job:
    """One outside job in its folder. Make it with `Job.start_or_attach`, or `Job.find` to only look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.log_path = folder / "log"

    @classmethod
    def start_or_attach(
        cls,
        folder: Path,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> "Job":
        """Start the job `name` in `folder`, or find the one that was started there before, running or ended.

        `env` is added to a small clean environment (PATH, HOME, locale); it is the only place for secrets, since it
        is never written down. As root, `user` is who runs the job; otherwise it has to be ourselves. It runs in the
        folder `cwd` (default: `/`), which the user must be able to enter. Raises `Final` if it cannot be started, or
        was started with other arguments; `AnswerLost` if it was started and nobody knows how it ended, or if
        starting took over a minute.
        """
        job = cls(folder.resolve() / name)
        spec = {"argv": list(argv), "cwd": str(cwd or "/"), "user": _checked(user)}
        job.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _write_once(job.folder / "spec.json", spec) and _read(job.folder / "spec.json") != spec:
            raise Final(
                f"The job {name} was started before with other arguments, so it is not started again. "
                f"What it was is in {job.folder / 'spec.json'}."
            )
        if job.state() == "new":
            job._start(env or {}, user)
        if job.state() == "lost":
            raise job.lost()
        return job

    @classmethod
    def find(cls, folder: Path, name: str) -> "Job | None":
        """Return the job `name` of `folder` if it was ever asked for, else None."""
        return cls(folder / name) if (folder / name / "spec.json").exists() else None

    def state(self) -> JobState:
        """Tell `new` (certainly never run), `running`, `finished` or `lost` (started, and its end is not known)."""
        if (self.folder / "status").exists():
            return "finished"
        started = (self.folder / "started").exists()
        if started and (_is_locked(self.folder / "lock") or self._process() is not None):
            return "running"
        if (self.folder / "status").exists():  # it may have ended between the two looks
            return "finished"
        return "lost" if started else "new"

    def running(self) -> bool:
        """Whether the job runs now."""
        return self.state() == "running"

    def exit_status(self) -> int | None:
        """Return the exit status (negative: killed by that signal), or None while it has none."""
        path = self.folder / "status"
        return int(_read(path)["exit"]) if path.exists() else None

    def log_tail(self, size_bytes: int = 8192) -> str:
        """Return the end of what the job has written so far, at most `size_bytes`."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size_bytes))
            return file.read().decode(errors="replace")

    def wait(self, look: Callable[[], None], *, poll_s: float = 0.2) -> int:
        """Wait for the end and return the exit status; call `look` every `poll_s` seconds.

        `look` shows progress and may raise (`ctx.raise_if_stopped`): the job itself goes on then. Raises `AnswerLost`
        if the job disappears without an exit status.
        """
        while (state := self.state()) == "running":
            look()
            until = time.monotonic() + poll_s
            while time.monotonic() < until and not (self.folder / "status").exists():
                time.sleep(_GLANCE_S)
        status = self.exit_status()
        if state == "lost" or status is None:
            raise self.lost()
        return status

    def terminate(self, *, grace_s: float = 10.0) -> None:
        """End the job and all in its process group: SIGTERM, and SIGKILL to what is left after `grace_s` seconds."""
        pid = self._process()
        if pid is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(pid, number)
            deadline = time.monotonic() + grace_s
            while self.running() and time.monotonic() < deadline:
                time.sleep(0.05)

    def lost(self) -> AnswerLost:
        """Return the error that says that nobody knows how the job ended, with the end of its log."""
        return AnswerLost(
            f"The job {self.name} was started and is gone without an exit status: it or the machine was killed. "
            "It is not started again by itself.",
            files={f"{self.name}.log": self.log_tail()},
        )

    def _start(self, env: Mapping[str, str], user: str | None) -> None:
        command = [sys.executable, "-m", "bot.job", str(self.folder)]
        try:
            done = subprocess.run(
                command,
                cwd=_CHECKOUT,
                env={**_clean_environment(user), **env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_START_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise AnswerLost(f"The supervisor of the job {self.name} did not start within a minute.") from late
        if done.returncode:
            raise Final(f"The job {self.name} could not be started: {done.stderr.strip()[-500:]}")

    def _process(self) -> int | None:
        """Return the pid of the job's process if it lives and is the one that we started."""
        path = self.folder / "started"
        if not path.exists():
            return None
        started = _read(path)
        pid = int(started["pid"])
        return pid if _start_time(pid) == started["start_time"] else None


def _checked(user: str | None) -> str | None:
    if user is None:
        return None
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Final(f"There is no account {user!r} on this machine to run the job as.") from None
    if os.geteuid() not in (0, account.pw_uid):
        raise Final(f"Only root can run a job as {user}, and the bot runs as another account.")
    return user


def _clean_environment(user: str | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    if user is not None:
        kept |= {"HOME": pwd.getpwnam(user).pw_dir, "USER": user, "LOGNAME": user}
    return kept


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _write_once(path: Path, value: object) -> bool:
    """Write `value` whole or not at all; False if the file was there before (and stays as it is)."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(json.dumps(value))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _start_time(pid: int) -> str | None:
    """Return when the process started, in ticks since boot (proc(5), field 22); None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _supervise(folder: Path) -> None:
    """Run the job of `folder` in a detached process; return as soon as it is under way (or somebody else has it)."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        answer = os.read(reading, 2)
        os._exit(0 if answer == b"ok" else 1)
    os.setsid()
    with (folder / "lock").open("w") as lock:
        if not _take(lock.fileno(), folder):
            os.write(writing, b"ok")
            return
        pid = _spawn(folder)
        os.write(writing, b"ok")
        os.close(writing)
        _let_go_of_standard_streams()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        _write_once(folder / "status", {"exit": status, "at": datetime.now(UTC).isoformat()})


def _take(lock: int, folder: Path) -> bool:
    """Take the lock; False if the job was started already. Lookers hold the lock for moments, hence the loop."""
    while not (folder / "started").exists():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        return not (folder / "started").exists()
    return False


def _spawn(folder: Path) -> int:
    """Fork the job's process, put it on record, and only then let it execute the program; return its pid."""
    spec = _read(folder / "spec.json")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        if os.read(reading, 1):  # nothing comes if the supervisor dies before it has put us on record
            _execute(spec, folder / "log")
        os._exit(_CANNOT_EXECUTE)
    os.close(reading)
    record = {"pid": pid, "start_time": _start_time(pid), "supervisor": os.getpid()}
    _write_once(folder / "started", {**record, "at": datetime.now(UTC).isoformat()})
    os.write(writing, b"g")
    os.close(writing)
    return pid


def _execute(spec: Mapping[str, Any], log: Path) -> NoReturn:
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, programs expect them
            signal.signal(number, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if spec["user"] is not None and os.geteuid() == 0:
            account = pwd.getpwnam(spec["user"])
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        os.chdir(spec["cwd"])
        os.execvp(spec["argv"][0], spec["argv"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"cannot run {spec['argv'][0]}: {error}\n".encode())
        os._exit(_CANNOT_EXECUTE)


def _let_go_of_standard_streams() -> None:
    """The bot waits for the end of these pipes when it starts us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


if __name__ == "__main__":
    _supervise(Path(sys.argv[1]))
