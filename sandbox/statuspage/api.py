"""The management API under `/v1`: key, rate limit, then pages, components and incidents."""

import json
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.statuspage import shapes
from sandbox.statuspage.page import OVER, Component, Incident, StatusPage
from sandbox.statuspage.refusal import Refusal
from sandbox.statuspage.rules import PLANNED

Handler = Callable[[StatusPage, Request, dict[str, Any]], Any]


class Rate:
    """At most `limit` requests of a key in any `window_s` seconds (None: no limit); more are refused with `status`."""

    def __init__(self, limit: int | None, window_s: float, status: int) -> None:
        self.limit, self.window_s, self.status = limit, window_s, status
        self.refused = 0
        self._times: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Count one request. Raises `Refusal` with `Retry-After` if the key has had its share."""
        if self.limit is None:
            return
        now = time.monotonic()
        with self._lock:
            times = self._times[key]
            while times and times[0] <= now - self.window_s:
                times.popleft()
            if len(times) >= self.limit:
                self.refused += 1
                wait_s = times[0] + self.window_s - now
                raise Refusal(self.status, "Rate limit exceeded", {"Retry-After": str(math.ceil(wait_s))})
            times.append(now)


def serve(page: StatusPage, keys: set[str], rate: Rate, handler: Handler, status: int) -> Any:
    """An endpoint that does what every one of them does, then calls `handler`."""

    async def endpoint(request: Request) -> Response:
        try:
            rate.take(_key(request, keys))
            _must_be(page, request)
            page.settle()
            return JSONResponse(handler(page, request, await _body(request)), status)
        except Refusal as refusal:
            return JSONResponse({"message": refusal.message}, refusal.status, refusal.headers)

    wrapped: Callable[[Request], Awaitable[Response]] = endpoint
    return wrapped


def _key(request: Request, keys: set[str]) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "oauth" or key not in keys:
        raise Refusal(401, "Could not authenticate")
    return key


def _must_be(page: StatusPage, request: Request) -> None:
    if request.path_params.get("page", page.page_id) != page.page_id:
        raise Refusal(404, "Record not found")


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise Refusal(400, "The request body is not JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not an object")
    return body


def _inside(body: dict[str, Any], name: str) -> dict[str, Any]:
    fields = body.get(name)
    if not isinstance(fields, dict):
        raise Refusal(400, f"param is missing or the value is empty: {name}")
    return fields


def _incident(page: StatusPage, request: Request) -> Incident:
    found = page.incidents.get(request.path_params["incident"])
    if found is None:
        raise Refusal(404, "Record not found")
    return found


def _component(page: StatusPage, request: Request) -> Component:
    found = page.components.get(request.path_params["component"])
    if found is None:
        raise Refusal(404, "Record not found")
    return found


def _paged(request: Request, items: list[Any]) -> list[Any]:
    try:
        size = max(1, min(100, int(request.query_params.get("per_page") or request.query_params.get("limit") or 100)))
        number = max(1, int(request.query_params.get("page") or 1))
    except ValueError:
        raise Refusal(400, "page and per_page have to be numbers") from None
    return items[(number - 1) * size : number * size]


def list_pages(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001 - the handlers' shape
    """`GET /pages`."""
    return [shapes.page(page, request.url.netloc)]


def get_page(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /pages/{page_id}`."""
    return shapes.page(page, request.url.netloc)


def list_components(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET …/components`."""
    return [shapes.component(page, one) for one in _paged(request, list(page.components.values()))]


def get_component(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET …/components/{component_id}`."""
    return shapes.component(page, _component(page, request))


def patch_component(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:
    """`PATCH …/components/{component_id}`: status, name, description."""
    one, fields = _component(page, request), _inside(body, "component")
    if fields.get("status"):
        page.set_status(one, str(fields["status"]))
    one.name = str(fields.get("name") or one.name)
    one.description = str(fields.get("description") or one.description)
    return shapes.component(page, one)


def create_incident(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:
    """`POST …/incidents`. There is no key against doubles: posting twice publishes twice."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    return shapes.incident(page, page.create(_inside(body, "incident"), base))


def get_incident(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET …/incidents/{incident_id}`."""
    return shapes.incident(page, _incident(page, request))


def patch_incident(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:
    """`PATCH …/incidents/{incident_id}`: every body is one more update, and is told to the subscribers."""
    return shapes.incident(page, page.update(_incident(page, request), _inside(body, "incident")))


def delete_incident(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`DELETE …/incidents/{incident_id}`."""
    one = _incident(page, request)
    del page.incidents[one.id]
    return shapes.incident(page, one)


def list_incidents(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET …/incidents`, newest first; `q` looks into names and updates."""
    word = request.query_params.get("q", "").lower()
    found = [
        one
        for one in reversed(page.incidents.values())
        if word in " ".join([one.name, one.status, *(each.body for each in one.updates)]).lower()
    ]
    return [shapes.incident(page, one) for one in _paged(request, found)]


def _listing(*statuses: str, upcoming: bool = False) -> Handler:
    def handler(page: StatusPage, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
        now = page.clock()
        found = [
            one
            for one in page.by_status(*statuses)
            if not upcoming or (one.scheduled_for is not None and one.scheduled_for > now)
        ]
        return [shapes.incident(page, one) for one in _paged(request, found)]

    return handler


def routes(page: StatusPage, keys: set[str], rate: Rate) -> list[Route]:
    """The routes of this module."""
    home = "/v1/pages/{page}"
    open_ones = tuple(one for one in PLANNED if one not in OVER)
    table: list[tuple[str, str, Handler, int]] = [
        ("GET", "/v1/pages", list_pages, 200),
        ("GET", home, get_page, 200),
        ("GET", f"{home}/components", list_components, 200),
        ("GET", f"{home}/components/{{component}}", get_component, 200),
        ("PATCH", f"{home}/components/{{component}}", patch_component, 200),
        ("POST", f"{home}/incidents", create_incident, 201),
        ("GET", f"{home}/incidents", list_incidents, 200),
        ("GET", f"{home}/incidents/upcoming", _listing("scheduled", upcoming=True), 200),
        ("GET", f"{home}/incidents/scheduled", _listing("scheduled"), 200),
        ("GET", f"{home}/incidents/active_maintenance", _listing(*open_ones[1:]), 200),
        ("GET", f"{home}/incidents/{{incident}}", get_incident, 200),
        ("PATCH", f"{home}/incidents/{{incident}}", patch_incident, 200),
        ("DELETE", f"{home}/incidents/{{incident}}", delete_incident, 200),
    ]
    return [
        Route(path, serve(page, keys, rate, handler, status), methods=[method])
        for method, path, handler, status in table
    ]
