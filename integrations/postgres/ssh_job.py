"""A long job on another host that outlives the connection and the bot; the counterpart of `bot.job` in shell.

    spec      what was asked for; never the environment, which may hold secrets
    lock      locked (flock) by the supervisor as long as it lives
    started   pid and start time of the job's process; written before the job's program is executed
    log       its stdout and stderr
    status    its exit status

Asking to start it twice starts it once, whatever became of the first answer: `started` is looked at under the lock.
A login manager must leave these processes alone when the connection ends (systemd: `KillUserProcesses=no`).
"""

import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.errors import AnswerLost, Final, Temporary
from bot.job import JobState
from integrations.postgres.blocked import span
from integrations.postgres.machine import TEXT_BYTES, Unreachable
from integrations.postgres.ssh import Shell

_OTHER, _SLOW = 45, 46
_POLL_S = 1.0
_SIGNALLED = 128  # a shell's exit status of a program that a signal killed is this and the signal
_STATES: dict[str, JobState] = {"new": "new", "running": "running", "finished": "finished", "lost": "lost"}

# Called with the job's folder, its cwd and its command. The lock stays ours until `started` is there, and then the
# supervisor's alone. proc(5): field 22 of stat is the start time; what is after the name's bracket begins with field 3.
_BORN = "born() { sed 's/.*) //' \"/proc/$1/stat\" 2>/dev/null | cut -d' ' -f20; }"
_JOB = f"""{_BORN}
echo "$$ $(born $$)" > "$1/started.new" && sync && mv "$1/started.new" "$1/started" || exit 127
log=$1/log; cd "$2" || exit 127; shift 2
exec "$@" >>"$log" 2>&1 9>&-"""
_SUPERVISOR = f"""exec 9>"$1/lock"
flock -n 9 || exit 0
[ -e "$1/started" ] && exit 0
setsid sh -c {shlex.quote(_JOB)} maint-job "$@" &
wait $!
echo $? > "$1/status.new" && sync && mv "$1/status.new" "$1/status\""""
_LOOK = f"""{_BORN}
ended() {{ [ -e status ] && echo "finished $(cat status)"; }}
alive() {{ ! flock -s -n lock true || [ "$(born "$pid")" = "$start" ]; }}
cd "$folder" 2>/dev/null && [ -e spec ] || {{ echo absent; exit 0; }}
ended || if [ ! -e started ]; then echo new; else
  read -r pid start < started
  if alive; then echo running; else ended || echo lost; fi
fi"""
_END = f"""{_BORN}
cd "$folder" && read -r pid start < started || exit 0
for signal in TERM KILL; do
  n=0
  while [ "$(born "$pid")" = "$start" ] && [ $n -lt "$tenths" ]; do
    [ $n -gt 0 ] || kill -$signal "-$pid"
    sleep 0.1; n=$((n + 1))
  done
done"""


class SshJob:
    """One job in its folder there. What it last said is kept, for when the connection is lost."""

    def __init__(self, shell: Shell, folder: Path, *, tell: Callable[[str], None]) -> None:
        self.name = folder.name
        self._shell = shell
        self._folder = folder
        self._tell = tell
        self._log = ""
        self._status: int | None = None

    def start(self, argv: Sequence[str], *, environment: str, cwd: Path) -> None:
        """Start it unless it was started. `environment` is shell that sets it.

        Raises `Final` if it was started with other arguments, `AnswerLost` if it is lost, `Temporary` if it does not
        begin; asking again is safe in every case, and after `Unreachable` too.
        """
        folder = shlex.quote(str(self._folder))
        spec = shlex.quote(json.dumps({"argv": list(argv), "cwd": str(cwd)}))
        words = shlex.join(["sh", "-c", _SUPERVISOR, "maint-supervisor", str(self._folder), str(cwd), *argv])
        status, _ = self._shell.ask(
            f"umask 077; mkdir -p {folder} && cd {folder} || exit 1\n"
            f"printf %s {spec} > spec.$$ && ln spec.$$ spec 2>/dev/null; rm -f spec.$$\n"
            f'[ "$(cat spec)" = {spec} ] || exit {_OTHER}\n'
            f"[ ! -e started ] || exit 0\n{environment}\n"
            f"setsid {words} </dev/null >/dev/null 2>&1 &\n"
            f"n=0; while [ ! -e started ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done\n"
            f"[ -e started ] || exit {_SLOW}"
        )
        if status == _OTHER:
            raise Final(
                f"The job {self.name} was started before on {self._shell.name} with other arguments, so it is not "
                f"started again. What it was is in {self._folder / 'spec'} there."
            )
        if status:
            raise Temporary(f"The job {self.name} did not begin on {self._shell.name} (exit status {status}).")
        if self.state() == "lost":
            raise self._lost()

    def asked_for(self) -> bool:
        """Whether it was ever asked for."""
        return self._look() != "absent"

    def state(self) -> JobState:
        """See `bot.job.Job.state`."""
        return _STATES.get(self._look(), "new")

    def exit_status(self) -> int | None:
        """See `bot.job.Job.exit_status`."""
        if self._status is None:
            self._look()
        return self._status

    def log_tail(self, size_bytes: int = 8192) -> str:
        """Return the end of what it had written at the last look."""
        return self._log[-size_bytes:]

    def wait(self, look: Callable[[], None]) -> int:
        """Wait for its end, through lost connections, and return the exit status; see `bot.job.Job.wait`."""
        lost_at: float | None = None
        state = "running"
        while state == "running":
            try:
                state = self._look()
            except Unreachable as error:
                if lost_at is None:
                    lost_at = time.monotonic()
                    self._tell(f"{error} {self.name} goes on there; it is taken up again as soon as that is possible.")
            else:
                if lost_at is not None:
                    away = span(time.monotonic() - lost_at)
                    self._tell(f"{self._shell.name} is back after {away}; {self.name} was not disturbed ({state}).")
                    lost_at = None
            look()
            if state == "running":
                time.sleep(_POLL_S)
        if self._status is None:
            raise self._lost()
        return self._status

    def terminate(self, *, grace_s: float = 10.0) -> None:
        """End it and all in its process group; see `bot.job.Job.terminate`."""
        values = f"folder={shlex.quote(str(self._folder))}; tenths={round(grace_s * 10)}"
        self._shell.ask(f"{values}\n{_END}", timeout_s=2 * grace_s + 30)

    def _look(self) -> str:
        folder = shlex.quote(str(self._folder))
        _, said = self._shell.ask(f"folder={folder}\n{_LOOK}\ntail -c {TEXT_BYTES} log 2>/dev/null || :")
        first, _, self._log = said.partition("\n")
        state, _, status = first.partition(" ")
        if state == "finished":
            code = int(status)
            self._status = code if code <= _SIGNALLED else _SIGNALLED - code
        return state

    def _lost(self) -> AnswerLost:
        return AnswerLost(
            f"The job {self.name} was started on {self._shell.name} and is gone without an exit status: it or the "
            "host was killed. It is not started again by itself.",
            files={f"{self.name}.log": self._log},
        )
