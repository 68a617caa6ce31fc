"""What is not as it was before an upgrade, by two snapshots and the server's log; each difference is named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import Red
from integrations.postgres import server_log, snapshot
from integrations.postgres.connection import Server
from integrations.postgres.snapshot import Snapshot

_LISTED = 20


@dataclass(frozen=True)
class ReadBack:
    """What came of reading back: a line for people, remarks for them to know, and the lines of evidence as files."""

    summary: str
    remarks: tuple[str, ...]
    files: Mapping[str, str]


def read_back(server: Server, before: Snapshot, *, exact: bool, what_now: str) -> ReadBack:
    """Compare what the server holds now with `before`, and look through its log since then.

    Without `exact` rows may have been written in between, and only what went missing counts. Raises `Red` naming what
    differs, with `what_now` as the advice.
    """
    after = snapshot.take(server, count_for_s=0, like=before)
    with server.session() as session:
        log = server_log.read(session, since=before.get("log"))
    found = [*differences(before, after, exact=exact), *(f"the server's log says: {line}" for line in log.damage)]
    if found:
        listed = "\n".join(f"• {line}" for line in found[:_LISTED])
        more = f"\n… and {len(found) - _LISTED} more in differences.txt" if len(found) > _LISTED else ""
        raise Red(
            f"The server does not hold what it held before:\n{listed}{more}\n{what_now}",
            files={"differences.txt": "\n".join(found), **log.files},
        )
    looked_at = snapshot.looked_at(before)
    rows = looked_at if exact else "the tables there (their rows may have been written, so they are not compared)"
    summary = (
        f"Read back: databases, roles and their memberships and settings, extensions, sequences and {rows} "
        f"are as before; {log.summary}"
    )
    return ReadBack(summary, (*log.remarks, *_behind_as_before(before, after)), log.files)


def differences(before: Snapshot, after: Snapshot, *, exact: bool) -> list[str]:
    """Return what is not as it was, one line each, for people. Without `exact` rows may have been written between."""
    found = [
        f"{what}: {_change(before[what], after[what])}"
        for what in ("databases", "roles", "tablespaces")
        if before[what] != after[what]
    ]
    found += _properties(before.get("properties", {}), after.get("properties", {}))
    for dbname, was in before["in"].items():
        now = after["in"].get(dbname)
        found += [f"database {dbname} cannot be opened"] if now is None else _inside(dbname, was, now, exact=exact)
    return found


def _properties(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for thing in sorted({*was, *now}):
        kind = thing.partition(" ")[0]
        if kind != "setting" and not (thing in was and thing in now):
            continue  # a database or role that is missing has its line already
        if was.get(thing) != now.get(thing):
            yield f"{thing}: was {was.get(thing) or 'nothing'}, is {now.get(thing) or 'nothing'}"


def _inside(dbname: str, was: Mapping[str, Any], now: Mapping[str, Any], *, exact: bool) -> Iterator[str]:
    for what in ("extensions", "relations"):
        if was[what] != now[what]:
            yield f"{dbname}: {what} were {was[what]}, are {now[what]}"
    for name, value in was["sequences"].items():
        is_now = now["sequences"].get(name)
        if is_now != value and (exact or (is_now or 0) < (value or 0)):
            yield f"{dbname}: sequence {name} was at {value}, is at {is_now}"
    known = was.get("behind", {})
    for name, told in now.get("behind", {}).items():
        if name not in known:
            yield f"{dbname}: sequence {name} {told}: inserts would collide; setval() it past that before opening"
    yield from _rows(dbname, was, now, exact=exact)


def _rows(dbname: str, was: Mapping[str, Any], now: Mapping[str, Any], *, exact: bool) -> Iterator[str]:
    for name, (rows, *_) in was["tables"].items():
        is_now = now["tables"].get(name)
        if is_now is None:
            yield f"{dbname}: {name} had {rows} rows, has none that could be counted"
        elif exact and is_now[0] != rows:
            yield f"{dbname}: {name} had {rows} rows, has {is_now[0]}"
    for name, sample in was.get("samples", {}).items():
        if exact and now["samples"].get(name) != sample:
            yield f"{dbname}: {name} does not hold what it held: a sample of its rows has another checksum"


def _behind_as_before(before: Snapshot, after: Snapshot) -> Iterator[str]:
    for dbname, now in after["in"].items():
        known = before["in"].get(dbname, {}).get("behind", {})
        for name, told in now["behind"].items():
            if name in known:
                yield f"{dbname}: sequence {name} {told}, as it was before"


def _change(before: list[str], after: list[str]) -> str:
    lost = sorted(set(before) - set(after))
    new = sorted(set(after) - set(before))
    parts = [f"missing {', '.join(lost[:_LISTED])}"] if lost else []
    parts += [f"unexpected {', '.join(new[:_LISTED])}"] if new else []
    return "; ".join(parts)
