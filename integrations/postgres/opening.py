"""The first start of the new server, and what is read back then: part of `postgres.upgrade`, or a step of its own."""

import json
from pathlib import Path
from typing import cast

import psycopg

from bot.errors import Final
from integrations.postgres import differences, snapshot
from integrations.postgres.connection import first_line, system_identifier
from integrations.postgres.upgrade_ground import Facts, Ground, way_back_fact

_REMARKS = 20
_BACK_S = 30.0


def held(ground: Ground, before: Path) -> snapshot.Snapshot:
    """Return what the old server held before it was stopped, as it was noted in `before`. Raises `Final`."""
    noted = ground.machine.read(before)
    if noted is None:
        raise Final(
            f"The note of what the old server held is gone ({before}{ground.machine.where}), so nothing can be "
            f"compared with it. Compare by hand with {ground.old.path} or a backup."
        )
    return cast("snapshot.Snapshot", json.loads(noted))


class Opening:
    """Crosses the point of no return. `to` is the new major, `before` the note of what was there before.

    With `exact` nothing was written between that note and the stop of the old server, so that rows can be compared.
    """

    def __init__(self, ground: Ground, to: int, before: Path, *, exact: bool) -> None:
        self.ground, self.to, self.before, self.exact = ground, to, before, exact
        self.ctx, self.server = ground.ctx, ground.server
        self.old, self.new = ground.old, ground.new

    def start(self) -> tuple[str, Facts]:
        """Put on record that the way back ends, or gets a price; then start the new server."""
        if not self.ctx.facts.get("point_of_no_return"):
            if self.ground.wishes.mode == "link":
                warning = (
                    f"the old cluster in {self.old.path} must not be started any more: it shares its files with the new"
                )
                way = way_back_fact(why=f"the new server has been started in link mode: {warning}")
            else:
                warning = f"what is written now is missing in the old cluster in {self.old.path}"
                loses = f"what has been written since the new server was started at {self.ctx.now():%H:%M} UTC"
                way = way_back_fact(_BACK_S, loses=loses)
            self.ctx.record(f"The new server is started; from here on {warning}.", point_of_no_return=True, **way)
        if not self.new.running():
            self.new.start()
        return f"PostgreSQL {self.to} is running on {self.new.path}", {}

    def compare(self) -> tuple[str, Facts]:
        """Read back that the new server holds what the old one held. Raises `Final` or `Red`."""
        with self.server.session() as session:
            version = session.info.server_version // 10000
            identifier = str(system_identifier(session))
        control = self.new.control()
        if version != self.to or identifier != control["Database system identifier"]:
            raise Final(
                f"{self.ground.wishes.database} leads to a server of PostgreSQL {version} which is not the one on "
                f"{self.new.path}. Look at what listens at {self.server.place}; the app must stay off."
            )
        what_now = (
            f"Keep the app off and compare with the old cluster in {self.old.path} (not started in link mode) or a "
            "backup."
        )
        before = held(self.ground, self.before)
        back = differences.read_back(self.server, before, exact=self.exact, what_now=what_now)
        extensions = self._update_extensions() if self.ground.wishes.update_extensions else []
        updated = f"; extensions updated: {', '.join(extensions)}" if extensions else ""
        remarks = "".join(f"\n• {remark}" for remark in back.remarks[:_REMARKS])
        return f"{back.summary}{updated}{remarks}", {"extensions": extensions, "remarks": list(back.remarks)}

    def _update_extensions(self) -> list[str]:
        """Bring each extension to the version that the new major ships; return those changed or failed."""
        query = (
            "SELECT name, installed_version, default_version, quote_ident(name) AS quoted FROM pg_available_extensions "
            "WHERE installed_version <> default_version ORDER BY name"
        )
        changed = []
        for dbname in self.server.databases():
            with self.server.session(dbname) as session:
                for row in session.execute(query).fetchall():
                    text = f"{dbname}.{row['name']} {row['installed_version']} to {row['default_version']}"
                    try:
                        session.execute(f"ALTER EXTENSION {row['quoted']} UPDATE".encode())
                    except psycopg.Error as error:  # its own script failed: told, and the others go on
                        text += f" failed ({first_line(error)})"
                    changed.append(text)
        return changed
