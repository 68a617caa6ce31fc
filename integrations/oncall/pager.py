"""What the systems that page those on call have in common."""

from collections.abc import Callable
from typing import Literal, Protocol
from urllib.parse import urlsplit

from bot.errors import Final
from bot.step import Setting

Seen = Literal["open", "resolved", "nothing"]
Value = Callable[[Setting], str]
"""Gives the value of a setting, or "" where it is not set."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Pager(Protocol):
    """A system by which those on call can be paged. `key` is the page's own: sent twice, it pages once."""

    name: str
    by: Setting
    """The setting that turns it on."""
    reads_by: Setting
    """The setting without which it cannot be asked what became of a page."""

    def page(self, value: Value, key: str, text: str, title: str, source: str) -> None:
        """Page whoever is on call. Raises `StepError`."""
        ...

    def resolve(self, value: Value, key: str, title: str) -> None:
        """Say that the page is settled, so that nobody is woken any more. Harmless twice. Raises `StepError`."""
        ...

    def look(self, value: Value, key: str) -> Seen:
        """Ask what became of the page: `open` also when somebody has taken it. Raises `StepError`."""
        ...


def safe_address(url: str, setting: Setting) -> str:
    """Return `url`. Raises `Final` if it is none, or if the key could be read on the way there."""
    parts = urlsplit(url)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
        raise Final(f"{setting.name} has to begin with https://, or the key could be read on the way.")
    return url
