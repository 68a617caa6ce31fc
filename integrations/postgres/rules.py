"""What can be found by asking the old server: one query a rule, in every database or once for the cluster.

Source of each refusal: the checks in PostgreSQL's src/bin/pg_upgrade/check.c, and the pages "pg_upgrade" and "Release
Notes" of its manual. Each query returns one text column, `place`.
"""

from integrations.postgres.connection import Server
from integrations.postgres.findings import Finding
from integrations.postgres.rule import Rule
from integrations.postgres.rules_objects import OBJECTS

_CLUSTER = (
    Rule(
        "prepared transactions",
        "SELECT format('%s (%s, since %s)', gid, database, prepared) AS place FROM pg_prepared_xacts ORDER BY 1",
        "There are prepared transactions",
        "pg_upgrade refuses them, and they hold back every vacuum.",
        "COMMIT PREPARED or ROLLBACK PREPARED each.",
    ),
    Rule(
        "invalid databases",
        "SELECT datname::text AS place FROM pg_database WHERE datconnlimit = -2 ORDER BY 1",
        "There are databases left half-dropped",
        "Nobody can connect to them, pg_upgrade neither.",
        "DROP DATABASE each.",
    ),
    Rule(
        "databases without connections",
        "SELECT datname::text AS place FROM pg_database "
        "WHERE NOT datallowconn AND datname <> 'template0' AND datconnlimit <> -2 ORDER BY 1",
        "There are databases that allow no connections",
        "pg_upgrade has to connect to each database but template0.",
        "ALTER DATABASE … ALLOW_CONNECTIONS true, or drop it.",
    ),
    Rule(
        "template0 allows connections",
        "SELECT datname::text AS place FROM pg_database WHERE datallowconn AND datname = 'template0'",
        "template0 allows connections",
        "pg_upgrade insists that nobody can have changed it.",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS false.",
    ),
    Rule(
        "standby",
        "SELECT 'in recovery' AS place WHERE pg_is_in_recovery()",
        "The server is a standby",
        "Upgrading it would make a second, older truth.",
        "Point the runbook to the primary.",
    ),
    Rule(
        "install user",
        "SELECT format('%s, not %s', current_user, rolname) AS place FROM pg_roles "
        "WHERE oid = 10 AND rolname <> current_user",
        "The connection is not the install user's",
        "pg_upgrade works as the role that initdb made.",
        "Put that role into the connection string.",
    ),
    Rule(
        "data checksums",
        "SELECT 'the whole cluster' AS place WHERE current_setting('data_checksums') = 'off'",
        "Data checksums are off",
        "From 18 on initdb turns them on, and pg_upgrade refuses a new cluster that differs from the old.",
        "Nothing to do: the upgrade step makes the new cluster like the old. pg_checksums --enable turns them on.",
        severity="note",
        first_new=18,
    ),
    Rule(
        "logical slots",
        "SELECT format('%s (%s)', slot_name, plugin) AS place FROM pg_replication_slots "
        "WHERE slot_type = 'logical' ORDER BY 1",
        "There are logical replication slots",
        "They are lost: pg_upgrade carries them over from 17 on only.",
        "Let the subscribers catch up, and plan to make the slots again.",
        severity="warning",
        last_old=16,
    ),
    Rule(
        "unusable logical slots",
        "SELECT format('%s (%s)', slot_name, coalesce(invalidation_reason, wal_status)) AS place "
        "FROM pg_replication_slots WHERE slot_type = 'logical' AND (invalidation_reason IS NOT NULL "
        "OR wal_status = 'lost') ORDER BY 1",
        "There are logical replication slots that cannot be used any more",
        "From 17 on pg_upgrade carries slots over, and refuses these.",
        "pg_drop_replication_slot each.",
        first_old=17,
    ),
    Rule(
        "subscriptions",
        "SELECT format('%s (in %s)', subname, datname) AS place FROM pg_subscription "
        "JOIN pg_database d ON d.oid = subdbid ORDER BY 1",
        "There are subscriptions",
        "Before 17 pg_upgrade leaves behind which tables they have copied and how far they are.",
        "Plan to refresh them after the upgrade (ALTER SUBSCRIPTION … REFRESH PUBLICATION WITH (copy_data = false)).",
        severity="warning",
        first_old=10,
        last_old=16,
    ),
    Rule(
        "standbys and physical slots",
        "SELECT format('standby %s at %s', application_name, coalesce(host(client_addr), 'socket')) AS place "
        "FROM pg_stat_replication UNION ALL "
        "SELECT format('slot %s', slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' ORDER BY 1",
        "There are standbys",
        "They do not follow an upgrade: they have to be made again, and physical slots are not carried over.",
        "Plan to make them again (pg_basebackup, or rsync as pg_upgrade's page describes) before they are needed.",
        severity="warning",
    ),
    Rule(
        "synchronous standbys",
        "SELECT setting AS place FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting <> ''",
        "Commits wait for standbys",
        "None of them follows the new server yet, so every commit there would hang.",
        "The upgrade step leaves synchronous_standby_names out: set it again when the standbys stream.",
        severity="warning",
    ),
    Rule(
        "running base backups",
        "SELECT format('pid %s, %s', pid, phase) AS place FROM pg_stat_progress_basebackup ORDER BY 1",
        "A base backup is running",
        "Stopping the server ends it.",
        "Let it finish before the window.",
        severity="warning",
        first_old=13,
    ),
    Rule(
        "exclusive base backup",
        "SELECT format('since %s', pg_backup_start_time()) AS place WHERE pg_is_in_backup()",
        "An exclusive base backup is open",
        "The old server would not stop cleanly, or leave a backup label behind that the upgrade trips over.",
        "End it: SELECT pg_stop_backup().",
        last_old=14,
    ),
    Rule(
        "old horizons",
        "SELECT format('pid %s (%s, %s, %s transactions back)', pid, coalesce(usename, backend_type), "
        "coalesce(state, backend_type), age(backend_xmin)) AS place FROM pg_stat_activity "
        "WHERE age(backend_xmin) > 1000000 ORDER BY age(backend_xmin) DESC",
        "There are sessions that hold back every vacuum",
        "The vacuum after the upgrade starts no better than they let the old one end; standbys with feedback count.",
        "End them, or find out what they wait for.",
        severity="warning",
    ),
    Rule(
        "old transactions",
        "SELECT format('pid %s (%s, %s, since %s)', pid, usename, state, xact_start) AS place FROM pg_stat_activity "
        "WHERE xact_start < now() - interval '1 hour' AND backend_type = 'client backend' ORDER BY xact_start",
        "There are transactions open for over an hour",
        "Stopping the server ends them; until then they hold back every vacuum.",
        "Ask their owners, or end them with pg_terminate_backend(pid).",
        severity="warning",
    ),
    Rule(
        "slots that hold back vacuum",
        "SELECT format('%s (%s transactions)', slot_name, age(coalesce(catalog_xmin, xmin))) AS place "
        "FROM pg_replication_slots WHERE age(coalesce(catalog_xmin, xmin)) > 1000000 ORDER BY 1",
        "There are slots with a very old horizon",
        "They hold back every vacuum.",
        "Let the consumer catch up, or drop the slot.",
        severity="warning",
    ),
    Rule(
        "wraparound",
        "SELECT format('%s (%s transactions)', datname, age(datfrozenxid)) AS place FROM pg_database "
        "WHERE datallowconn AND age(datfrozenxid) > 1000000000 ORDER BY age(datfrozenxid) DESC",
        "There are databases half-way to transaction id wraparound",
        "An anti-wraparound vacuum may start inside the window and block others.",
        "VACUUM (FREEZE) them before the window.",
        severity="warning",
    ),
)
RULES = (*_CLUSTER, *OBJECTS)


def asked(server: Server, old: int, new: int) -> tuple[list[Finding], int]:
    """Ask the old server about every rule that applies; return what was found and how many rules that were."""
    rules = [rule for rule in RULES if rule.applies(old, new)]
    places: dict[str, list[str]] = {rule.check: [] for rule in rules}
    with server.session() as session:
        for rule in rules:
            if not rule.everywhere:
                places[rule.check] += [row["place"] for row in session.execute(rule.query.encode()).fetchall()]
    for dbname in server.databases():
        with server.session(dbname) as session:
            for rule in rules:
                if rule.everywhere:
                    rows = session.execute(rule.query.encode()).fetchall()
                    places[rule.check] += [f"{dbname}: {row['place']}" for row in rows]
    found = [
        Finding(rule.check, rule.severity, rule.what, rule.why, rule.mend, tuple(places[rule.check]))
        for rule in rules
        if places[rule.check]
    ]
    return found, len(rules)
