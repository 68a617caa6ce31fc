"""`postgres.clone` makes a copy of a cluster to rehearse on, `postgres.remove_clone` removes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from bot.errors import Final
from bot.step import Context, Outcome, Plan, Retry, Standing, Step, step
from integrations.postgres.blocked import size
from integrations.postgres.clone_run import CloneRun, free_bytes, remove
from integrations.postgres.clone_source import Live, live
from integrations.postgres.connection import DSN, DSN_NAME, Server, SettingName
from integrations.postgres.ssh import Account
from integrations.postgres.this_machine import HERE

_BYTES_PER_S = 100 * 1024 * 1024
"""What a disk that is busy with other things gives; the progress says what it really is."""


@step("postgres.clone")
class Clone(Step):
    """Make a copy of a PostgreSQL cluster on the bot's own machine and start it there, to rehearse on.

    Copies the live cluster with `pg_basebackup`, or a `directory`, or has a `command` restore the newest backup. Of the
    live server it only reads. The copy listens on nothing but a socket of its own account, archives nothing, starts no
    subscription and no job of pg_cron. It goes into a folder of its own, which has to have room for it, and which is
    removed with all in it when the maintenance is aborted, or by `postgres.remove_clone`.
    """

    estimate_s = 1800.0
    timeout_s = 24 * 3600.0
    retry = Retry(attempts=2)
    approval = True
    reversible = True
    on_failure = "lift"
    removed_by = "postgres.remove_clone"
    settings = (DSN,)

    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string of the live server, as its superuser."""
    bin: Path
    """Folder of the programs of the live server's major, such as /usr/lib/postgresql/14/bin."""
    folder: Path
    """Where the copy goes: a folder that does not exist, or is empty. The cluster is in `old` there."""
    directory: Path | None = None
    """A data directory to copy instead: of a cluster that is stopped, or a snapshot or backup of one."""
    command: tuple[str, ...] = ()
    """A program and its arguments that restores the newest backup into `old` in `folder` instead; the environment
    variable `COPY_TO` names that path."""
    run_as: Account | None = None
    """The account that PostgreSQL runs as here; without it, the owner of the folder that `folder` is made in."""
    max_rate_mb: int | None = Field(default=None, ge=1, le=1024)
    """How many megabytes in a second `pg_basebackup` takes from the live server at most."""
    checkpoint: Literal["spread", "fast"] = "spread"
    """Whether `pg_basebackup` waits for a checkpoint that is spread over some minutes, or has it made at once, at the
    price of a busy disk."""
    shared_buffers: str | None = None
    """`shared_buffers` for the copy, where the live server's own value does not fit beside it."""

    @model_validator(mode="after")
    def _one_source(self) -> "Clone":
        if self.directory is not None and self.command:
            raise ValueError("say either directory or command, or neither for a copy of the live cluster")
        return self

    def plan(self, ctx: Context) -> Plan:
        """Say what is copied, how large it is, where it goes, how much room there is, and what production feels."""
        found = live(Server.of(ctx, self.database))
        CloneRun(ctx, self).refuse(found)
        details = (
            f"goes into {self.folder}, with {size(free_bytes(self.folder))} free there; removed at the end",
            "the live server is only read, and goes on serving",
            self._load(found),
            f"takes about {round(found.bytes / _BYTES_PER_S / 60) or 1} min at {size(_BYTES_PER_S)}/s",
            "the copy listens on a socket of its own account only; it archives, replicates and schedules nothing",
        )
        subject = {**super().plan(ctx).subject, "major": found.major}
        return Plan(f"Copy {self.source()} ({size(found.bytes)})", details, subject, found.bytes / _BYTES_PER_S)

    def source(self) -> str:
        """Return what is copied, in words."""
        if self.command:
            return "the newest backup"
        return f"the cluster in {self.directory}" if self.directory else "the live cluster"

    def _load(self, found: Live) -> str:
        if self.command or self.directory:
            return f"it is of PostgreSQL {found.major}, and is asked for its size and settings only"
        rate = f"at most {self.max_rate_mb} MB/s" if self.max_rate_mb else "as fast as disk and network give"
        return f"pg_basebackup reads every file of it once, {rate} ({self.checkpoint} checkpoint)"

    def check(self, ctx: Context) -> None:
        """What is on record decides what is left to do; doing that again does no harm."""

    def apply(self, ctx: Context) -> Outcome:
        return CloneRun(ctx, self).run()

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        """The server on the copy answers, and is of the same cluster."""
        server = Server(outcome.facts["conninfo"], setting="the copy", application=f"maint {ctx.key}")
        if live(server).identifier != outcome.facts["identifier"]:
            raise Final(f"The server that answers at {server.place} is not the copy. Abort, and look at that machine.")

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:  # noqa: ARG002 - the folder decides
        """Whether the copy is still on the disk."""
        left = ctx.facts.get("folder_ours") and HERE.names(self.folder)
        return Standing(f"the copy in {self.folder}") if left else None

    def plan_undo(self, ctx: Context, outcome: Outcome) -> Plan:  # noqa: ARG002 - what is on record decides
        return Plan(f"Stop the copy, and remove {self.folder}", (), {"undo": ctx.step, "folder": str(self.folder)})

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - what is on record decides
        return CloneRun(ctx, self).undo()


@step("postgres.remove_clone")
class RemoveClone(Step):
    """Stop the servers on the copy that `postgres.clone` has made, and remove it."""

    estimate_s = 30.0
    timeout_s = 3600.0

    of: str
    """Id of the `postgres.clone` step."""

    def plan(self, ctx: Context) -> Plan:
        """Say what is removed."""
        return Plan(f"Remove {self._facts(ctx)['folder']}", (), super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """Removing what is removed does no harm."""

    def apply(self, ctx: Context) -> Outcome:
        facts = self._facts(ctx)
        remove(Path(facts["folder"]), Path(facts["sockets"]), Path(facts["bin"]), facts["user"])
        return Outcome(f"The copy in {facts['folder']} is removed")

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the step
        """Nothing is left of it."""
        folder = Path(self._facts(ctx)["folder"])
        if HERE.exists(folder):
            raise Final(f"{folder} is still there. Look what is in it, and remove it by hand.")

    def _facts(self, ctx: Context) -> Mapping[str, Any]:
        facts = ctx.outcomes.get(self.of, {})
        if "sockets" not in facts:
            raise Final(f"{self.of} is not a postgres.clone that has succeeded, so there is nothing to remove.")
        return facts
