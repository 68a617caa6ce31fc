"""A whole copy of the bot's own SQLite database, made while the bot goes on writing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.errors import Final

_PAGES = 10_000
_REST_S = 0.01


def backup(source: Path, target: Path) -> int:
    """Copy the database `source` to the new file `target`, check the copy, and return its size in bytes.

    By SQLite's own backup (https://www.sqlite.org/backup.html): what is committed meanwhile is in the copy or not, but
    never by half. Raises `Final` if there is no such database, `target` is there already, or the copy is not whole.
    """
    if not source.is_file():
        raise Final(f"There is no database {source}. MAINT_DATA_DIR names its folder.")
    if target.exists():
        raise Final(f"{target} is there already, and is not written over.")
    # Under another name until it is whole: whoever finds the file can trust it.
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        # Not read-only: whoever reads in WAL mode writes into the index of the log beside it.
        address = f"{source.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True)) as database, closing(sqlite3.connect(partial)) as copy:
            database.backup(copy, pages=_PAGES, sleep=_REST_S)
            copy.execute("PRAGMA journal_mode=DELETE")
            [found] = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise Final(f"{source} could not be copied to {target}: {error}") from None
    if found != "ok":
        raise Final(f"The copy of {source} is not whole ({found}); it is left as {partial}.")
    partial.rename(target)
    return target.stat().st_size
