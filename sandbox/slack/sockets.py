"""Socket Mode: WebSockets on which envelopes go out and acknowledgements come back.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import dataclasses
import itertools
import json
import random

from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.server import drop
from sandbox.slack.config import App, Json, Timing
from sandbox.slack.surfaces import Surfaces

MOST_CONNECTIONS = 10
DEBUG_REFRESH_S = 360.0


@dataclasses.dataclass(eq=False)
class Connection:
    """One WebSocket of an app. Closing ones get no new envelopes but may still acknowledge."""

    number: int
    socket: WebSocket
    app: App
    closing: bool = False


class NotConnectedError(Exception):
    """There is no connection to send an envelope on, or it broke before the acknowledgement."""


class Sockets:
    """All connections, and the envelopes that wait for their acknowledgement."""

    def __init__(self, surfaces: Surfaces, timing: Timing) -> None:
        self.surfaces = surfaces
        self.timing = timing
        self.connections: list[Connection] = []
        self.sent: list[Json] = []
        self._waiting: dict[str, tuple[Connection, asyncio.Future[Json | None]]] = {}
        self._numbers = itertools.count(1)

    def open_for(self, app: App) -> list[Connection]:
        """The connections that may get an envelope."""
        return [one for one in self.connections if one.app is app and not one.closing]

    async def endpoint(self, socket: WebSocket) -> None:
        """Serve one WebSocket: hello, then acknowledgements until it closes. A ticket is good once."""
        app = self.surfaces.tickets.pop(socket.query_params.get("ticket", ""), None)
        if app is None:
            await socket.close(4001)
            return
        await socket.accept()
        if len(self.open_for(app)) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets", "debug_info": _debug()})
            await socket.close()
            return
        connection = Connection(next(self._numbers), socket, app)
        debug = socket.query_params.get("debug_reconnects") == "true"
        lifetime_s = DEBUG_REFRESH_S if debug else self.timing.socket_refresh_s
        self.connections.append(connection)
        refresher = asyncio.create_task(self._refresh(connection, lifetime_s))
        try:
            await socket.send_json(self._hello(app, lifetime_s))
            while True:
                self._acknowledge(await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass  # the app or the network closed it; what waits on it is told below
        finally:
            refresher.cancel()
            self._forget(connection)

    def _hello(self, app: App, lifetime_s: float) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.open_for(app)),
            "debug_info": _debug() | {"build_number": 1, "approximate_connection_time": int(lifetime_s)},
            "connection_info": {"app_id": app.id},
        }

    def _acknowledge(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            return  # some clients send a bare "ping"
        waiting = self._waiting.get(answer.get("envelope_id", "")) if isinstance(answer, dict) else None
        if waiting and not waiting[1].done():
            waiting[1].set_result(answer.get("payload") or None)

    def _forget(self, connection: Connection) -> None:
        self.connections.remove(connection)
        for held, future in self._waiting.values():
            if held is connection and not future.done():
                future.set_exception(NotConnectedError())

    async def send(self, app: App, envelope: Json) -> Json | None:
        """Send on any connection and wait for the acknowledgement's payload, if it carries one.

        Raises `NotConnectedError`, and `TimeoutError` after `timing.ack_s`.
        """
        usable = self.open_for(app)
        if not usable:
            raise NotConnectedError
        connection = random.choice(usable)  # noqa: S311 - any one of them, as the documentation says
        future: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = (connection, future)
        self.sent.append({"connection": connection.number, "envelope": envelope})
        try:
            await connection.socket.send_json(envelope)
            return await asyncio.wait_for(future, self.timing.ack_s)
        except (RuntimeError, WebSocketDisconnect) as error:
            raise NotConnectedError from error
        finally:
            if self._waiting.get(envelope["envelope_id"], (None, None))[1] is future:
                del self._waiting[envelope["envelope_id"]]

    async def repeat(self, app: App, envelope: Json) -> None:
        """Send an envelope once more on any connection, not minding the answer."""
        usable = self.open_for(app)
        if usable:
            connection = random.choice(usable)  # noqa: S311 - as above
            self.sent.append({"connection": connection.number, "envelope": envelope})
            await connection.socket.send_json(envelope)

    async def _refresh(self, connection: Connection, lifetime_s: float) -> None:
        await asyncio.sleep(max(0.0, lifetime_s - self.timing.socket_warning_s))
        await self._say_goodbye(connection, "warning")
        await asyncio.sleep(min(lifetime_s, self.timing.socket_warning_s))
        await self.disconnect(connection, "refresh_requested")

    async def _say_goodbye(self, connection: Connection, reason: str) -> None:
        await connection.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": _debug()})

    async def disconnect(self, connection: Connection, reason: str, *, abrupt: bool = False) -> None:
        """Close one connection: with a `disconnect` first, or `abrupt`, as a broken network does it."""
        if abrupt:
            client = connection.socket.client
            if client is not None:
                drop((client.host, client.port))
            return
        await self._say_goodbye(connection, reason)
        if reason != "warning":
            connection.closing = True
            await connection.socket.close()

    async def disconnect_all(self, reason: str, *, abrupt: bool = False) -> int:
        """Close every connection; returns how many there were."""
        connections = list(self.connections)
        for connection in connections:
            await self.disconnect(connection, reason, abrupt=abrupt)
        return len(connections)


def _debug() -> Json:
    return {"host": "sandbox-socket"}
