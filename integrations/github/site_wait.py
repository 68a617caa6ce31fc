"""Waiting for one site, while others are worked on: what it waits for shows on the card, and it ends in time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from bot.errors import Final, Stopped
from bot.step import Context

_FIRST_S, _LONGEST_S, _GROWTH = 0.25, 10.0, 1.5


class Board:
    """What each site is at. Written by the threads of the sites, read by the one that shows it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._texts = dict.fromkeys(names, "waiting")
        self._lock = threading.Lock()

    def set(self, name: str, text: str) -> None:
        """Say what a site is at."""
        with self._lock:
            self._texts[name] = text

    def text(self) -> str:
        """Return all sites on one line."""
        with self._lock:
            return " · ".join(f"{name}: {text}" for name, text in self._texts.items())


class SiteContext:
    """The step's context, as one of several sites sees it: its progress is a part of the board.

    `halt` stops this site's work at its next pause, when another thread has failed for good.
    """

    def __init__(self, ctx: Context, tell: Callable[[str], None], halt: threading.Event) -> None:
        self._ctx, self._tell, self._halt = ctx, tell, halt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def progress(self, done: float, total: float | None, unit: str, text: str = "") -> None:  # noqa: ARG002 - as in Context
        """Show `text` as what the site is at."""
        self._tell(text)

    def record(self, text: str, **facts: Any) -> None:  # noqa: ARG002 - as in Context
        """Show `text` as what the site is at: only the thread of the step writes the journal."""
        self._tell(text)

    def raise_if_stopped(self) -> None:
        """Raise `Stopped` if the step should stop, or this site."""
        if self._halt.is_set():
            raise Stopped("The other sites were stopped.")
        self._ctx.raise_if_stopped()

    def sleep(self, seconds: float) -> None:
        """Wait, but raise `Stopped` as soon as there is a reason to."""
        self.raise_if_stopped()
        self._ctx.sleep(seconds)
        self.raise_if_stopped()


def as_seen_by_site(ctx: Context, tell: Callable[[str], None], halt: threading.Event) -> Context:
    """Return the context for one site."""
    return cast("Context", SiteContext(ctx, tell, halt))


class Wait:
    """One wait of at most `limit_s` seconds. `explain` is asked for the reason when it has been too long."""

    def __init__(self, ctx: Context, limit_s: float, explain: Callable[[], str] = lambda: "") -> None:
        self._ctx, self._limit_s, self._explain = ctx, limit_s, explain
        self._began = time.monotonic()
        self._pause_s = _FIRST_S

    @property
    def waited_s(self) -> float:
        """The seconds since it began."""
        return time.monotonic() - self._began

    def pause(self, waits_for: str, at_least_s: float = 0.0) -> None:
        """Wait a while for something named. Raises `Final` when it has been too long, `Stopped` if it is to stop."""
        if self.waited_s > self._limit_s:
            why = self._explain()
            because = f" {why}" if why else ""
            raise Final(f"still waits for {waits_for} after {self._words()}.{because} A retry goes on from here.")
        self._ctx.progress(round(self.waited_s), None, "s", f"waits for {waits_for}")
        self._ctx.sleep(max(self._pause_s, at_least_s))
        self._pause_s = min(_LONGEST_S, self._pause_s * _GROWTH)

    def _words(self) -> str:
        minutes, seconds = divmod(round(self.waited_s), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
