"""A machine that is reached over SSH, as a `Machine`. It needs a POSIX shell, GNU coreutils and util-linux there.

Its files belong to the cluster's owner, as whom all is done; our own notes and jobs are in a folder below /var/tmp,
which outlives a restart of that host.
"""

import base64
import hashlib
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bot.errors import Final
from bot.step import Context
from integrations.postgres.machine import TEXT_BYTES, ProgramFailed
from integrations.postgres.ssh import Shell, SshHost
from integrations.postgres.ssh_job import SshJob

_ABSENT = 44
_KEPT = Path("/var/tmp")  # noqa: S108 - the folder in it is made for its account alone, and its owner checked
# `PG*` variables there would redirect PostgreSQL's programs.
CLEAN = "for v in $(env | sed -n 's/^\\(PG[A-Z_]*\\)=.*/\\1/p'); do unset \"$v\"; done; export LC_MESSAGES=C"


class SshMachine:
    """Another host, for one step of one maintenance."""

    def __init__(self, ctx: Context, host: SshHost, *, run_as: str | None) -> None:
        self._ctx = ctx
        self._shell = Shell.of(ctx, host, become=run_as)
        # Named after the maintenance, not after the machine that the bot is on: another bot has to find it too.
        born = f"{ctx.key} {ctx.history[0]['at']}"
        self._folder = _KEPT / f"maint-{hashlib.sha256(born.encode()).hexdigest()[:16]}"
        self._made = False

    @property
    def where(self) -> str:
        return f" on {self._shell.name}"

    def account_for(self, run_as: str | None, data: Path) -> None:
        """See `Machine`. Raises `Final` if we are not the owner there."""
        status, said = self._shell.ask(f"id -un; stat -c %U {_q(data)} 2>&1")
        ours, _, owner = said.strip().partition("\n")
        if status:
            raise Final(f"The data directory {data}{self.where} cannot be read: {owner}.")
        if ours != owner:
            raise Final(
                f"{data}{self.where} belongs to the account {owner}, and we are {ours} there: PostgreSQL's programs "
                f"have to run as its owner. Log in as it, or name it under `run_as` (now: {run_as or 'nothing'})."
            )

    def run(self, argv: Sequence[str], *, user: str | None, cwd: Path, env: Mapping[str, str], timeout_s: float) -> str:
        del user  # we are that account already
        program = Path(argv[0]).name
        script = f"{CLEAN}\n{exported(env)}\ncd {_q(cwd)} && {shlex.join(argv)} 2>&1"
        try:
            status, said = self._shell.ask(script, timeout_s=timeout_s)
        except ProgramFailed as late:
            raise ProgramFailed(f"{program}: {late}") from late
        if status:
            raise ProgramFailed(f"{program} ended with exit code {status}: {said.strip()}")
        return said

    def start_or_attach(
        self, folder: Path, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, user: str | None
    ) -> SshJob:
        del user
        job = SshJob(self._shell, self.kept(folder) / name, tell=self._ctx.record)
        job.start(argv, environment=f"{CLEAN}\n{exported(env)}", cwd=cwd)
        return job

    def find_job(self, folder: Path, name: str) -> SshJob | None:
        job = SshJob(self._shell, self.kept(folder) / name, tell=self._ctx.record)
        return job if job.asked_for() else None

    def kept(self, folder: Path) -> Path:
        del folder
        if not self._made:
            self.work_folder(self._folder, None)
            self._made = True
        return self._folder

    def exists(self, path: Path) -> bool:
        return self._true(f"[ -e {_q(path)} ]")

    def names(self, folder: Path) -> list[str]:
        return self._said(f"[ ! -d {_q(folder)} ] || ls -A1 {_q(folder)}").splitlines()

    def may(self, path: Path, right: str) -> bool:
        return self._true(f"[ -{right} {_q(path)} ]")

    def read(self, path: Path, *, tail_bytes: int | None = None) -> str | None:
        show = "cat" if tail_bytes is None else f"tail -c {tail_bytes}"
        status, said = self._shell.ask(f"[ -e {_q(path)} ] || exit {_ABSENT}\n{show} {_q(path)}")
        if status == _ABSENT:
            return None
        if status:
            raise Final(f"{path}{self.where} cannot be read. Give the account the right to it, and retry.")
        return said

    def write(self, path: Path, text: str) -> None:
        draft = _q(path.with_name(f"{path.name}.maint"))
        self._said(f"umask 077; printf %s {shlex.quote(text)} > {draft} && mv -f {draft} {_q(path)}")

    def text_files(self, folders: Sequence[Path], *, suffixes: Collection[str]) -> dict[str, str]:
        names = " -o ".join(f"-name {shlex.quote(f'*{suffix}')}" for suffix in sorted(suffixes))
        places = " ".join(map(_q, folders))
        script = (
            f"find {places} -type f -size +0 \\( {names} \\) -printf '%T@ %p\\n' 2>/dev/null | sort -n | "
            f'while read -r at path; do printf "%s " "${{path##*/}}"; tail -c {TEXT_BYTES} "$path" | base64 -w0; '
            "echo; done"
        )
        pairs = (line.rpartition(" ") for line in self._said(script).splitlines() if " " in line)
        return {name: base64.b64decode(text).decode(errors="replace") for name, _, text in pairs}

    def make_folder(self, path: Path, user: str | None) -> None:
        del user
        self._said(f"umask 077; mkdir -p {_q(path)}")

    def work_folder(self, path: Path, user: str | None) -> Path:
        """See `Machine`. Raises `Final` if the name is taken by somebody else."""
        del user
        folder = _q(path)
        if not self._true(f"mkdir -m 700 {folder} 2>/dev/null || [ -d {folder} -a ! -L {folder} -a -O {folder} ]"):
            raise Final(f"{path}{self.where} is in the way: it is not a folder of ours. Remove it and retry.")
        return path

    def empty(self, folder: Path) -> None:
        self._said(f"find {_q(folder)} -mindepth 1 -delete")

    def remove(self, path: Path) -> None:
        self._said(f"rm -rf {_q(path)}", timeout_s=600)

    def rename(self, path: Path, to: Path) -> None:
        self._said(f"mv {_q(path)} {_q(to)}")

    def permissions(self, path: Path) -> int:
        return int(self._said(f"stat -c %a {_q(path)}"), 8)

    def device(self, path: Path) -> int:
        return int(self._said(f"stat -c %d {_q(path)}"))

    def free_bytes(self, path: Path) -> int:
        blocks, size = self._said(f"stat -f -c '%a %S' {_q(path)}").split()
        return int(blocks) * int(size)

    def size_bytes(self, folder: Path) -> int:
        script = f"find {_q(folder)} -type f -printf '%s\\n' 2>/dev/null | awk '{{ s += $1 }} END {{ print s + 0 }}'"
        return int(float(self._said(script, timeout_s=600)))

    def _true(self, script: str) -> bool:
        return self._shell.ask(script)[0] == 0

    def _said(self, script: str, *, timeout_s: float = 60) -> str:
        try:
            status, said = self._shell.ask(f"exec 2>&1\n{script}", timeout_s=timeout_s)
        except ProgramFailed as late:
            raise Final(f"{late}. Look at the host, and retry.") from late
        if status:
            raise Final(f"Not done{self.where}: {said.strip() or f'exit status {status}'}. Mend it there, and retry.")
        return said


def exported(env: Mapping[str, str]) -> str:
    """Return the shell's commands that set these variables."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items())


def _q(path: Path) -> str:
    return shlex.quote(str(path))
