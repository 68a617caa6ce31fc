"""`postgres.cross`: start the new server of an upgrade for the first time, with an approval of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import CannotTell, Final
from bot.step import Context, Outcome, Plan, Step, step
from integrations.postgres.connection import DSN, OWN_DATABASE, Server
from integrations.postgres.opening import Opening
from integrations.postgres.ssh import IDENTITY
from integrations.postgres.upgrade import Upgrade, must_answer
from integrations.postgres.upgrade_ground import Ground


@step("postgres.cross")
class Cross(Step):
    """Cross the point of no return: start the new server that `postgres.upgrade` (with `start: false`) has left.

    Then reads back that everything is there. In link mode there is no way back from then on. After a copy or a clone
    there is, without what has been written since.
    """

    estimate_s = 60.0
    timeout_s = 3600.0
    approval = True
    point_of_no_return = True
    settings = (DSN, OWN_DATABASE, IDENTITY)

    upgrade: str
    """Id of the `postgres.upgrade` step."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:  # noqa: ARG003
        """See `Step`; where the new server is, the upgrade has put on record."""
        return with_

    def plan(self, ctx: Context) -> Plan:
        """Say what starts, and what that costs."""
        facts = self._facts(ctx)
        lost = (
            f"The old cluster in {facts['old_data']} cannot be started any more then: it shares its files with the new."
            if facts["mode"] == "link"
            else f"Going back to {facts['old_data']} stays possible, but loses what is written from then on."
        )
        details = (lost, "Until this is approved, /maint rollback REASON goes back and loses nothing.")
        subject = {**super().plan(ctx).subject, "new_data": facts["new_data"], "to": facts["to"]}
        return Plan(f"Start PostgreSQL {facts['to']} on {facts['new_data']} for the first time", details, subject)

    def check(self, ctx: Context) -> Outcome | None:
        """Nothing on record: certainly not done. Otherwise `apply` goes on from there."""
        if "point_of_no_return" not in ctx.facts:
            return None
        raise CannotTell("The new server was being started.")

    def apply(self, ctx: Context) -> Outcome:
        facts = self._facts(ctx)
        ground = Ground(ctx, Upgrade.model_validate(facts["with"]))
        opening = Opening(ground, facts["to"], Path(facts["before"]), exact=facts["exact"])
        ctx.raise_if_stopped()
        ground.phase("opened", opening.start)
        ground.phase("compared", opening.compare)
        return Outcome(
            f"PostgreSQL {facts['to']} runs on {facts['new_data']}. The old cluster is kept in {facts['old_data']}.",
            {name: facts[name] for name in ("from", "to", "mode", "old_data", "new_data")},
        )

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        """The server that people reach must be of the new major."""
        database = self._facts(ctx)["with"]["database"]
        must_answer(Server.of(ctx, database), outcome.facts["to"])

    def _facts(self, ctx: Context) -> Mapping[str, Any]:
        facts = ctx.outcomes.get(self.upgrade, {})
        if "with" not in facts:
            raise Final(
                f"{self.upgrade} has not left a server to start: it is not a postgres.upgrade with `start: false` that "
                "has succeeded. Name the right step under `upgrade:`."
            )
        return facts
