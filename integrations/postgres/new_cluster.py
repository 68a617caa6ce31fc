"""Make the new cluster so that pg_upgrade accepts it and users find it as they know it: same make, same settings."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import Final
from integrations.postgres.connection import Session
from integrations.postgres.machine import ProgramFailed
from integrations.postgres.programs import DataFolder, Programs

SETTINGS_FILE = "maint.conf"
_CHECKSUMS_SINCE = 18  # initdb turns data checksums on from this major on
_PROVIDER_SINCE, _LOCALE_COLUMN_SINCE = 15, 17
_MEGABYTE = 1024 * 1024
# Where files are, which every cluster decides for itself; what only a standby needs (it may hold a password); and the
# standbys that every commit waits for: none of them follows the new server yet.
_NOT_CARRIED = re.compile(
    r"^(data_directory|config_file|hba_file|ident_file|primary_|recovery_|restore_command|synchronous_standby_names)"
)
_SSL_FILES = ("ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file")
_UNRECOGNIZED = re.compile(r'unrecognized configuration parameter "([^"]+)"')

_TEMPLATE0 = """
SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, to_jsonb(d) AS all_columns
FROM pg_database d WHERE datname = 'template0'"""
_SET_BY_PEOPLE = """
SELECT name, current_setting(name) AS value FROM pg_settings
WHERE source IN ('configuration file', 'command line') AND context <> 'internal' ORDER BY name"""


def initdb_arguments(session: Session, control: Mapping[str, str], new_major: int, *, group_access: bool) -> list[str]:
    """Return initdb's arguments for a cluster like the one that `session` is connected to and `control` describes."""
    row = session.execute(_TEMPLATE0).fetchone() or {}
    user = session.execute("SELECT rolname FROM pg_roles WHERE oid = 10").fetchone() or {}
    arguments = ["-U", str(user["rolname"]), "-E", row["encoding"]]
    arguments += [f"--lc-collate={row['datcollate']}", f"--lc-ctype={row['datctype']}"]
    arguments += _provider(row["all_columns"], new_major)
    if control.get("Data page checksum version", "0") != "0":
        arguments.append("--data-checksums")
    elif new_major >= _CHECKSUMS_SINCE:
        arguments.append("--no-data-checksums")
    arguments.append(f"--wal-segsize={int(control['Bytes per WAL segment']) // _MEGABYTE}")
    if group_access:
        arguments.append("--allow-group-access")
    # During the upgrade the new server listens on a socket in a folder of its own account only; the old cluster's
    # pg_hba.conf takes over before it is started for others.
    return [*arguments, "--auth-local=trust", "--auth-host=reject", "--no-sync"]


def _provider(columns: Mapping[str, Any], new_major: int) -> list[str]:
    provider = columns.get("datlocprovider", "c")
    if new_major < _PROVIDER_SINCE or provider == "c":
        return []
    locale = columns.get("datlocale") or columns.get("daticulocale")
    if provider == "b":
        return ["--locale-provider=builtin", f"--builtin-locale={locale}"]
    return ["--locale-provider=icu", f"--icu-locale={locale}"]


def claim(path: Path, programs: Programs, *, ours: bool) -> None:
    """Make sure that `path` is an empty folder of the programs' account; with `ours`, empty what we made there before.

    Raises `Final` if something else is there.
    """
    machine = programs.machine
    if machine.names(path):
        if not ours:
            raise Final(
                f"The new data directory {path} is not empty, and nothing in it was made by this step. "
                "Name another folder in the runbook, or move that one away, and retry."
            )
        machine.empty(path)
    machine.make_folder(path, programs.user)


def carry_settings(session: Session, old: DataFolder, new: DataFolder) -> list[str]:
    """Take the old server's own settings over into the new cluster; return those that its major does not know.

    Raises `Final` if the new server refuses a value.
    """
    rows = session.execute(_SET_BY_PEOPLE).fetchall()
    wanted = {row["name"]: row["value"] for row in rows if not _NOT_CARRIED.match(row["name"])}
    unknown = sorted(set(wanted) - known_settings(new, wanted))
    lines = [f"{name} = {quoted(value)}\n" for name, value in wanted.items() if name not in unknown]
    new.machine.write(new.path / SETTINGS_FILE, "".join(lines))
    configuration = new.path / "postgresql.conf"
    include = f"include_if_exists = '{SETTINGS_FILE}'"
    text = new.machine.read(configuration) or ""
    if include not in text:
        new.machine.write(configuration, f"{text}\n# The settings of the cluster before the upgrade:\n{include}\n")
    for name in _SSL_FILES:
        _copy_own_file(wanted.get(name, ""), old, new)
    try:
        new.programs.run("postgres", "-D", new.path, "-C", "port")
    except ProgramFailed as error:
        raise Final(
            f"The new server does not accept the old one's settings: {str(error).splitlines()[-1]} "
            f"Mend them on the old server (its values are taken over), and retry. Nothing was stopped.",
            files={"settings.txt": str(error)},
        ) from error
    return unknown


def known_settings(new: DataFolder, names: Mapping[str, str]) -> set[str]:
    """Return those of `names` that the new major has; a name with a dot belongs to an extension and passes."""
    described = new.programs.run("postgres", "--describe-config")
    known = {line.split("\t")[0].lower() for line in described.splitlines()}
    return {n for n in names if "." in n or n.lower() in known or _recognized(new.programs, new.path, n)}


def _recognized(programs: Programs, data: Path, name: str) -> bool:
    """Ask the server program itself: its description leaves some settings out."""
    try:
        programs.run("postgres", "-D", data, "-C", name)
    except ProgramFailed as error:
        return not _UNRECOGNIZED.search(str(error))
    return True


def carry_access(old: DataFolder, new: DataFolder, paths: Mapping[str, str]) -> None:
    """Give the new cluster the old one's pg_hba.conf and pg_ident.conf (`paths`: file name to where it is)."""
    for name in ("pg_hba.conf", "pg_ident.conf"):
        source = Path(paths.get(name) or old.path / name)
        text = old.machine.read(source)
        if text is None:
            raise Final(f"{source} is not there any more, and the new server needs it. Put it back, and retry.")
        new.machine.write(new.path / name, text)


def _copy_own_file(value: str, old: DataFolder, new: DataFolder) -> None:
    if value and not Path(value).is_absolute():
        text = old.machine.read(old.path / value)
        if text is not None:
            new.machine.write(new.path / value, text)


def quoted(value: str) -> str:
    """Return a setting's value as postgresql.conf has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def has_group_access(folder: DataFolder) -> bool:
    """Whether the group of a data directory may read it (initdb --allow-group-access)."""
    return bool(folder.machine.permissions(folder.path) & stat.S_IRGRP)
