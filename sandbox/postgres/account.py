"""Who runs a sandbox cluster: PostgreSQL refuses to run as root, so root runs it as an unprivileged account.

Source of the rule: PostgreSQL manual, chapter "Server Setup and Operation", section "The PostgreSQL User Account".
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SHORT_PLACE = Path("/tmp")  # noqa: S108 (names made in it are random, or checked for their owner)
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


class ProgramFailed(RuntimeError):
    """A PostgreSQL program ended with an error; the message holds its name, exit code and output."""

    def __init__(self, program: str, exit_code: int, output: str) -> None:
        super().__init__(f"{program} ended with exit code {exit_code}:\n{output.strip()}")
        self.program = program
        self.exit_code = exit_code
        self.output = output


@dataclass(frozen=True)
class Account:
    """An account of this machine, by number and name."""

    uid: int
    gid: int
    name: str

    @classmethod
    def chosen(cls) -> "Account":
        """Return who is to own a new cluster: `nobody` when we are root (every Linux has it), else ourselves."""
        entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        return cls(entry.pw_uid, entry.pw_gid, entry.pw_name)

    @classmethod
    def owning(cls, path: Path) -> "Account":
        """Return the account that owns `path`. Raises `FileNotFoundError` if it does not exist."""
        status = path.stat()
        return cls(status.st_uid, status.st_gid, path.owner())

    def reaches(self, path: Path) -> bool:
        """Tell whether this account may pass through every folder there is on the way to `path`, itself included."""
        if self.uid == os.geteuid():
            return True
        ways = [folder.stat() for folder in (path, *path.parents) if folder.is_dir()]
        return all(way.st_mode & (0o100 if way.st_uid == self.uid else 0o001) for way in ways)

    def give(self, path: Path) -> None:
        """Make `path` itself this account's own; nothing to do unless we are root."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        environment: dict[str, str] | None = None,
        timeout_s: float = 300,
    ) -> str:
        """Run a program as this account in folder `cwd` and return its output (stdout and stderr together).

        The environment is a small clean one: `PG*` variables of the caller would redirect PostgreSQL's programs.
        Raises `ProgramFailed` when it exits with an error and `subprocess.TimeoutExpired` after `timeout_s` seconds.
        """
        clean = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        others = os.geteuid() == 0 and self.uid != 0
        done = subprocess.run(
            [str(argument) for argument in arguments],
            cwd=cwd,
            env={**clean, "HOME": str(cwd), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            user=self.uid if others else None,
            group=self.gid if others else None,
            extra_groups=() if others else None,
        )
        if done.returncode:
            raise ProgramFailed(Path(arguments[0]).name, done.returncode, done.stdout)
        return done.stdout


def new_folder(prefix: str = "maint-pg-") -> Path:
    """Make a temporary folder that the account of a new cluster owns and can reach; the caller removes it."""
    account = Account.chosen()
    temporary = Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=temporary if account.reaches(temporary) else SHORT_PLACE))
    account.give(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove `folder` and all in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)
