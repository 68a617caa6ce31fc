"""Puts the feed where it is read from when the bot itself cannot be reached from outside: a bucket, a web server."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from bot.errors import StepError, Temporary
from bot.feed_publisher import Document
from bot.http import Http

_TICK_S = 1.0
_AGAIN_S = 600.0
"""Everything is put anew this often: another process may have overwritten it late, or somebody deleted it."""
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 300.0

log = structlog.get_logger()


class Push:
    """Puts each text that has changed to the target, under its file name, from the process that `leads`.

    `target` is the client of the target, with its base address and its credentials; `may_act` returns once it is
    certain that no other process has taken over.
    """

    def __init__(
        self,
        target: Http,
        documents: Callable[[], Mapping[str, Document]],
        leads: Callable[[], bool],
        may_act: Callable[[], None],
        *,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._target = target
        self._documents = documents
        self._leads = leads
        self._may_act = may_act
        self._first_wait_s = first_wait_s
        self._put: dict[str, tuple[str, float]] = {}

    def run(self, stop: threading.Event) -> None:
        """Put what has changed until `stop` is set; after a failure wait longer each time, up to five minutes."""
        wait_s = self._first_wait_s
        while not stop.is_set():
            try:
                self.put()
            except StepError as error:
                # A refusal is tried again too: somebody will mend the token or the address, not restart the bot.
                asked = error.retry_after_s if isinstance(error, Temporary) else None
                log.warning("feed_not_pushed", error=str(error), retry_in_s=asked or wait_s)
                stop.wait(asked or wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
            else:
                wait_s = self._first_wait_s
                stop.wait(_TICK_S)

    def put(self) -> None:
        """Put every text that the target does not have as it is now. Raises `StepError` at the first that fails."""
        if not self._leads():
            # Whoever leads meanwhile has put others; when we lead again, all is put anew.
            self._put.clear()
            return
        for name in list(self._documents()):
            self._may_act()
            # Read now: it may have changed while the one before it was on its way.
            document = self._documents().get(name)
            if document is not None and self._is_due(name, document):
                self._send(name, document)

    def _is_due(self, name: str, document: Document) -> bool:
        etag, at = self._put.get(name, ("", 0.0))
        return etag != document.etag or time.monotonic() - at >= _AGAIN_S

    def _send(self, name: str, document: Document) -> None:
        self._put.pop(name, None)
        headers = {"Content-Type": document.media_type, "Cache-Control": document.cache_control}
        self._target.request("PUT", name, content=document.body, headers=headers)
        self._put[name] = document.etag, time.monotonic()
        log.info("feed_pushed", name=name, size_bytes=len(document.body))
