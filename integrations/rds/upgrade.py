"""`rds.upgrade`: a major upgrade of an Amazon RDS instance in place, with a snapshot before it."""

from typing import ClassVar

from pydantic import Field

from bot.errors import Final, Temporary
from bot.step import Context, Outcome, Plan, Step, step
from integrations.rds.client import SETTINGS, Found, Rds, listed, name_for
from integrations.rds.ordering import is_ordered, order
from integrations.rds.waiting import wait, way_back
from integrations.rounds import rounds_before

_BROKEN = {"failed", "incompatible-parameters", "incompatible-option-group", "incompatible-network", "storage-full"}
_BEGINS_WITHIN = 40  # looks: at 15 seconds each, ten minutes


@step("rds.upgrade")
class Upgrade(Step):
    """Upgrade an Amazon RDS for PostgreSQL instance in place to a newer major, with a snapshot first.

    Amazon runs its own pre-checks, takes the instance down, and upgrades its in-region read replicas along with it.
    There is no way back but the snapshot, restored as a new instance: from the order on, a rollback is refused and says
    so. What Amazon says is not evidence: put `postgres.note` before and `postgres.read_back`, `postgres.vacuum` and the
    gate after it.
    """

    estimate_s: ClassVar[float] = 1800.0
    timeout_s: ClassVar[float] = 12 * 3600.0
    approval: ClassVar[bool] = True
    point_of_no_return: ClassVar[bool] = True
    settings = SETTINGS
    targets: ClassVar[tuple[str, ...]] = ("instance",)

    instance: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")
    """The instance's identifier."""
    to: str = Field(pattern=r"^\d+\.\d+$")
    """The exact version to upgrade to, such as 17.4."""
    parameter_group: str | None = None
    """The parameter group of the new major's family; needed where the instance has one of its own."""
    snapshot: bool = True
    """Whether a snapshot is taken right before; say no only where another step has taken one."""
    poll_s: float = Field(default=15.0, gt=0)
    """Seconds between two looks."""

    def plan(self, ctx: Context) -> Plan:
        """Look whether Amazon offers that version, and say what happens."""
        rds = Rds.of(ctx)
        now = rds.instance(self.instance)
        version = str(now["EngineVersion"])
        if version != self.to:
            self._must_be_offered(rds, now)
        replicas = now.get("ReadReplicaDBInstanceIdentifiers") or []
        details = [
            f"{self.instance}: {now['Engine']} {version}, {now['DBInstanceClass']}, "
            f"{'Multi-AZ' if now.get('MultiAZ') else 'one zone'}",
            "a snapshot first: it is the only way back" if self.snapshot else "NO snapshot: there is no way back",
            "applied at once; the instance is down meanwhile",
            f"parameter group: {self.parameter_group or 'as it is, or the default of the new major'}",
            *(f"read replica {name}: upgraded along with it, down too" for name in replicas),
        ]
        subject = {**super().plan(ctx).subject, "from": version.partition(".")[0]}
        return Plan(f"Upgrade the RDS instance {self.instance} from {version} to {self.to}", tuple(details), subject)

    def check(self, ctx: Context) -> Outcome | None:
        """It is done when the instance says so; one that is at it is taken up by `apply`."""
        now = Rds.of(ctx).instance(self.instance)
        return self._outcome(ctx, now) if self._done(now) else None

    def apply(self, ctx: Context) -> Outcome:
        if "way_back" not in ctx.facts:
            ctx.record(f"Nothing of {self.instance} is changed before the upgrade is ordered.", **way_back())
        rds = Rds.of(ctx)
        now = rds.instance(self.instance)
        if not is_ordered(ctx):
            self._must_be_offered(rds, now)
            if now["DBInstanceStatus"] != "available":
                raise Temporary(
                    f"{self.instance} is {now['DBInstanceStatus']}, not available. Nothing was changed yet."
                )
            if self.snapshot:
                self._snapshot(ctx, rds)
            ctx.raise_if_stopped()
            text = f"{self.instance} is ordered to be upgraded to {self.to}: the point of no return but the snapshot."
            order(
                ctx,
                lambda: rds.upgrade(self.instance, self.to, self.parameter_group),
                text=text,
                no_way_back=self._no_way_back(ctx),
                serves=f"{self.instance} serves as before",
                untouched=lambda: not _at_it(rds.instance(self.instance)),
            )
        return self._outcome(ctx, self._wait(ctx, rds))

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        """Amazon has to show the new version still. Whether the data is there, `postgres.read_back` finds out."""
        now = Rds.of(ctx).instance(self.instance)
        if not self._done(now):
            raise Temporary(f"{self.instance} shows {now['EngineVersion']}, {now['DBInstanceStatus']}.")

    def _must_be_offered(self, rds: Rds, now: Found) -> None:
        if not str(now["Engine"]).startswith("postgres"):
            raise Final(f"{self.instance} is {now['Engine']}: this step is for RDS for PostgreSQL. Mend the runbook.")
        offered = rds.targets(now["Engine"], now["EngineVersion"])
        if self.to not in offered:
            raise Final(
                f"Amazon offers no upgrade of {self.instance} from {now['EngineVersion']} to {self.to}; later majors "
                f"that it offers: {listed(offered)}. Nothing was changed. Mend `to` in the runbook."
            )

    def _snapshot(self, ctx: Context, rds: Rds) -> None:
        name = name_for(ctx.key, self.instance, rounds_before(ctx))
        rds.make_snapshot(name, self.instance)

        def ready() -> Found | None:
            found = rds.snapshot(name)
            if found is None or found["Status"] == "failed":
                raise Final(f"The snapshot {name} failed or is gone. Nothing was upgraded; look at it, and retry.")
            return found if found["Status"] == "available" else None

        wait(ctx, ready, every_s=self.poll_s, text=lambda: f"snapshot {name}")
        ctx.record(f"The snapshot {name} is there; it is the way back.", snapshot=name)

    def _wait(self, ctx: Context, rds: Rds) -> Found:
        looks, seen_at_it, status = 0, False, ""

        def look() -> Found | None:
            nonlocal looks, seen_at_it, status
            looks += 1
            now = rds.instance(self.instance)
            status = str(now["DBInstanceStatus"])
            if self._done(now):
                return now
            if status in _BROKEN or (not _at_it(now) and (seen_at_it or looks > _BEGINS_WITHIN)):
                raise self._failed(ctx, rds, now)
            seen_at_it = seen_at_it or _at_it(now)
            return None

        return wait(ctx, look, every_s=self.poll_s, text=lambda: f"{self.instance} is {status}")

    def _no_way_back(self, ctx: Context) -> str:
        snapshot = ctx.facts.get("snapshot")
        if not snapshot:
            return f"{self.instance} was ordered to be upgraded, without a snapshot by this step"
        return (
            f"{self.instance} was ordered to be upgraded. Only by hand: restore the snapshot {snapshot} as a new "
            "instance and lead the app there. It takes as long as Amazon takes, and all that was written since "
            f"{ctx.now():%H:%M} UTC is lost"
        )

    def _failed(self, ctx: Context, rds: Rds, now: Found) -> Final:
        events = rds.events(self.instance)
        said = f" Amazon's last words: {events[-1]}" if events else ""
        what_now = "It is not in service: look at it in Amazon's console before anything else."
        if now["DBInstanceStatus"] == "available":
            ctx.record(f"{self.instance} serves with {now['EngineVersion']}: nothing to go back from.", **way_back())
            what_now = "The instance has its data as before; mend what they name, and retry."
        return Final(
            f"{self.instance} is {now['DBInstanceStatus']} with version {now['EngineVersion']}: the upgrade to "
            f"{self.to} did not take place.{said} Its log pg_upgrade_precheck.log or pg_upgrade_internal.log says why. "
            f"{what_now}",
            files={"events.txt": "\n".join(events)} if events else {},
        )

    def _done(self, now: Found) -> bool:
        return bool(now["EngineVersion"] == self.to and now["DBInstanceStatus"] == "available")

    def _outcome(self, ctx: Context, now: Found) -> Outcome:
        snapshot = ctx.facts.get("snapshot")
        kept = f"; the snapshot {snapshot} has the state before" if snapshot else ""
        facts = {"instance": self.instance, "to": now["EngineVersion"], "snapshot": snapshot}
        return Outcome(f"Amazon says that {self.instance} is {now['EngineVersion']} and available{kept}.", facts)


def _at_it(now: Found) -> bool:
    return now["DBInstanceStatus"] != "available" or "EngineVersion" in (now.get("PendingModifiedValues") or {})
