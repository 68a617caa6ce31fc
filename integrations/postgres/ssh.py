"""Another host, over the system's OpenSSH client: shell scripts are sent to it by stdin, and their answers read.

Nothing of a script is in any program's arguments, here or there, so it may hold secrets. One connection is shared
(ControlMaster, ssh_config(5)); when it breaks, the next script opens another.
"""

import atexit
import functools
import secrets
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.environment import without_secrets
from bot.errors import Final
from bot.step import Context, Setting
from integrations.postgres.machine import ProgramFailed, Unreachable

_SHORT = Path("/tmp")  # noqa: S108 - a socket's path has to be short; the folder is made for us alone
_CONNECT_TIMEOUT_S = 10
_ALIVE_EVERY_S, _ALIVE_MISSES = 5, 3
_SHARED_FOR_S = 60
_FAILED = 255  # ssh(1): an error of ssh's own; otherwise it exits as the remote command did
_HOST_KEY = ("Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "host key is known")
_REFUSED = ("Permission denied", "Too many authentication failures", "UNPROTECTED PRIVATE KEY", "No such file or dir")

IDENTITY = Setting(
    "MAINT_SSH_IDENTITY_FILE",
    help="Path of the private key for SSH to the database's host; empty for the keys of the bot's account and agent.",
    default="",
)
Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=64)]


class SshHost(BaseModel):
    """Another host, and how to get there with the system's `ssh`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ssh: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]*@[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*$")]
    """`user@host`: the cluster's owner, or an account that may become it (root, or by `sudo -n`; see `run_as`)."""
    port: int = Field(default=22, ge=1, le=65535)
    """The port of its SSH server."""
    known_hosts: Path
    """A file with the host's key, as `ssh-keyscan` writes it; compare the key first. Other keys are refused."""
    identity_file: Annotated[str, StringConstraints(pattern=r"^MAINT_SSH_[A-Z0-9_]+$")] = "MAINT_SSH_IDENTITY_FILE"
    """Name of the setting with the path of the private key."""


class Shell:
    """A POSIX shell on another host, as the account `become` if it is not the one that logs in."""

    def __init__(self, host: SshHost, *, identity: str, become: str | None) -> None:
        user, _, self.name = host.ssh.rpartition("@")
        self._host = host
        become = None if become == user else become
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(host.known_hosts),
            "ConnectTimeout": str(_CONNECT_TIMEOUT_S),
            "ServerAliveInterval": str(_ALIVE_EVERY_S),
            "ServerAliveCountMax": str(_ALIVE_MISSES),
            "ControlMaster": "auto",
            "ControlPath": f"{_control_folder()}/%C",
            "ControlPersist": str(_SHARED_FOR_S),
            "ClearAllForwardings": "yes",
            "ForwardAgent": "no",
            "LogLevel": "ERROR",
        }
        argv = ["ssh", "-T", "-p", str(host.port), "-l", user]
        argv += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        if identity:
            argv += ["-i", identity, "-o", "IdentitiesOnly=yes"]
        self._argv = [*argv, "--", self.name, _remote_command(become)]

    @classmethod
    def of(cls, ctx: Context, host: SshHost, *, become: str | None) -> "Shell":
        """Return the shell of a host as a step's fields give it."""
        setting = replace(IDENTITY, name=host.identity_file)
        return cls(host, identity=ctx.setting(setting), become=become)

    def ask(self, script: str, *, timeout_s: float = 60) -> tuple[int, str]:
        """Run a script to its end there; return its exit status and what it wrote to stdout.

        A script that has not arrived whole is not begun. Raises `Unreachable` if the connection breaks or does not
        come about (what was begun may go on there), `Final` if the host or we are not let in, `ProgramFailed` after
        `timeout_s`.
        """
        mark = secrets.token_hex(8)
        # The shell reads a group to its end before it runs any of it. What the login itself says comes before the mark.
        whole = f"printf '{mark}\\n'\n(\n{script}\n) </dev/null\nprintf '\\n{mark} %s\\n' $?\n"
        with tempfile.TemporaryFile() as errors:  # no pipe: the shared connection that stays would keep it open
            try:
                done = subprocess.run(
                    self._argv,
                    env=without_secrets(),
                    input=whole.encode(),
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    timeout=timeout_s + _CONNECT_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as late:
                raise ProgramFailed(f"{self.name} had not answered after {timeout_s:g} s") from late
            except FileNotFoundError:
                raise Final("There is no program ssh on this machine. Install the OpenSSH client.") from None
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
        output, found, status = done.stdout.decode(errors="replace").rpartition(f"\n{mark} ")
        if not found:
            raise self._told(done.returncode, said)
        return int(status), output.partition(f"{mark}\n")[2]

    def _told(self, exit_status: int, said: str) -> Unreachable | Final:
        place = f"{self._host.ssh} (port {self._host.port})"
        if any(words in said for words in _HOST_KEY):
            return Final(
                f"{place} does not show a host key that is in {self._host.known_hosts}: it may be another machine. "
                f"Compare its key on the machine itself, then put it into that file (ssh-keyscan), and retry. {said}"
            )
        if any(words in said for words in _REFUSED):
            return Final(f"{place} does not let us in: {said} Mend the key or the account, and retry.")
        if exit_status not in (0, _FAILED):
            return Final(
                f"{place} let us in but gave no shell (exit status {exit_status}): {said or 'it said nothing'}. The "
                "account needs a POSIX shell and, to become another, root or `sudo -n`."
            )
        return Unreachable(f"The connection to {place} does not come about or broke: {said or 'closed'}.")


def _remote_command(become: str | None) -> str:
    if become is None:
        return "exec sh -s"
    way = f'if [ "$(id -u)" = 0 ]; then exec runuser -u {become} -- sh -s; else exec sudo -n -u {become} -- sh -s; fi'
    return f"exec sh -c {shlex.quote(way)}"


@functools.cache
def _control_folder() -> Path:
    """Return a folder of this process alone for the shared connections' sockets, whose paths have to be short."""
    path = Path(tempfile.mkdtemp(prefix="maint-ssh-", dir=_SHORT))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
