"""A bot that is killed again and again: at each moment that can be seen from outside, and at each second.

Each of its lives is forked from a process that has loaded everything, so that many of them cost little.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Hashable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres import night as bot
from tests.integrations.postgres.night import Night

_LIVES = multiprocessing.get_context("forkserver")
_LIVES.set_forkserver_preload(["integrations.postgres", "tests.integrations.postgres.night"])
_LOOK_EVERY_S = 0.02
_MOST_LIVES = 300


def life(folder: Path, night: Night, steps: Mapping[str, Mapping[str, Any]], *, undo: bool = False) -> BaseProcess:
    """Begin a life of a bot that does those of the steps (id to fields) that are not done; return its process."""
    config = folder / "config.json"
    what = {"folder": str(folder), "settings": night.settings, "steps": steps, "undo": undo}
    config.write_text(json.dumps(what))
    process = _LIVES.Process(target=bot.live, args=(str(config),), daemon=False)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """Kill it, as a machine that has no memory left does."""
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def killed_at_each_moment(
    begin: Callable[[], BaseProcess], moment: Callable[[], Hashable], *, every_s: float = 1.0
) -> int:
    """Let it live until it gets to its end; return how often it was killed before.

    It is killed as soon as `moment` returns what was never seen, and otherwise after `every_s` seconds in its first
    life, twice that in its second, and so on: so each second of the work is met, and a slow machine gets to the end
    too.
    """
    seen = {moment()}
    for killed in range(_MOST_LIVES):
        process = begin()
        until = time.monotonic() + every_s * (killed + 1)
        while process.is_alive() and time.monotonic() < until:
            now = moment()
            if now not in seen:
                seen.add(now)
                break
            process.join(_LOOK_EVERY_S)
        status = process.exitcode  # asked once: it may end at any moment
        if status == 0:
            process.join()
            return killed
        assert status is None, "the bot ended by itself, and not well"
        kill(process)
    raise AssertionError("it never got to the end")


def moment_of(night: Night, cluster: Cluster, step: str) -> Callable[[], Hashable]:
    """Return what can be seen: what is on record and shown, the files of the step's jobs, and which servers run."""
    folder = night.context(step).workdir
    places = [cluster.data / "postmaster.pid", cluster.data / "global" / "pg_control", cluster.root / "new"]
    places += [cluster.root / "new" / name for name in ("PG_VERSION", "postmaster.pid", "global/pg_control")]

    def moment() -> Hashable:
        jobs = frozenset(path.relative_to(folder) for path in folder.glob("*/*"))
        return night.on_record(), jobs, tuple(place.exists() for place in places), night.shown()

    return moment
