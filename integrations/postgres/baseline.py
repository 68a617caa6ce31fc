"""`postgres.baseline` before the work, `postgres.look` in between: how fast is it, and who follows?"""

from dataclasses import asdict

from pydantic import Field

from bot.errors import Final
from bot.step import Context, Outcome, Plan, step
from integrations.postgres import replicas, server_log
from integrations.postgres.busiest import busiest, planned
from integrations.postgres.connection import DSN, Server, system_identifier
from integrations.postgres.probing import Compared, Probing, Runs, plans, told
from integrations.postgres.statistics import missing_statistics


@step("postgres.baseline")
class Baseline(Probing):
    """Time the named probe queries while the database is known to be good: what the gate will compare with.

    Run it after the app is off, so that the rows cannot change between here and the gate.
    """

    estimate_s = 10.0
    settings = (DSN,)

    probes: dict[str, str] = Field(min_length=1)
    """Name to SQL query. Choose what users feel: the queries behind the busiest pages. They run read-only."""
    busiest: int = Field(default=5, ge=0, le=50)
    """How many of the statements that took most time by pg_stat_statements are planned too (never run), where that
    extension is installed."""

    def plan(self, ctx: Context) -> Plan:
        """List the queries."""
        details = tuple(f"{name}: {' '.join(query.split())}" for name, query in self.probes.items())
        return Plan(f"Time {len(self.probes)} probe queries", details, super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def apply(self, ctx: Context) -> Outcome:
        found = self.measured(ctx, self.probes)
        bad = [probe for probe in found if probe.error or probe.gave_up_s is not None]
        if bad:
            raise Final(
                "No baseline could be taken, so the gate would have nothing to compare with. "
                + "; ".join(f"{probe.name} {probe.took}" for probe in bad)
                + ". Mend the probe in the runbook (or give it more time: give_up_after_s), and retry.",
                files=plans(found),
            )
        server = Server.of(ctx, self.database)
        ran = busiest(server, self.busiest, self.dbname)
        names = {f"busy-{number}": query for number, query in enumerate(ran, 1)}
        busy = [each for each in planned(server, names, self.dbname) if not each.error]
        with server.session() as session:
            followers, log = replicas.streaming(session), server_log.mark(session)
            cluster = str(system_identifier(session))
        facts = {
            "probes": {p.name: p.facts() for p in found},
            "busiest": {p.name: p.facts() for p in busy},
            "busiest_ran": {name: asdict(ran[query]) for name, query in names.items()},
            "standbys": followers,
            "log": log,
            "cluster": cluster,
        }
        said = [", ".join(f"{probe.name} {probe.took}" for probe in found)]
        said += [f"{len(busy)} of the busiest statements planned"] if busy else []
        said += [_followed(followers)] if followers != [] else []
        return Outcome(f"Baseline: {'; '.join(said)}", facts, plans([*found, *busy]))


def _followed(standbys: list[str] | None) -> str:
    if standbys is None:
        return "who follows this server cannot be seen by this account (pg_monitor could), so the gate will not look"
    return (
        f"{', '.join(standbys)} streaming from it: the gate will hold that they do so again, except those named under "
        "its `rebuild_later`"
    )


@step("postgres.look")
class Look(Compared):
    """Show how fast the probe queries are now, and which tables lack statistics, without judging."""

    estimate_s = 60.0
    runs: Runs = 1
    """How often each probe is run: the first run counts as cold, the best of those that follow as warm."""

    def purpose(self) -> str:
        return "Look at statistics and at"

    def apply(self, ctx: Context) -> Outcome:
        before = self.before(ctx)
        found = self.measured(ctx, {name: probe.query for name, probe in before.items()})
        lacking = missing_statistics(Server.of(ctx, self.database))
        lines = [f"{probe.name} {probe.took}, before {before[probe.name].took}" for probe in found]
        lines.append(told(lacking) if lacking else "every table has statistics")
        facts = {
            "probes": {p.name: p.facts() for p in found},
            "without_statistics": [str(m) for m in lacking],
            "looked_at": self.baseline,
        }
        return Outcome("; ".join(lines), facts, plans(found))
