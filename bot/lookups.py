"""Asks outside systems what they know, all at the same time and not for longer than a person waits for a form."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bot.errors import StepError, Temporary

_KEEP_S, _KEEP_FAILURE_S = 600.0, 30.0
# Slack takes an answer to a form for three seconds (https://docs.slack.dev/surfaces/modals, "acknowledge").
_PATIENCE_S = 1.5
_MOST = 200
T = TypeVar("T")


@dataclass
class _Asked:
    began_s: float
    ended: threading.Event = field(default_factory=threading.Event)
    ended_s: float = 0.0
    answer: Any = None
    error: StepError | None = None


class Lookups:
    """Answers, kept for `keep_s`, failures for less. Thread-safe.

    Whoever asks waits until `patience_s` after the question began; what answers later is there for the next one.
    """

    def __init__(
        self,
        *,
        keep_s: float = _KEEP_S,
        keep_failure_s: float = _KEEP_FAILURE_S,
        patience_s: float = _PATIENCE_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep_s = keep_s
        self._keep_failure_s = keep_failure_s
        self._patience_s = patience_s
        self._clock_s = clock_s
        self._asked: dict[Hashable, _Asked] = {}
        self._lock = threading.Lock()

    def begin(self, key: Hashable, ask: Callable[[], T]) -> Callable[[], T]:
        """Begin to ask, unless the answer to `key` is known or under way; returns what waits for the answer.

        That raises the `StepError` which `ask` raised, or `Temporary` if the answer takes too long.
        """
        with self._lock:
            asked = self._asked.get(key)
            if asked is None or self._is_stale(asked):
                asked = self._asked[key] = _Asked(self._clock_s())
                threading.Thread(target=self._run, args=(asked, ask), name="lookup", daemon=True).start()
                self._forget_oldest()

        def wait() -> T:
            left_s = asked.began_s + self._patience_s - self._clock_s()
            if not asked.ended.wait(max(0.0, left_s)):
                raise Temporary("it has not answered yet; ask again in a moment.")
            if asked.error is not None:
                raise asked.error
            answer: T = asked.answer
            return answer

        return wait

    def _is_stale(self, asked: _Asked) -> bool:
        if not asked.ended.is_set():
            return False
        return self._clock_s() - asked.ended_s > (self._keep_s if asked.error is None else self._keep_failure_s)

    def _forget_oldest(self) -> None:
        if len(self._asked) > _MOST:
            del self._asked[next(iter(self._asked))]

    def _run(self, asked: _Asked, ask: Callable[[], object]) -> None:
        try:
            asked.answer = ask()
        except StepError as error:
            asked.error = error
        except Exception as error:  # noqa: BLE001 - an answer of any shape may break its reader, and is then unseen
            asked.error = Temporary(f"its answer is not what was expected ({type(error).__name__}).")
        asked.ended_s = self._clock_s()
        asked.ended.set()
