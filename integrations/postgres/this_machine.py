"""The machine that the bot runs on, as a `Machine`."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Final
from bot.job import Job
from integrations.postgres.machine import TEXT_BYTES, ProgramFailed

_KEPT_ENVIRONMENT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Local:
    """The machine that the bot runs on."""

    @property
    def where(self) -> str:
        return ""

    def account_for(self, run_as: str | None, data: Path) -> str | None:
        """See `Machine`. Raises `Final` if we are neither that account nor root."""
        try:
            account = pwd.getpwnam(run_as) if run_as else pwd.getpwuid(data.stat().st_uid)
        except KeyError:
            raise Final(f"There is no account {run_as or data.stat().st_uid!r} on this machine.") from None
        except OSError as error:
            raise Final(f"The data directory {data} cannot be read: {error.strerror}.") from error
        if os.geteuid() == account.pw_uid:
            return None
        if os.geteuid() != 0:
            raise Final(f"{data} belongs to the account {account.pw_name}; run the bot as it, or as root.")
        return account.pw_name

    def run(self, argv: Sequence[str], *, user: str | None, cwd: Path, env: Mapping[str, str], timeout_s: float) -> str:
        """See `Machine`. The environment is a small clean one: `PG*` variables of ours would redirect programs."""
        program = Path(argv[0]).name
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        try:
            done = subprocess.run(
                argv,
                cwd=cwd,
                env={**kept, "LC_MESSAGES": "C", **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
                **_identity(user),  # type: ignore[call-overload]
            )
        except subprocess.TimeoutExpired as late:
            raise ProgramFailed(f"{program} had not ended after {timeout_s:g} s") from late
        if done.returncode:
            raise ProgramFailed(f"{program} ended with exit code {done.returncode}: {done.stdout.strip()}")
        return str(done.stdout)

    def start_or_attach(
        self, folder: Path, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, user: str | None
    ) -> Job:
        return Job.start_or_attach(folder, name, argv, env=env, cwd=cwd, user=user)

    def find_job(self, folder: Path, name: str) -> Job | None:
        return Job.find(folder, name)

    def kept(self, folder: Path) -> Path:
        return folder

    def exists(self, path: Path) -> bool:
        return path.exists()

    def names(self, folder: Path) -> list[str]:
        return [entry.name for entry in folder.iterdir()] if folder.exists() else []

    def may(self, path: Path, right: str) -> bool:
        return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[right])

    def read(self, path: Path, *, tail_bytes: int | None = None) -> str | None:
        if not path.exists():
            return None
        with path.open("rb") as file:
            if tail_bytes is not None:
                file.seek(max(0, file.seek(0, os.SEEK_END) - tail_bytes))
            return file.read().decode(errors="replace")

    def write(self, path: Path, text: str) -> None:
        owner = path.parent.stat()
        draft = path.with_name(f"{path.name}.maint")
        draft.unlink(missing_ok=True)
        # The folder belongs to another account: O_EXCL, so that a link of its making is not followed.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(text)
        draft.replace(path)

    def text_files(self, folders: Sequence[Path], *, suffixes: Collection[str]) -> dict[str, str]:
        paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes]
        found = [path for path in paths if path.is_file() and not path.is_symlink()]
        found.sort(key=lambda path: path.stat().st_mtime)
        return {path.name: self.read(path, tail_bytes=TEXT_BYTES) or "" for path in found if path.stat().st_size}

    def make_folder(self, path: Path, user: str | None) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(path, account.pw_uid, account.pw_gid)

    def work_folder(self, path: Path, user: str | None) -> Path:
        """See `Machine`. Raises `Final` if the name is taken by somebody else."""
        account = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
        try:
            path.mkdir(mode=0o700)
            os.chown(path, account.pw_uid, account.pw_gid)
        except FileExistsError:
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (account.pw_uid, os.geteuid()):
                raise Final(
                    f"{path} is in the way: it is not a folder of {account.pw_name}. Remove it and retry."
                ) from None
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        return path

    def empty(self, folder: Path) -> None:
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def remove(self, path: Path) -> None:
        if path.exists():
            shutil.rmtree(path)

    def rename(self, path: Path, to: Path) -> None:
        path.rename(to)

    def permissions(self, path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    def device(self, path: Path) -> int:
        return path.stat().st_dev

    def free_bytes(self, path: Path) -> int:
        return shutil.disk_usage(path).free

    def size_bytes(self, folder: Path) -> int:
        total = 0
        for inside, _, names in os.walk(folder):
            for name in names:
                try:
                    total += os.lstat(os.path.join(inside, name)).st_size  # noqa: PTH118 - many thousand files
                except FileNotFoundError:  # a running server removes files as we look
                    continue
        return total


HERE = Local()


def _identity(user: str | None) -> dict[str, object]:
    if user is None or os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": os.getgrouplist(user, account.pw_gid)}
