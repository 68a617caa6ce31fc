"""What databases may hold that the new major does not take: asked in each of them.

Source of each refusal: the checks in PostgreSQL's src/bin/pg_upgrade/check.c, and the pages "pg_upgrade" and "Release
Notes" of its manual. Each query returns one text column, `place`.
"""

from integrations.postgres.rule import Rule

_USER_SCHEMA = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"


def _columns_of_type(types: str) -> str:
    """Return a query for stored columns of one of the types (a SQL list of names), or of one made of them.

    Domains, arrays, composites and ranges count, to any depth, as they do for pg_upgrade.
    """
    return f"""
        WITH RECURSIVE refused AS (
          SELECT oid FROM pg_type WHERE oid::regtype::text IN ({types})
          UNION
          SELECT made.oid FROM refused, LATERAL (
            SELECT oid FROM pg_type WHERE typtype = 'd' AND typbasetype = refused.oid
            UNION ALL SELECT oid FROM pg_type WHERE typtype = 'b' AND typelem = refused.oid
            UNION ALL SELECT rngtypid FROM pg_range WHERE rngsubtype = refused.oid
            UNION ALL SELECT c.reltype FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relkind = 'c' AND a.atttypid = refused.oid AND NOT a.attisdropped) AS made
        )
        SELECT format('%s.%s.%s (%s)', n.nspname, c.relname, a.attname, a.atttypid::regtype) AS place
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'm', 'i') AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
          AND {_USER_SCHEMA} AND a.atttypid IN (SELECT oid FROM refused) ORDER BY 1"""  # noqa: S608 - our own words


_REG_TYPES = (
    "'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure'"
)

OBJECTS = (
    Rule(
        "reg* columns",
        _columns_of_type(_REG_TYPES),
        "There are columns of a reg* type",
        "They hold object numbers that pg_upgrade does not preserve.",
        "Change them to text or drop them.",
        everywhere=True,
    ),
    Rule(
        "system composite columns",
        f"""SELECT format('%s.%s.%s (%s)', n.nspname, c.relname, a.attname, a.atttypid::regtype) AS place
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE c.relkind IN ('r', 'm', 'i') AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
          AND {_USER_SCHEMA} AND coalesce(e.typtype, t.typtype) = 'c' AND coalesce(e.oid, t.oid) < 16384
        ORDER BY 1""",  # noqa: S608 - our own words
        "There are columns of a system table's row type",
        "The numbers of such types are not stable from one major to the next.",
        "Drop them or spell the columns out.",
        everywhere=True,
    ),
    Rule(
        "aclitem columns",
        _columns_of_type("'aclitem', 'aclitem[]'"),
        "There are columns of type aclitem",
        "Its stored form changed in 16.",
        "Change them to text or drop them.",
        everywhere=True,
        last_old=15,
        first_new=16,
    ),
    Rule(
        "sql_identifier columns",
        _columns_of_type("'information_schema.sql_identifier'"),
        "There are columns of type information_schema.sql_identifier",
        "Its stored form changed in 12.",
        "Change them to text or drop them.",
        everywhere=True,
        last_old=11,
        first_new=12,
    ),
    Rule(
        "removed time types",
        _columns_of_type("'abstime', 'reltime', 'tinterval'"),
        "There are columns of type abstime, reltime or tinterval",
        "These types were removed in 12.",
        "Change them to timestamptz, interval or tstzrange.",
        everywhere=True,
        last_old=11,
        first_new=12,
    ),
    Rule(
        "tables with oids",
        f"""SELECT format('%s.%s', n.nspname, c.relname) AS place
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (to_jsonb(c) ->> 'relhasoids')::bool AND c.relkind IN ('r', 'm') AND c.oid >= 16384 AND {_USER_SCHEMA}
        ORDER BY 1""",  # noqa: S608 - our own words
        "There are tables WITH OIDS",
        "They are not supported from 12 on.",
        "ALTER TABLE … SET WITHOUT OIDS.",
        everywhere=True,
        last_old=11,
        first_new=12,
    ),
    Rule(
        "postfix operators",
        "SELECT format('%s.%s (%s)', oprnamespace::regnamespace, oprname, oprleft::regtype) AS place "
        "FROM pg_operator WHERE oprright = 0 AND oid >= 16384 ORDER BY 1",
        "There are postfix operators",
        "They are not supported from 14 on.",
        "Drop them and use functions or prefix operators.",
        everywhere=True,
        last_old=13,
        first_new=14,
    ),
    Rule(
        "polymorphic functions",
        """SELECT p.oid::regprocedure::text AS place FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid
        WHERE p.oid >= 16384 AND a.aggtransfn IN ('array_append(anyarray,anyelement)'::regprocedure,
          'array_cat(anyarray,anyarray)'::regprocedure, 'array_prepend(anyelement,anyarray)'::regprocedure)
        ORDER BY 1""",
        "There are aggregates built on array functions whose arguments changed",
        "array_append and the like take other types from 14 on.",
        "Drop them before the upgrade and make them again after it with anycompatible types.",
        everywhere=True,
        last_old=13,
        first_new=14,
    ),
    Rule(
        "encoding conversions",
        "SELECT format('%s.%s', n.nspname, c.conname) AS place FROM pg_conversion c "
        "JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.oid >= 16384 ORDER BY 1",
        "There are encoding conversions of your own",
        "The parameters of their functions changed in 14.",
        "Drop them before the upgrade and make them again after it.",
        everywhere=True,
        last_old=13,
        first_new=14,
    ),
    Rule(
        "not-null inconsistencies",
        f"""SELECT format('%s.%s (not null in %s)', cc.oid::regclass, ac.attname, cp.oid::regclass) AS place
        FROM pg_inherits i
        JOIN pg_class cc ON cc.oid = i.inhrelid JOIN pg_class cp ON cp.oid = i.inhparent
        JOIN pg_namespace n ON n.oid = cc.relnamespace
        JOIN pg_attribute ac ON ac.attrelid = cc.oid
        JOIN pg_attribute ap ON ap.attrelid = cp.oid AND ap.attname = ac.attname
        WHERE cc.relkind IN ('r', 'p') AND ac.attnum > 0 AND ap.attnotnull AND NOT ac.attnotnull AND {_USER_SCHEMA}
        ORDER BY 1""",  # noqa: S608 - our own words
        "There are columns that may be null although the parent's may not",
        "From 18 on not-null constraints are inherited, and such tables cannot be restored.",
        "ALTER TABLE … ALTER … SET NOT NULL on each.",
        everywhere=True,
        last_old=17,
        first_new=18,
    ),
)
