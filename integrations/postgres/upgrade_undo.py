"""The way back from an upgrade: the old server runs again, and is proved to hold what it held, before the app opens."""

from pathlib import Path

from bot.errors import Final, Red, StepError
from bot.step import Context, Outcome, Plan
from integrations.postgres import differences
from integrations.postgres.connection import system_identifier
from integrations.postgres.machine import Unreachable
from integrations.postgres.opening import held
from integrations.postgres.probes import Measured, measure
from integrations.postgres.upgrade_ground import Facts, Ground, Wishes
from integrations.postgres.written import Written, written

_FACTOR, _GRACE_MS = 3.0, 100.0  # caches are cold right after a start
_GIVE_UP_S = 60.0
_ASIDE = "pg_control.rolled_back"


class UpgradeUndo:
    """One way back. In link mode only while the new server was never started, which the disk itself has to show."""

    def __init__(self, ctx: Context, wishes: Wishes) -> None:
        self.ctx = ctx
        self.wishes = wishes
        self.ground = Ground(ctx, wishes)
        self.server, self.old, self.new = self.ground.server, self.ground.old, self.ground.new
        self.machine = self.ground.machine

    @property
    def _looked(self) -> Facts:
        """What the latest look at the old server has put on record; empty if there was none."""
        rounds = range(self.ground.round, 0, -1)
        return next((self.ctx.facts[f"looked_{r}"] for r in rounds if f"looked_{r}" in self.ctx.facts), {})

    @property
    def _is_linked(self) -> bool:
        return self.wishes.mode == "link" and self.machine.exists(self._control("pg_control.old"))

    def _control(self, name: str) -> Path:
        return self.old.path / "global" / name

    def plan(self) -> Plan:
        """Say what happens and what is lost. Raises `Final` where there is no way back."""
        self._refuse_if_started()
        subject = {"undo": self.ctx.step, "old_data": str(self.old.path), "mode": self.wishes.mode}
        details = [f"Stop whatever runs on {self.new.path}, and start {self.old.path} on its old address."]
        if self.new.running():
            details.append(f"LOST by it, written to the new server since its first start: {self._written()}.")
            details.append(f"They stay in {self.new.path}, from where they can be copied by hand.")
        elif self.ground.has("upgraded") and self.wishes.mode != "link" and self._was_started():
            details.append(
                "LOST by it: what was written to the new server. It does not run, so rows cannot be counted."
            )
        else:
            details.append("Nothing is lost: the new server has never been open.")
        details.append("Believed when version, data and probe queries are as before; nothing opens until then.")
        return Plan(f"Start the old PostgreSQL server again, from {self.old.path}", tuple(details), subject)

    def run(self) -> Outcome:
        """Go back, and prove it. Safe to call again at any point, which a connection that broke does. Raises
        `StepError`.
        """
        if not self._looked:
            return Outcome("The upgrade had not touched anything.")
        return self.ground.through_lost_connections(self._go_back)

    def _go_back(self) -> Outcome:
        self.ground.end_jobs()
        if not self.ctx.facts.get("way_back_begun"):
            self._refuse_if_started()
            self.ctx.record(f"The way back begins. {self._lost()}", way_back_begun=True)
        self.new.stop()
        self._put_control_back()
        if not self.old.running():
            self.old.start(options=self._looked["options"])
        proofs = [self._is_the_old_one(), *self._holds_what_it_held(), *self._is_as_fast()]
        return Outcome(f"The old server runs again on {self.old.path}. {' '.join(proofs)}")

    def _was_started(self) -> bool:
        """Whether the new server was ever started after pg_upgrade: a server writes a checkpoint when it stops."""
        noted = self.ctx.facts[f"upgraded_{self.ground.round}"].get("checkpoint")
        control = self.new.control()
        return control["Database cluster state"] != "shut down" or control["Latest checkpoint location"] != noted

    def _refuse_if_started(self) -> None:
        if self.wishes.mode != "link" or not self.ground.has("upgraded") or self.ctx.facts.get("way_back_begun"):
            return
        if self.new.running() or self._was_started():
            raise Final(
                f"There is no way back in link mode: the new server on {self.new.path} has been started, and it shares "
                f"its files with {self.old.path}, which would show wrong data. Go on with the new one, or restore a "
                "backup."
            )

    def _lost(self) -> str:
        if not self.new.running():
            return "The new server does not run."
        try:
            return f"Left behind in {self.new.path}: {self._written()}."
        except Unreachable:
            raise
        except StepError as error:
            return f"What was written to the new server cannot be counted: {error}"

    def _written(self) -> Written:
        noted = self.machine.kept(self.ctx.workdir) / f"before-{self.ground.round}.json"
        since = self.ctx.facts.get(f"upgraded_{self.ground.round}", {}).get("next_xid")
        before = held(self.ground, noted) if self.machine.exists(noted) else None
        return written(self.server, since=since, before=before)

    def _put_control_back(self) -> None:
        """Link mode: the old cluster gets its pg_control back, and the new one, which shares its files, loses its own.

        (PostgreSQL manual, pg_upgrade, "Reverting to old cluster".)
        """
        if not self._is_linked:
            return
        new = self.new.path / "global" / "pg_control"
        if self.machine.exists(new):
            self.machine.rename(new, new.with_name(_ASIDE))
        self.machine.rename(self._control("pg_control.old"), self._control("pg_control"))

    def _is_the_old_one(self) -> str:
        with self.server.session() as session:
            version = session.info.server_version // 10000
            row = session.execute("SELECT pg_is_in_recovery() AS recovering").fetchone() or {"recovering": True}
            same = str(system_identifier(session)) == self.old.control()["Database system identifier"]
        if version != self._looked["from"] or not same or row["recovering"]:
            raise Final(
                f"{self.wishes.database} leads to PostgreSQL {version}, which is not the old server on "
                f"{self.old.path}, open for writing. Look at what listens at {self.server.place}. Nothing has been "
                "opened."
            )
        return f"It is PostgreSQL {version} with its own identity."

    def _holds_what_it_held(self) -> list[str]:
        if not self.ground.has("counted"):
            return []
        noted = self.machine.kept(self.ctx.workdir) / f"before-{self.ground.round}.json"
        stopped = self.ctx.facts.get(f"stopped_{self.ground.round}", {})
        what_now = "Keep the app off, and compare with a backup. Nothing has been opened."
        exact = bool(stopped.get("exact"))
        return [differences.read_back(self.server, held(self.ground, noted), exact=exact, what_now=what_now).summary]

    def _is_as_fast(self) -> list[str]:
        """Hold the probe queries of the maintenance's baseline against the old server, if one was taken."""
        found: list[str] = []
        for facts in self.ctx.outcomes.values():
            if "probes" in facts and "without_statistics" not in facts:
                found += [self._probed(name, Measured.from_facts(each)) for name, each in facts["probes"].items()]
        return [f"Probes: {', '.join(found)}."] if found else []

    def _probed(self, name: str, before: Measured) -> str:
        now = measure(self.server, {name: before.query}, runs=3, give_up_after_s=_GIVE_UP_S)[0]
        allowed_ms = max(before.warm_ms * _FACTOR, before.warm_ms + _GRACE_MS)
        bad = now.error or now.gave_up_s is not None or now.warm_ms > allowed_ms
        if bad or (now.rows, now.checksum) != (before.rows, before.checksum):
            raise Red(
                f"The old server runs again, but the probe {name} is not as before: {now.took} and {now.rows} rows, "
                f"{before.took} and {before.rows} rows before. Nothing has been opened. Look at it, and press Lift to "
                "try again."
            )
        return f"{name} {now.took}, before {before.took}"
