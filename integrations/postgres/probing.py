"""What the steps that run probe queries have in common: which server, how patient to be, what is compared with what."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from bot.errors import Final
from bot.step import Context, Plan, Setting, Step
from integrations.postgres.connection import DSN, DSN_NAME, Server, SettingName
from integrations.postgres.copies import pointed
from integrations.postgres.probes import Measured, measure
from integrations.postgres.statistics import Missing

_NAMED_TABLES = 5
Runs = Annotated[int, Field(ge=1, le=100)]


class Probing(Step):
    """What these steps have in common: which server, and how patient to be."""

    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string."""
    dbname: str | None = None
    """The database that the probes run in; without it, the one in the connection string."""
    runs: Runs = 3
    """How often each probe is run: the first run counts as cold, the best of those that follow as warm."""
    give_up_after_s: float = Field(default=30.0, gt=0)
    """Seconds after which a probe is cancelled; that is a result too (red at the gate)."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed(with_, copy, source)

    def measured(self, ctx: Context, probes: Mapping[str, str]) -> list[Measured]:
        """Run the probes (name to query) and return what was seen, showing how far it is."""
        found = []
        for number, (name, query) in enumerate(probes.items()):
            ctx.raise_if_stopped()
            ctx.progress(number, len(probes), "probes", name)
            found += measure(
                Server.of(ctx, self.database),
                {name: query},
                runs=self.runs,
                give_up_after_s=self.give_up_after_s,
                dbname=self.dbname,
            )
        ctx.progress(len(probes), len(probes), "probes")
        return found


class Compared(Probing):
    """A look at the probes of an earlier baseline."""

    settings: ClassVar[tuple[Setting, ...]] = (DSN,)

    baseline: str
    """Id of the `postgres.baseline` step to compare with."""

    def plan(self, ctx: Context) -> Plan:
        """Say what is compared with what."""
        known = ctx.outcomes.get(self.baseline, {}).get("probes", {})
        details = tuple(f"{name}: baseline {Measured.from_facts(facts).took}" for name, facts in known.items())
        return Plan(f"{self.purpose()} the probe queries of {self.baseline}", details, super().plan(ctx).subject)

    def purpose(self) -> str:
        """Return what is done with the probes, in words that they can follow."""
        raise NotImplementedError

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def busy_before(self, ctx: Context) -> dict[str, Measured]:
        """Return the busiest statements as the baseline found them planned, by name."""
        stored: Mapping[str, Any] = ctx.outcomes[self.baseline].get("busiest", {})
        return {name: Measured.from_facts(facts) for name, facts in stored.items()}

    def before(self, ctx: Context) -> dict[str, Measured]:
        """Return the probes of the baseline, by name. Raises `Final` if there is none."""
        try:
            stored: Mapping[str, Any] = ctx.outcomes[self.baseline]["probes"]
        except KeyError:
            raise Final(
                f"There is no baseline to compare with: the step {self.baseline} has not succeeded, or is not a "
                "postgres.baseline. Name the right one under `baseline:`."
            ) from None
        return {name: Measured.from_facts(facts) for name, facts in stored.items()}


def told(lacking: list[Missing]) -> str:
    """Return which tables lack statistics, in a few words."""
    names = ", ".join(missing.table for missing in lacking[:_NAMED_TABLES])
    more = f" and {len(lacking) - _NAMED_TABLES} more" if len(lacking) > _NAMED_TABLES else ""
    return f"no planner statistics for {names}{more}"


def plan_text(probe: Measured) -> str:
    """Return a probe with its query and plan as text for a file."""
    return f"-- {probe.name}: {probe.took}\n{probe.query}\n\n{probe.plan}\n"


def plans(found: list[Measured]) -> dict[str, str]:
    """Return the plans as files."""
    return {f"plan-{probe.name}.txt": plan_text(probe) for probe in found}
