"""What the gate looks at around the queries: who follows the server, what its log says, the app's own way to it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.step import Context
from integrations.postgres import replicas, server_log
from integrations.postgres.blocked import counted
from integrations.postgres.connection import Server
from integrations.postgres.machine import Machine
from integrations.postgres.verdict import Fault

ALL = "*"
_FIRST_LINES = 3
_LINE_CHARACTERS = 200
_MAKE_AGAIN = (
    "Make each standby again (pg_basebackup of the new major -R) and start it, or let its name stand under "
    "`rebuild_later` of the gate where that is to follow the opening."
)
_READ_THE_LOG = "Read server-log.txt and mend what it names. Known harmless lines belong under `harmless` of the gate."


@dataclass
class Surroundings:
    """What was found: `faults`, remarks on what is `good` or was not looked at, and files."""

    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def followers(server: Server, baseline: Mapping[str, Any], rebuild_later: Collection[str]) -> Surroundings:
    """Hold that whoever streamed at the baseline streams again, but for those to be made again later."""
    found = Surroundings()
    before = baseline.get("standbys", [])
    with server.session() as session:
        now = replicas.streaming(session)
    if before is None or (before and now is None):
        found.remarks.append("replication not looked at: this account may not see it (grant pg_monitor)")
        return found
    missing = sorted(set(before) - set(now or []))
    later = [name for name in missing if ALL in rebuild_later or name in rebuild_later]
    found.faults += [
        Fault(f"{name} streamed from this server at the baseline, and does not now", _MAKE_AGAIN)
        for name in missing
        if name not in later
    ]
    if later:
        found.remarks.append(f"to be made again: {', '.join(later)}")
    back = sorted(set(before) - set(missing))
    if back:
        found.remarks.append(f"{', '.join(back)} streaming again")
    return found


def log(
    ctx: Context,
    server: Server,
    since: Mapping[str, Any] | None,
    *,
    file: tuple[Machine, Path] | None,
    harmless: Sequence[str],
    ours: Collection[str],
) -> Surroundings:
    """Hold that the server's log has no errors since its start: from a `file` if named, else as the server shows it."""
    found = Surroundings()
    with server.session() as session:
        locale = server_log.foreign(session)
        said = server_log.text(session, since=since) if file is None else None
    if file is not None:
        machine, path = file
        said = machine.read(path, tail_bytes=server_log.LARGEST_BYTES)
    if locale:
        found.remarks.append(f"the server's log was not looked at: its messages are not in English ({locale})")
        return found
    if said is None:
        place = f"{file[1]}{file[0].where} is not there" if file else "this account cannot read it; see `log_file`"
        found.remarks.append(f"the server's log was not looked at: {place}")
        return found
    records = server_log.complaints(said, harmless=harmless, ours=ours, application=f"maint {ctx.maintenance}:")
    if not records:
        found.remarks.append("no errors in the server's log")
        return found
    first = "; ".join(record.splitlines()[0][:_LINE_CHARACTERS] for record in records[:_FIRST_LINES])
    found.faults.append(Fault(f"the server's log has {counted(len(records), 'error')}: {first}", _READ_THE_LOG))
    found.files["server-log.txt"] = "\n".join(records) + "\n"
    return found
