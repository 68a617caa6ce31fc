"""The program pg_upgrade: its arguments, how far it is, and what it left behind when it refused."""

import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bot.errors import Final
from integrations.postgres.machine import MachineJob
from integrations.postgres.programs import DataFolder

UpgradeMode = Literal["link", "clone", "copy"]

_LOG_BYTES = 65_536
_SHOWN_LINES = 25
_STATISTICS_SINCE = 18
_LINE = re.compile(r"^(\S.*?)\s+(ok|fatal|failed|\*failure\*|warning|done)\s*$", re.MULTILINE)
_FAILING = re.compile(r"\b(fatal|failed check:|\*failure\*)|^could not ", re.MULTILINE)
# src/bin/pg_upgrade/file.c, check_file_clone: it tries with a file of its own.
_NO_CLONES = "could not clone file"
# Options of the running server that pg_upgrade needs too, when it starts that server for itself. Port and sockets it
# chooses itself.
_PLACES = ("config_file", "hba_file", "ident_file", "data_directory")


def arguments(
    old: DataFolder,
    new: DataFolder,
    *,
    superuser: str,
    mode: UpgradeMode,
    jobs: int,
    sockets: Path,
    old_options: str,
    no_statistics: bool,
    new_major: int,
) -> list[str]:
    """Return the command line of the upgrade (add `--check` to only check)."""
    command = [str(new.programs.bin / "pg_upgrade"), "-b", str(old.programs.bin), "-B", str(new.programs.bin)]
    command += ["-d", str(old.path), "-D", str(new.path), "-U", superuser, "-s", str(sockets), "-j", str(jobs)]
    command += {"link": ["--link"], "clone": ["--clone"], "copy": []}[mode]
    places = places_only(old_options)
    if places:
        command += ["-o", places]
    if no_statistics and new_major >= _STATISTICS_SINCE:
        command.append("--no-statistics")
    return command


def keeps_statistics(new_major: int, *, no_statistics: bool) -> bool:
    """Whether the planner statistics come along: from 18 on, unless told not to (extended ones never do)."""
    return new_major >= _STATISTICS_SINCE and not no_statistics


def server_options(data: DataFolder) -> str:
    """Return the options that the running server was started with (its postmaster.opts), without the `-D`."""
    words = shlex.split(data.machine.read(data.path / "postmaster.opts") or "")[1:]
    kept = []
    while words:
        word = words.pop(0)
        if word == "-D":
            words = words[1:]
        elif not word.startswith("-D"):
            kept.append(word)
    return shlex.join(kept)


def places_only(options: str) -> str:
    """Return those of a server's options that say where its files are."""
    words = shlex.split(options)
    pairs = [(a, b) for a, b in itertools.pairwise(words) if a == "-c" and b.partition("=")[0] in _PLACES]
    return shlex.join([word for pair in pairs for word in pair])


def progress(job: MachineJob) -> tuple[int, str]:
    """Return how many of its lines pg_upgrade has finished, and the line that it is at."""
    lines = [line.rstrip() for line in job.log_tail(_LOG_BYTES).splitlines() if line.strip()]
    finished = sum(1 for line in lines if _LINE.match(line))
    return finished, re.split(r"\s{2,}", lines[-1].strip())[0] if lines else ""


def evidence(job: MachineJob, new: DataFolder, work: Path) -> dict[str, str]:
    """Return the logs and lists of a failed run, by file name: before 15 they are in `work`, from then on in `new`."""
    found = new.machine.text_files([work, new.path / "pg_upgrade_output.d"], suffixes=(".txt", ".log"))
    return {f"{job.name}.log": job.log_tail(_LOG_BYTES), **found}


def refusal(job: MachineJob, files: dict[str, str], *, checked_only: bool, what_now: str) -> Final:
    """Return the error for a run that ended with an error: what it says from the failing check on, and its lists."""
    lists = [f"{name}:\n{text.strip()}" for name, text in files.items() if name.endswith(".txt")]
    lines = failing_lines(files[f"{job.name}.log"])
    said = "\n".join([*lines, *filter(None, [remedy(lines)])])
    program = "pg_upgrade --check" if checked_only else "pg_upgrade"
    return Final(
        "\n".join([f"{program} failed (exit status {job.exit_status()}).", said, *lists, what_now]), files=files
    )


def remedy(lines: Sequence[str]) -> str:
    """Return what to do about a refusal (as `failing_lines` gives it) that does not say so itself, else ""."""
    if not any(line.startswith(_NO_CLONES) for line in lines):
        return ""
    return (
        "The file system of the data directories cannot share blocks between files. Use `mode: copy`, which leaves a "
        "way back too, or `mode: link`; or move to one that can: XFS made with reflink=1, Btrfs."
    )


def failing_lines(log: str) -> list[str]:
    """Return what pg_upgrade says from the failing check on, one line each."""
    lines = [re.sub(r"\s{2,}", " ", line.strip()) for line in log.splitlines() if line.strip("-* ")]
    first = next(
        (number for number, line in enumerate(lines) if _FAILING.search(line)), max(0, len(lines) - _SHOWN_LINES)
    )
    return [line for line in lines[first:] if line != "Failure, exiting"][:_SHOWN_LINES]
