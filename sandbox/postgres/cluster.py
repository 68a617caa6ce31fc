"""One PostgreSQL cluster in a folder of its own: made, configured, started, copied, stopped, removed.

root/data         the data directory; our settings are in data/sandbox.conf, included by postgresql.conf
root/server.log   what the server said
root/s            the socket's folder (one directly in /tmp where this path would be too long)
"""

import contextlib
import hashlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sandbox.postgres.account import SHORT_PLACE, Account, ProgramFailed, new_folder, remove_folder
from sandbox.postgres.binaries import binaries

SUPERUSER = "postgres"
# The longest socket path Linux takes is 107 bytes (unix(7), sun_path).
_LONGEST_SOCKET = 107
# Autovacuum is off so that nothing mends statistics by chance; fsync is off since no test pulls the machine's plug.
_SETTINGS = {"autovacuum": "off", "fsync": "off", "timezone": "UTC", "log_timezone": "UTC"}
_SETTING_LINE = re.compile(r"^([a-z_.]+) = '(.*)'$", re.MULTILINE)


class Cluster:
    """A cluster made by `Cluster.create` (or `copy`) in `root`, opened again by `Cluster(root)` in any process."""

    def __init__(self, root: Path, password: str | None = None) -> None:
        self.root = root
        self.data = root / "data"
        self.log = root / "server.log"
        self.account = Account.owning(root)
        self.major = int((self.data / "PG_VERSION").read_text())
        self.bin = binaries(self.major)
        self._password = password

    @classmethod
    def create(
        cls,
        root: Path,
        major: int,
        *,
        password: str | None = None,
        checksums: bool = False,
        locale: str = "C.UTF-8",
        tcp: bool = False,
        port: int | None = None,
        sockets: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> "Cluster":
        """Make a stopped cluster of PostgreSQL `major` in the folder `root` (new or empty) and return it.

        With a `password` the superuser `postgres` needs it (scram-sha-256), otherwise everyone is trusted. With `tcp`
        it also listens on 127.0.0.1 (on a free port unless `port` is given), otherwise only on a socket in the folder
        `sockets` (default: the cluster's own). To stand in for another cluster on the same address, give both.
        `settings` go on top of the sandbox's. Raises `ProgramFailed`, `BinariesUnavailable`, and `ValueError` when the
        server's account could not reach `root`.
        """
        account = Account.chosen()
        initdb = binaries(major) / "initdb"
        _claim(root, account)
        arguments: list[str | Path] = [initdb, "-D", root / "data", "-U", SUPERUSER, "-E", "UTF8", "--no-sync"]
        arguments.append(f"--locale={locale}")
        if checksums:
            arguments.append("--data-checksums")
        elif major >= 18:  # on by default from 18 on
            arguments.append("--no-data-checksums")
        with _password_file(root, account, password) as authentication:
            account.run([*arguments, *authentication], cwd=root)
        cluster = cls(root, password)
        with (cluster.data / "postgresql.conf").open("a") as file:
            file.write("\ninclude_if_exists = 'sandbox.conf'\n")
        cluster._set_address(tcp=tcp, port=port, sockets=sockets, others={**_SETTINGS, **(settings or {})})
        return cluster

    def copy(self, root: Path) -> "Cluster":
        """Copy this stopped cluster into the folder `root` (new or empty), with a socket (and port) of its own.

        Raises `RuntimeError` while the cluster runs: the copy would be torn.
        """
        if self.running:
            raise RuntimeError(f"the cluster in {self.root} is running; stop it before it is copied")
        _claim(root, self.account)
        command = ["cp", "-a", "--reflink=auto", str(self.data), str(root / "data")]
        subprocess.run(command, check=True)
        copied = Cluster(root, self._password)
        settings = self.settings
        copied._set_address(tcp=bool(settings.pop("listen_addresses")), port=None, sockets=None, others=settings)
        return copied

    def standby(self, root: Path, name: str) -> "Cluster":
        """Make a stopped standby of this running cluster in `root`; it streams as `name`. Trusted local users only."""
        _claim(root, self.account)
        dsn = make_conninfo(self.dsn(), application_name=name)
        self.run("pg_basebackup", "-D", root / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", dsn)
        standby = Cluster(root, self._password)
        settings = self.settings
        standby._set_address(tcp=bool(settings.pop("listen_addresses")), port=None, sockets=None, others=settings)
        return standby

    @property
    def settings(self) -> dict[str, str]:
        """The settings in sandbox.conf, by name."""
        return {
            name: value.replace("''", "'")
            for name, value in _SETTING_LINE.findall((self.data / "sandbox.conf").read_text())
        }

    def configure(self, settings: Mapping[str, str]) -> None:
        """Add to or change the settings in sandbox.conf; they hold from the next start (or reload) on."""
        path = self.data / "sandbox.conf"
        merged = {**(self.settings if path.exists() else {}), **settings}
        lines = (f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in merged.items())
        path.write_text("".join(lines))
        self.account.give(path)

    @property
    def port(self) -> int:
        """The port; without TCP it only names the socket file."""
        return int(self.settings["port"])

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket."""
        return Path(self.settings["unix_socket_directories"])

    def dsn(self, dbname: str = "postgres", user: str = SUPERUSER) -> str:
        """Return the connection string of a database: over TCP if the cluster listens there, else over its socket."""
        host = self.settings["listen_addresses"] or str(self.sockets)
        return make_conninfo(
            "",
            host=host,
            port=self.port,
            dbname=dbname,
            user=user,
            password=self._password if user == SUPERUSER else None,
        )

    @property
    def running(self) -> bool:
        """Whether a server runs on this data directory."""
        if not (self.data / "postmaster.pid").exists():
            return False
        try:
            self.run("pg_ctl", "status", "-D", self.data)
        except ProgramFailed as error:
            if error.exit_code == 3:  # pg_ctl(1): no server is running
                return False
            raise
        return True

    def run(self, program: str, *arguments: str | Path, timeout_s: float = 300) -> str:
        """Run a program of this cluster's major (`pg_upgrade`, `vacuumdb`, ...) as its account, in `root`.

        Returns its output; raises `ProgramFailed` with the output when it exits with an error.
        """
        environment = {"PGPASSWORD": self._password} if self._password else None
        return self.account.run(
            [self.bin / program, *arguments], cwd=self.root, environment=environment, timeout_s=timeout_s
        )

    def start(self) -> None:
        """Start the server and return once it takes connections.

        Raises `ProgramFailed` with the end of its log, and `PermissionError` when the socket's folder is not ours.
        """
        if not self.sockets.exists():
            self.sockets.mkdir(mode=0o700)
            self.account.give(self.sockets)
        elif self.sockets.stat().st_uid not in (0, self.account.uid):
            raise PermissionError(f"the socket's folder {self.sockets} belongs to somebody else")
        try:
            self.run("pg_ctl", "start", "-w", "-t", "60", "-s", "-D", self.data, "-l", self.log)
        except ProgramFailed as error:
            said = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise ProgramFailed(error.program, error.exit_code, f"{error.output}\n{said}") from error

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs: `smart`, `fast` or `immediate` (as if it had crashed)."""
        if self.running:
            self.run("pg_ctl", "stop", "-w", "-t", "60", "-s", "-m", mode, "-D", self.data)

    @contextlib.contextmanager
    def started(self) -> Iterator["Cluster"]:
        """Run the server for the length of a `with` block."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def create_database(self, name: str) -> str:
        """Create a database on the running server and return its connection string."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def destroy(self) -> None:
        """Stop the server at once and remove the cluster's folders."""
        self.stop("immediate")
        if self.sockets == _socket_folder(self.root):
            remove_folder(self.sockets)
        remove_folder(self.root)

    def _set_address(self, *, tcp: bool, port: int | None, sockets: Path | None, others: Mapping[str, str]) -> None:
        self.configure(
            {
                **others,
                "listen_addresses": "127.0.0.1" if tcp else "",
                "port": str(port or (_free_port() if tcp else 5432)),
                "unix_socket_directories": str(sockets or _socket_folder(self.root)),
            }
        )


def _claim(root: Path, account: Account) -> None:
    """Make `root` the account's own, and make sure that it can get there."""
    root.mkdir(mode=0o700, exist_ok=True)
    if any(root.iterdir()):
        raise ValueError(f"{root} is not empty; a cluster needs a folder of its own")
    if not account.reaches(root.parent):
        raise ValueError(
            f"PostgreSQL does not run as root, and the account {account.name} cannot get to {root}: a folder on the "
            "way is closed to others. Choose another place, for instance sandbox.postgres.account.new_folder()."
        )
    account.give(root)


@contextlib.contextmanager
def _password_file(root: Path, account: Account, password: str | None) -> Iterator[list[str | Path]]:
    """Yield initdb's arguments for authentication; a password goes through a file, never through the arguments."""
    if password is None:
        yield ["--auth=trust"]
        return
    path = root / "password"
    path.touch(mode=0o600)
    path.write_text(password)
    account.give(path)
    yield ["--auth=scram-sha-256", f"--pwfile={path}"]
    path.unlink()


def _socket_folder(root: Path) -> Path:
    own = root / "s"
    if len(os.fsencode(own / ".s.PGSQL.65535")) <= _LONGEST_SOCKET:
        return own
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    return SHORT_PLACE / f"maint-pg-socket-{digest}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def temporary_cluster(major: int, **options: Any) -> Iterator[Cluster]:
    """Make, start and at the end remove a cluster in a temporary folder; `options` are those of `Cluster.create`."""
    root = new_folder()
    try:
        cluster = Cluster.create(root, major, **options)
    except BaseException:
        shutil.rmtree(root)
        raise
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.destroy()
