"""A throw-away cluster of the new major, made like the one to come: what it refuses today is no surprise at night.

`pg_upgrade --check` accepts more than the upgrade itself does: settings kept by ALTER ROLE that the new major has not,
and views on system columns that are gone. So the schema of every database is restored here too.
"""

import hashlib
import re
from pathlib import Path

from bot.errors import Final
from integrations.postgres import new_cluster, pg_upgrade
from integrations.postgres.connection import Server
from integrations.postgres.findings import Finding
from integrations.postgres.host import Host
from integrations.postgres.machine import ProgramFailed, existing, short_folder
from integrations.postgres.programs import DataFolder

_LIMIT_S = 1800
_SHOWN = 50
_ERROR = re.compile(r"ERROR:\s+(.*)")
_LIBRARIES = """
SELECT DISTINCT p.probin AS library, coalesce(e.extname::text, p.oid::regprocedure::text) AS used_by
FROM pg_proc p
LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND p.probin IS NOT NULL
  AND (p.oid >= 16384 OR e.oid IS NOT NULL) ORDER BY 1, 2"""
_KEPT_SETTINGS = """
SELECT coalesce(r.rolname::text, 'all roles') AS role, coalesce(d.datname::text, 'all databases') AS dbname,
       split_part(setting, '=', 1) AS name
FROM pg_db_role_setting s
LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS setting ORDER BY 1, 2, 3"""


class Trial:
    """The trial of one upgrade. `cluster` is the throw-away cluster, `work` a short folder for sockets and notes."""

    def __init__(self, host: Host, server: Server, cluster: DataFolder, work: Path) -> None:
        self.host = host
        self.server = server
        self.cluster = cluster
        self.work = work
        self._superuser = ""

    def make(self) -> list[Finding]:
        """Make the cluster like the old one, with its settings; return what speaks against it."""
        group_access = new_cluster.has_group_access(self.host.old)
        major = self.cluster.programs.version()
        session = self.host.session
        row = session.execute("SELECT rolname::text AS name FROM pg_roles WHERE oid = 10").fetchone() or {}
        self._superuser = row["name"]
        arguments = new_cluster.initdb_arguments(session, self.host.old.control(), major, group_access=group_access)
        try:
            self.cluster.programs.run("initdb", "-D", self.cluster.path, *arguments, cwd=self.work)
            unknown = new_cluster.carry_settings(session, self.host.old, self.cluster)
        except ProgramFailed as error:
            what = f"A new cluster like the old one cannot be made: {str(error).splitlines()[-1]}"
            return [Finding("new cluster", "red", what, "The upgrade begins with it.", "Install what is missing.")]
        except Final as error:
            return [Finding("settings", "red", str(error), "The new server would not start.", "Mend the setting.")]
        if not unknown:
            return []
        mend = "Nothing to do: they are left out. See the release notes for what replaces them."
        what = f"PostgreSQL {major} does not have some of the settings"
        return [Finding("settings", "note", what, "They were removed.", mend, tuple(unknown))]

    def check(self) -> list[Finding]:
        """Run pg_upgrade --check with the old server open, and return what it refuses."""
        command = pg_upgrade.arguments(
            self.host.old,
            self.cluster,
            superuser=self._superuser,
            mode=self.host.mode,
            jobs=1,
            sockets=self.work,
            old_options=pg_upgrade.server_options(self.host.old),
            no_statistics=False,
            new_major=self.cluster.programs.version(),
        )
        try:
            self.cluster.programs.run(
                "pg_upgrade", *command[1:], "--check", cwd=self.work, env=self._env(), timeout_s=_LIMIT_S
            )
        except ProgramFailed as error:
            files = self.host.machine.text_files(
                [self.work, self.cluster.path / "pg_upgrade_output.d"], suffixes=(".txt",)
            )
            said = pg_upgrade.failing_lines(str(error))
            where = tuple(line.strip() for text in files.values() for line in text.splitlines() if line.strip())
            advice = " ".join(
                line for line in said[1:] if str(self.work) not in line and str(self.cluster.path) not in line
            )
            advice = pg_upgrade.remedy(said) or advice
            what = f"pg_upgrade --check refuses: {said[0]}"
            return [Finding("pg_upgrade --check", "red", what, "The upgrade itself would refuse.", advice, where)]
        return []

    def start(self) -> list[Finding]:
        """Start it, reachable for us only; return why it does not."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.work}' -c archive_mode=off -c ssl=off"
        try:
            self.cluster.start(options=f"{options} -c fsync=off", log=self.work / "trial.log", timeout_s=60)
        except Final as error:
            what = f"A server of the new major does not start with the old one's settings: {error}"
            mend = "Install the missing library (shared_preload_libraries), or mend the setting."
            return [Finding("settings", "red", what, "The new server would not start at night.", mend)]
        return []

    def libraries(self) -> list[Finding]:
        """Load every library that functions and extensions of the old cluster use."""
        users: dict[str, set[str]] = {}
        for dbname in self.server.databases():
            with self.server.session(dbname) as session:
                for row in session.execute(_LIBRARIES).fetchall():
                    users.setdefault(row["library"], set()).add(f"{dbname}: {row['used_by']}")
        places = []
        for library, used_by in sorted(users.items()):
            quoted = library.replace("'", "''")
            try:
                self._psql("-c", f"LOAD '{quoted}'")
            except ProgramFailed as error:
                said = next(iter(_ERROR.findall(str(error))), str(error))
                places.append(f"{library} ({said}), used by {', '.join(sorted(used_by)[:_SHOWN])}")
        if not places:
            return []
        mend = "Install the package for the new major, or DROP the extension or function before the upgrade."
        what = "There are libraries that the new major cannot load"
        return [Finding("libraries", "red", what, "pg_upgrade refuses.", mend, tuple(places))]

    def kept_settings(self) -> list[Finding]:
        """Find settings kept by ALTER ROLE or ALTER DATABASE … SET that the new major has not."""
        known = set(self._psql("-A", "-t", "-c", "SELECT lower(name) FROM pg_settings").split())
        rows = self.host.session.execute(_KEPT_SETTINGS).fetchall()
        places = [
            f"{row['name']} for {row['role']} in {row['dbname']}"
            for row in rows
            if "." not in row["name"] and row["name"].lower() not in known
        ]
        if not places:
            return []
        what = "There are settings kept by ALTER ROLE or ALTER DATABASE … SET that the new major does not have"
        why = "pg_upgrade --check accepts them, and the upgrade then fails in the middle."
        mend = "ALTER ROLE or ALTER DATABASE … RESET each."
        return [Finding("kept settings", "red", what, why, mend, tuple(places))]

    def schema(self) -> list[Finding]:
        """Restore the schema of every database; return what the new major does not accept."""
        programs = self.cluster.programs
        dump = self.work / "schema.sql"
        options: list[str | Path] = [
            "--schema-only",
            "--no-role-passwords",
            "--no-tablespaces",
            "--no-subscriptions",
            "-f",
            dump,
        ]
        try:
            programs.run(
                "pg_dumpall", "-d", self._old_conninfo(), *options, cwd=self.work, env=self._env(), timeout_s=_LIMIT_S
            )
            said = self._psql("-f", dump, timeout_s=_LIMIT_S)
        except ProgramFailed as error:
            what = f"The schema cannot be dumped: {str(error).splitlines()[-1]}"
            return [Finding("schema", "red", what, "pg_upgrade dumps it too.", "Mend what the message names.")]
        own_role = f'role "{self._superuser}" already exists'
        errors = [text for text in _ERROR.findall(said) if text != own_role and "configuration parameter" not in text]
        if not errors:
            return []
        what = "There are objects that the new major does not accept"
        why = "pg_upgrade --check accepts them, and the upgrade then fails in the middle."
        mend = "Drop or change them before the upgrade (views on system tables whose columns changed, for instance)."
        return [Finding("schema", "red", what, why, mend, tuple(errors[:_SHOWN]))]

    def _env(self) -> dict[str, str]:
        return {"LC_ALL": "C"} | ({"PGPASSWORD": self.server.password} if self.server.password else {})

    def _conninfo(self) -> str:
        port = self.host.session.execute("SHOW port").fetchone() or {}
        return f"host={self.work} port={port['port']} user={self._superuser} dbname=postgres"

    def _psql(self, *arguments: str | Path, timeout_s: float = 120) -> str:
        """Ask the trial server where it is: its socket is for its own account alone."""
        options = ["-X", "-q", "-d", self._conninfo()]
        return self.cluster.programs.run("psql", *options, *arguments, cwd=self.work, timeout_s=timeout_s)

    def _old_conninfo(self) -> str:
        """Return how the old server's own host reaches it: our address for it may lead nowhere there."""
        if not self.host.machine.where:
            return self.server.conninfo()
        row = self.host.session.execute("SHOW unix_socket_directories").fetchone() or {}
        sockets = str(row["unix_socket_directories"]).split(",")[0].strip().strip('"')
        return self.server.conninfo(host=sockets or "localhost")


def tried(host: Host, server: Server, *, key: str, restore_schema: bool) -> list[Finding]:
    """Make the trial cluster, try everything on it, and remove it. Returns what was found.

    The folders are named after `key`, so that what a killed bot left behind is found and removed.
    """
    name = f"maint-trial-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    # Beside the new data directory, so that linking and cloning are tried on the file system that matters.
    folders = [short_folder(name), existing(host.machine, host.new.path.parent) / f".{name}"]
    cluster = DataFolder(folders[1], host.new.programs)
    try:
        cluster.stop()
        for folder in folders:
            host.machine.remove(folder)
            host.machine.work_folder(folder, host.new.programs.user)
        trial = Trial(host, server, cluster, folders[0])
        found = trial.make()
        if any(finding.severity == "red" for finding in found):
            return found
        found += trial.check()
        started = trial.start()
        if started:
            return found + started
        found += trial.libraries() + trial.kept_settings()
        return found + (trial.schema() if restore_schema else [])
    finally:
        cluster.stop()
        for folder in folders:
            host.machine.remove(folder)
