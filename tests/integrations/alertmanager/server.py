"""A real Alertmanager on a free port, a receiver of its notifications, and a road to it on which things go wrong."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.alertmanager import Alertmanager as Process
from sandbox.alertmanager import AlertmanagerMissing
from sandbox.faults import Faults
from sandbox.server import serving

BASE_PATH = "/api/alertmanager/grafana"


class Road:
    """An ASGI application that passes everything below `BASE_PATH` on to the server, and keeps what was asked."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url)
        self.asked: list[tuple[str, str, str, Any]] = []
        """Method, path, query and body of each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body, path, query = await request.body(), request.url.path, request.url.query
        assert path.startswith(BASE_PATH)
        path = path.removeprefix(BASE_PATH)
        self.asked.append((request.method, path, query, json.loads(body) if body else None))
        kind = {"content-type": request.headers.get("content-type", "")}
        answer = await run_in_threadpool(
            self._client.request, request.method, f"{path}?{query}", content=body, headers=kind
        )
        headers = {"content-type": answer.headers.get("content-type", "")}
        await Response(answer.content, answer.status_code, headers)(scope, receive, send)


class Alertmanager:
    """The server: `base_url` is its address by the road, `faults` what goes wrong there."""

    def __init__(self, process: Process, base_url: str, road: Road, faults: Faults, paged: list[str]) -> None:
        self.process, self.base_url, self.road, self.faults, self.paged = process, base_url, road, faults, paged

    def fire(self, name: str) -> None:
        """Let an alert with this name fire."""
        self.process.fire(name, service="shop")

    def state(self, name: str) -> tuple[str, list[str]]:
        """The state of the alert, and by which silences it is suppressed."""
        for alert in self.process.ask("GET", "/api/v2/alerts"):
            if alert["labels"]["alertname"] == name:
                return alert["status"]["state"], alert["status"]["silencedBy"]
        raise AssertionError(f"{name} does not fire")

    def silences(self, mark: str, *states: str) -> list[dict[str, Any]]:
        """The silences with `mark` in their comment that are in one of these states."""
        listed = self.process.ask("GET", "/api/v2/silences")
        return [one for one in listed if mark in one["comment"] and one["status"]["state"] in states]

    def silence(self, id_: str) -> dict[str, Any]:
        return dict(self.process.ask("GET", f"/api/v2/silence/{id_}"))

    def end(self, id_: str) -> None:
        """End a silence as a person does."""
        self.process.ask("DELETE", f"/api/v2/silence/{id_}")

    def move_end(self, id_: str, ends_at: datetime) -> None:
        """Let a silence end at another time, as a person does, who is its author then."""
        silence = self.silence(id_)
        kept = {key: silence[key] for key in ("id", "matchers", "startsAt", "comment")}
        self.process.ask("POST", "/api/v2/silences", {**kept, "createdBy": "Ana", "endsAt": ends_at.isoformat()})


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager for the length of a `with` block; skips the test where there is none."""
    paged: list[str] = []

    async def receive(request: Request) -> Response:
        paged.extend(alert["labels"]["alertname"] for alert in (await request.json())["alerts"])
        return Response()

    with serving(Starlette(routes=[Route("/", receive, methods=["POST"])])) as pager:
        try:
            process = Process(folder, pager.url)
        except AlertmanagerMissing as missing:
            pytest.skip(str(missing))
        with process:
            road = Road(process.url)
            faults = Faults(road)
            with serving(faults) as server:
                yield Alertmanager(process, server.url + BASE_PATH, road, faults, paged)
