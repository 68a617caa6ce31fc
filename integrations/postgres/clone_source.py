"""What a copy is made of: the live server as it tells of itself, and the program that copies it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from integrations.postgres.connection import Server, system_identifier

# What is copied is the files: the databases', and the WAL that there is (at most a few segments more meanwhile).
_LIVE = """
SELECT (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint AS bytes,
       (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir())::bigint AS wal_bytes,
       current_setting('data_directory') AS data,
       ARRAY(SELECT oid::text || ' ' || pg_tablespace_location(oid) FROM pg_tablespace
             WHERE pg_tablespace_location(oid) <> '') AS tablespaces,
       current_setting('max_wal_senders')::int > 0 AND current_setting('wal_level') <> 'minimal' AS streams"""


class Wishes(Protocol):
    """The fields of the step that say what is copied."""

    directory: Path | None
    bin: Path
    max_rate_mb: int | None

    @property
    def command(self) -> Sequence[str]:
        """A program that restores a backup; empty for none."""
        ...

    @property
    def checkpoint(self) -> str:
        """`spread` or `fast`."""
        ...


@dataclass(frozen=True)
class Live:
    """The live server: its major, what its databases and its WAL take, and where its files are.

    `tablespaces` are places by oid; `streams` is whether `pg_basebackup` can take a copy from it.
    """

    identifier: int
    major: int
    bytes: int
    wal_bytes: int
    data: Path
    tablespaces: dict[str, Path]
    streams: bool


def live(server: Server) -> Live:
    """Ask the server. Raises `Temporary` or `Final`."""
    with server.session() as session:
        row = session.execute(_LIVE).fetchone() or {}
        places = dict(each.split(" ", 1) for each in row["tablespaces"])
        return Live(
            identifier=system_identifier(session),
            major=session.info.server_version // 10000,
            bytes=row["bytes"],
            wal_bytes=row["wal_bytes"],
            data=Path(row["data"]),
            tablespaces={oid: Path(place) for oid, place in places.items()},
            streams=row["streams"],
        )


def copying(wishes: Wishes, server: Server, found: Live, data: Path) -> Sequence[str]:
    """Return the program, with its arguments, that makes the copy in `data`.

    PostgreSQL manual, pg_basebackup: with `-T` each tablespace goes to a place of its own, or the copy would be written
    over the live one's.
    """
    if wishes.command:
        return wishes.command
    if wishes.directory is not None:
        return ["cp", "-a", "--reflink=auto", f"{wishes.directory}/.", str(data)]
    command = [str(wishes.bin / "pg_basebackup"), "-D", str(data), "-d", server.conninfo(), "-w", "-P", "-X", "stream"]
    command += ["-c", wishes.checkpoint, "--no-sync"]
    for oid, place in found.tablespaces.items():
        command += ["-T", f"{_escaped(place)}={_escaped(data.parent / 'tablespaces' / oid)}"]
    return [*command, *(("-r", f"{wishes.max_rate_mb}M") if wishes.max_rate_mb else ())]


def _escaped(place: Path) -> str:
    return str(place).replace("=", r"\=")
