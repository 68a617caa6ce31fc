"""How steps reach a PostgreSQL server: the setting that holds the connection string, sessions, errors told apart."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from pydantic import StringConstraints

from bot.errors import Final, Temporary
from bot.step import Context, Setting
from integrations.postgres.idle import Idle

Rows = list[dict[str, Any]]
Session = psycopg.Connection[dict[str, Any]]
SettingName = Annotated[str, StringConstraints(pattern=r"^(MAINT_POSTGRES_[A-Z0-9_]+|copy:[a-z0-9][a-z0-9-]{0,62})$")]
COPY = "copy:"
"""In place of a setting's name, followed by the id of a `postgres.clone` step: the server on the copy that it made."""

DSN_NAME = "MAINT_POSTGRES_DSN"
_DSN_HELP = (
    "Connection string of the PostgreSQL server under maintenance, as its superuser, for example "
    "postgresql://postgres:PASSWORD@db.example.com:5432/app?sslmode=require"
)
DSN = Setting(DSN_NAME, help=_DSN_HELP, secret=True)
OWN_DATABASE = Setting("MAINT_DATABASE_URL", help="The bot's own database.", secret=True, default="")

_CONNECT_TIMEOUT_S = 10
# A role's or database's own values of these would cancel our work half-way, be it a first `SET`: so they go into the
# connection request, which outranks both (PostgreSQL manual, chapter "Server Configuration", section "Setting
# Parameters").
_NO_LIMITS = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
_FIRST_WITH_IDLE_SESSION_TIMEOUT = 140000
# Databases that a provider keeps for itself on the server and lets nobody into.
_PROVIDERS_OWN = ["rdsadmin", "cloudsqladmin", "azure_maintenance"]


class Server:
    """One PostgreSQL server, reached by the connection string in a setting. Never shows the string itself."""

    def __init__(self, dsn: str, *, setting: str, application: str) -> None:
        """Take a connection string. Raises `Final`, without repeating it, if it is not one."""
        try:
            parameters = conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            raise Final(f"{setting} is not a PostgreSQL connection string. {_DSN_HELP}") from None
        self.password = str(parameters.get("password") or "")
        self.application = application
        self._dsn = make_conninfo(
            dsn,
            application_name=application[:63],
            options=f"{parameters.get('options') or ''} {_NO_LIMITS}".strip(),
            connect_timeout=parameters.get("connect_timeout") or _CONNECT_TIMEOUT_S,
        )
        self._idle = Idle()
        self.place = f"{parameters.get('host', 'local socket')}:{parameters.get('port', 5432)}"
        self.dbname = str(parameters.get("dbname") or parameters.get("user") or "postgres")

    @classmethod
    def of(cls, ctx: Context, setting: str) -> "Server":
        """Return the server that the setting named `setting` points to; `copy:STEP` is the one on that step's copy.

        Raises `Final` if it is missing or wrong.
        """
        if setting.startswith(COPY):
            return cls(_of_copy(ctx, setting.removeprefix(COPY)), setting=setting, application=f"maint {ctx.key}")
        dsn = ctx.setting(Setting(setting, help=_DSN_HELP, secret=True))
        return cls(dsn, setting=setting, application=f"maint {ctx.key}")

    def conninfo(self, **changes: str) -> str:
        """Return the connection string without the password, fit for a program's arguments, with changed parameters."""
        parameters = {**conninfo_to_dict(self._dsn), **changes}
        return make_conninfo("", **{name: value for name, value in parameters.items() if name != "password"})

    def beside(self, sockets: Path, port: int) -> str:
        """Return a connection string, without a password, to a server in the folder `sockets`: same user and database.

        Everything else of ours (TLS, addresses) is about the way to this server.
        """
        parameters = conninfo_to_dict(self._dsn)
        same = {name: str(parameters[name]) for name in ("user", "dbname") if parameters.get(name)}
        return make_conninfo("", host=str(sockets), port=port, **same)

    def connect(self, dbname: str | None = None) -> Session:
        """Open a session in autocommit, with every time limit off and no pager of rows: rows come as dicts.

        Raises `Temporary` while the server cannot be reached, `Final` if it refuses who we are or what we ask for.
        """
        dsn = make_conninfo(self._dsn, dbname=dbname) if dbname else self._dsn
        try:
            session = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
        except psycopg.OperationalError as error:
            raise self._told_apart(error, dbname or self.dbname) from None
        if session.info.server_version >= _FIRST_WITH_IDLE_SESSION_TIMEOUT:
            session.execute("SET idle_session_timeout = 0")
        return session

    @contextlib.contextmanager
    def session(self, dbname: str | None = None) -> Iterator[Session]:
        """Hold a session (see `connect`) for the length of a `with` block.

        A server that goes away in the block raises `Temporary`, a refused query `Final`.
        """
        with self.borrowed(dbname) as session:
            try:
                yield session
            except psycopg.Error as error:
                raise self.told(error, broken=session.broken) from error

    @contextlib.contextmanager
    def borrowed(self, dbname: str | None = None) -> Iterator[Session]:
        """Hold a session as `session` does, with psycopg's own errors. From any thread."""
        session = self._idle.take(dbname or self.dbname) or self.connect(dbname)
        try:
            yield session
        finally:
            self._idle.give(dbname or self.dbname, session)

    @contextlib.contextmanager
    def keeping(self, most: int) -> Iterator[None]:
        """Within the block up to `most` sessions stay open when they are not needed, with what was `SET` in them.

        A new one costs the server a process, and that the catalogs again: for small tables that is most of the time.
        """
        self._idle.most = most
        try:
            yield
        finally:
            self._idle.most = 0
            self._idle.trim()

    def databases(self) -> list[str]:
        """Return the names of all databases that take our connections, in alphabetical order."""
        return self._databases(ours=True)

    def shut(self) -> list[str]:
        """Return the names of those that take connections, but none of this account."""
        return self._databases(ours=False)

    def _databases(self, *, ours: bool) -> list[str]:
        with self.session() as session:
            rows = session.execute(
                "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 AND datname <> ALL(%s)"
                " AND has_database_privilege(oid, 'CONNECT') = %s ORDER BY 1",
                (_PROVIDERS_OWN, ours),
            )
            return [row["datname"] for row in rows]

    def told(self, error: psycopg.Error, *, broken: bool) -> Temporary | Final:
        """Return what a failed query means for a step: the connection broke, or the query was refused."""
        if broken:
            return Temporary(f"The connection to PostgreSQL at {self.place} broke: {first_line(error)}")
        return Final(f"PostgreSQL at {self.place} refuses: {first_line(error)}")

    def _told_apart(self, error: psycopg.OperationalError, dbname: str) -> Temporary | Final:
        said = self.redacted(" ".join(str(error).split()))
        refused = ("password authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist",
                   "Peer authentication failed", "is not permitted to log in", "invalid database")  # fmt: skip
        if any(words in said for words in refused):
            return Final(
                f"PostgreSQL at {self.place} refuses our connection to {dbname}: {said} "
                "Mend the connection string or pg_hba.conf, and retry the step."
            )
        return Temporary(f"PostgreSQL at {self.place} cannot be reached (database {dbname}): {said}")

    def redacted(self, text: str) -> str:
        """Return `text` without our password."""
        return text.replace(self.password, "********") if self.password else text


def _of_copy(ctx: Context, step: str) -> str:
    """Never falls back to a server that a setting names: what works on a copy must not find the live one."""
    conninfo = ctx.outcomes.get(step, {}).get("conninfo")
    if not conninfo:
        raise Final(f"{step} has not made a copy (or it is removed already), so there is no server to work on.")
    return str(conninfo)


def first_line(error: BaseException) -> str:
    """Return the first line of an error of PostgreSQL: what it says, without the position in our query."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def system_identifier(session: Session) -> int:
    """Return the number that initdb gave the cluster and that its copies and standbys share."""
    row = session.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    if row is None:
        raise Final("PostgreSQL did not tell its system identifier.")
    return int(row["system_identifier"])


def refuse_own_server(ctx: Context, server: Server) -> None:
    """Raise `Final` if the bot's own database is on this server: stopping it would stop the bot in the middle."""
    url = ctx.setting(OWN_DATABASE)
    if not url.startswith(("postgresql://", "postgres://")):
        return
    own = Server(url, setting=OWN_DATABASE.name, application=f"maint {ctx.key}")
    with own.session() as mine, server.session() as theirs:
        if system_identifier(mine) == system_identifier(theirs):
            raise Final(
                f"The bot keeps its own database ({OWN_DATABASE.name}) on the server at {server.place}, the very one "
                "under maintenance: it would stop itself half-way. Move it elsewhere, or run the bot on SQLite."
            )
