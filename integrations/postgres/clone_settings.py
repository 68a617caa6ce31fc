"""The settings of a copy: those of the live server, except all that would reach anything outside of the copy."""

import re
from pathlib import Path

from integrations.postgres import new_cluster
from integrations.postgres.connection import Session
from integrations.postgres.programs import DataFolder

# What tells how far a restored backup has to be recovered; every other setting comes from the live server.
_RECOVERY = re.compile(r"^\s*(restore_command|recovery_\w+)\s*=")
# Libraries that connect to other servers by themselves, and would take the live one's place there.
_OUTWARD = frozenset({"pglogical", "bdr", "pgactive", "spock", "citus", "repmgr", "pg_failover_slots"})
PORT = 5432
"""It only names the socket's file."""
_QUIET = {
    "listen_addresses": "",
    "port": str(PORT),
    "ssl": "off",
    "archive_mode": "off",
    "hot_standby": "off",  # so that it takes connections only when it is recovered
    "synchronous_standby_names": "",
    "max_logical_replication_workers": "0",  # no subscription goes on here: it would use up the live one's slot
    "cron.launch_active_jobs": "off",
    "cron.max_running_jobs": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
    "external_pid_file": "",
    "huge_pages": "try",
    "recovery_target_action": "promote",
}
_ACCESS = "# A copy to rehearse on: its socket is in a folder of its own account.\nlocal all all trust\n"


def inward(libraries: str) -> str:
    """Return the value of `shared_preload_libraries` without those that would reach other servers."""
    named = [each.strip() for each in libraries.split(",") if each.strip()]
    return ", ".join(each for each in named if Path(each.strip('"')).name.removesuffix(".so") not in _OUTWARD)


def settle(session: Session, copy: DataFolder, sockets: Path, *, shared_buffers: str | None) -> None:
    """Give the stopped cluster `copy` the settings of the live server that `session` is connected to, made quiet.

    What the files of the copy say is dropped, except how a backup is to be recovered. Raises `Final`.
    """
    machine = copy.machine
    recovery = [
        line
        for name in ("postgresql.conf", "postgresql.auto.conf")
        for line in (machine.read(copy.path / name) or "").splitlines()
        if _RECOVERY.match(line)
    ]
    for name in ("postgresql.auto.conf", "pg_ident.conf", "postgresql.conf"):
        machine.write(copy.path / name, "")
    new_cluster.carry_settings(session, copy, copy)
    quiet = {**_QUIET, "unix_socket_directories": str(sockets)}
    row = session.execute("SHOW shared_preload_libraries").fetchone() or {"shared_preload_libraries": ""}
    quiet["shared_preload_libraries"] = inward(str(row["shared_preload_libraries"]))
    if shared_buffers is not None:
        quiet["shared_buffers"] = shared_buffers
    known = new_cluster.known_settings(copy, quiet)
    lines = [f"{name} = {new_cluster.quoted(value)}" for name, value in quiet.items() if name in known]
    text = machine.read(copy.path / "postgresql.conf") or ""
    machine.write(copy.path / "postgresql.conf", "\n".join([text, *recovery, *lines, ""]))
    machine.write(copy.path / "pg_hba.conf", _ACCESS)
