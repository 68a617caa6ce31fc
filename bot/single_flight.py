"""Work that several people ask for at the same moment is done once, for all of them."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Thread-safe. Nothing is kept: who asks after the work has ended has it done anew."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()

    def do(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises; of another's `work` if one of `key` is under way."""
        with self._lock:
            shared = self._under_way.get(key)
            own = shared is None
            if shared is None:
                shared = self._under_way[key] = Future()
        if own:
            try:
                shared.set_result(work())
            except BaseException as error:  # noqa: BLE001 - all who wait for it are told
                shared.set_exception(error)
            finally:
                with self._lock:
                    del self._under_way[key]
        return shared.result()
