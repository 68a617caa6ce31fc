"""Standbys and slots: who follows a server, what is to be done with each after an upgrade, and does it follow again.

No standby follows pg_upgrade: it has to be made again from the new server, or brought along by rsync while both are
stopped; physical slots are not carried over, logical ones only from 17 on (PostgreSQL manual, "pg_upgrade", steps
"Prepare for standby server upgrades" and "Upgrade streaming replication and log-shipping standby servers").
"""

from dataclasses import dataclass

from pydantic import Field

from bot.errors import Red
from bot.step import Context, Outcome, Plan, Step, step
from integrations.postgres.blocked import counted
from integrations.postgres.connection import DSN, DSN_NAME, Server, Session, SettingName

_LOGICAL_SLOTS_SINCE = 17
_MEGABYTE = 1024 * 1024
_POLL_S = 2.0
_STANDBYS = """
SELECT application_name AS name, coalesce(client_addr::text, 'local socket') AS place, state, sync_state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS behind_bytes
FROM pg_stat_replication ORDER BY 1, 2"""
_SLOTS = """
SELECT slot_name::text AS name, slot_type AS kind, coalesce(plugin::text, '') AS plugin, database::text, active
FROM pg_replication_slots WHERE NOT temporary ORDER BY 1"""


@dataclass(frozen=True)
class Standby:
    """A connected standby or subscriber, by its application_name; `behind_bytes` of WAL not replayed yet."""

    name: str
    place: str
    state: str
    sync_state: str
    behind_bytes: float | None

    def __str__(self) -> str:
        lag = "" if self.behind_bytes is None else f", {self.behind_bytes / _MEGABYTE:,.1f} MB behind"
        return f"{self.name} ({self.place}, {self.state}, {self.sync_state}{lag})"


@dataclass(frozen=True)
class Slot:
    """A replication slot; `kind` is physical or logical."""

    name: str
    kind: str
    plugin: str
    database: str | None
    active: bool

    def __str__(self) -> str:
        where = f" of {self.plugin} in {self.database}" if self.kind == "logical" else ""
        return f"{self.name} ({self.kind}{where}, {'active' if self.active else 'nobody reads it'})"


def standbys(session: Session) -> list[Standby]:
    """Return who streams from the server now."""
    return [Standby(**row) for row in session.execute(_STANDBYS).fetchall()]


def streaming(session: Session) -> list[str] | None:
    """Return the names of those that stream now, sorted; None if this account may not see them (`pg_monitor` may)."""
    row = session.execute("SELECT pg_is_in_recovery() AS standby").fetchone()
    if row is None or row["standby"]:
        return []
    rows = session.execute("SELECT application_name AS name, state FROM pg_stat_replication").fetchall()
    if any(row["state"] is None for row in rows):
        return None
    return sorted({row["name"] for row in rows if row["state"] == "streaming"})


def slots(session: Session) -> list[Slot]:
    """Return its replication slots."""
    return [Slot(**row) for row in session.execute(_SLOTS).fetchall()]


def told(session: Session, new_major: int) -> list[str]:
    """Return, a line for each standby and slot, what has to be done with it after an upgrade to `new_major`."""
    old_major = session.info.server_version // 10000
    lines = []
    physical = {slot.name for slot in slots(session) if slot.kind == "physical"}
    for standby in standbys(session):
        lines.append(
            f"standby {standby} does not follow: after the gate, make it again (pg_basebackup of the new major -R"
            f"{' -S its slot' if physical else ''}), or rsync it while both are stopped; let the gate know which of "
            "them you make again later (`rebuild_later`)"
        )
    for slot in slots(session):
        if slot.kind == "physical":
            lines.append(f"slot {slot} is not carried over: pg_create_physical_replication_slot('{slot.name}')")
        elif min(old_major, new_major) >= _LOGICAL_SLOTS_SINCE:
            lines.append(f"slot {slot} is carried over if all has been read from it before the stop")
        else:
            lines.append(f"slot {slot} is lost: let its reader catch up, make it again, and refresh the subscription")
    return lines


@step("postgres.replicas")
class Replicas(Step):
    """Let the maintenance go on only when the named standbys stream from the new server again, and are close behind.

    No standby follows an upgrade: people, or a `command` step, make it again first. Waits for them, and then is red.
    """

    estimate_s = 60.0
    timeout_s = 24 * 3600.0
    settings = (DSN,)
    gate = True

    standbys: tuple[str, ...] = Field(min_length=1)
    """The application_name of each standby that has to stream (its `primary_conninfo`, or `cluster_name` there)."""
    slots: tuple[str, ...] = ()
    """Replication slots that have to be there and be read."""
    most_behind_mb: float = Field(default=16.0, gt=0)
    """How many megabytes of WAL a standby may still have to replay."""
    wait_s: float = Field(default=600.0, ge=0)
    """For how many seconds they are waited for."""
    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string of the primary."""

    def plan(self, ctx: Context) -> Plan:
        """Say who has to follow."""
        who = ", ".join([*self.standbys, *(f"slot {name}" for name in self.slots)])
        return Plan(f"See that they follow again: {who}", (), super().plan(ctx).subject)

    def check(self, ctx: Context) -> None:
        """It only looks, so it can always be done again."""

    def apply(self, ctx: Context) -> Outcome:
        server = Server.of(ctx, self.database)
        waited_s = 0.0
        while True:
            with server.session() as session:
                streaming, there = standbys(session), slots(session)
            missing = self._missing(streaming, there)
            if not missing:
                told_now = ", ".join(str(standby) for standby in streaming if standby.name in self.standbys)
                return Outcome(f"All follow: {told_now}", {"standbys": sorted(self.standbys)})
            if waited_s >= self.wait_s:
                raise self._red(server, missing)
            ctx.progress(len(self.standbys) - len(missing), len(self.standbys), "standbys", missing[0])
            ctx.sleep(_POLL_S)
            waited_s += _POLL_S

    def _missing(self, streaming: list[Standby], there: list[Slot]) -> list[str]:
        found = []
        for name in self.standbys:
            known = [standby for standby in streaming if standby.name == name]
            if not known:
                found.append(f"{name} is not connected")
            elif not any(self._follows(standby) for standby in known):
                found.append(f"{known[0]} does not follow closely")
        for name in self.slots:
            slot = next((slot for slot in there if slot.name == name), None)
            if slot is None:
                found.append(f"there is no slot {name}")
            elif not slot.active:
                found.append(f"nobody reads from the slot {name}")
        return found

    def _follows(self, standby: Standby) -> bool:
        behind = standby.behind_bytes
        return standby.state == "streaming" and behind is not None and behind <= self.most_behind_mb * _MEGABYTE

    def _red(self, server: Server, missing: list[str]) -> Red:
        listed = "\n".join(f"• {line}" for line in missing)
        return Red(
            f"{counted(len(missing), 'thing')} that should follow the server at {server.place} did not within "
            f"{self.wait_s:g} s:\n{listed}\nThe server itself is not disturbed, but nothing would take over from it. "
            "Make the standby again (pg_basebackup -R with the new major's programs), start it, and retry this step."
        )
