"""`postgres.delete_old`: delete the old cluster of an upgrade, days after it, with an approval of its own."""

from pathlib import Path

from bot.errors import CannotTell, Final, Red
from bot.step import Context, Outcome, Plan, Step, step
from integrations.postgres.connection import DSN, DSN_NAME, OWN_DATABASE, Server, SettingName
from integrations.postgres.machine import Machine
from integrations.postgres.programs import DataFolder, Programs
from integrations.postgres.ssh import IDENTITY, Account, SshHost
from integrations.postgres.ssh_machine import SshMachine
from integrations.postgres.statistics import missing_statistics
from integrations.postgres.this_machine import HERE

_GIGABYTE = 1_000_000_000


@step("postgres.delete_old")
class DeleteOld(Step):
    """Delete the old cluster that an upgrade has kept, and its files in tablespaces. There is no way back from that.

    Refuses while a server runs from it, while the server under maintenance is not of a newer major in another data
    directory, while a table there lacks statistics, and, if `after_gate` names one, unless that gate is green: one that
    was opened on red is not.
    """

    estimate_s = 60.0
    timeout_s = 3600.0
    approval = True
    point_of_no_return = True
    settings = (DSN, OWN_DATABASE, IDENTITY)
    targets = ("database", "old_data")

    old_bin: Path
    """Folder of the old major's programs."""
    old_data: Path
    """The old cluster's data directory: this is what is deleted."""
    after_gate: str | None = None
    """Id of the gate that has to be green, where this is a step of the upgrade's own runbook."""
    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string of the new server."""
    host: SshHost | None = None
    """The host that the cluster is on, if it is another."""
    run_as: Account | None = None
    """The account that PostgreSQL runs as; without it, the owner of the old data directory (over SSH: who logs in)."""

    def plan(self, ctx: Context) -> Plan:
        """Say what is deleted and how large it is. Raises `Final` or `Red` where it must not be."""
        folders = self._folders(ctx)
        machine = self._machine(ctx)
        sizes = {folder: machine.size_bytes(folder) for folder in folders}
        details = [f"{folder}{machine.where}: {size / _GIGABYTE:.2f} GB" for folder, size in sizes.items()]
        details.append("After an upgrade in link mode most of these files belong to the new cluster too, and stay.")
        subject = {**super().plan(ctx).subject, "folders": [str(folder) for folder in folders]}
        total = sum(sizes.values()) / _GIGABYTE
        return Plan(f"Delete the old cluster in {self.old_data} ({total:.2f} GB) for good", tuple(details), subject)

    def check(self, ctx: Context) -> Outcome | None:
        """It is done if it was begun and nothing of it is left."""
        if "folders" not in ctx.facts:
            return None
        if any(self._left(ctx)):
            raise CannotTell("The deletion was begun, and has not come to its end.")
        return self._outcome(ctx)

    def apply(self, ctx: Context) -> Outcome:
        machine = self._machine(ctx)
        if "folders" not in ctx.facts:
            folders = self._folders(ctx)
            ctx.record(f"Deleting {self.old_data}.", folders=[str(folder) for folder in folders])
        for folder in self._left(ctx):
            ctx.raise_if_stopped()
            aside = _aside(folder)
            if machine.exists(folder):
                machine.rename(folder, aside)  # so that nobody takes half of a cluster for a whole one
            machine.remove(aside)
        return self._outcome(ctx)

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        left = list(self._left(ctx))
        if left:
            raise Final(f"{left[0]} is still there.")

    def _outcome(self, ctx: Context) -> Outcome:
        return Outcome(f"The old cluster is deleted: {', '.join(ctx.facts['folders'])}.")

    def _left(self, ctx: Context) -> list[Path]:
        machine = self._machine(ctx)
        folders = [Path(folder) for folder in ctx.facts["folders"]]
        return [folder for folder in folders if machine.exists(folder) or machine.exists(_aside(folder))]

    def _machine(self, ctx: Context) -> Machine:
        return HERE if self.host is None else SshMachine(ctx, self.host, run_as=self.run_as)

    def _folders(self, ctx: Context) -> list[Path]:
        """Return what is to be deleted, after all that speaks against it has been looked at."""
        machine = self._machine(ctx)
        user = machine.account_for(self.run_as, self.old_data) if machine.exists(self.old_data) else None
        old = DataFolder(self.old_data, Programs(self.old_bin, user, machine))
        major = old.major()
        if major is None:
            raise Final(f"There is no cluster in {self.old_data}{machine.where}. Mend old_data in the runbook.")
        if old.running():
            raise Final(f"A server is running from {self.old_data}{machine.where}: it is in use, and stays.")
        if self.after_gate is not None and ctx.statuses.get(self.after_gate) != "succeeded":
            status = ctx.statuses.get(self.after_gate, "no step of this maintenance")
            raise Final(f"{self.after_gate} is not green ({status}), so the old cluster stays: it may still be needed.")
        server = Server.of(ctx, self.database)
        with server.session() as session:
            now = session.info.server_version // 10000
            row = session.execute("SELECT current_setting('data_directory') AS place").fetchone() or {"place": ""}
            rows = session.execute(
                "SELECT pg_tablespace_location(oid) AS place FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''"
            ).fetchall()
        if now <= major or Path(row["place"]).is_relative_to(self.old_data):
            raise Final(
                f"{self.database} leads to PostgreSQL {now} on {row['place']}, which is not a newer server than that "
                f"of {self.old_data} ({major}), so the old cluster stays."
            )
        self._must_have_statistics(server)
        spaces = [Path(each["place"]) for each in rows]
        return [
            self.old_data,
            *(place / name for place in spaces for name in machine.names(place) if name.startswith(f"PG_{major}_")),
        ]

    def _must_have_statistics(self, server: Server) -> None:
        lacking = missing_statistics(server)
        if lacking:
            raise Red(
                f"Tables of the new server lack statistics ({lacking[0]}, {len(lacking)} in all), so it is not proved, "
                "and the old cluster stays. Run postgres.vacuum, and retry."
            )


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.deleting")
