"""`postgres.upgrade`: move a cluster, on this host or over SSH, to a newer major with pg_upgrade."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from bot.errors import CannotTell, Final, Temporary
from bot.step import Context, Outcome, Plan, Retry, Step, step
from integrations.postgres import replicas
from integrations.postgres.connection import DSN, DSN_NAME, OWN_DATABASE, Server, SettingName
from integrations.postgres.copies import pointed_with_folders
from integrations.postgres.machine import Machine
from integrations.postgres.pg_upgrade import UpgradeMode, keeps_statistics
from integrations.postgres.programs import DataFolder, Programs
from integrations.postgres.ssh import IDENTITY, Account, SshHost
from integrations.postgres.ssh_machine import SshMachine
from integrations.postgres.this_machine import HERE
from integrations.postgres.upgrade_run import UpgradeRun
from integrations.postgres.upgrade_undo import UpgradeUndo


@step("postgres.upgrade")
class Upgrade(Step):
    """Upgrade a PostgreSQL cluster, on this host or another over SSH, to a newer major with pg_upgrade.

    Makes the new cluster to match the old, checks while the old server is still open, notes what is there, stops the
    old server, upgrades, starts the new one on the same address with the same settings, and reads back that
    everything is there. The old cluster is kept. If anything fails before the new server has been started, the old
    one is started again. With `start: false` it ends before that, and `postgres.cross` starts the new server with an
    approval of its own. Undoing it starts the old server again and proves it: in link mode only while the new one was
    never started, otherwise at any time, with the rows written since told before. pg_upgrade runs on its own: a
    restart of the bot, or a connection that broke, finds it again and never runs it twice.
    """

    estimate_s = 300.0
    timeout_s = 12 * 3600.0
    retry = Retry(attempts=3)
    approval = True
    reversible = True
    settings = (DSN, OWN_DATABASE, IDENTITY)
    targets = ("database", "old_data", "new_data")

    old_bin: Path
    """Folder of the old major's programs, such as /usr/lib/postgresql/14/bin."""
    new_bin: Path
    """Folder of the new major's programs."""
    old_data: Path
    """The old cluster's data directory. It is kept."""
    new_data: Path
    """Where the new cluster goes: a folder that does not exist, or is empty."""
    mode: UpgradeMode = "link"
    """`link`: fast, no second copy, and no way back once the new server has been opened; `clone`: the same speed with
    a way back, on file systems that can; `copy`: takes the time and the room of a whole copy."""
    host: SshHost | None = None
    """The host that the cluster is on, if it is another: all is done there over SSH, and the folders are there."""
    run_as: Account | None = None
    """The account that PostgreSQL runs as; without it, the owner of the old data directory (over SSH: who logs in)."""
    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string; it has to lead to the old server, as its superuser."""
    jobs: int = Field(default=2, ge=1, le=64)
    """How many databases and tablespaces pg_upgrade handles at the same time."""
    no_statistics: bool = False
    """Leave the planner statistics behind where the new major could take them over (18 and later)."""
    update_extensions: bool = True
    """Bring each extension to the version that the new major ships."""
    start: bool = True
    """Whether the new server is started too. `false` leaves that, and with it the point of no return, to a
    `postgres.cross` step; until then going back costs nothing."""
    count_rows_for_s: float = Field(default=30.0, ge=0)
    """For how many seconds rows are counted before the upgrade (smallest tables first), to be compared after it. Of
    each table, counted or not, some rows from all over it are compared too."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed_with_folders(with_, copy, source)

    def machine(self, ctx: Context) -> Machine:
        """Return where the cluster is."""
        return HERE if self.host is None else SshMachine(ctx, self.host, run_as=self.run_as)

    def plan(self, ctx: Context) -> Plan:
        """Say which versions, folders and mode, and what happens to the statistics and the old cluster."""
        machine = self.machine(ctx)
        user = machine.account_for(self.run_as, self.old_data)
        old = DataFolder(self.old_data, Programs(self.old_bin, user, machine))
        new_major = Programs(self.new_bin, user, machine).version()
        kept = keeps_statistics(new_major, no_statistics=self.no_statistics)
        details = (
            f"initdb {self.new_data} to match {self.old_data}, with its settings and pg_hba.conf",
            f"pg_upgrade --check, then --{self.mode}, with {self.jobs} jobs",
            "planner statistics come along"
            if kept
            else "planner statistics do not come along: vacuum and analyze next",
            f"the old cluster stays in {self.old_data}"
            + (", but cannot be started any more once the new one was" if self.mode == "link" else ""),
            "read back: databases, roles, extensions, sequences, a checksum of some rows from all over each table, and "
            f"the rows of as many as can be counted in {self.count_rows_for_s:g} s",
            *self._followers(ctx, new_major),
        )
        summary = f"Upgrade PostgreSQL {old.major()} to {new_major} in {self.mode} mode"
        subject = {**super().plan(ctx).subject, "from": old.major(), "to": new_major}
        return Plan(summary, details, subject)

    def _followers(self, ctx: Context, new_major: int) -> list[str]:
        """Standbys come and go, so they are told, and not part of what is approved."""
        try:
            with Server.of(ctx, self.database).session() as session:
                return replicas.told(session, new_major)
        except Temporary as error:
            return [f"standbys and slots could not be asked for: {error}"]

    def check(self, ctx: Context) -> Outcome | None:
        """Nothing on record: certainly not done. Otherwise `apply` looks at the jobs and the disk and goes on."""
        if not any(name.startswith("looked_") for name in ctx.facts):
            return None
        raise CannotTell(
            f"The upgrade of {self.old_data} was begun. If its job got lost (a reboot in the middle), look whether "
            f"{self.old_data}/global/pg_control.old is there: if so, linking had begun; rename it back to pg_control, "
            "start the old server, see that it is whole, and retry this step: it begins anew."
        )

    def apply(self, ctx: Context) -> Outcome:
        return UpgradeRun(ctx, self).run()

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        """The server that people reach must be of the new major, if it has been started."""
        if not self.start:
            return
        must_answer(Server.of(ctx, self.database), outcome.facts["to"])

    def plan_undo(self, ctx: Context, outcome: Outcome) -> Plan:  # noqa: ARG002 - what is on record decides
        """Say what happens, and how many rows have been written since."""
        return UpgradeUndo(ctx, self).plan()

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002
        return UpgradeUndo(ctx, self).run()


def must_answer(server: Server, major: int) -> None:
    """Raise `Temporary` or `Final` unless the server is open for writing and of this major."""
    with server.session() as session:
        answers = session.info.server_version // 10000
        row = session.execute("SELECT pg_is_in_recovery() AS recovering").fetchone()
    if row is None or row["recovering"]:
        raise Temporary("The new server is still in recovery.")
    if answers != major:
        raise Final(f"The server answers as PostgreSQL {answers}, not {major}.")
