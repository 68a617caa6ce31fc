"""The way the app itself takes to the database: its own connection string, through its pooler."""

import contextlib

import psycopg

from bot.step import Context, Setting
from integrations.postgres.connection import Server, first_line

_HELP = "Connection string that the app uses, through its pooler if it has one."
_WHO = "SELECT pg_postmaster_start_time(), current_setting('server_version')"


def fault_of_app_path(ctx: Context, setting: str, server: Server) -> str | None:
    """Return what is wrong with the app's own way (its connection string is in `setting`), or None.

    It has to lead to the very server that the gate looks at, told by its version and the time of its start: a pooler
    may still hold connections to the old one. Nothing is sent that a pooler might refuse. Raises `Final` if the setting
    is missing.
    """
    dsn = ctx.setting(Setting(setting, help=_HELP, secret=True))
    with server.session() as session:
        wanted = tuple((session.execute(_WHO).fetchone() or {}).values())
    try:
        with contextlib.closing(psycopg.connect(dsn, autocommit=True, connect_timeout=10)) as app:
            found = app.execute(_WHO).fetchone() or ()
    except psycopg.Error as error:
        kind = type(error).__name__
        said = first_line(error) if error.sqlstate else kind
        return f"the app's own way to the database ({setting}) does not work: {said}"
    if tuple(found) != wanted:
        return (
            f"the app's own way ({setting}) leads to another server: {found[1]}, started {found[0]:%Y-%m-%d %H:%M:%S}"
        )
    return None
