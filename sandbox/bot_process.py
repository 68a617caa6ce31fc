"""The bot as a process of its own: started as an operator would start it, and killed as the night would kill it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent


class BotProcess:
    """`python -m bot serve` with `environment` (only PATH and HOME are inherited); its output goes to `log`.

    `module` is run in place of `bot`, for a program that starts the bot in its own way; `root` is the folder with the
    packages, for another version of the bot.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        arguments: tuple[str, ...] = ("serve",),
        *,
        module: str = "bot",
        root: Path = ROOT,
    ) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.environment = {**inherited, "PYTHONUNBUFFERED": "1", **environment}
        self.log = log
        self._root = root
        self._command = (sys.executable, "-m", module, *arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it. Raises `RuntimeError` if it is running."""
        if self.running():
            raise RuntimeError("the bot is running")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._root,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process. Raises `RuntimeError` if it was never started."""
        if self._process is None:
            raise RuntimeError("the bot was never started")
        return self._process.pid

    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill -9: no handler, no clean-up. What it started outside goes on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end (SIGTERM), and wait; returns its exit status. Killed if it does not end within 30 s."""
        if self._process is None:
            return 0
        if self.running():
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def exit_status(self, timeout_s: float) -> int:
        """Wait for it to end by itself. Raises `subprocess.TimeoutExpired`."""
        if self._process is None:
            raise RuntimeError("the bot was never started")
        return self._process.wait(timeout_s)
