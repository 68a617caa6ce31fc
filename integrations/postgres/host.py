"""What a preflight finds on the host: programs, folders, accounts, room on the disk. Each function is one check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Final
from integrations.postgres.connection import Session, system_identifier
from integrations.postgres.findings import Finding
from integrations.postgres.machine import Machine, existing
from integrations.postgres.pg_upgrade import UpgradeMode
from integrations.postgres.programs import DataFolder

_COPY_MARGIN = 1.1
# A new cluster takes about 40 MB, its WAL up to 1 GB (max_wal_size) while the schema is restored, and each database's
# catalogs about 8 MB more.
_LINK_NEEDS_BYTES = 1_200_000_000
_DATABASE_NEEDS_BYTES = 8_000_000
_GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Host:
    """The folders of an upgrade on its host, and a session with the old server."""

    old: DataFolder
    new: DataFolder
    mode: UpgradeMode
    session: Session

    @property
    def machine(self) -> Machine:
        """The machine that the folders are on."""
        return self.old.machine


def programs(host: Host) -> Iterator[Finding]:
    """Both majors have all programs, and they are the majors that they should be."""
    for folder in (host.old.programs, host.new.programs):
        missing = [name for name in folder.missing() if name != "pg_upgrade"]
        if missing:
            yield _red(
                "programs",
                f"{folder.bin} lacks {', '.join(missing)}",
                "pg_upgrade needs both majors' programs.",
                "Install that major's server and client packages.",
            )
    if not host.machine.may(host.new.programs.bin / "pg_upgrade", "x"):
        yield _red(
            "programs",
            f"{host.new.programs.bin} has no pg_upgrade",
            "The upgrade is done by the new major's pg_upgrade.",
            "Install the new major's server package.",
        )
    server_major = host.session.info.server_version // 10000
    if host.old.programs.version() != server_major:
        yield _red(
            "programs",
            f"{host.old.programs.bin} is of {host.old.programs.version()}, the server of {server_major}",
            "The old programs have to be the old server's.",
            "Mend old_bin in the runbook.",
        )


def old_folder(host: Host) -> Iterator[Finding]:
    """The data directory named is the one of the server that we are connected to."""
    try:
        identifier = host.old.control()["Database system identifier"]
    except Final as error:
        yield _red("old data directory", str(error), "pg_upgrade has to read it.", "Mend old_data in the runbook.")
        return
    if identifier != str(system_identifier(host.session)):
        yield _red(
            "old data directory",
            f"{host.old.path} is not the data directory of the server that we are connected to",
            "The wrong cluster would be upgraded.",
            "Mend old_data in the runbook or the connection string.",
        )


def new_folder(host: Host) -> Iterator[Finding]:
    """The new data directory is empty or not there yet."""
    parent = existing(host.machine, host.new.path)
    if host.machine.names(host.new.path):
        yield _red(
            "new data directory",
            f"{host.new.path} is not empty",
            "The upgrade step makes the new cluster itself, to match the old one.",
            "Move it away, or name another folder in the runbook.",
        )
    elif not host.machine.may(parent, "w"):
        yield _red(
            "new data directory",
            f"{parent} cannot be written",
            "The new cluster has to go there.",
            "Give the bot's account the right, or make the empty folder yourself.",
        )


def file_systems(host: Host) -> Iterator[Finding]:
    """Hard links and clones do not reach across file systems."""
    parent = existing(host.machine, host.new.path)
    if host.mode != "copy" and host.machine.device(parent) != host.machine.device(host.old.path):
        yield _red(
            "file systems",
            f"{host.old.path} and {host.new.path} are on different file systems",
            f"{host.mode} mode works within one only.",
            "Name a new_data on the old one's file system, or use copy mode.",
        )


def room(host: Host) -> Iterator[Finding]:
    """There is room on the disk for what the mode needs."""
    databases = host.session.execute("SELECT count(*) AS number FROM pg_database").fetchone() or {"number": 0}
    needed = _LINK_NEEDS_BYTES + _DATABASE_NEEDS_BYTES * int(databases["number"])
    if host.mode == "copy":
        needed = round(host.old.size_bytes() * _COPY_MARGIN) + _DATABASE_NEEDS_BYTES
    parent = existing(host.machine, host.new.path)
    free = host.machine.free_bytes(parent)
    if free < needed:
        yield _red(
            "disk space",
            f"{parent} has {free / _GIGABYTE:.1f} GB free, {host.mode} mode needs about {needed / _GIGABYTE:.1f} GB",
            "A full disk in the middle fails the upgrade.",
            "Make room" + (", or use link mode." if host.mode == "copy" else "."),
        )


def tablespaces(host: Host) -> Iterator[Finding]:
    """No tablespace has files of the new major already, and none lies inside the old data directory."""
    rows = host.session.execute(
        "SELECT spcname, pg_tablespace_location(oid) AS place FROM pg_tablespace "
        "WHERE pg_tablespace_location(oid) <> ''"
    ).fetchall()
    major = host.new.programs.version()
    for row in rows:
        place = Path(row["place"])
        left_over = [name for name in host.machine.names(place) if name.startswith(f"PG_{major}_")]
        if left_over:
            yield _red(
                "tablespaces",
                f"The tablespace {row['spcname']} in {place} has {', '.join(left_over)} already",
                "It is left from an earlier try, and pg_upgrade refuses it.",
                "Make sure that no cluster uses it, and remove that folder.",
            )
        if place.is_relative_to(host.old.path):
            yield _red(
                "tablespaces",
                f"The tablespace {row['spcname']} lies inside the old data directory ({place})",
                "Old and new cluster would share it, and deleting the old one would take it along.",
                "Move its tables to another tablespace and drop it.",
            )


CHECKS: tuple[Callable[[Host], Iterator[Finding]], ...] = (
    programs,
    old_folder,
    new_folder,
    file_systems,
    room,
    tablespaces,
)


def looked(host: Host) -> list[Finding]:
    """Run all checks of this module."""
    return [finding for check in CHECKS for finding in check(host)]


def _red(check: str, what: str, why: str, mend: str) -> Finding:
    return Finding(check, "red", what, why, mend)
