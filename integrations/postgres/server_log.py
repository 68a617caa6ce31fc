"""The server's own log, read over the connection: what it has complained of since a mark.

`pg_read_binary_file` is for superusers and members of pg_read_server_files; elsewhere the log cannot be read, which is
told and no fault.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from integrations.postgres.connection import Session

LARGEST_BYTES = 262_144
_SHOWN = 5
_STARTED_BY_US = "server.log"  # where pg_ctl puts what a server says that collects no logs itself
# As text, CSV or JSON (PostgreSQL manual, "Error Reporting and Logging").
_BAD = re.compile(r"\b(PANIC|FATAL|ERROR)(:\s|,\w{5},|\",)")
_BEGINS = re.compile(r"\b(DEBUG\d?|LOG|INFO|NOTICE|WARNING|PANIC|FATAL|ERROR)(:\s|,\w{5},|\",)")
_STATEMENT = re.compile(r"\bSTATEMENT:\s+(.*)", re.DOTALL)
_STARTED = "starting PostgreSQL "
_ENGLISH = re.compile(r"(C|POSIX|en)([._@]|$)|English|$", re.IGNORECASE)
_OWN = re.compile(r"(VACUUM|ANALYZE|EXPLAIN|PREPARE maint_)")
# What speaks of damaged files or catalogs: no client's mistake makes these.
_DAMAGE = re.compile(
    r"PANIC:|invalid page|corrupt|checksum|missing chunk|cache lookup failed|could not (open|read|access) (file|block)"
    r"|could not (access|open) status of transaction|unexpected (data|chunk)|\bXX00[0-2]\b"
)
# What every start and every connection of ours brings about.
_USUAL = re.compile(
    r"the database system is (starting up|shutting down|not yet accepting)|terminating (connection|background worker)"
    # A question of ours that an account without superuser is refused, which then asks otherwise.
    r'|permission denied (to set parameter "(track_counts|lc_messages)"|for function pg_(current_log|stat_|read_)\w+)'
    r"|terminating [\w ]*(worker|process)\b|due to (statement|lock) timeout|due to user request"
    # A client that went away, as a bot that was killed does: the server is none the worse for it.
    r"|connection to client lost|unexpected EOF on client connection|could not (send data to|receive data from) client"
)
_WHERE = """
SELECT name, current_setting('data_directory') AS folder, (pg_stat_file(name, true)).size AS size_bytes
FROM (SELECT coalesce(pg_current_logfile('stderr'), pg_current_logfile(), %s) AS name) AS log"""


@dataclass(frozen=True)
class Log:
    """What a look at the log has found: lines that speak of damage, remarks on others, and the lines as a file."""

    summary: str
    damage: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def mark(session: Session) -> dict[str, Any] | None:
    """Return the log's `name`, the data `folder` and the size now (`size_bytes`), or None if we cannot read it."""
    try:
        row = session.execute(_WHERE, (_STARTED_BY_US,)).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return None if row is None or row["size_bytes"] is None else row


def read(session: Session, *, since: Mapping[str, Any] | None) -> Log:
    """Return what the log has said after the mark `since`; all of its end where it is another file by now."""
    said = text(session, since=since)
    return Log("the server's log could not be read from here, so look at it yourself") if said is None else judged(said)


def text(session: Session, *, since: Mapping[str, Any] | None) -> str | None:
    """Return the text (its last 256 kB) after the mark `since`, None if this account cannot read it."""
    now = mark(session)
    if now is None:
        return None
    same = since is not None and all(since[key] == now[key] for key in ("name", "folder"))
    begin = since["size_bytes"] if since and same else 0
    begin = 0 if begin > now["size_bytes"] else max(begin, now["size_bytes"] - LARGEST_BYTES)
    try:
        row = session.execute(
            "SELECT pg_read_binary_file(%s, %s, %s) AS said", (now["name"], begin, LARGEST_BYTES)
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return bytes(row["said"]).decode(errors="replace") if row else ""


def foreign(session: Session) -> str | None:
    """Return the locale of the server's messages where its severities are not in English, so that we find none."""
    row = session.execute("SELECT current_setting('lc_messages') AS locale").fetchone()
    locale = str(row["locale"]) if row else ""
    return None if english(locale) else locale


def english(locale: str) -> bool:
    """Whether messages in this locale are in English."""
    return _ENGLISH.match(locale) is not None


def complaints(
    said: str, *, harmless: Sequence[str] = (), ours: Collection[str] = (), application: str = ""
) -> list[str]:
    """Return the errors that a log `said` since the server's last start, each with the lines that belong to it.

    Left out is what every start brings about, what one of the patterns `harmless` matches, and (but for damage) what
    answered statements of ours: rounds, plans, the texts `ours`, or sessions of the `application`. Those have told it.
    """
    mine = {" ".join(query.rstrip(" ;\n").split()) for query in ours}
    found: list[list[str]] = []
    for line in said[max(0, said.rfind(_STARTED)) :].splitlines():
        if _BEGINS.search(line) or not found:
            found.append([])
        found[-1].append(line.rstrip())
    kept = []
    for lines in found:
        whole = "\n".join(lines)
        if not _BAD.search(lines[0]) or _USUAL.search(lines[0]) or any(re.search(each, whole) for each in harmless):
            continue
        statement = _STATEMENT.search(whole)
        asked = " ".join(statement[1].split()).rstrip(" ;") if statement else ""
        told = _OWN.match(asked) or asked in mine or (application and application in lines[0])
        if _DAMAGE.search(whole) or not told:
            kept.append(whole)
    return kept


def judged(said: str) -> Log:
    """Tell damage, other errors and the usual apart in what a log says."""
    bad = [line.strip() for line in said.splitlines() if _BAD.search(line) and not _USUAL.search(line)]
    damage = tuple(line for line in bad if _DAMAGE.search(line))
    others = [line for line in bad if line not in damage]
    if not bad:
        return Log("its log has no errors")
    remarks = tuple(f"the server's log says: {line}" for line in others[:_SHOWN])
    summary = f"its log has {len(others)} errors, none of them of damage"
    return Log(summary, damage, remarks, {"server-log.txt": "\n".join(bad)})
