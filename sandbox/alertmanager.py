"""A real Alertmanager on a free port of loopback, as Debian packages it.

with Alertmanager(folder) as server:
    ...  # its page and its API at {server.url}
"""

import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
_READY_WITHIN_S = 20.0
_CONFIG = """
route: {{receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: pager{webhook}}}]
"""


class AlertmanagerMissing(Exception):
    """There is none on this machine; the text says how to get it."""


class Alertmanager:
    """The process, with its files in `folder`. What fires and is not silenced is posted to `pager`, if given."""

    def __init__(self, folder: Path, pager: str = "") -> None:
        """Raises `AlertmanagerMissing`."""
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise AlertmanagerMissing("no Alertmanager here: apt-get install -y prometheus-alertmanager")
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "alertmanager.yml"
        config.write_text(_CONFIG.format(webhook=f', webhook_configs: [{{url: "{pager}"}}]' if pager else ""))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}"
        self._log = folder / "alertmanager.log"
        self._argv = [
            program,
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"Alertmanager does not become ready:\n{self._log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def fire(self, name: str, **labels: str) -> None:
        """Let an alert fire for an hour."""
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        self.ask("POST", "/api/v2/alerts", [{"labels": {"alertname": name, **labels}, "endsAt": until}])

    def silences(self) -> list[dict[str, Any]]:
        """Every silence, those that have expired too."""
        return list(self.ask("GET", "/api/v2/silences"))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API; returns the JSON of the answer, or None for one without."""
        answer = httpx.request(method, self.url + path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").is_success
        except httpx.TransportError:
            return False
