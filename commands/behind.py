"""What follows an acknowledgement: done in threads of its own, so that it never keeps the next request waiting."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog

_THREADS = 64
T = TypeVar("T")

log = structlog.get_logger()


class Behind:
    """Runs `work` soon, up to `threads` at once.

    A command may wait for an outside system for seconds (its rate limit, a long history), and dozens of them at once
    would hold every thread that acknowledges: Slack shows an error after three seconds.
    """

    def __init__(self, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="behind")

    def __call__(self, work: Callable[[], None]) -> None:
        """Begin `work` as soon as a thread is free. What it raises is logged: there is nobody left to tell."""
        self._pool.submit(_logged, work)

    def begin(self, work: Callable[[], T]) -> "Future[T]":
        """Begin `work` as soon as a thread is free, and return what will have its result."""
        return self._pool.submit(work)


def _logged(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        log.exception("answer_broke")
