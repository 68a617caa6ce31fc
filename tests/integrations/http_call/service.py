"""A small service that remembers what it was told, on a real socket: something to call and to read back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.server import serving


class Service:
    """`/switch` keeps a position, `/orders` counts what was posted, `/page` is what a visitor sees."""

    def __init__(self) -> None:
        self.off = False
        self.orders: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self._lock = threading.Lock()
        self.faults = Faults(
            Starlette(
                routes=[
                    Route("/switch", self._switch, methods=["GET", "PUT", "POST"]),
                    Route("/orders", self._orders, methods=["GET", "POST", "PUT"]),
                    Route("/page", self._page),
                ]
            )
        )

    async def _switch(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if request.method != "GET":
            self.off = (await request.json())["off"]
        return JSONResponse({"maintenance": {"enabled": self.off}, "jobs": [{"state": "idle"}]})

    async def _orders(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if request.method != "GET":
            body = await request.body()
            if body == b"bad":
                return JSONResponse({"error": "bad order"}, 422)
            with self._lock:
                self.orders.append(body.decode())
        return JSONResponse({"count": len(self.orders), "sent": request.headers.get("authorization", "")})

    async def _page(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return PlainTextResponse("Back soon" if self.off else "Welcome", 503 if self.off else 200)


@contextmanager
def running() -> Iterator[Service]:
    service = Service()
    with serving(service.faults) as server:
        service.url = server.url
        yield service
