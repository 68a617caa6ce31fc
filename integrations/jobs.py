"""Runs programs for steps: to their end as a detached job, or quickly, just to ask something.

No integration of its own: `command`, `app.off` and `app.on` share it.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import AnswerLost, CannotTell, Final
from bot.job import Job
from bot.step import Context

_LOG_BYTES = 65536
_KEPT_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status (negative: killed by that signal) and the end of what it wrote."""

    status: int
    output: str


def run(
    ctx: Context,
    name: str,
    argv: Sequence[str],
    *,
    limit_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ended:
    """Run `argv` as the job `name` of this step, or attach to the one that an earlier attempt started, and wait.

    The job is ended when the step has to stop (an abort, a cancellation) and after `limit_s` seconds; it goes on when
    only the bot is shut down. Raises `Final` on the limit or if it cannot be
    started, `AnswerLost` if nobody knows how it ended or it was begun on another machine, and `Stopped`.
    """
    if find(ctx, name) is None:
        ctx.intend(_intent(name))
    job = Job.start_or_attach(ctx.workdir, name, argv, env=env, cwd=cwd)
    began = time.monotonic()

    def look() -> None:
        if ctx.stop_reason() not in {None, "shutdown"}:
            job.terminate()
        ctx.raise_if_stopped()
        elapsed = time.monotonic() - began
        if elapsed > limit_s:
            job.terminate()
            raise Final(
                f"{argv[0]} was still running after {limit_s:g} seconds, its limit, and was ended.",
                files={f"{name}.log": job.log_tail(_LOG_BYTES)},
            )
        ctx.progress(elapsed, None, "seconds", last_line(job.log_tail(1024)))

    status = job.wait(look)
    return Ended(status, job.log_tail(_LOG_BYTES))


def find(ctx: Context, name: str) -> Job | None:
    """Return the job `name` of this step, or None if it was certainly never begun.

    Raises `AnswerLost` if it was begun where we cannot see it: its folder is on the machine that began it.
    """
    job = Job.find(ctx.workdir, name)
    if job is None and ctx.intended(_intent(name)):
        raise AnswerLost(
            f"The job {name} of {ctx.step} was begun by another process of the bot, and there is no trace of it in "
            f"{ctx.workdir}: it was on another machine, or with another MAINT_DATA_DIR. It is not started again by "
            "itself. Look there whether it still runs, and how it ended."
        )
    return job


def _intent(name: str) -> str:
    return f"job:{name}"


def ask(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, limit_s: float) -> Ended:
    """Run `argv`, which must only look, and return how it ended. Raises `CannotTell` if it cannot run or hangs."""
    clean = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            argv,
            env={**clean, **(env or {})},
            cwd=cwd or Path("/"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except OSError as error:
        raise CannotTell(f"{argv[0]} cannot be run: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise CannotTell(f"{argv[0]} gave no answer within {limit_s:g} seconds.") from None
    return Ended(done.returncode, done.stdout[-_LOG_BYTES:].decode(errors="replace"))


def last_line(output: str) -> str:
    """Return the last line that is not empty, cut to a length that fits the run card."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:150] if lines else ""
