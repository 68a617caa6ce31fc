"""PagerDuty's maintenance windows, as its REST API (version 2) describes them: an account with services and users.

    account = PagerDuty(services={"PIJ90N7": "Shop"})
    with serving(account.app) as server:
        ...  # {server.url}/maintenance_windows with `Authorization: Token token=pagerduty-token`
        account.in_maintenance("PIJ90N7")

What the description leaves open is as users of the API report it: a window that has ended can be neither changed
(400, code 2001) nor deleted (405, code 5003), and the start of one that has begun stays.
"""

import itertools
import json
import secrets
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults

TOKEN = "pagerduty-token"
USER = "ana@example.com"
_ACCEPT = "application/vnd.pagerduty+json;version=2"
_INVALID = "Invalid Input Provided"


@dataclass
class MaintenanceWindow:
    """One maintenance window; times aware UTC, in whole seconds."""

    id: str
    number: int
    starts_at: datetime
    ends_at: datetime
    description: str
    services: list[str]

    def is_in(self, state: str, now: datetime) -> bool:
        """Whether it is `past`, `future`, `ongoing`, `open` (one of the latter two) or in `all` at `now`."""
        actual = "past" if self.ends_at <= now else "future" if self.starts_at > now else "ongoing"
        return state in {"all", actual} or (state == "open" and actual != "past")


class Refused(Exception):
    """The API's error answer."""

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message, **({"errors": list(errors)} if errors else {})}}


class PagerDuty:
    """An account. `services` maps ids to names. Windows that were deleted before they began are gone."""

    def __init__(
        self,
        services: Mapping[str, str],
        *,
        token: str = TOKEN,
        user: str = USER,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.services, self.token, self.user, self.clock = dict(services), token, user, clock
        self.windows: dict[str, MaintenanceWindow] = {}
        self.on_call: dict[str, list[tuple[datetime, datetime] | None]] = {}
        """Who is on call, by schedule: from when until when, or None for always."""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        routes = [
            Route("/maintenance_windows", self._serve, methods=["GET", "POST"]),
            Route("/oncalls", self._on_calls),
            Route("/maintenance_windows/{id}", self._serve, methods=["GET", "PUT", "DELETE"]),
        ]
        self.app = Faults(Starlette(routes=routes))

    def in_maintenance(self, service: str) -> bool:
        """Whether an event for this service would open no incident now."""
        with self._lock:
            now = self.clock()
            return any(service in one.services and one.is_in("ongoing", now) for one in self.windows.values())

    async def _serve(self, request: Request) -> Response:
        body = await request.body()
        handlers = {
            ("GET", False): self._list,
            ("POST", False): self._create,
            ("GET", True): self._read,
            ("PUT", True): self._change,
            ("DELETE", True): self._delete,
        }
        try:
            self._let_in(request)
            with self._lock:
                return handlers[request.method, "id" in request.path_params](request, body)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)

    async def _on_calls(self, request: Request) -> Response:
        """ "List all of the on-calls": those of `schedule_ids[]` that meet the time from `since` until `until`."""
        asked = request.query_params
        try:
            self._let_in(request)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)
        since, until = (datetime.fromisoformat(asked[name]) for name in ("since", "until"))
        limit, offset = int(asked.get("limit", 25)), int(asked.get("offset", 0))
        shifts = [shift for one in asked.getlist("schedule_ids[]") for shift in self.on_call.get(one, [])]
        met = [shift for shift in shifts if shift is None or (shift[0] < until and since < shift[1])]
        page = [
            {
                "escalation_level": 1,
                "start": shift[0].isoformat() if shift else None,
                "end": shift[1].isoformat() if shift else None,
            }
            for shift in met[offset : offset + limit]
        ]
        more = len(met) > offset + limit
        return JSONResponse({"oncalls": page, "limit": limit, "offset": offset, "more": more, "total": None})

    def _let_in(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Token token={self.token}":
            raise Refused(401, 2006, "Unauthorized")
        if request.headers.get("accept") != _ACCEPT:
            raise Refused(406, 2000, "Not Acceptable", f"Accept must be {_ACCEPT}")

    def _list(self, request: Request, body: bytes) -> Response:  # noqa: ARG002 - the shape of all handlers
        asked = request.query_params
        limit, offset = int(asked.get("limit", 25)), int(asked.get("offset", 0))
        query, state, now = asked.get("query", "").lower(), asked.get("filter", "all"), self.clock()
        found = [one for one in self.windows.values() if query in one.description.lower() and one.is_in(state, now)]
        page = [self._shape(one) for one in found[offset : offset + limit]]
        more = len(found) > offset + limit
        return JSONResponse(
            {"maintenance_windows": page, "limit": limit, "offset": offset, "more": more, "total": None}
        )

    def _create(self, request: Request, body: bytes) -> Response:
        if request.headers.get("from") != self.user:
            raise Refused(400, 2001, _INVALID, "Requester User Not Found")
        given, now = self._given(body), self.clock().replace(microsecond=0)
        starts_at, ends_at = max(given["start_time"], now), given["end_time"]
        if ends_at <= now or ends_at <= starts_at:
            raise Refused(400, 2001, _INVALID, "End time must be in the future and after the start time")
        id_ = "P" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(6))
        window = MaintenanceWindow(
            id_, next(self._numbers), starts_at, ends_at, given["description"], given["services"]
        )
        self.windows[id_] = window
        return JSONResponse({"maintenance_window": self._shape(window)}, 201)

    def _read(self, request: Request, body: bytes) -> Response:  # noqa: ARG002
        return JSONResponse({"maintenance_window": self._shape(self._found(request))})

    def _change(self, request: Request, body: bytes) -> Response:
        window, given, now = self._found(request), self._given(body), self.clock()
        wrong = []
        if window.starts_at <= now and given["start_time"] != window.starts_at:
            wrong.append("Start time cannot be modified for maintenance windows that have already started")
        if window.ends_at <= now:
            wrong.append("End time already passed and can not be modified")
        elif given["end_time"] <= now:
            wrong.append("End time must be in the future")
        if wrong:
            raise Refused(400, 2001, _INVALID, *wrong)
        window.starts_at, window.ends_at = given["start_time"], given["end_time"]
        window.description, window.services = given["description"], given["services"]
        return JSONResponse({"maintenance_window": self._shape(window)})

    def _delete(self, request: Request, body: bytes) -> Response:  # noqa: ARG002
        window, now = self._found(request), self.clock()
        if window.is_in("past", now):
            raise Refused(405, 5003, "Cannot cancel a maintenance window from the past")
        if window.is_in("future", now):
            del self.windows[window.id]
        else:
            window.ends_at = now.replace(microsecond=0)
        return Response(status_code=204)

    def _found(self, request: Request) -> MaintenanceWindow:
        window = self.windows.get(request.path_params["id"])
        if window is None:
            raise Refused(404, 2100, "Not Found")
        return window

    def _given(self, body: bytes) -> dict[str, Any]:
        """The window in the body of a request, times in UTC and whole seconds, services as ids."""
        try:
            given = json.loads(body)["maintenance_window"]
            start, end = (
                datetime.fromisoformat(given[name]).astimezone(UTC).replace(microsecond=0)
                for name in ("start_time", "end_time")
            )
            services = [one["id"] for one in given["services"] if one["type"] == "service_reference"]
            description = str(given.get("description", ""))
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, 2001, _INVALID, f"Maintenance window is malformed: {error}") from None
        unknown = [one for one in services if one not in self.services]
        if unknown or not services or given.get("type") != "maintenance_window":
            raise Refused(400, 2001, _INVALID, f"Services {unknown or 'cannot be empty'}")
        return {"start_time": start, "end_time": end, "services": services, "description": description}

    def _shape(self, window: MaintenanceWindow) -> dict[str, Any]:
        here = f"https://api.pagerduty.com/maintenance_windows/{window.id}"
        return {
            "id": window.id,
            "type": "maintenance_window",
            "summary": window.description,
            "self": here,
            "html_url": f"https://sandbox.pagerduty.com/service-directory/maintenance-windows/{window.id}",
            "sequence_number": window.number,
            "start_time": window.starts_at.isoformat(),
            "end_time": window.ends_at.isoformat(),
            "description": window.description,
            "services": [self._reference(one) for one in window.services],
            "teams": [],
            "created_by": {"id": "PXPGF42", "type": "user_reference", "summary": self.user},
        }

    def _reference(self, service: str) -> dict[str, str]:
        here = f"https://api.pagerduty.com/services/{service}"
        return {"id": service, "type": "service_reference", "summary": self.services[service], "self": here}
