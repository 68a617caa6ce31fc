"""A real SSH server on the loopback, for one account with one key: started, cut off in the middle, started again.

It greets whoever comes on stdout, as many an account's start-up files do.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
ForceCommand echo Welcome to the database; exec sh -c "$SSH_ORIGINAL_COMMAND"
"""


class Sshd:
    """An SSH server with keys of its own in `folder`; whoever runs this may log in with the key `identity`."""

    def __init__(self, folder: Path) -> None:
        """Make keys and configuration. Raises `FileNotFoundError` if the machine has no OpenSSH server."""
        self.program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if self.program is None:
            raise FileNotFoundError("no sshd on this machine (Debian: openssh-server)")
        self._folder = folder
        self.user = getpass.getuser()
        self.identity = folder / "identity"
        self.known_hosts = folder / "known_hosts"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name in ("identity", "host_key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
            subprocess.run(command, check=True)
        shutil.copy(folder / "identity.pub", folder / "authorized_keys")
        self.known_hosts.write_text(self.known("host_key"))
        (folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd(8), FILES: its privilege separation
        self._server: subprocess.Popen[bytes] | None = None

    def known(self, key: str) -> str:
        """Return the line of known_hosts that expects the key pair `key` here."""
        return f"[127.0.0.1]:{self.port} {(self._folder / f'{key}.pub').read_text()}"

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        command = [str(self.program), "-D", "-f", str(self._folder / "sshd_config"), "-E", str(self._folder / "log")]
        self._server = subprocess.Popen(command)
        for _ in range(600):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=0.1)
                raise RuntimeError(f"sshd ended: {(self._folder / 'log').read_text()}")
        raise TimeoutError("sshd did not start within a minute")

    def drop(self) -> None:
        """Kill what serves the open connections, so that they break; new ones are still taken."""
        if self._server is not None:
            for pid in list(_sshd_below(self._server.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Break the connections and take no more."""
        self.drop()
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None


def _sshd_below(parent: int) -> Iterator[int]:
    """Yield the sshd processes below one: not the programs that they have started."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith("sshd") and int(rest.split()[1]) == parent:
                yield int(entry.name)
                yield from _sshd_below(int(entry.name))
