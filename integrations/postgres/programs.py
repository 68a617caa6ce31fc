"""PostgreSQL's own programs, and the state of a data directory as they and its files tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Final
from integrations.postgres.machine import Machine, ProgramFailed
from integrations.postgres.this_machine import HERE

_STOP_TIMEOUT_S = 600
_LOG_BYTES = 16_384
NEEDED_PROGRAMS = ("postgres", "pg_ctl", "pg_controldata", "pg_resetwal", "pg_dump", "pg_dumpall", "pg_restore", "psql")


@dataclass(frozen=True)
class Programs:
    """The programs of one major, in the folder `bin` of `machine`, run as the account `user` (None: as ourselves)."""

    bin: Path
    user: str | None = None
    machine: Machine = HERE

    def version(self) -> int:
        """Return the major. Raises `Final` if the folder has no server program, or one that does not run here."""
        try:
            said = self.run("postgres", "--version")
            return int(said.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))
        except (OSError, ProgramFailed, ValueError, IndexError) as error:
            raise Final(
                f"{self.bin} has no PostgreSQL server that runs{self.machine.where or ' here'} ({error}). "
                "Install that major's server package, or mend the folder in the runbook."
            ) from error

    def missing(self) -> list[str]:
        """Return which of the programs that pg_upgrade needs are not in the folder."""
        return [name for name in NEEDED_PROGRAMS if not self.machine.may(self.bin / name, "x")]

    def run(
        self,
        program: str,
        *arguments: str | Path,
        cwd: Path = Path("/"),
        env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
    ) -> str:
        """Run a program to its end and return what it said (stdout and stderr together).

        Raises `ProgramFailed`; `OSError` if it cannot be run at all.
        """
        argv = [str(self.bin / program), *map(str, arguments)]
        return self.machine.run(argv, user=self.user, cwd=cwd, env=env or {}, timeout_s=timeout_s)


class DataFolder:
    """A data directory and the programs of its major."""

    def __init__(self, path: Path, programs: Programs) -> None:
        self.path = path
        self.programs = programs
        self.machine = programs.machine

    def major(self) -> int | None:
        """Return the major that made it (its file PG_VERSION), None where there is no cluster."""
        version = self.machine.read(self.path / "PG_VERSION")
        return int(version.split(".")[0]) if version else None

    def control(self) -> dict[str, str]:
        """Return what pg_controldata says, by its labels. Raises `Final` (no cluster there, or of another major)."""
        try:
            said = self.programs.run("pg_controldata", "-D", self.path)
        except (ProgramFailed, OSError) as error:
            raise Final(f"The cluster in {self.path} cannot be read: {error}") from error
        pairs = (line.partition(":") for line in said.splitlines())
        return {label.strip(): value.strip() for label, colon, value in pairs if colon}

    def running(self) -> bool:
        """Whether a server runs on it."""
        if not self.machine.exists(self.path / "postmaster.pid"):
            return False
        try:
            self.programs.run("pg_ctl", "status", "-D", self.path)
        except ProgramFailed:
            return False
        return True

    def start(self, *, options: str = "", log: Path | None = None, timeout_s: int = 300) -> None:
        """Start the server and return when it takes connections. Raises `Final` with the end of its log.

        What it says before its own logging takes over goes to `log` (default: `server.log` in the data directory).
        """
        log = log or self.path / "server.log"
        arguments: list[str | Path] = ["-D", self.path, "-l", log, "-w", "-t", str(timeout_s), "-s"]
        if options:
            arguments += ["-o", options]
        try:
            self.programs.run("pg_ctl", "start", *arguments, timeout_s=timeout_s + 30)
        except ProgramFailed as error:
            said = self.machine.read(log, tail_bytes=_LOG_BYTES) or ""
            raise Final(
                f"The server on {self.path} does not start: {(said.strip() or str(error)).splitlines()[-1]}",
                files={"server.log": f"{error}\n\n{said}"},
            ) from error

    def stop(self) -> None:
        """Stop the server cleanly, if it runs: sessions are ended, everything is written. Raises `Final`."""
        if not self.running():
            return
        try:
            self.programs.run(
                "pg_ctl", "stop", "-D", self.path, "-m", "fast", "-w", "-t", str(_STOP_TIMEOUT_S), "-s",
                timeout_s=_STOP_TIMEOUT_S + 30,
            )  # fmt: skip
        except ProgramFailed as error:
            raise Final(
                f"The server on {self.path} did not stop within {_STOP_TIMEOUT_S // 60} minutes ({error}). It may "
                "still be writing its last checkpoint or archiving WAL; look at its log, and retry the step."
            ) from error

    def size_bytes(self) -> int:
        """Return the size of all its files together, without those of tablespaces elsewhere."""
        return self.machine.size_bytes(self.path)
