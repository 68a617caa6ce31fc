"""The command line: `maint serve`, `maint check`, `maint verify`, …. Thin: it parses, and calls."""

import logging
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TextIO, cast

import click
import structlog

from bot.anchor import heads_at
from bot.app import ROLES, Process, open_database, slack_client
from bot.backup import backup as copy_database
from bot.checkup import checkup
from bot.errors import BadInput
from bot.export import FORMATS
from bot.journal import Journal
from bot.own_log import Unfailing
from bot.rebuild import rebuild as rebuild_journal
from bot.rebuild import restore
from bot.settings import load
from bot.slack_api import SlackApi
from bot.step import known_settings
from bot.verify import verify as verify_channel

_PAGE = 200
_SAID_EVERY = 10


@click.group(help="Coordinate scheduled maintenance from Slack.")
@click.version_option(package_name="maint")
def main() -> None:
    """The group of all commands."""


@main.command(help="Serve: all in one process, or only the web or the worker side.")
@click.argument("role", type=click.Choice(ROLES), default="all")
def serve(role: str) -> None:
    """Run until SIGTERM; exit status 1 if it cannot start, with everything that is wrong."""
    settings = load(os.environ, known_settings())
    _log_to_stderr(settings.log_level)
    status = Process(settings, role).run()
    logging.shutdown()
    sys.stdout.flush()
    # Steps that rest until the restart hold their threads; leaving them is the way to end.
    os._exit(status)


@main.command(help="Try everything that this configuration names, and say what to mend.")
def check() -> None:
    """Print a line for each thing tried; exit status 1 if anything is wrong."""
    settings = load(os.environ, known_settings())
    wrong = 0
    for looked in checkup(settings, os.environ, slack_client(settings), open_database):
        wrong += not looked.ok
        click.echo(f"{looked.mark}  {looked.what}: {looked.text}")
    sys.exit(1 if wrong else 0)


@main.command(help="Print the log of a maintenance as csv, json (lines) or md; without an id, list the ids.")
@click.argument("maintenance", required=False)
@click.option("--as", "kind", type=click.Choice(sorted(FORMATS)), default="md")
def log(maintenance: str | None, kind: str) -> None:
    """Print the journal as it is in the database."""
    journal = Journal(open_database(load(os.environ, known_settings())))
    if maintenance is None:
        click.echo("\n".join(journal.maintenances()))
        return
    entries = journal.read(maintenance)
    if not entries:
        raise BadInput(f"There is no maintenance called {maintenance}.")
    click.echo(FORMATS[kind](entries))


def _waiting() -> Callable[[float], None]:
    """Return what waits between two pages of a history, and says now and then how far it is."""
    pages = count(1)

    def wait(seconds: float) -> None:
        number = next(pages)
        if number % _SAID_EVERY == 0:
            click.echo(f"{number * _PAGE:,} messages read", err=True)
        time.sleep(seconds)

    return wait


@main.command(help="Compare the channel's log with the journal.")
@click.argument("maintenance")
def verify(maintenance: str) -> None:
    """Print what is wrong, one finding a line; exit status 1 if anything is."""
    settings = load(os.environ, known_settings())
    url = settings.anchor_git
    found = verify_channel(
        SlackApi(slack_client(settings)),
        Journal(open_database(settings)),
        maintenance,
        page=_PAGE,
        pause=_waiting(),
        anchored=(lambda: heads_at(url)) if url else None,
    )
    for finding in found.findings:
        click.echo(str(finding))
    click.echo(f"{found.counted} entries compared: {'intact' if found.ok else 'not intact'}")
    sys.exit(0 if found.ok else 1)


@main.command(help="Copy the bot's own SQLite database into a new file, while the bot runs, and check the copy.")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Print the size of the copy; exit status 1, saying why, if there is none."""
    settings = load(os.environ, known_settings())
    if settings.database_url is not None:
        raise BadInput("The database is on PostgreSQL (MAINT_DATABASE_URL): copy it with pg_dump.")
    size_bytes = copy_database(settings.data_dir / "maint.sqlite3", file)
    click.echo(f"{file}: {size_bytes} bytes, whole")


@main.command(help="Rebuild the journal from the channel alone; shows what there is, and writes it only with --write.")
@click.option("--write", is_flag=True, help="Write into the database that the settings name.")
@click.option("--channel", help="The id of the channel to read, where that is not the one of the settings.")
def rebuild(write: bool, channel: str | None) -> None:
    """Print what the channel holds; exit status 1 if anything in it does not fit."""
    settings = load(os.environ, known_settings())
    url = settings.anchor_git
    found = rebuild_journal(
        SlackApi(slack_client(settings)),
        channel or settings.channel,
        page=_PAGE,
        pause=_waiting(),
        anchored=heads_at(url) if url else (),
    )
    for finding in found.findings:
        click.echo(finding)
    journal = Journal(open_database(settings)) if write else None
    for maintenance, entries in found.entries.items():
        click.echo(f"{maintenance}: {len(entries)} entries")
        for held in restore(journal, entries, cut=maintenance in found.cut) if journal and entries else ():
            click.echo(f"  {held}")
    sys.exit(1 if found.findings else 0)


def _log_to_stderr(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, Unfailing(sys.stderr))),
    )
