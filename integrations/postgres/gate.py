"""`postgres.gate` after the work: is the database proved fast, and everything around it in order?"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from bot.step import Context, Outcome, Picture, step
from integrations.postgres import surroundings
from integrations.postgres.app_path import fault_of_app_path
from integrations.postgres.busiest import Ran, large, planned, ran
from integrations.postgres.connection import DSN, Server, SettingName, system_identifier
from integrations.postgres.copies import pointed
from integrations.postgres.pictures import BEFORE, BETWEEN, NOW, before_and_now
from integrations.postgres.probes import Measured, duration
from integrations.postgres.probing import Compared, plans
from integrations.postgres.ssh import IDENTITY, SshHost
from integrations.postgres.ssh_machine import SshMachine
from integrations.postgres.statistics import missing_statistics
from integrations.postgres.this_machine import HERE
from integrations.postgres.verdict import (
    Fault,
    faults_of_plans,
    faults_of_probe,
    faults_of_scans,
    faults_of_statistics,
    red,
    shown,
)

_ONLY_LIVE = ("app", "log_file", "host")
_APP = "Mend the connection string or the pooler's, and have the pooler make its connections anew."


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


@step("postgres.gate")
class Gate(Compared):
    """Let the maintenance go on only if the database is proved to be as good as at the baseline.

    Every table has statistics; every probe returns the same rows about as fast; no plan of a probe or of one of the
    busiest statements newly reads all of a large table; whoever streamed at the baseline streams again; the server's
    log has no errors since its start. It measures: what was run before, and what any program said about it, is not
    evidence.
    """

    estimate_s = 15.0
    gate = True
    settings = (DSN, IDENTITY)

    factor: float = Field(default=3.0, ge=1)
    """How many times its baseline a probe may take."""
    grace_ms: float = Field(default=20.0, ge=0)
    """Milliseconds over the baseline that are forgiven in any case: very short queries vary much."""
    compare: Literal["warm", "cold"] = "warm"
    """Which time counts: the best of the later runs, or the first run (with whatever the caches hold then)."""
    same_rows: bool = True
    """Whether each probe has to return the same rows as at the baseline (say no if the app kept writing)."""
    large_mb: float = Field(default=100.0, ge=0)
    """Size from which a table counts as large: a plan that newly reads all of one is red, however fast it is now."""
    app: SettingName | None = None
    """Name of the setting with the connection string that the app uses, through its pooler; the gate then holds that it
    leads to this very server."""
    rebuild_later: tuple[str, ...] = ()
    """Standbys (by application_name) that are made again after the opening, and need not stream yet; `*` for all."""
    log_file: Path | None = None
    """The server's log, where the server itself cannot show it: it collects none, or the account may not read it."""
    host: SshHost | None = None
    """The host that `log_file` is on, if it is another."""
    harmless: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    """Regular expressions of errors in the server's log that mean nothing."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`; the app's own way and the live server's log file do not lead to a copy."""
        changed = pointed(with_, copy, source)
        return None if changed is None else {name: value for name, value in changed.items() if name not in _ONLY_LIVE}

    def purpose(self) -> str:
        """Return what is held, in words that the probes can follow."""
        return f"Hold statistics, standbys, the server's log, and times (at most {self.factor:g}-fold) and rows of"

    def apply(self, ctx: Context) -> Outcome:
        before, busy_before = self.before(ctx), self.busy_before(ctx)
        server = Server.of(ctx, self.database)
        lacking = missing_statistics(server)
        found = self.measured(ctx, {name: probe.query for name, probe in before.items()})
        busy = planned(server, {name: each.query for name, each in busy_before.items()}, self.dbname)
        times = self._busy_times(ctx, server, busy_before)
        everything = before | busy_before
        around = self._around(ctx, server, everything)
        faults = [
            *faults_of_statistics(lacking),
            *(fault for probe in found for fault in self._faults(probe, before[probe.name])),
            *faults_of_plans(busy),
            *self._scan_faults(server, [*found, *busy], everything),
            *(fault for each in around for fault in each.faults),
        ]
        files = {name: text for each in around for name, text in each.files.items()} | times
        if lacking:
            files["without-statistics.txt"] = "".join(f"{missing}\n" for missing in lacking)
        pictures = self._pictures(ctx, before, found)
        if faults:
            raise red(faults, [*found, *busy], everything, files, pictures)
        said = ["Every table has statistics"]
        said += [f"{probe.name} {probe.took}, before {before[probe.name].took}" for probe in found]
        said += [f"{len(busy)} busiest statements planned as well as before"] if busy else []
        said += [remark for each in around for remark in each.remarks]
        facts = {"probes": {p.name: p.facts() for p in found}, "without_statistics": []}
        return Outcome("; ".join(said), facts, plans([*found, *busy]) | files, pictures=pictures)

    def allowed_ms(self, baseline_ms: float) -> float:
        """Return the longest time that a probe with this baseline may take."""
        return max(baseline_ms * self.factor, baseline_ms + self.grace_ms)

    def _ms(self, probe: Measured) -> float:
        return probe.warm_ms if self.compare == "warm" else probe.first_ms

    def _faults(self, now: Measured, before: Measured) -> list[Fault]:
        ms = self._ms(now), self._ms(before)
        return faults_of_probe(now, before, ms=ms, allowed_ms=self.allowed_ms(ms[1]), same_rows=self.same_rows)

    def _scan_faults(self, server: Server, found: list[Measured], before: Mapping[str, Measured]) -> list[Fault]:
        planned_now = [each for each in found if not each.error]
        new = {table for each in planned_now for table in set(each.scanned) - set(before[each.name].scanned)}
        sizeable = large(server, sorted(new), self.large_mb * 1024 * 1024, self.dbname) if new else set()
        return faults_of_scans(planned_now, before, sizeable)

    def _around(self, ctx: Context, server: Server, queries: Mapping[str, Measured]) -> list[surroundings.Surroundings]:
        baseline = ctx.outcomes[self.baseline]
        file = None
        if self.log_file is not None:
            file = HERE if self.host is None else SshMachine(ctx, self.host, run_as=None), self.log_file
        ours = [probe.query for probe in queries.values()]
        around = [
            surroundings.followers(server, baseline, self.rebuild_later),
            surroundings.log(ctx, server, baseline.get("log"), file=file, harmless=self.harmless, ours=ours),
        ]
        astray = fault_of_app_path(ctx, self.app, server) if self.app else None
        return [*around, surroundings.Surroundings([Fault(astray, _APP)])] if astray else around

    def _busy_times(self, ctx: Context, server: Server, busy: Mapping[str, Measured]) -> dict[str, str]:
        """Return, as a file, the mean times of the busiest statements that have run again. Never a fault."""
        baseline = ctx.outcomes[self.baseline]
        stored: Mapping[str, Any] = baseline.get("busiest_ran", {})
        now = ran(server, [busy[name].query for name in stored if name in busy], self.dbname)
        with server.session() as session:
            anew = baseline.get("cluster") != str(system_identifier(session))
        lines = []
        for name, earlier in ((name, Ran(**stored[name])) for name in stored if name in busy):
            counted = now.get(busy[name].query)
            again = counted if counted is None or anew else counted.since(earlier)
            means = "not run again" if again is None else f"{duration(again.mean_ms)} ({again.calls:,.0f} times)"
            was = f"{duration(earlier.mean_ms)} before ({earlier.calls:,.0f} times)"
            lines.append(f"{name}: mean {means}, {was}: {shown(busy[name].query)}\n")
        return {"busiest-times.txt": "".join(lines)} if lines else {}

    def _pictures(self, ctx: Context, before: Mapping[str, Measured], found: list[Measured]) -> dict[str, Picture]:
        looks: dict[str, Mapping[str, Measured]] = {BEFORE: before}
        for facts in ctx.outcomes.values():
            if facts.get("looked_at") == self.baseline and facts["without_statistics"]:
                looks[BETWEEN] = {name: Measured.from_facts(each) for name, each in facts["probes"].items()}
        looks[NOW] = {probe.name: probe for probe in found}
        limit = f"allowed: {self.factor:g} times the time before, or {duration(self.grace_ms)} more"
        return before_and_now(ctx, looks, ms=self._ms, allowed_ms=self.allowed_ms, limit=limit, worth_ms=self.grace_ms)
