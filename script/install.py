"""Make `.venv` hold exactly what requirements-dev.txt says. Standard library only: it runs before anything is there.

Ways, in this order, until one works: the uv on PATH; the pinned uv, installed by pip into `.tools`; venv and pip.
All of them check every package against its hash. `install.py uv` prints the path of a uv instead.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
LOCK = ROOT / "requirements-dev.txt"
UV_PIN = ROOT / "script" / "uv.txt"
STAMP = VENV / "installed.sha256"
PYTHON = VENV / "bin" / "python"


class Unavailable(Exception):
    """This way of installing does not work here; the text says why."""


def main() -> int:
    """Install if anything has changed since the last time; returns the exit code."""
    with one_at_a_time():
        if sys.argv[1:] == ["uv"]:
            print(shutil.which("uv") or own_uv())
            return 0
        wanted = fingerprint()
        if PYTHON.exists() and STAMP.is_file() and STAMP.read_text() == wanted:
            return 0
        STAMP.unlink(missing_ok=True)
        failures = []
        for name, install in WAYS.items():
            try:
                install()
            except (Unavailable, OSError) as error:
                failures.append(f"with {name}: {error}")
                continue
            STAMP.write_text(wanted)
            return 0
    print("The dependencies could not be installed into .venv:", *failures, sep="\n  ", file=sys.stderr)
    return 1


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock on the checkout's tools, so that scripts started together install once."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "install.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """Return what an installation depends on: the lock, the place, and this script."""
    parts = [LOCK.read_bytes(), str(ROOT).encode(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def with_uv_on_path() -> None:
    """Install with the uv on PATH. Raises `Unavailable`, as all the ways do."""
    uv = shutil.which("uv")
    if uv is None:
        raise Unavailable("there is none")
    sync_with(uv)


def with_own_uv() -> None:
    """Install with the pinned uv, in `.tools`."""
    sync_with(own_uv())


def own_uv() -> str:
    """Return the path of the pinned uv, which pip installs into `.tools` first if it is not there."""
    uv, stamp = TOOLS / "bin" / "uv", TOOLS / "uv.txt"
    if not (uv.exists() and stamp.is_file() and stamp.read_bytes() == UV_PIN.read_bytes()):
        say("Installing uv into .tools")
        run(*pip(sys.executable), "--upgrade", "--target", str(TOOLS), "--no-deps", "-r", str(UV_PIN))
        shutil.copyfile(UV_PIN, stamp)
    return str(uv)


def sync_with(uv: str) -> None:
    """Make the environment with `uv` and bring it to what the lock says."""
    if not PYTHON.exists():
        say("Making .venv")
        run(uv, "venv", "--quiet", "--clear", "--python", base_python(), str(VENV))
    say("Installing the locked dependencies into .venv")
    run(uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", str(LOCK))
    editable = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    run(uv, "pip", "install", "--quiet", "--python", str(PYTHON), *editable)


def with_pip() -> None:
    """Install with what comes with Python."""
    say("Making .venv with venv and pip")
    run(base_python(), "-m", "venv", "--clear", str(VENV))
    run(*pip(str(PYTHON)), "-r", str(LOCK))
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


WAYS = {"the uv on PATH": with_uv_on_path, "the pinned uv in .tools": with_own_uv, "venv and pip": with_pip}


def pip(python: str) -> list[str]:
    """Return the command by which the pip of `python` installs hashed wheels."""
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]


def base_python() -> str:
    """Return the interpreter to build on: never the one inside `.venv`, which is about to be replaced."""
    return getattr(sys, "_base_executable", None) or sys.executable


def run(*command: str) -> None:
    """Run a command in the checkout, free of settings that would send packages elsewhere. Raises `Unavailable`."""
    unwanted = {"PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"PIP_USER": "0", "UV_PYTHON_DOWNLOADS": "never"}
    if not os.access(Path(environment.get("HOME") or "/nonexistent"), os.W_OK):
        environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"`{' '.join(command)}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")


def say(text: str) -> None:
    """Tell the person who waits what is going on; standard output stays free for results."""
    print(f"{text} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
