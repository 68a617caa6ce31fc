from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.server import serving
from sandbox.statuspage import KEY, PAGE_ID, Statuspage

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def ahead(self, **length: float) -> None:
        self.now += timedelta(**length)


class Caller:
    """A caller with the key, over real HTTP."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"authorization": f"OAuth {KEY}"}, timeout=30)

    def __call__(self, method: str, path: str = "", **body: Any) -> httpx.Response:
        """One request about the page; `path` begins below it."""
        return self.http.request(method, f"/v1/pages/{PAGE_ID}{path}", **({"json": body} if body else {}))

    def incident(self, **fields: Any) -> dict[str, Any]:
        """A new maintenance at 4:00, for two hours, as the API answers it."""
        given = {
            "name": "Database upgrade",
            "status": "scheduled",
            "scheduled_for": "2026-11-25T04:00:00Z",
            "scheduled_until": "2026-11-25T06:00:00Z",
            "body": "It is coming.",
            **fields,
        }
        answer = self("POST", "/incidents", incident=given)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def public(self, name: str) -> dict[str, Any]:
        """What the page tells everybody."""
        answer = httpx.get(f"{self.http.base_url}/api/v2/{name}.json")
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        return told


class Front:
    """Serves the page of the test that runs, so that one server does for all: starting and stopping takes its time."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Front, str]]:
    front = Front()
    with serving(front) as server:
        yield front, server.url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(clock: Clock) -> Statuspage:
    page = Statuspage(clock=clock, limit=None)
    page.add_component("API", "What programs talk to")
    page.add_component("Dashboard")
    return page


@pytest.fixture
def call(page: Statuspage, served: tuple[Front, str]) -> Caller:
    front, url = served
    front.app = page.app
    return Caller(url)
