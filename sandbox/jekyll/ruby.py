"""Runs Bundler and Jekyll as they are installed, in an environment of its own, with the gems that the system has."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_PROGRAMS = ("ruby", "bundle", "jekyll")
_LIMIT_S = 120


class JekyllMissing(Exception):
    """Ruby, Bundler or Jekyll is not on this machine; the text says how to get it."""


class BuildFailed(Exception):
    """A program ended with an error; the text is what it printed."""


class Jekyll:
    """Bundler and Jekyll with what they install kept in `home`. One thread at a time for one `home`."""

    def __init__(self, home: Path) -> None:
        """Raises `JekyllMissing`."""
        absent = [program for program in _PROGRAMS if shutil.which(program) is None]
        if absent:
            raise JekyllMissing(
                f"no {', '.join(absent)} here: apt-get install -y --no-install-recommends ruby bundler jekyll"
            )
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self._environment = self._clean()
        system = self.run("ruby", "-e", "puts Gem.path.join(File::PATH_SEPARATOR)", folder=home).strip()
        self._environment["GEM_HOME"] = str(home / "gems")
        self._environment["GEM_PATH"] = f"{home / 'gems'}{os.pathsep}{system}"

    def lock(self, files: Mapping[str, str], lock: str | None = None, *, update: str | None = None) -> str:
        """Return the Gemfile.lock of a site as Bundler resolves it; from `lock` on, where there is one.

        `update` names a gem to take anew, as `bundle lock --update GEM` does.
        """
        with tempfile.TemporaryDirectory(dir=self._home) as folder:
            site = Path(folder)
            (site / "Gemfile").write_text(files["Gemfile"])
            if lock is not None:
                (site / "Gemfile.lock").write_bytes(lock.encode())
            # `install`, since `lock` alone does not fetch a git source with --local.
            if update is None:
                self.run("bundle", "install", "--local", folder=site)
            else:
                self.run("bundle", "update", "--local", update, folder=site)
            return (site / "Gemfile.lock").read_bytes().decode()

    def install_frozen(self, site: Path) -> str:
        """`bundle install` with the lock that is there, which it must not change. Raises `BuildFailed`."""
        return self.run("bundle", "install", "--local", folder=site, BUNDLE_FROZEN="1")

    def build(self, site: Path, destination: Path) -> str:
        """Install and build; returns what was printed. Raises `BuildFailed`."""
        said = self.install_frozen(site)
        options = ("--source", str(site), "--destination", str(destination), "--disable-disk-cache")
        return said + self.run("bundle", "exec", "jekyll", "build", *options, folder=site, BUNDLE_FROZEN="1")

    def run(self, *command: str, folder: Path, **environment: str) -> str:
        """Run a program in `folder`; returns what it printed. Raises `BuildFailed`."""
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self._environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise BuildFailed(f"$ {' '.join(command)}\n{done.stdout}\n(ended with {done.returncode})")
        return done.stdout

    def _clean(self) -> dict[str, str]:
        """An environment that nobody's own configuration of git, Ruby or Bundler reaches into."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "BUNDLE_SILENCE_ROOT_WARNING": "1",
            "BUNDLE_USER_HOME": str(self._home / "bundle"),
            "JEKYLL_ENV": "production",
        }
