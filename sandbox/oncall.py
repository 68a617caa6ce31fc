"""Who is on call, as PagerDuty and Grafana OnCall see it: how they are paged, what became of it, and whose turn it is.

people = OnCall(shifts={"SBM7DV7BKFUYU": [(start, end)]})
with serving(people.app) as server:
    ...  # POST {server.url}/v2/enqueue and POST {server.url}/integrations/v1/formatted_webhook/{people.token}/
    ...  # GET {server.url}/incidents, /api/v1/alerts/, /api/v1/alert_groups/, /api/v1/schedules/ID/final_shifts
    people.alerts  # what they were woken by: one alert for each key, however often it was sent
    people.resolve("PagerDuty", key)  # as somebody would who was woken

PagerDuty's side is the Events API and "List incidents" of the REST API, Grafana's a formatted webhook and the HTTP API.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
WEBHOOK_TOKEN = "oncall-webhook-token"
PAGERDUTY_TOKEN = "pagerduty-token"
API_TOKEN = "oncall-api-token"

Span = tuple[datetime, datetime]


@dataclass
class OnCall:
    """People on call. `open` holds what nobody has resolved: pairs of a system (`PagerDuty`, `Grafana`) and a key.

    `requests` counts the events that came in. `lose` makes both take events and show nothing of them, as a service in
    maintenance does; `keep_open` makes Grafana ignore `ok`, as a group without auto-resolution does.
    """

    routing_key: str = ROUTING_KEY
    token: str = WEBHOOK_TOKEN
    api_token: str = API_TOKEN
    stack: str = ""
    """The address that requests have to name; "" where the key is one of OnCall itself."""
    shifts: dict[str, list[Span]] = field(default_factory=dict)
    page_size: int = 50
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)
    requests: int = 0
    lose: bool = False
    keep_open: bool = False

    def __post_init__(self) -> None:
        """Open all doors."""
        routes = [
            Route("/v2/enqueue", self._enqueue, methods=["POST"]),
            Route("/incidents", self._incidents),
            Route("/integrations/v1/formatted_webhook/{token}/", self._webhook, methods=["POST"]),
            Route("/api/v1/alerts/", self._alerts),
            Route("/api/v1/alert_groups/", self._groups),
            Route("/api/v1/schedules/{id}/final_shifts", self._shifts),
        ]
        self.app = Faults(Starlette(routes=routes))

    @property
    def alerts(self) -> dict[str, str]:
        """What they were woken by: what was said, by the alert's key."""
        return {key: said for (_, key), said in self.taken.items()}

    def resolve(self, system: str, key: str) -> None:
        """Settle an alert, as whoever was woken by it would."""
        self.open.discard((system, key))

    async def _enqueue(self, request: Request) -> Response:
        self.requests += 1
        event = json.loads(await request.body())
        action, payload = event.get("event_action"), event.get("payload", {})
        wrong = [] if action in {"trigger", "resolve"} else ["event_action"]
        if action == "trigger":
            wrong += [name for name in ("summary", "source", "severity") if not payload.get(name)]
        elif not event.get("dedup_key"):
            wrong.append("dedup_key")
        if event.get("routing_key") != self.routing_key or wrong:
            error = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
            return JSONResponse(error, 400)
        self._take("PagerDuty", event["dedup_key"], payload.get("summary", ""), is_over=action == "resolve")
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}, 202)

    async def _webhook(self, request: Request) -> Response:
        self.requests += 1
        if request.path_params["token"] != self.token:
            return JSONResponse({"detail": "Not found."}, 403)
        alert = json.loads(await request.body())
        is_over = alert["state"] == "ok"
        if not (is_over and self.keep_open):
            self._take("Grafana", alert["alert_uid"], f"{alert['title']}: {alert['message']}", is_over=is_over)
        return Response("Ok.")

    def _take(self, system: str, key: str, said: str, *, is_over: bool) -> None:
        if self.lose:
            return
        if is_over:
            self.open.discard((system, key))
        else:
            self.taken.setdefault((system, key), said)
            self.open.add((system, key))

    def _seen(self, system: str) -> list[tuple[str, str, bool]]:
        """Key, words and whether it is open, of each alert in a system."""
        return [(key, said, (at, key) in self.open) for (at, key), said in self.taken.items() if at == system]

    async def _incidents(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Token token={PAGERDUTY_TOKEN}":
            return JSONResponse({"error": {"message": "Unauthorized", "code": 2006}}, 401)
        key = request.query_params.get("incident_key", "")
        found = [
            {"id": "PT4KHLK", "type": "incident", "status": "triggered" if is_open else "resolved"}
            for each, _, is_open in self._seen("PagerDuty")
            if each == key
        ]
        return JSONResponse({"incidents": found, "limit": 25, "offset": 0, "more": False, "total": None})

    async def _alerts(self, request: Request) -> Response:
        """ "List alerts": those whose payload contains `search`."""
        search = request.query_params.get("search", "")
        found = [
            {
                "id": f"A{number}",
                "alert_group_id": f"I{number}",
                "created_at": "2026-11-25T04:00:00Z",
                "payload": {"alert_uid": key, "state": "alerting", "message": said},
            }
            for number, (key, said, _) in enumerate(self._seen("Grafana"))
            if search in key
        ]
        return self._page(request, found)

    async def _groups(self, request: Request) -> Response:
        """ "List alert groups", by their `id`."""
        wanted = request.query_params.get("id", "")
        found = [
            {
                "id": f"I{number}",
                "integration_id": "CFRPV98RPR1U8",
                "route_id": "RIYGUJXCPFHXY",
                "alerts_count": 1,
                "state": "firing" if is_open else "resolved",
                "created_at": "2026-11-25T04:00:00.430444Z",
                "resolved_at": None if is_open else "2026-11-25T04:10:00.429805Z",
                "acknowledged_at": None,
                "acknowledged_by": None,
                "resolved_by": None,
                "title": said,
                "permalinks": {"slack": None, "telegram": None},
                "silenced_at": None,
            }
            for number, (key, said, is_open) in enumerate(self._seen("Grafana"))
            if f"I{number}" == wanted
        ]
        return self._page(request, found)

    async def _shifts(self, request: Request) -> Response:
        """ "Export a schedule's final shifts": those that meet the days from `start_date` to `end_date`, in UTC."""
        asked, shifts = request.query_params, self.shifts.get(request.path_params["id"])
        if not self._knows(request):
            return JSONResponse({"detail": "Invalid token."}, 403)
        if shifts is None:
            return JSONResponse({"detail": "Not found."}, 404)
        try:
            first, last = (datetime.fromisoformat(asked[name]).date() for name in ("start_date", "end_date"))
        except (KeyError, ValueError):
            return JSONResponse({"start_date": ["This field is required."]}, 400)
        if last < first or (last - first).days > 365:
            return JSONResponse({"end_date": ["end_date must be within 365 days of start_date"]}, 400)
        since = datetime.combine(first, time.min, UTC)
        until = datetime.combine(last, time.max, UTC)
        found = [
            {
                "user_pk": "UC2CHRT5SD34X",
                "user_email": "alice@example.com",
                "user_username": "alice",
                "shift_start": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
                "shift_end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            }
            for begin, end in shifts
            if begin < until and since < end
        ]
        return self._page(request, found)

    def _knows(self, request: Request) -> bool:
        given = request.headers.get("authorization"), request.headers.get("x-grafana-url", "")
        return given == (self.api_token, self.stack)

    def _page(self, request: Request, found: list[dict[str, Any]]) -> Response:
        """One page of a list, with the fields and links of "Pagination"; refused without the key."""
        if not self._knows(request):
            return JSONResponse({"detail": "Invalid token."}, 403)
        number, size = int(request.query_params.get("page", 1)), self.page_size
        pages = max(1, -(-len(found) // size))
        links = {
            name: str(request.url.include_query_params(page=other)) if 1 <= other <= pages else None
            for name, other in (("next", number + 1), ("previous", number - 1))
        }
        numbers = {"current_page_number": number, "page_size": size, "total_pages": pages}
        return JSONResponse(
            {"count": len(found), **links, "results": found[(number - 1) * size : number * size], **numbers}
        )
