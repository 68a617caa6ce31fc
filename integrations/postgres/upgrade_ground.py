"""Where an upgrade stands: its fields, folders, servers and jobs, what is on record, and the way back to the start."""

import functools
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bot.errors import AnswerLost, Final, StepError, Temporary
from bot.step import Context
from integrations.postgres import pg_upgrade
from integrations.postgres.blocked import span
from integrations.postgres.connection import Server
from integrations.postgres.copies import must_be_the_copy
from integrations.postgres.machine import Machine, MachineJob, Unreachable, short_folder
from integrations.postgres.programs import DataFolder, Programs

Facts = Mapping[str, Any]
Result = TypeVar("Result")

_PATIENCE_S = 900.0
_AGAIN_AFTER_S = 3.0


def way_back_fact(takes_s: float = 0.0, *, loses: str = "", why: str = "") -> dict[str, Any]:
    """Return what a step records of the way back (`bot.way_back`): possible in `takes_s` seconds, unless `why` not."""
    return {"way_back": {"possible": not why, "takes_s": takes_s, "loses": loses, "why": why}}


class Wishes(Protocol):
    """The fields of the step."""

    database: str
    old_bin: Path
    new_bin: Path
    old_data: Path
    new_data: Path
    mode: pg_upgrade.UpgradeMode
    run_as: str | None
    jobs: int
    no_statistics: bool
    update_extensions: bool
    count_rows_for_s: float
    start: bool

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return the fields as plain JSON."""
        ...

    def machine(self, ctx: Context) -> Machine:
        """Return where the cluster is."""
        ...


class Ground:
    """Everything that an upgrade needs to go on after a crash: it is on disk and in `ctx.facts`."""

    def __init__(self, ctx: Context, wishes: Wishes) -> None:
        self.ctx = ctx
        self.wishes = wishes
        must_be_the_copy(ctx, wishes.database, wishes.old_data, wishes.new_data)
        self.server = Server.of(ctx, wishes.database)
        self.machine = wishes.machine(ctx)
        self.user = self.machine.account_for(wishes.run_as, wishes.old_data)
        self.old = DataFolder(wishes.old_data, Programs(wishes.old_bin, self.user, self.machine))
        self.new = DataFolder(wishes.new_data, Programs(wishes.new_bin, self.user, self.machine))

    @functools.cached_property
    def work(self) -> Path:
        """A folder of PostgreSQL's account, for sockets and what pg_upgrade writes; the same after a restart."""
        digest = hashlib.sha256(f"{self.ctx.key} {self.old.path}".encode()).hexdigest()
        return self.machine.work_folder(short_folder(f"maint-{digest[:12]}"), self.user)

    @property
    def round(self) -> int:
        """Which try this is, from 1."""
        return int(self.ctx.facts.get("round", 1))

    def has(self, phase: str) -> bool:
        """Whether the phase is done in this round."""
        return f"{phase}_{self.round}" in self.ctx.facts

    def fact(self, name: str) -> Any:
        """Return what `looked` has put on record."""
        return self.ctx.facts[f"looked_{self.round}"][name]

    def phase(self, name: str, do: Callable[[], tuple[str, Facts]]) -> None:
        """Do a phase unless it is done, and record what it says, with the seconds that it took."""
        if self.has(name):
            return
        self.ctx.progress(0, None, "", name)
        started = time.monotonic()
        text, facts = self.through_lost_connections(do)
        seconds = round(time.monotonic() - started, 1)
        way = {"way_back": facts["way_back"]} if "way_back" in facts else {}
        self.ctx.record(f"{text} ({span(seconds)})", **{f"{name}_{self.round}": {**facts, "seconds": seconds}}, **way)

    def through_lost_connections(self, do: Callable[[], Result]) -> Result:
        """Do something, from its start again when its machine was out of reach: as after a restart of the bot."""
        give_up_at = math.inf
        while True:
            try:
                return do()
            except Unreachable as lost:
                give_up_at = min(give_up_at, time.monotonic() + _PATIENCE_S)
                if time.monotonic() > give_up_at:
                    raise
                self.ctx.progress(0, None, "", f"{lost} Trying again.")
                self.ctx.sleep(_AGAIN_AFTER_S)

    # Jobs --------------------------------------------------------------------------------------------------------

    def found(self, program: str) -> MachineJob | None:
        """Return the job that this round has started for the program, if it has."""
        return self.machine.find_job(self.ctx.workdir, f"{program}-{self.round}")

    def job(self, program: str, command: list[str]) -> MachineJob:
        """Run a program as a job that outlives us, or wait for the one that an earlier life of ours started.

        Raises `Temporary` if it got lost without having touched the old cluster, `AnswerLost` if it may have.
        """
        env = {"LC_ALL": "C"} | ({"PGPASSWORD": self.server.password} if self.server.password else {})
        name = f"{program}-{self.round}"
        try:
            job = self.machine.start_or_attach(self.ctx.workdir, name, command, env=env, cwd=self.work, user=self.user)
            job.wait(lambda: self._show(job))
        except AnswerLost as lost:
            if not self._old_is_untouched():
                raise
            said = self.give_back() if program == "pg_upgrade" else "The old server is running."
            raise self.next_round(Temporary(f"{lost} Nothing was changed. {said}", files=lost.files)) from lost
        return job

    def _show(self, job: MachineJob) -> None:
        lines, text = pg_upgrade.progress(job)
        self.ctx.progress(lines, None, "checks and steps", f"{job.name}: {text}")
        self.ctx.raise_if_stopped()

    def command(self) -> list[str]:
        """Return pg_upgrade's command line."""
        return pg_upgrade.arguments(
            self.old,
            self.new,
            superuser=self.fact("superuser"),
            mode=self.wishes.mode,
            jobs=self.wishes.jobs,
            sockets=self.work,
            old_options=self.fact("options"),
            no_statistics=self.wishes.no_statistics,
            new_major=self.fact("to"),
        )

    # The way back ------------------------------------------------------------------------------------------------

    def _old_is_untouched(self) -> bool:
        """Linking begins with renaming the old cluster's pg_control, so that nobody starts it; copying leaves it."""
        return self.machine.exists(self.old.path / "global" / "pg_control")

    def give_back(self) -> str:
        """Make the old server run as before; return what to tell people. Only before the new one was opened.

        In link mode the old cluster's pg_control gets its name back: its files are whole as long as the new server
        was never started for others (PostgreSQL manual, pg_upgrade, "Reverting to old cluster").
        """
        self.new.stop()
        control = self.old.path / "global" / "pg_control"
        renamed = control.with_name("pg_control.old")
        if not self.machine.exists(control) and self.machine.exists(renamed):
            self.machine.rename(renamed, control)
        try:
            self.old.stop()
            self.old.start(options=self.fact("options"))
        except Final as error:
            return (
                f"The old server could not be started again ({error}): start it by hand from {self.old.path}; its "
                "data is as it was when it was stopped."
            )
        return f"The old server is running again on {self.old.path}, with its data as it was when it was stopped."

    def end_jobs(self) -> None:
        """End what still runs of this round."""
        for program in ("initdb", "check", "pg_upgrade"):
            job = self.found(program)
            if job is not None:
                job.terminate(grace_s=30)

    def next_round(self, error: StepError) -> StepError:
        """Note that a retry has to start from the beginning, and tidy up; returns the error to raise."""
        self.machine.remove(self.work)
        self.ctx.record("The next try of the upgrade starts from the beginning.", round=self.round + 1)
        return error
