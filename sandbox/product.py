"""The app of the story: a page, a maintenance page, a switch for operators, and orders read from PostgreSQL.

product = Product(dsn="postgresql://…")
with serving(product.app) as server:
    ...  # PUT {server.url}/admin/maintenance {"enabled": true} with bearer `product-token`
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import Environment, FileSystemLoader, select_autoescape
from psycopg.conninfo import make_conninfo
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults

TOKEN = "product-token"
RETRY_AFTER_S = 300
# The question of the story that is instant with planner statistics and hopeless without: what was refunded?
ORDERS = """
SELECT count(*) AS refunds, sum(p.amount) AS amount
FROM payments p JOIN refunds r ON r.ref = p.ref
WHERE p.state = 'settled' AND p.provider = 'card' AND p.currency = 'EUR'
  AND r.state = 'settled' AND r.provider = 'card' AND r.currency = 'EUR'
"""
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(["html"])
)


@dataclass(frozen=True)
class Transition:
    """The switch was thrown: `maintenance` is its new position, `at` aware UTC."""

    maintenance: bool
    at: datetime


class Product:
    """The app. `dsn` may be set anew at any time (the database moves to another port with an upgrade).

    `feed` is the address of a feed without its ending: `FEED.js` is a script that shows a notice on every page.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        query: str = ORDERS,
        query_timeout_s: float = 10.0,
        token: str = TOKEN,
        feed: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.dsn, self.query, self.query_timeout_s = dsn, query, query_timeout_s
        self.token, self.clock, self.feed = token, clock, feed
        self.maintenance = False
        self.transitions: list[Transition] = []
        routes = [
            Route("/", self._home),
            Route("/orders", self._orders),
            Route("/healthz", self._health),
            Route("/admin/maintenance", self._maintenance, methods=["GET", "PUT"]),
            Route("/admin/transitions", self._transitions),
        ]
        self.app = Faults(Starlette(routes=routes))

    def switch(self, maintenance: bool) -> None:
        """Turn the maintenance page on or off; only a real change is a transition."""
        if maintenance != self.maintenance:
            self.maintenance = maintenance
            self.transitions.append(Transition(maintenance, self.clock()))

    async def _home(self, request: Request) -> Response:  # noqa: ARG002 - the shape that Starlette calls
        return self._page("product_home.html") if not self.maintenance else self._closed()

    async def _health(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"status": "ok", "maintenance": self.maintenance})

    async def _maintenance(self, request: Request) -> Response:
        """Reading is free; switching needs the operators' token."""
        if request.method == "GET":
            return JSONResponse({"maintenance": self.maintenance})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "a valid bearer token is needed"}, 401)
        try:
            body: Any = json.loads(await request.body())
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("enabled"), bool):
            return JSONResponse({"error": 'the body must be {"enabled": true} or {"enabled": false}'}, 422)
        self.switch(body["enabled"])
        return JSONResponse({"maintenance": self.maintenance})

    async def _transitions(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse([{**asdict(one), "at": one.at.isoformat()} for one in self.transitions])

    async def _orders(self, request: Request) -> Response:
        """One query, with the milliseconds that it took; JSON when that is asked for."""
        if self.maintenance:
            return self._closed()
        facts = await run_in_threadpool(self._run_query)
        status = 503 if facts["error"] else 200
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(facts, status)
        return self._page("product_orders.html", status, **facts)

    def _run_query(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"columns": [], "rows": [], "error": None}
        started = time.perf_counter()
        if self.dsn is None:
            return {**facts, "elapsed_ms": 0.0, "error": "No database is configured."}
        limit = f"-c statement_timeout={int(self.query_timeout_s * 1000)}"
        try:
            conninfo = make_conninfo(self.dsn, connect_timeout=3, options=limit)
            with psycopg.connect(conninfo, autocommit=True) as connection:
                cursor = connection.execute(self.query.encode())
                facts["columns"] = [column.name for column in cursor.description or []]
                facts["rows"] = [[str(value) for value in row] for row in cursor.fetchmany(50)]
        except psycopg.errors.QueryCanceled:
            facts["error"] = f"The database gave no answer within {self.query_timeout_s:g} s."
        except psycopg.Error:  # its text may name hosts and users: not for a public page
            facts["error"] = "The database cannot be reached."
        return {**facts, "elapsed_ms": round((time.perf_counter() - started) * 1000, 1)}

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        page = _templates.get_template(name).render(feed=self.feed, **values)
        return HTMLResponse(page, status, {"Cache-Control": "no-store"})

    def _closed(self) -> Response:
        """The maintenance page, as a search engine or a load balancer wants it: 503 and when to come again."""
        page = self._page("product_maintenance.html", 503)
        page.headers["Retry-After"] = str(RETRY_AFTER_S)
        return page
