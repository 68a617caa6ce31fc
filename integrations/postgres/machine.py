"""The machine that a cluster is on: this one, or another. Programs are run, files looked at, and jobs kept there.

Every step that works with a cluster's files does it through a `Machine`, so that it is the same step on another host.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bot.errors import Final, Temporary
from bot.job import JobState

_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.65535")
_WORK = Path("/tmp")  # noqa: S108 - a socket's path has to be short; the folder is made for its account alone
TEXT_BYTES = 65_536


class ProgramFailed(Exception):
    """A program ended with an error; the text holds its name, exit code and what it said."""


class Unreachable(Temporary):
    """The machine cannot be reached now. What was begun there may go on; doing the same again is safe."""


class MachineJob(Protocol):
    """A long program that outlives us, as `bot.job.Job` keeps it; each member promises what it promises there."""

    name: str

    def state(self) -> JobState: ...
    def exit_status(self) -> int | None: ...
    def log_tail(self, size_bytes: int = ...) -> str: ...
    def wait(self, look: Callable[[], None]) -> int: ...
    def terminate(self, *, grace_s: float = ...) -> None: ...


class Machine(Protocol):
    """Where a cluster is. Paths are of that machine. Every method raises `Final` for what a person has to mend.

    One on another host raises `Unreachable` too.
    """

    @property
    def where(self) -> str:
        """For people: empty for this machine, else ` on HOST`."""
        ...

    def account_for(self, run_as: str | None, data: Path) -> str | None:
        """Return who has to run the server of `data` (`run_as`, else its owner); None if that is ourselves there."""
        ...

    def run(self, argv: Sequence[str], *, user: str | None, cwd: Path, env: Mapping[str, str], timeout_s: float) -> str:
        """Run a program to its end and return what it said (stdout and stderr). Raises `ProgramFailed`, `OSError`."""
        ...

    def start_or_attach(
        self, folder: Path, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, user: str | None
    ) -> MachineJob:
        """Start the job `name` of `folder` (the step's own, here) or find it; see `bot.job.Job.start_or_attach`."""
        ...

    def find_job(self, folder: Path, name: str) -> MachineJob | None:
        """Return the job if it was ever asked for."""
        ...

    def kept(self, folder: Path) -> Path:
        """Return where the step's own files are kept there; on this machine that is `folder`, its work folder."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether there is something of that name."""
        ...

    def names(self, folder: Path) -> list[str]:
        """Return the names of what is in a folder; nothing where there is no such folder."""
        ...

    def may(self, path: Path, right: str) -> bool:
        """Whether we have the right `r`, `w` or `x` to something there."""
        ...

    def read(self, path: Path, *, tail_bytes: int | None = None) -> str | None:
        """Return a text file, or its end; None if there is none."""
        ...

    def write(self, path: Path, text: str) -> None:
        """Write a whole file, owned as the folder that it is in, readable for its owner only."""
        ...

    def text_files(self, folders: Sequence[Path], *, suffixes: Collection[str]) -> dict[str, str]:
        """Return the ends (64 kB) of all text files in the folders and below, by name; the newest wins.

        Links are not followed: the folders may belong to another account, which must not show us files of its choice.
        """
        ...

    def make_folder(self, path: Path, user: str | None) -> None:
        """Make a folder (and those above it) of the account `user` alone, if it is not there."""
        ...

    def work_folder(self, path: Path, user: str | None) -> Path:
        """Make (or find) a folder of the account `user` alone, for sockets and notes, and return it."""
        ...

    def empty(self, folder: Path) -> None:
        """Remove all that is in a folder."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a folder and all in it, if it is there."""
        ...

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name in its folder."""
        ...

    def permissions(self, path: Path) -> int:
        """Return a folder's permission bits, such as 0o700."""
        ...

    def device(self, path: Path) -> int:
        """Return the number of the file system that the folder is on."""
        ...

    def free_bytes(self, path: Path) -> int:
        """Return how much is free on the folder's file system."""
        ...

    def size_bytes(self, folder: Path) -> int:
        """Return the size of all files in a folder and below, links not followed."""
        ...


def existing(machine: Machine, path: Path) -> Path:
    """Return the nearest folder on the way up that exists."""
    return next(folder for folder in (path, *path.parents) if machine.exists(folder))


def short_folder(name: str) -> Path:
    """Return the path of a work folder. Raises `Final` if it is too long for a socket (107 bytes, unix(7))."""
    path = _WORK / name
    if len(os.fsencode(path)) > _LONGEST_SOCKET_FOLDER:
        raise Final(f"The folder {path} is too long for a socket: at most {_LONGEST_SOCKET_FOLDER} bytes.")
    return path
