"""One run of `postgres.upgrade`: a sequence of phases, each on record when it is done, taken up again after a crash.

    looked      the old server is what we think it is; nothing forbids going on
    made        the new, empty cluster, with the old one's settings
    checked     pg_upgrade --check, with the old server still open to everyone
    counted     what the old cluster holds; looked at from `looked` on, beside `made` and `checked`
    stopped     the old server, cleanly
    upgraded    pg_upgrade
    opened      the new server; from here on there is no way back in link mode
    compared    what the new cluster holds with what the old one held

A failure before `opened` starts the old server again and begins the next round: `retry` starts from `looked`.
"""

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.errors import Final, StepError, Stopped
from bot.step import Context, Outcome
from integrations.postgres import new_cluster, pg_upgrade, replicas, snapshot
from integrations.postgres.blocked import counted, span
from integrations.postgres.connection import refuse_own_server, system_identifier
from integrations.postgres.machine import Unreachable
from integrations.postgres.opening import Opening, held
from integrations.postgres.upgrade_ground import Facts, Ground, Wishes, way_back_fact

_PHASES = ("looked", "made", "checked", "counted", "stopped", "upgraded", "opened", "compared")
_START_S = 15.0


class UpgradeRun:
    """The run of one maintenance's upgrade."""

    def __init__(self, ctx: Context, wishes: Wishes) -> None:
        self.ctx = ctx
        self.wishes = wishes
        self.ground = Ground(ctx, wishes)
        self.server, self.old, self.new = self.ground.server, self.ground.old, self.ground.new
        self._holds: Future[dict[str, Any]] | None = None

    @property
    def _before(self) -> Path:
        return self.ground.machine.kept(self.ctx.workdir) / f"before-{self.ground.round}.json"

    def run(self) -> Outcome:
        """Go through all phases that are not done yet. Raises `StepError`."""
        try:
            for name, do in (
                ("looked", self._look),
                ("made", self._make_new),
                ("checked", self._check),
                ("counted", self._count),
                ("stopped", self._stop_old),
                ("upgraded", self._upgrade),
            ):
                self.ctx.raise_if_stopped()
                self.ground.phase(name, do)
                if self._holds is None and not self.ground.has("counted"):
                    self._holds = self._begin_to_count()
            self.ctx.raise_if_stopped()
        except Stopped:
            if self.ctx.stop_reason() == "shutdown":
                raise  # a restart of the bot: the jobs go on, and we come back to them
            try:
                self.ground.end_jobs()
                said = self.ground.give_back() if self.ground.has("stopped") else "The old server was not stopped."
            except Unreachable as lost:
                raise Stopped(
                    f"Aborted during the upgrade, but {lost} What runs there goes on: look at it by hand, and whether "
                    f"the old server on {self.old.path} runs."
                ) from None
            raise self.ground.next_round(Stopped(f"Aborted during the upgrade. {said}")) from None
        if not self.wishes.start:
            return self._outcome(_PHASES[:-2], self._to_be_crossed())
        opening = self._opening()
        self.ground.phase("opened", opening.start)
        self.ground.phase("compared", opening.compare)
        return self._outcome(_PHASES, {})

    def _to_be_crossed(self) -> dict[str, Any]:
        """What `postgres.cross` has to know."""
        exact = bool(self.ctx.facts[f"stopped_{self.ground.round}"]["exact"])
        return {"with": self.wishes.model_dump(mode="json"), "before": str(self._before), "exact": exact}

    def _look(self) -> tuple[str, Facts]:
        versions = (self.old.programs.version(), self.new.programs.version())
        if self.old.major() != versions[0] or versions[1] <= versions[0]:
            raise Final(
                f"{self.old.path} is a cluster of PostgreSQL {self.old.major()}, {self.old.programs.bin} has the "
                f"programs of {versions[0]} and {self.new.programs.bin} those of {versions[1]}: that is no upgrade. "
                "Mend the folders in the runbook."
            )
        refuse_own_server(self.ctx, self.server)
        with self.server.session() as session:
            row = session.execute(
                "SELECT pg_is_in_recovery() AS standby, current_setting('hba_file') AS hba,"
                " current_setting('ident_file') AS ident, current_setting('server_version') AS version,"
                " (SELECT rolname::text FROM pg_roles WHERE oid = 10) AS superuser"
            ).fetchone()
            identifier = str(system_identifier(session))
            followers = replicas.told(session, versions[1])
        assert row is not None  # noqa: S101 - one row always
        if row["standby"]:
            raise Final(
                f"The server at {self.server.place} is a standby: upgrading it would make a second, older truth. "
                "Point the runbook to the primary."
            )
        if identifier != self.old.control()["Database system identifier"]:
            raise Final(
                f"{self.wishes.database} leads to another server than the one of {self.old.path} "
                "(their system identifiers differ). Mend one of the two in the runbook or the settings."
            )
        facts = {
            "from": versions[0],
            "to": versions[1],
            "version": row["version"],
            "superuser": row["superuser"],
            "options": pg_upgrade.server_options(self.old),
            "hba": row["hba"],
            "ident": row["ident"],
            "followers": followers,
        }
        remarks = "".join(f"\n• {line}" for line in followers)
        return f"The old server is PostgreSQL {row['version']} on {self.old.path}, a primary{remarks}", facts

    def _make_new(self) -> tuple[str, Facts]:
        ours = bool(self.ctx.facts.get("new_data_ours"))
        attached = self.ground.found("initdb") is not None
        if not attached:
            if self.new.running():
                raise Final(f"A server is running on the new data directory {self.new.path}: stop it, and retry.")
            new_cluster.claim(self.new.path, self.new.programs, ours=ours)
        if not ours:
            self.ctx.record(f"The new cluster is made in {self.new.path}, which was empty.", new_data_ours=True)
        with self.server.session() as session:
            group_access = new_cluster.has_group_access(self.old)
            arguments = new_cluster.initdb_arguments(
                session, self.old.control(), self.ground.fact("to"), group_access=group_access
            )
            command = [str(self.new.programs.bin / "initdb"), "-D", str(self.new.path), *arguments]
            job = self.ground.job("initdb", command)
            if job.exit_status() != 0:
                raise self.ground.next_round(Final(f"initdb failed: {job.log_tail(2000).strip()}"))
            unknown = new_cluster.carry_settings(session, self.old, self.new)
            waits_for = session.execute("SHOW synchronous_standby_names").fetchone()
        dropped = f"; PostgreSQL {self.ground.fact('to')} has no {', '.join(unknown)}, left out" if unknown else ""
        if waits_for and waits_for["synchronous_standby_names"]:
            dropped += "; synchronous_standby_names is left out until the standbys are made again: commits would hang"
        return f"New cluster made, with the settings of the old one{dropped}", {"left_out": unknown}

    def _check(self) -> tuple[str, Facts]:
        job = self.ground.job("check", [*self.ground.command(), "--check"])
        if job.exit_status() != 0:
            files = pg_upgrade.evidence(job, self.new, self.ground.work)
            what_now = "Nothing has been stopped or changed: the old server is running and open. Mend this and retry."
            raise self.ground.next_round(pg_upgrade.refusal(job, files, checked_only=True, what_now=what_now))
        return "pg_upgrade --check: clusters are compatible", {}

    def _begin_to_count(self) -> Future[dict[str, Any]]:
        """In a thread that nobody has to wait for: it only reads, and each of its statements has a time limit."""
        holds: Future[dict[str, Any]] = Future()

        def count() -> None:
            try:
                self._write_out()  # now, so that little is left to be written when the server is down
                holds.set_result(snapshot.take(self.server, count_for_s=self.wishes.count_rows_for_s, same_files=True))
            except BaseException as error:
                holds.set_exception(error)
                if not isinstance(error, Exception):
                    raise

        threading.Thread(target=count, name="count", daemon=True).start()
        return holds

    def _write_out(self) -> None:
        """Let the old server write what is in its memory: its shutdown is short then, and with it the downtime."""
        with suppress(StepError), self.server.session() as session:
            session.execute("CHECKPOINT")

    def _count(self) -> tuple[str, Facts]:
        assert self._holds is not None  # noqa: S101 - begun before this phase
        before = self._holds.result()
        self.ground.machine.write(self._before, json.dumps(before))
        return f"Noted what is there, with {snapshot.looked_at(before)}", {}

    def _stop_old(self) -> tuple[str, Facts]:
        if self._holds is None and self.old.running():  # otherwise done moments ago, beside the count
            self._write_out()
        self.old.stop()
        control = self.old.control()
        if control["Database cluster state"] != "shut down":
            raise Final(
                f"The old server has not shut down cleanly: {self.old.path} is {control['Database cluster state']}. "
                "Start it, let it recover, and retry."
            )
        next_xid = _number(control["Latest checkpoint's NextXID"])
        written = next_xid - held(self.ground, self._before)["next_xid"]
        remark = (
            f"; {counted(written, 'transaction')} wrote after the count, so rows are not compared exactly"
            if written
            else ""
        )
        return f"Old server stopped cleanly{remark}", {"exact": written == 0, **way_back_fact(_START_S)}

    def _upgrade(self) -> tuple[str, Facts]:
        if self.ground.found("pg_upgrade") is None:
            self.old.stop()  # a service manager may have started it again
        job = self.ground.job("pg_upgrade", self.ground.command())
        if job.exit_status() != 0:
            files = pg_upgrade.evidence(job, self.new, self.ground.work)
            what_now = f"{self.ground.give_back()} Mend this and retry."
            raise self.ground.next_round(pg_upgrade.refusal(job, files, checked_only=False, what_now=what_now))
        places = {"pg_hba.conf": self.ground.fact("hba"), "pg_ident.conf": self.ground.fact("ident")}
        new_cluster.carry_access(self.old, self.new, places)
        control = self.new.control()
        facts = {
            "checkpoint": control["Latest checkpoint location"],
            "next_xid": _number(control["Latest checkpoint's NextXID"]),
        }
        return (
            f"pg_upgrade ({self.wishes.mode} mode) from {self.ground.fact('from')} to {self.ground.fact('to')} done",
            {**facts, **way_back_fact(_START_S)},
        )

    def _opening(self) -> Opening:
        ground = self.ground
        exact = bool(self.ctx.facts[f"stopped_{ground.round}"]["exact"])
        return Opening(ground, ground.fact("to"), self._before, exact=exact)

    def _outcome(self, phases: Sequence[str], more: Facts) -> Outcome:
        seconds = {name: self.ctx.facts[f"{name}_{self.ground.round}"]["seconds"] for name in phases}
        kept = pg_upgrade.keeps_statistics(self.ground.fact("to"), no_statistics=self.wishes.no_statistics)
        facts = {
            "from": self.ground.fact("from"),
            "to": self.ground.fact("to"),
            "mode": self.wishes.mode,
            "old_data": str(self.old.path),
            "new_data": str(self.new.path),
            "statistics_kept": kept,
            "seconds": seconds,
            **more,
        }
        files = self.ground.machine.text_files([self.ground.work], suffixes={".sh", ".sql"})
        self.ground.machine.remove(self.ground.work)
        statistics = (
            "planner statistics came along (extended ones did not)"
            if kept
            else "NO planner statistics: vacuum and analyze before opening"
        )
        down = span(sum(seconds.get(name, 0.0) for name in ("stopped", "upgraded", "opened")))
        if not self.wishes.start:
            return Outcome(
                f"PostgreSQL {facts['from']} is upgraded to {facts['to']} in {facts['new_data']} ({self.wishes.mode} "
                f"mode, {down} so far), and nothing runs: the new server has not been started. {statistics}. Until it "
                "is, /maint rollback starts the old one again.",
                facts,
                files,
            )
        return Outcome(
            f"PostgreSQL {facts['from']} is now {facts['to']} ({self.wishes.mode} mode, database down for {down}); "
            f"{statistics}. The old cluster is kept in {self.old.path}.",
            facts,
            files,
        )


def _number(next_xid: str) -> int:
    """Return `epoch:xid` of pg_controldata as one number, as txid_current() counts."""
    epoch, _, xid = next_xid.partition(":")
    return (int(epoch) << 32) + int(xid)
