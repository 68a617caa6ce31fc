"""Serve an ASGI application on loopback from a thread, and let it drop a connection like a broken network does."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_transports: dict[tuple[str, int], Any] = {}


class _DroppableProtocol(H11Protocol):
    """Remembers each connection's transport by the client's address, so that `drop` can abort it."""

    _address: tuple[str, int] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = (peer[0], peer[1])
        _transports[self._address] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address:
            _transports.pop(self._address, None)
        super().connection_lost(exc)


def drop(client: tuple[str, int]) -> None:
    """Abort the connection of `client` (host, port): what it was waiting for never arrives."""
    transport = _transports.get((client[0], client[1]))
    if transport is not None:
        transport.abort()


class Server:
    """One ASGI application on `http://127.0.0.1:port` (0 takes a free port), run by uvicorn in a thread."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # The protocol is named, since asyncio sets TCP_NODELAY only then; without it each answer takes 40 ms.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app,
            http=_DroppableProtocol,
            ws="websockets-sansio",
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self._socket],), daemon=True)

    def start(self) -> "Server":
        """Start serving; returns once connections are accepted. Raises `RuntimeError` if uvicorn ends at once."""
        self._socket.listen(512)
        self._thread.start()
        while not self._uvicorn.started:
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox server ended before it was ready")
            self._thread.join(0.005)
        return self

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._uvicorn.should_exit = True
        self._thread.join(10)
        self._socket.close()


@contextlib.contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[Server]:
    """Serve `app` for the length of a `with` block."""
    server = Server(app, port).start()
    try:
        yield server
    finally:
        server.stop()
