"""What an account may see and do that is no superuser: the usual case with a managed service.

`pg_statistic` is for superusers and `pg_read_all_data`. The views over it show an account what it may read itself: a
column's statistics with SELECT on that column, extended ones to the table's owner (PostgreSQL manual, chapter "System
Views", `pg_stats` and `pg_stats_ext`). What they hide counts as missing: it cannot be told from what is not there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from integrations.postgres.connection import Server, Session

_MAINTAIN_SINCE = 170000
_RIGHTS = """
SELECT has_table_privilege('pg_catalog.pg_statistic', 'SELECT') AS columns,
       has_table_privilege('pg_catalog.pg_statistic_ext_data', 'SELECT') AS extended"""
_COLUMNS = sql.SQL("(SELECT starelid AS relid, staattnum AS attnum, stainherit AS inherited FROM pg_statistic)")
_COLUMNS_SHOWN = sql.SQL(
    "(SELECT vc.oid AS relid, va.attnum, v.inherited FROM pg_stats v"
    " JOIN pg_namespace vn ON vn.nspname = v.schemaname"
    " JOIN pg_class vc ON vc.relnamespace = vn.oid AND vc.relname = v.tablename"
    " JOIN pg_attribute va ON va.attrelid = vc.oid AND va.attname = v.attname)"
)
_EXTENDED = sql.SQL("(SELECT stxoid FROM pg_statistic_ext_data)")
_EXTENDED_SHOWN = sql.SQL(
    "(SELECT ve.oid AS stxoid FROM pg_stats_ext v JOIN pg_namespace vn ON vn.nspname = v.statistics_schemaname"
    " JOIN pg_statistic_ext ve ON ve.stxnamespace = vn.oid AND ve.stxname = v.statistics_name)"
)
# Tables that an extension of the provider's has made are out of our hands: they are small, and nobody can mend them.
_PROVIDERS = sql.SQL(
    "NOT pg_has_role({table}.relowner, 'USAGE') AND EXISTS (SELECT FROM pg_depend pd"
    " WHERE pd.classid = 'pg_class'::regclass AND pd.objid = {table}.oid AND pd.deptype = 'e')"
)
_HIDDEN = sql.SQL(
    "({table}.relrowsecurity AND row_security_active({table}.oid) OR EXISTS (SELECT FROM pg_attribute ha"
    " WHERE ha.attrelid = {table}.oid AND ha.attnum > 0 AND NOT ha.attisdropped"
    " AND NOT has_column_privilege({table}.oid, ha.attnum, 'SELECT')))"
)
# As `vacuum_is_permitted_for_relation` has it (src/backend/commands/vacuum.c).
_MAY_MAINTAIN = sql.SQL(
    "(pg_has_role(c.relowner, 'USAGE') OR NOT c.relisshared AND pg_has_role((SELECT datdba FROM pg_database"
    " WHERE datname = current_database()), 'USAGE'){granted})"
)
_LEFT_OUT = """
SELECT n.nspname, c.relname, c.relisshared, n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') AS system
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND NOT {may}
ORDER BY 1, 2"""


@dataclass(frozen=True)
class Sight:
    """SQL for what is known to this account: `columns` (relid, attnum, inherited) and `extended` (stxoid) statistics.

    `hidden` and `not_ours` are conditions on a `table` of pg_class: whether its columns' statistics cannot be seen, and
    whether the provider answers for it; `owned` whether its owner's rights are ours.
    """

    columns: sql.SQL
    extended: sql.SQL
    all_columns: bool
    all_extended: bool

    def hidden(self, table: str) -> sql.Composable:
        """Return the condition that the statistics of columns of `table` (an alias) may be there unseen."""
        return sql.SQL("false") if self.all_columns else _HIDDEN.format(table=sql.SQL(table))

    def not_ours(self, table: str) -> sql.Composable:
        """Return the condition that `table` (an alias) is the provider's own."""
        return sql.SQL("false") if self.all_columns else _PROVIDERS.format(table=sql.SQL(table))

    def owned(self, table: str) -> sql.Composable:
        """Return the condition that indexes and extended statistics of `table` (an alias) are shown to us."""
        if self.all_columns and self.all_extended:
            return sql.SQL("true")
        return sql.SQL("pg_has_role({}.relowner, 'USAGE')").format(sql.SQL(table))


def sight(session: Session) -> Sight:
    """Return what this account sees of the planner's statistics in the session's database."""
    row = session.execute(_RIGHTS).fetchone() or {"columns": False, "extended": False}
    return Sight(
        _COLUMNS if row["columns"] else _COLUMNS_SHOWN,
        _EXTENDED if row["extended"] else _EXTENDED_SHOWN,
        row["columns"],
        row["extended"],
    )


def may_maintain(session: Session) -> sql.Composed:
    """Return the condition that this account may vacuum and analyze `c`, a row of pg_class."""
    granted = session.info.server_version >= _MAINTAIN_SINCE
    return _MAY_MAINTAIN.format(granted=sql.SQL(" OR has_table_privilege(c.oid, 'MAINTAIN')" if granted else ""))


@dataclass
class LeftOut:
    """What a round leaves to others: tables by full name, the number of system catalogs, databases closed to us."""

    tables: list[str] = field(default_factory=list)
    catalogs: int = 0
    databases: list[str] = field(default_factory=list)

    def told(self, shown: int = 5) -> str:
        """Return it in words for people, "" for nothing."""
        more = f" and {len(self.tables) - shown} more" if len(self.tables) > shown else ""
        parts = [", ".join(self.tables[:shown]) + more] if self.tables else []
        parts += [f"{self.catalogs} system catalogs"] if self.catalogs else []
        parts += [f"database {name}" for name in self.databases[:shown]]
        return f"left out, for this account may not vacuum or analyze them: {'; '.join(parts)}" if parts else ""

    def files(self) -> dict[str, str]:
        """Return all names as a file, none for nothing but catalogs."""
        lines = [*self.tables, *(f"database {name}" for name in self.databases)]
        return {"left-out.txt": "".join(f"{line}\n" for line in lines)} if lines else {}


def left_out(server: Server, databases: Sequence[str], shut: Collection[str]) -> LeftOut:
    """Return what this account may not vacuum in `databases`, besides those that are `shut` to it."""
    found = LeftOut(databases=sorted(shut))
    for number, dbname in enumerate(databases):
        with server.session(dbname) as session:
            rows = session.execute(sql.SQL(_LEFT_OUT).format(may=may_maintain(session))).fetchall()
        for row in rows:
            if row["system"]:
                found.catalogs += not (row["relisshared"] and number)
            else:
                found.tables.append(f"{dbname}.{row['nspname']}.{row['relname']}")
    return found
