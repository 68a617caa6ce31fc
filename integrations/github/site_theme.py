"""The theme's repository as all sites see it: asked once for what cannot change, whoever wants to know it."""

import threading
from collections.abc import Mapping
from typing import Any

from bot.step import Context
from integrations.github.client import File, GitHub


class Theme(GitHub):
    """A client that keeps what commits hold. Unlike `GitHub` it may be shared by threads, which take turns."""

    def __init__(self, ctx: Context, repository: str) -> None:
        super().__init__(ctx, repository)
        self._turn = threading.Lock()
        self._files: dict[tuple[str, str], File | None] = {}
        self._compared: dict[tuple[str, str], Mapping[str, Any]] = {}

    def file(self, path: str, ref: str) -> File | None:
        """As `GitHub.file`; `ref` is the sha of a commit."""
        with self._turn:
            if (path, ref) not in self._files:
                self._files[path, ref] = super().file(path, ref)
            return self._files[path, ref]

    def compare(self, base: str, head: str) -> Mapping[str, Any]:
        """As `GitHub.compare`; both are shas of commits."""
        with self._turn:
            if (base, head) not in self._compared:
                self._compared[base, head] = super().compare(base, head)
            return self._compared[base, head]
