"""`postgres.preflight`: everything that would stop the upgrade, found days before it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from bot.errors import Final, Red
from bot.step import Context, Outcome, Plan, Step, step
from integrations.postgres import findings, host, rules, trial
from integrations.postgres.blocked import counted
from integrations.postgres.connection import DSN, DSN_NAME, OWN_DATABASE, Server, SettingName, refuse_own_server
from integrations.postgres.copies import pointed_with_folders
from integrations.postgres.machine import Machine
from integrations.postgres.pg_upgrade import UpgradeMode
from integrations.postgres.programs import DataFolder, Programs
from integrations.postgres.ssh import IDENTITY, Account, SshHost
from integrations.postgres.ssh_machine import SshMachine
from integrations.postgres.this_machine import HERE

_SHOWN = 10


@step("postgres.preflight")
class Preflight(Step):
    """Find everything that would stop a PostgreSQL upgrade, while there is time to mend it. Changes nothing.

    Asks the old server in every database. Where the folders are given too, it looks at programs, disk and file
    systems, makes a throw-away cluster of the new major, runs `pg_upgrade --check` against it, loads every library in
    it, and restores the schema of every database into it. Red findings stop the maintenance; each says how to mend it.
    """

    estimate_s = 60.0
    timeout_s = 3600.0
    gate = True
    ahead = True
    settings = (DSN, OWN_DATABASE, IDENTITY)

    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string."""
    new_major: int | None = Field(default=None, ge=10)
    """The major to upgrade to; without it, that of new_bin."""
    old_bin: Path | None = None
    """Folder of the old major's programs, such as /usr/lib/postgresql/14/bin."""
    new_bin: Path | None = None
    """Folder of the new major's programs."""
    old_data: Path | None = None
    """The old cluster's data directory."""
    new_data: Path | None = None
    """Where the new cluster will go."""
    mode: UpgradeMode = "link"
    """The mode of the upgrade to come: what room it needs depends on it."""
    host: SshHost | None = None
    """The host that the cluster is on, if it is another, as in `postgres.upgrade`."""
    run_as: Account | None = None
    """The account that PostgreSQL runs as; without it, the owner of the old data directory (over SSH: who logs in)."""
    restore_schema: bool = True
    """Whether the schema of every database is restored into the throw-away cluster: the surest test of all."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed_with_folders(with_, copy, source)

    @model_validator(mode="after")
    def _complete(self) -> "Preflight":
        places = (self.old_bin, self.new_bin, self.old_data, self.new_data)
        if any(places) and not all(places):
            raise ValueError("old_bin, new_bin, old_data and new_data belong together: give all four or none")
        if self.new_bin is None and self.new_major is None:
            raise ValueError("say which major to upgrade to: new_major, or the four folders")
        return self

    def plan(self, ctx: Context) -> Plan:
        """Say what is looked at."""
        trial_too = "; also programs, disk, pg_upgrade --check and a trial cluster" if self.new_bin else ""
        return Plan(f"Look for what would stop the upgrade{trial_too}", (), super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def apply(self, ctx: Context) -> Outcome:
        server = Server.of(ctx, self.database)
        refuse_own_server(ctx, server)
        with server.session() as session:
            old = session.info.server_version // 10000
        new = Programs(self.new_bin, None, self._machine(ctx)).version() if self.new_bin else self.new_major or 0
        if new <= old:
            raise Final(f"The server is PostgreSQL {old} already: {new} is no upgrade. Mend the runbook.")
        ctx.progress(1, 3, "parts", "asking the old server")
        found, asked = rules.asked(server, old, new)
        if self.new_bin:
            found += self._on_its_host(ctx, server)
        return _judged(found, f"{asked} questions in {len(server.databases())} databases of PostgreSQL {old}", new)

    def _machine(self, ctx: Context) -> Machine:
        return HERE if self.host is None else SshMachine(ctx, self.host, run_as=self.run_as)

    def _on_its_host(self, ctx: Context, server: Server) -> list[findings.Finding]:
        assert self.old_bin and self.new_bin and self.old_data and self.new_data  # noqa: S101, PT018 - see _complete
        machine = self._machine(ctx)
        user = machine.account_for(self.run_as, self.old_data)
        with server.session() as session:
            place = host.Host(
                DataFolder(self.old_data, Programs(self.old_bin, user, machine)),
                DataFolder(self.new_data, Programs(self.new_bin, user, machine)),
                self.mode,
                session,
            )
            ctx.raise_if_stopped()
            ctx.progress(2, 3, "parts", "looking at programs and disk")
            found = host.looked(place)
            if findings.of(found, "red"):
                return found
            ctx.progress(3, 3, "parts", "trying on a throw-away cluster")
            return found + trial.tried(
                place, server, key=f"{ctx.workdir}:{ctx.key}", restore_schema=self.restore_schema
            )


def _judged(found: list[findings.Finding], asked: str, new: int) -> Outcome:
    red, warnings = findings.of(found, "red"), findings.of(found, "warning")
    files = {"findings.txt": findings.report(found)}
    if red:
        listed = "\n".join(f"• {finding}" for finding in red[:_SHOWN])
        more = f"\n… and {len(red) - _SHOWN} more in findings.txt" if len(red) > _SHOWN else ""
        raise Red(
            f"{counted(len(red), 'finding')} would stop the upgrade to PostgreSQL {new}:\n{listed}{more}\n"
            "Nothing was changed. Mend them, and retry this step.",
            files=files,
        )
    remarks = "".join(f"\n• {finding}" for finding in [*warnings, *findings.of(found, "note")])
    facts = {"findings": [finding.facts() for finding in found], "warnings": len(warnings), "new_major": new}
    return Outcome(f"Nothing stops the upgrade to PostgreSQL {new}: {asked}.{remarks}", facts, files)
