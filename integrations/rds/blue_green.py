"""`rds.blue_green` makes a copy of the new major beside an instance, days before; `rds.switchover` goes over to it."""

from typing import ClassVar

from pydantic import Field

from bot.errors import Final
from bot.step import Context, Outcome, Plan, Step, step
from integrations.rds.client import SETTINGS, Found, Rds, listed, name_for
from integrations.rds.ordering import is_ordered, order
from integrations.rds.waiting import wait, way_back
from integrations.rounds import rounds_before

_BEGINS_WITHIN = 24  # looks: at 5 seconds each, two minutes
_BROKEN = {"INVALID_CONFIGURATION", "PROVISIONING_FAILED", "DELETING"}


@step("rds.blue_green")
class BlueGreen(Step):
    """Make an Amazon RDS blue/green deployment: a copy of the new major that follows the instance by replication.

    It disturbs nobody and may take hours, so do it days before the window; `rds.switchover` goes over to it. Taken
    back, the copy is deleted, unless it has been switched to. Amazon replicates rows, not everything: look at
    its list of limitations (large objects, materialized views, tables without a primary key, DDL meanwhile).
    """

    estimate_s: ClassVar[float] = 3600.0
    timeout_s: ClassVar[float] = 24 * 3600.0
    approval: ClassVar[bool] = True
    reversible: ClassVar[bool] = True
    settings = SETTINGS

    instance: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")
    """The identifier of the instance as it is now."""
    to: str = Field(pattern=r"^\d+\.\d+$")
    """The exact version of the copy, such as 17.4."""
    parameter_group: str | None = None
    """The parameter group of the copy; it needs rds.logical_replication in the instance's own."""
    poll_s: float = Field(default=15.0, gt=0)
    """Seconds between two looks."""

    def plan(self, ctx: Context) -> Plan:
        """Look whether Amazon offers that version, and say what is made."""
        rds = Rds.of(ctx)
        now = rds.instance(self.instance)
        offered = rds.targets(now["Engine"], now["EngineVersion"])
        if self.to != now["EngineVersion"] and self.to not in offered:
            raise Final(
                f"Amazon offers no upgrade of {self.instance} from {now['EngineVersion']} to {self.to}; later majors "
                f"that it offers: {listed(offered)}. Mend `to` in the runbook."
            )
        details = (
            f"the copy costs as much as {self.instance} ({now['DBInstanceClass']}) until it is deleted",
            "no CREATE, ALTER or DROP from now on: replication does not carry them",
        )
        summary = f"Make a copy of {self.instance} ({now['EngineVersion']}) with {self.to}, beside it"
        return Plan(summary, details, super().plan(ctx).subject)

    def check(self, ctx: Context) -> Outcome | None:
        """It is done when the deployment of our name is available; one in the making is taken up by `apply`."""
        found = Rds.of(ctx).deployment(self._name(ctx))
        return self._outcome(found) if found and found["Status"] in {"AVAILABLE", "SWITCHOVER_COMPLETED"} else None

    def apply(self, ctx: Context) -> Outcome:
        rds = Rds.of(ctx)
        name = self._name(ctx)
        if rds.deployment(name) is None:
            rds.make_deployment(name, rds.instance(self.instance)["DBInstanceArn"], self.to, self.parameter_group)
            ctx.record(f"Amazon makes the blue/green deployment {name}.")
        status = ""

        def look() -> Found | None:
            nonlocal status
            found = rds.deployment(name)
            status = str(found["Status"]) if found else "gone"
            details = (found or {}).get("StatusDetails") or "no details"
            if found is None or status in _BROKEN:
                raise Final(
                    f"The blue/green deployment {name} is {status} ({details}). "
                    f"{self.instance} serves as before. Mend what it names, delete it, and retry."
                )
            return found if status == "AVAILABLE" else None

        return self._outcome(wait(ctx, look, every_s=self.poll_s, text=lambda: f"{name} is {status}"))

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        """Delete the deployment, and the copy unless it has been switched to."""
        rds = Rds.of(ctx)
        found = rds.deployment(str(outcome.facts["name"]))
        if found is None:
            return Outcome("The blue/green deployment is gone.")
        switched = found["Status"] == "SWITCHOVER_COMPLETED"
        rds.delete_deployment(found["BlueGreenDeploymentIdentifier"], target=not switched)
        return Outcome(
            "The blue/green deployment is deleted; both instances stay: the app uses the new one."
            if switched
            else f"The blue/green deployment and its copy are deleted; {self.instance} serves as before."
        )

    def _name(self, ctx: Context) -> str:
        return name_for(ctx.key, self.instance, rounds_before(ctx))

    def _outcome(self, found: Found) -> Outcome:
        facts = {
            "name": found["BlueGreenDeploymentName"],
            "identifier": found["BlueGreenDeploymentIdentifier"],
            "instance": self.instance,
            "to": self.to,
        }
        return Outcome(f"The copy of {self.instance} with {self.to} is there and follows it.", facts)


@step("rds.switchover")
class Switchover(Step):
    """Switch an Amazon RDS blue/green deployment over: the new major takes the instance's name and address.

    Amazon stops writes, waits until the copy has everything, and gives up within the time-out with nothing changed.
    The old instance is kept, renamed, and does not get what is written from then on: a rollback is refused and says so.
    Sequences and what replication does not carry are for `postgres.read_back` to find: put it before anything is
    opened.
    """

    estimate_s: ClassVar[float] = 180.0
    timeout_s: ClassVar[float] = 4 * 3600.0
    approval: ClassVar[bool] = True
    point_of_no_return: ClassVar[bool] = True
    settings = SETTINGS

    deployment: str
    """Id of the `rds.blue_green` step."""
    give_up_after_s: int = Field(default=300, ge=30, le=3600)
    """Seconds after which Amazon gives up and leaves everything as it was."""
    poll_s: float = Field(default=5.0, gt=0)
    """Seconds between two looks."""

    def plan(self, ctx: Context) -> Plan:
        """Say what takes over from what."""
        made = ctx.outcomes.get(self.deployment, {})
        details = (
            f"given up after {self.give_up_after_s} s, with nothing changed",
            "the old instance is kept under another name, without what is written from then on",
            "sequences are read back after it",
        )
        what = f"{made['instance']} to {made['to']}" if "name" in made else f"the deployment of {self.deployment}"
        return Plan(f"Switch {what} over", details, {**super().plan(ctx).subject, "name": made.get("name")})

    def check(self, ctx: Context) -> Outcome | None:
        """It is done when the deployment says so; one that is at it is taken up by `apply`."""
        found = self._found(ctx, Rds.of(ctx))
        return self._outcome(found) if found["Status"] == "SWITCHOVER_COMPLETED" else None

    def apply(self, ctx: Context) -> Outcome:
        if "way_back" not in ctx.facts:
            ctx.record("The old instance serves until the switchover is ordered.", **way_back())
        rds = Rds.of(ctx)
        looks, begun, status = 0, False, ""

        def look() -> Found | None:
            nonlocal looks, begun, status
            looks += 1
            found = self._found(ctx, rds)
            status = str(found["Status"])
            if status == "SWITCHOVER_COMPLETED":
                return found
            if status == "SWITCHOVER_IN_PROGRESS":
                begun = True
            elif begun or status != "AVAILABLE" or looks > _BEGINS_WITHIN:
                ctx.record("The switchover did not take place: nothing to go back from.", **way_back())
                raise Final(
                    f"The switchover did not take place: {found['BlueGreenDeploymentName']} is {status} "
                    f"({found.get('StatusDetails') or 'no details'}). The old instance serves as before. Long "
                    "transactions or a copy that lags hold it up; mend that, and retry."
                )
            return None

        found = self._found(ctx, rds)
        if found["Status"] == "AVAILABLE" and not is_ordered(ctx):
            order(
                ctx,
                lambda: rds.switch_over(found["BlueGreenDeploymentIdentifier"], self.give_up_after_s),
                text=f"The switchover of {found['BlueGreenDeploymentName']} is ordered.",
                no_way_back=self._no_way_back(ctx),
                serves="the old instance serves as before",
                untouched=lambda: bool(self._found(ctx, rds)["Status"] == "AVAILABLE"),
            )
        return self._outcome(wait(ctx, look, every_s=self.poll_s, text=lambda: f"the deployment is {status}"))

    def _no_way_back(self, ctx: Context) -> str:
        return (
            "the switchover was ordered. Only by hand: the old instance is kept under another name; leading the app "
            f"there takes a change of its connection string, and loses all that was written since {ctx.now():%H:%M} UTC"
        )

    def _found(self, ctx: Context, rds: Rds) -> Found:
        name = ctx.outcomes.get(self.deployment, {}).get("name")
        found = rds.deployment(str(name)) if name else None
        if found is None:
            raise Final(
                f"There is nothing to switch to: the step {self.deployment} has not succeeded, is no rds.blue_green, "
                "or its deployment is gone. Nothing was changed."
            )
        return found

    def _outcome(self, found: Found) -> Outcome:
        pairs = found.get("SwitchoverDetails") or []
        old = next((str(pair.get("SourceMember", "")).rpartition(":")[2] for pair in pairs), "")
        facts = {"name": found["BlueGreenDeploymentName"], "old_instance": old}
        return Outcome(
            f"Amazon says that the switchover is completed; the old instance is kept{f' as {old}' if old else ''}.",
            facts,
        )
