"""What everybody sees without a key: `/api/v2/….json`, and the page itself."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.statuspage import shapes
from sandbox.statuspage.page import OVER, Component, Incident, StatusPage
from sandbox.statuspage.rules import PLANNED, REALTIME

_OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*"}
_WORST = (
    ("major_outage", "critical", "Major Service Outage"),
    ("partial_outage", "major", "Partial System Outage"),
    ("degraded_performance", "minor", "Partially Degraded Service"),
    ("under_maintenance", "maintenance", "Service Under Maintenance"),
)
_PAST = 10
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(["html"])
)
_templates.filters["worded"] = lambda status: str(status).replace("_", " ").capitalize()
_templates.filters["time"] = lambda at: f"{at:%a} {at.day} {at:%b %Y, %H:%M} UTC"


def status_of(page: StatusPage) -> dict[str, str]:
    """The page in one word: the worst that any component says."""
    said = {one.status for one in page.components.values() if not one.group}
    for status, indicator, description in _WORST:
        if status in said:
            return {"indicator": indicator, "description": description}
    return {"indicator": "none", "description": "All Systems Operational"}


class Public:
    """The endpoints of one page."""

    def __init__(self, page: StatusPage) -> None:
        self._page = page

    def routes(self) -> list[Route]:
        """The routes of this module."""
        kinds = {"upcoming": ("scheduled",), "active": ("in_progress", "verifying")}
        return [
            Route("/api/v2/summary.json", self._json(self._summary)),
            Route("/api/v2/status.json", self._json(lambda: {"status": status_of(self._page)})),
            *(
                Route(f"/api/v2/scheduled-maintenances/{name}.json", self._json(self._maintenances(*statuses)))
                for name, statuses in kinds.items()
            ),
            Route("/summary.json", self._told),
            Route("/", self._html),
            Route("/incidents/{incident}", self._html),
        ]

    def _json(self, content: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if self._page.members_only:
                return JSONResponse({"error": "You must be logged in"}, 401)
            self._page.settle()
            home = {
                "id": self._page.page_id,
                "name": self._page.name,
                "url": f"{request.url.scheme}://{request.url.netloc}",
                "time_zone": "Etc/UTC",
                "updated_at": shapes.stamp(self._page.clock()),
            }
            return JSONResponse({"page": home, **content()}, headers=_OPEN_TO_ALL)

        return endpoint

    def _summary(self) -> dict[str, Any]:
        page = self._page
        open_ones = [one for one in (*REALTIME, *PLANNED) if one not in OVER]
        return {
            "components": [shapes.component(page, one) for one in page.components.values()],
            "incidents": [shapes.public_incident(page, one) for one in page.by_status(*open_ones) if not one.planned],
            **self._maintenances(*(one for one in open_ones if one in PLANNED))(),
            "status": status_of(page),
        }

    def _maintenances(self, *statuses: str) -> Callable[[], dict[str, Any]]:
        return lambda: {
            "scheduled_maintenances": [
                shapes.public_incident(self._page, one) for one in self._page.by_status(*statuses)
            ]
        }

    async def _told(self, request: Request) -> Response:  # noqa: ARG002 - the shape that Starlette calls
        return JSONResponse(self._page.summary())

    async def _html(self, request: Request) -> Response:
        page = self._page
        page.settle()
        one = page.incidents.get(request.path_params.get("incident", ""))
        if one is None and "incident" in request.path_params:
            return HTMLResponse("<h1>Not found</h1>", 404)
        shown = [one] if one else list(reversed(page.incidents.values()))
        facts = {
            "page": page,
            "status": status_of(page),
            "single": one is not None,
            "active": [each for each in shown if each.status not in OVER and each.status != "scheduled"],
            "coming": [each for each in shown if each.status == "scheduled"],
            "past": [each for each in shown if each.status in OVER][:_PAST],
            "names": self._names,
            "rows": self._rows(),
            **page.summary(),
        }
        return HTMLResponse(_templates.get_template("status.html").render(**facts))

    def _names(self, incident: Incident) -> str:
        return ", ".join(one.name for one in self._page.members(incident))

    def _rows(self) -> list[Component]:
        """The components as they are listed, those of a group below it."""
        listed = self._page.components.values()
        return [
            each
            for one in listed
            if one.group_id is None
            for each in (one, *(member for member in listed if member.group_id == one.id))
        ]
