"""`postgres.note` before and `postgres.read_back` after: an upgrade that somebody else does is believed only then."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from bot.errors import Final, Red, Temporary
from bot.step import Context, Outcome, Plan, Step, step
from integrations.postgres import differences, snapshot
from integrations.postgres.blocked import counted
from integrations.postgres.connection import DSN, DSN_NAME, Server, SettingName
from integrations.postgres.copies import pointed

_FILE = "holds.json"
_REMARKS = 5


@step("postgres.note")
class Note(Step):
    """Note what a PostgreSQL server holds, to be compared after an upgrade by `postgres.read_back`.

    Databases with owner and encoding, roles with memberships and settings, extensions, sequences, a checksum of the
    first rows of each table, and the number of rows of as many as can be counted in time. Run it when nothing writes
    any more, and before whatever upgrades.
    `postgres.upgrade` does this itself.
    """

    estimate_s = 30.0
    timeout_s = 3600.0
    settings = (DSN,)

    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string."""
    count_rows_for_s: float = Field(default=30.0, ge=0)
    """For how many seconds rows are counted, smallest tables first."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed(with_, copy, source)

    def plan(self, ctx: Context) -> Plan:
        """Say what is noted."""
        return Plan("Note what the server holds, to be read back after the upgrade", (), super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def apply(self, ctx: Context) -> Outcome:
        server = Server.of(ctx, self.database)
        with server.session() as session:
            major = session.info.server_version // 10000
            row = session.execute("SELECT pg_is_in_recovery() AS standby").fetchone()
        if row is None or row["standby"]:
            raise Final(
                f"The server at {server.place} is a standby (in recovery): the primary is what gets upgraded. "
                f"Mend {self.database}, and retry. Nothing was changed."
            )
        ctx.progress(0, None, "", "counting rows")
        holds = snapshot.take(server, count_for_s=self.count_rows_for_s)
        said = f"PostgreSQL {major} holds {counted(len(holds['in']), 'database')}; noted {snapshot.looked_at(holds)}"
        return Outcome(said, {"major": major}, {_FILE: json.dumps(holds)})


@step("postgres.read_back")
class ReadBack(Step):
    """Let the maintenance go on only if the server is really of the new major and holds what it held before.

    For upgrades that a provider or a program of yours does: what they say about it is not evidence. Whatever differs
    from the note is named. Sequences that would give out numbers which their column holds already are red.
    """

    estimate_s = 30.0
    timeout_s = 3600.0
    settings = (DSN,)
    gate = True

    note: str
    """Id of the `postgres.note` step to compare with."""
    major: int | None = Field(default=None, ge=10)
    """The major that the server must have now; without it, any later one than at the note."""
    exact: bool = True
    """Whether rows and sequences have to be exactly as noted (say no if the app kept writing)."""
    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string: by the address that the app uses."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed(with_, copy, source)

    def plan(self, ctx: Context) -> Plan:
        """Say what is compared with what."""
        wanted = f"PostgreSQL {self.major}" if self.major else "a later major"
        return Plan(f"Read back that it is {wanted} with all that {self.note} noted", (), super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def apply(self, ctx: Context) -> Outcome:
        noted_major, holds = self._noted(ctx)
        server = Server.of(ctx, self.database)
        with server.session() as session:
            major, version = session.info.server_version // 10000, session.info.parameter_status("server_version")
            row = session.execute("SELECT pg_is_in_recovery() AS standby").fetchone()
        if row is None or row["standby"]:
            raise Temporary(f"The server at {server.place} is still in recovery.")
        if major != self.major if self.major else major <= noted_major:
            raise Red(
                f"The server at {server.place} answers as PostgreSQL {version}; it was {noted_major} before, and "
                f"{self.major or 'a later major'} was to come of it. Whatever said that the upgrade is done, it is "
                "not, or the address leads elsewhere. Keep the app off, look at both, and retry this step."
            )
        back = differences.read_back(
            server,
            holds,
            exact=self.exact,
            what_now="Keep the app off, and compare with the server of before or a backup; then retry this step.",
        )
        remarks = "".join(f"\n• {remark}" for remark in back.remarks[:_REMARKS])
        facts = {"major": major, "remarks": list(back.remarks)}
        return Outcome(f"The server is PostgreSQL {version}. {back.summary}{remarks}", facts, back.files)

    def _noted(self, ctx: Context) -> tuple[int, Mapping[str, Any]]:
        if "major" in ctx.outcomes.get(self.note, {}):
            for entry in reversed(ctx.history):
                files = entry["payload"].get("files") or {}
                if entry["step"] == self.note and _FILE in files:
                    return int(ctx.outcomes[self.note]["major"]), json.loads(files[_FILE])
        raise Final(
            f"There is nothing to compare with: the step {self.note} has not succeeded, or is not a postgres.note. "
            "Name the right one under `note:`."
        )
