"""One run of `postgres.clone`: refused where it could touch the live cluster, copied by a job, made quiet, started."""

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any, Protocol

from bot.errors import AnswerLost, Final, Stopped
from bot.step import Context, Outcome
from integrations.postgres import clone_settings
from integrations.postgres.blocked import size, span
from integrations.postgres.clone_source import Live, copying, live
from integrations.postgres.clone_source import Wishes as Source
from integrations.postgres.connection import Server
from integrations.postgres.machine import MachineJob, existing, short_folder
from integrations.postgres.programs import DataFolder, Programs
from integrations.postgres.this_machine import HERE

_MARGIN = 1.1
_BESIDE_BYTES = 1_200_000_000  # the new cluster and the WAL of its making, as the preflight counts them
_RECOVERY_S = 4 * 3600
_DONE_KB = re.compile(r"(\d+)/(\d+) kB")
_LEFT_OVER = ("postmaster.pid", "postmaster.opts", "standby.signal", "recovery.done")


class Wishes(Source, Protocol):
    """The fields of the step."""

    database: str
    folder: Path
    run_as: str | None
    shared_buffers: str | None

    def source(self) -> str:
        """Return what is copied, in words."""
        ...


class CloneRun:
    """Makes the copy; everything that is needed to go on, or to remove it, is on disk and in `ctx.facts`."""

    def __init__(self, ctx: Context, wishes: Wishes) -> None:
        self.ctx = ctx
        self.wishes = wishes
        self.folder = wishes.folder
        self.data = wishes.folder / "old"
        self.server = Server.of(ctx, wishes.database)

    @property
    def sockets(self) -> Path:
        """The folder of the copy's socket, the same after a restart."""
        digest = hashlib.sha256(f"{self.ctx.key} {self.folder}".encode()).hexdigest()
        return short_folder(f"maint-copy-{digest[:12]}")

    @property
    def user(self) -> str | None:
        """The account that everything is done as; None if that is ourselves. Raises `Final`."""
        if "user" in self.ctx.facts:
            return str(self.ctx.facts["user"]) or None
        return HERE.account_for(self.wishes.run_as, existing(HERE, self.folder))

    def refuse(self, found: Live) -> None:
        """Raise `Final` if it could touch the live cluster, would not fit, or cannot work. Changes nothing."""
        programs = Programs(self.wishes.bin, None)
        if programs.version() != found.major:
            raise Final(
                f"{self.wishes.bin} has the programs of PostgreSQL {programs.version()}, and the live server is "
                f"{found.major}. Mend `bin` under `rehearsal:` in the runbook."
            )
        self._refuse_folder(found)
        if self.user is None and os.geteuid() == 0:
            raise Final(
                f"{existing(HERE, self.folder)} belongs to root, and PostgreSQL does not run as root. Name its account "
                "(`run_as`), or another folder, under `rehearsal:` in the runbook."
            )
        if not found.streams and not (self.wishes.directory or self.wishes.command):
            raise Final(
                "pg_basebackup can take no copy from the live server: wal_level is minimal, or max_wal_senders is 0. "
                "Rehearse on a backup instead: `directory` or `command` under `rehearsal:` in the runbook."
            )
        if not self.ctx.facts.get("folder_ours"):
            self._refuse_full(found)

    def _refuse_folder(self, found: Live) -> None:
        folder = self.folder.resolve()
        for place in (found.data, *found.tablespaces.values(), *filter(None, (self.wishes.directory,))):
            if folder.is_relative_to(place.resolve()) or place.resolve().is_relative_to(folder):
                raise Final(
                    f"The copy would go into {self.folder}, and {place} is not to be touched. Name another folder "
                    "under `rehearsal:` in the runbook."
                )
        directory = self.wishes.directory
        if directory is not None and directory.resolve() == found.data.resolve():
            raise Final(f"{directory} is the live data directory: copied while it is in use, it would be torn.")
        if HERE.names(self.folder) and not self.ctx.facts.get("folder_ours"):
            raise Final(
                f"{self.folder} is not empty, and this step has made nothing in it. Another rehearsal may be under "
                "way; else remove it, or name another folder under `rehearsal:` in the runbook."
            )

    def _refuse_full(self, found: Live) -> None:
        needed = round((found.bytes + found.wal_bytes) * _MARGIN) + _BESIDE_BYTES
        free = free_bytes(self.folder)
        if free < needed:
            raise Final(
                f"{existing(HERE, self.folder)} has {size(free)} free, and the copy needs about {size(needed)}. Make "
                "room, or name a folder elsewhere under `rehearsal:` in the runbook. Nothing was done."
            )

    def run(self) -> Outcome:
        """Make the copy, or go on with it. Raises `StepError`."""
        found = live(self.server)
        self.refuse(found)
        self._claim()
        programs = Programs(self.wishes.bin, self.user)
        cluster = DataFolder(self.data, programs)
        if "copied_s" not in self.ctx.facts:
            self._copy(found, programs)
        if not (_is_own(self.data) and cluster.running()):
            self._settle(cluster)
            self.ctx.progress(0, None, "", "starting the copy")
            cluster.start(timeout_s=_RECOVERY_S)
        return self._outcome(found)

    def _claim(self) -> None:
        """Put on record that the folder is ours before anything is made in it: so that it is removed, too."""
        user = self.user
        if not self.ctx.facts.get("folder_ours"):
            self.ctx.record(f"The copy is made in {self.folder}.", folder_ours=True, user=user or "")
        HERE.make_folder(self.folder, user)
        HERE.work_folder(self.sockets, user)

    def _copy(self, found: Live, programs: Programs) -> None:
        number = int(self.ctx.facts.get("copies", 1))
        if HERE.find_job(self.ctx.workdir, f"copy-{number}") is None:
            for name in ("old", "tablespaces"):
                HERE.remove(self.folder / name)
                HERE.make_folder(self.folder / name, programs.user)
        started = time.monotonic()
        env = {"LC_ALL": "C", "COPY_TO": str(self.data)}
        env |= {"PGPASSWORD": self.server.password} if self.server.password else {}
        argv = copying(self.wishes, self.server, found, self.data)
        try:
            job = HERE.start_or_attach(
                self.ctx.workdir, f"copy-{number}", argv, env=env, cwd=self.folder, user=programs.user
            )
            status = job.wait(lambda: self._show(job, found))
        except AnswerLost as lost:
            self.ctx.record("The copy was lost half-way; it is made anew.", copies=number + 1)
            raise Final(f"{lost} It was only a copy: retry this step, and it is made anew.", files=lost.files) from None
        if status != 0:
            self.ctx.record("The next try makes the copy anew.", copies=number + 1)
            said = self.server.redacted(job.log_tail())
            raise Final(
                f"No copy of {self.wishes.source()} could be made: {Path(argv[0]).name} ended with {status}: "
                f"{(said.strip().splitlines() or ['it said nothing'])[-1]} Nothing else was done.",
                files={"copy.log": said},
            )
        took_s = round(time.monotonic() - started, 1)
        self.ctx.record(f"Copied {self.wishes.source()} ({span(took_s)})", copied_s=took_s)

    def _show(self, job: MachineJob, found: Live) -> None:
        """Show how far it is; a stop ends it, but a restart of the bot does not."""
        last = _DONE_KB.findall(job.log_tail(400))
        if last:
            done, total = (float(number) * 1024 for number in last[-1])
            self.ctx.progress(done, max(total, done), "bytes", "copying")
        else:
            self.ctx.progress(0, found.bytes, "bytes", "copying")
        try:
            self.ctx.raise_if_stopped()
        except Stopped:
            if self.ctx.stop_reason() != "shutdown":
                job.terminate()
            raise

    def _settle(self, cluster: DataFolder) -> None:
        """Make a server of the copy that reaches nothing outside of it."""
        if cluster.major() is None:
            raise Final(f"There is no cluster in {self.data} after the copy: it has to be made there, or restored.")
        for name in _LEFT_OVER:
            (self.data / name).unlink(missing_ok=True)
        self._refuse_links_out()
        with self.server.session() as session:
            clone_settings.settle(session, cluster, self.sockets, shared_buffers=self.wishes.shared_buffers)

    def _refuse_links_out(self) -> None:
        """A tablespace or a pg_wal that is elsewhere may be the live cluster's own."""
        inside = self.folder.resolve()
        for link in (self.data / "pg_wal", *(self.data / "pg_tblspc").iterdir()):
            if not link.resolve().is_relative_to(inside):
                raise Final(
                    f"{link} leads to {link.resolve()}, out of the copy: a server on it could damage what is there. "
                    "The copy was not started. Restore tablespaces and pg_wal to places inside "
                    f"{self.folder}, or copy the live cluster, which does that."
                )

    def _outcome(self, found: Live) -> Outcome:
        conninfo = self.server.beside(self.sockets, clone_settings.PORT)
        copied = live(Server(conninfo, setting="the copy", application=f"maint {self.ctx.key}"))
        facts: dict[str, Any] = {
            "copy": {"bytes": copied.bytes, "live_bytes": found.bytes, "source": self.wishes.source()},
            "conninfo": conninfo,
            "identifier": copied.identifier,
            "folder": str(self.folder),
            "data": str(self.data),
            "new_data": str(self.folder / "new"),
            "sockets": str(self.sockets),
            "bin": str(self.wishes.bin),
            "user": self.user,
        }
        took = span(self.ctx.facts["copied_s"])
        return Outcome(
            f"A copy of {self.wishes.source()} ({size(copied.bytes)}, copied in {took}) runs in {self.folder}, "
            "reachable for nobody else. The live server was only read.",
            facts,
        )

    def undo(self) -> Outcome:
        """Remove the copy, wherever its making was stopped."""
        if not self.ctx.facts.get("folder_ours"):
            return Outcome("No copy had been made")
        job = HERE.find_job(self.ctx.workdir, f"copy-{self.ctx.facts.get('copies', 1)}")
        if job is not None:
            job.terminate()
        remove(self.folder, self.sockets, self.wishes.bin, self.user)
        return Outcome(f"The copy in {self.folder} is removed")


def free_bytes(folder: Path) -> int:
    """Return how much is free where `folder` is, or is to be made."""
    return HERE.free_bytes(existing(HERE, folder))


def _is_own(data: Path) -> bool:
    """Whether `postmaster.pid` is of a server on this very folder.

    A snapshot brings along that of the live server, by whose number `pg_ctl stop` would stop that one. Its second line
    is the data directory (PostgreSQL manual, "Database File Layout").
    """
    lines = (HERE.read(data / "postmaster.pid") or "").splitlines()
    return len(lines) > 1 and Path(lines[1]).resolve() == data.resolve()


def remove(folder: Path, sockets: Path, bin_: Path, user: str | None) -> None:
    """Stop every server on the clusters in `folder`, and remove it with all in it; links are not followed."""
    for name in HERE.names(folder):
        if _is_own(folder / name):
            DataFolder(folder / name, Programs(bin_, user)).stop()
    HERE.remove(folder)
    HERE.remove(sockets)
