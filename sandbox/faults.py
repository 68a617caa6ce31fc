"""Faults on demand: the middleware that every stand-in wears, and the control API that arms it.

`POST /_control/faults` with a `Fault` as JSON arms one, `DELETE /_control/faults` disarms all, `GET` lists them;
`GET /_control/requests` lists what was asked of the stand-in since the last `DELETE /_control/requests`.
"""

import asyncio
import dataclasses
import json
import re
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.server import drop


@dataclasses.dataclass
class Fault:
    """What goes wrong with the next `times` requests whose method and path (a regular expression) match.

    `kind`: `delay` (take the request in, wait `delay_s`, then serve it, even if the client has gone meanwhile),
    `status` (answer `status`, `headers`, `body` without acting), `drop` (close the connection without acting),
    `drop_after` (act, then close the connection without an answer), `duplicate` (act twice, answer once). `skip` lets
    that many matching requests through first.
    """

    kind: str
    path: str = ".*"
    method: str = ".*"
    times: int = 1
    skip: int = 0
    delay_s: float = 0.0
    status: int = 500
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: Any = ""

    def __post_init__(self) -> None:
        """Refuse an unknown kind at once: a fault that never fires would make a test that cannot fail."""
        if self.kind not in {"delay", "status", "drop", "drop_after", "duplicate"}:
            raise ValueError(f"unknown fault kind {self.kind!r}")


class Faults:
    """ASGI middleware. Arm faults with `arm`, from any thread or through the control API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.armed: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, **fields: Any) -> Fault:
        """Arm one fault (fields as in `Fault`) and return it; its `times` counts down as it fires."""
        fault = Fault(kind, **fields)
        with self._lock:
            self.armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm every fault."""
        with self._lock:
            self.armed.clear()

    def _take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.armed:
                if fault.times > 0 and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith("/_control/"):
            await (await self._control(Request(scope, receive)))(scope, receive, send)
            return
        self.requests.append({"method": scope["method"], "path": scope["path"]})
        fault = self._take(scope["method"], scope["path"])
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._fire(fault, scope, receive, send)

    async def _fire(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "delay":
            content = await Request(scope, receive).body()
            await asyncio.sleep(fault.delay_s)
            await self.app(scope, _replay(content), send)
        elif fault.kind == "status":
            body = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
            media = "text/plain" if isinstance(fault.body, str) else "application/json"
            await Response(body, fault.status, fault.headers, media)(scope, receive, send)
        elif fault.kind == "drop":
            drop(scope["client"])
        else:
            content = await Request(scope, receive).body()
            await self.app(scope, _replay(content), _ignore)
            if fault.kind == "drop_after":
                drop(scope["client"])
            else:
                await self.app(scope, _replay(content), send)

    async def _control(self, request: Request) -> Response:
        if request.url.path == "/_control/requests":
            if request.method == "DELETE":
                self.requests.clear()
            return JSONResponse(self.requests)
        if request.method == "POST":
            try:
                self.arm(**await request.json())
            except (TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self.clear()
        return JSONResponse([dataclasses.asdict(fault) for fault in self.armed])


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _ignore(message: Message) -> None:
    """Swallow the answer that the client is never to see."""
