"""Keeps services in a maintenance window of PagerDuty, so that they open no incidents.

Source: "Maintenance Windows" of PagerDuty's REST API, version 2.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints

from bot.connections import Shift, ValueOf, connection, rota
from bot.errors import Final
from bot.http import Http, Response
from bot.step import Context, Plan, Setting, step
from integrations.leases import Lease, Leased
from integrations.pagerduty_account import TOKEN, URL, address, headers

FROM = Setting(
    "MAINT_PAGERDUTY_FROM", help="The email address of the PagerDuty user in whose name maintenance windows are made."
)
ServiceId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{5,20}$")]

_REFUSED = frozenset({401, 403})
_NOT_FOUND = 404
_HAS_ENDED = 405
_PER_PAGE = 100
# A start in the past becomes now; a start in the future, by a clock that runs ahead, would be no window yet.
_SKEW = timedelta(minutes=1)


class Windows:
    """A client for one step; use it in a `with` block. `key` (`<maintenance>:<step>`) is in the
    descriptions of the step's windows, by which they are known.

    Windows are kept by a short lease (see `integrations.leases.Keeper`).
    """

    def __init__(self, value_of: Callable[[Setting], str], key: str, title: str, services: tuple[str, ...]) -> None:
        token = value_of(TOKEN)
        self._http = Http(
            address(value_of(URL)),
            system="PagerDuty",
            headers={**headers(token), "From": value_of(FROM)},
            secrets=[token],
        )
        self._maintenance, self._mark = key.partition(":")[0], f"[{key}]"
        self._description = f"{title} {self._mark}"
        self._services = services

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ours(self) -> list[Lease]:
        # "Open" is what PagerDuty's own clock has as ongoing or to come.
        found = self._listed({"query": self._maintenance, "filter": "open"})
        return [_lease(one, is_open=True) for one in found if self._mark in (one.get("description") or "")]

    def read(self, id_: str) -> Lease | None:
        answer = self._ask("GET", f"/maintenance_windows/{id_}", accept={_NOT_FOUND})
        if answer.status == _NOT_FOUND:
            return None
        window = answer.json["maintenance_window"]
        return _lease(window, is_open=any(lease.id == id_ for lease in self.ours()))

    def create(self, ends_at: datetime) -> str:
        services = [{"id": one, "type": "service_reference"} for one in self._services]
        body = {
            "type": "maintenance_window",
            "start_time": _moment(datetime.now(UTC) - _SKEW),
            "end_time": _moment(ends_at),
            "description": self._description,
            "services": services,
        }
        answer = self._ask("POST", "/maintenance_windows", json={"maintenance_window": body})
        return str(answer.json["maintenance_window"]["id"])

    def renew(self, lease: Lease, ends_at: datetime) -> str:
        # The start of one that has begun cannot be changed, and has to be sent: as it was read.
        services = [{"id": one["id"], "type": "service_reference"} for one in lease.document["services"]]
        kept = {key: lease.document[key] for key in ("start_time", "description")}
        body = {"type": "maintenance_window", **kept, "end_time": _moment(ends_at), "services": services}
        answer = self._ask("PUT", f"/maintenance_windows/{lease.id}", json={"maintenance_window": body})
        return str(answer.json["maintenance_window"]["id"])

    def end(self, id_: str) -> None:
        self._ask("DELETE", f"/maintenance_windows/{id_}", accept={_NOT_FOUND, _HAS_ENDED})

    def open_now(self) -> int:
        """Return how many maintenance windows, of anybody, are open: a question that needs a good token."""
        return sum(1 for _ in self._listed({"filter": "open"}))

    def _listed(self, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            params = {**asked, "limit": _PER_PAGE, "offset": offset}
            page = self._ask("GET", "/maintenance_windows", params=params).json
            yield from page["maintenance_windows"]
            if not page.get("more"):
                return
            offset += _PER_PAGE

    def _ask(self, method: str, path: str, **options: Any) -> Response:
        try:
            answer = self._http.request(method, path, **options)
        except Final as error:
            advice = f" Check {TOKEN.name}, and whether it may write." if error.status in _REFUSED else ""
            raise Final(f"{error}{advice}", status=error.status) from None
        if method != "DELETE" and answer.json is None and answer.status != _NOT_FOUND:
            raise Final(f"What answers at {URL.name} is not PagerDuty: it sent no JSON. Check the address.")
        return answer


@step("pagerduty.maintenance_window")
class MaintenanceWindow(Leased):
    """Keep services in a PagerDuty maintenance window until another step is settled, then end the window.

    Let nothing need it, and let it need what should come before: it runs alongside. The window is short and extended
    while the step runs, so it follows an overrun, and ends by itself should the bot be gone. An abort ends it.
    """

    noun: ClassVar[str] = "maintenance window"
    fact: ClassVar[str] = "maintenance_window"
    settings: ClassVar[tuple[Setting, ...]] = (TOKEN, FROM, URL)

    services: Annotated[tuple[ServiceId, ...], Field(min_length=1, max_length=100)]
    """The ids of the services, such as PIJ90N7: the last part of a service's address in PagerDuty."""

    def plan(self, ctx: Context) -> Plan:
        self.must_know_until(ctx)
        with self.keeper(ctx) as windows:
            others = windows.open_now() - len(windows.ours())
        return Plan(
            summary=f"Keep {self._which()} in maintenance in PagerDuty until {self.until} is done",
            details=(
                f"Other maintenance windows that are open or to come: {others}.",
                f"Leased for {self.lease_s:g} s, and extended.",
            ),
            subject={"uses": self.uses, "with": self.model_dump(mode="json")},
        )

    def keeper(self, ctx: Context) -> Windows:
        return Windows(ctx.setting, ctx.key, ctx.title, self.services)

    def effect(self) -> str:
        return f"PagerDuty opens no incidents for {self._which()}"

    def _which(self) -> str:
        return f"the service{'' if len(self.services) == 1 else 's'} {', '.join(self.services)}"


@connection("PagerDuty", TOKEN, FROM, URL)
def look(value_of: ValueOf) -> str:
    """Return one line on the account. Raises `StepError` if the token is refused."""
    with Windows(lambda setting: value_of(setting) or "", "", "", ()) as windows:
        return f"the token is accepted; maintenance windows that are open or to come: {windows.open_now()}"


@rota("pagerduty")
def shifts(value_of: ValueOf, schedule: str, since: datetime, until: datetime) -> list[Shift]:
    """Return when somebody is on call by a schedule, as far as escalation policies use it. Raises `StepError`.

    Source: "List all of the on-calls" of the same API: one without start and end is on call always.
    """
    token = value_of(TOKEN) or ""
    if not token:
        raise Final(f"{TOKEN.name} is not set.")
    asked = {"schedule_ids[]": schedule, "since": _moment(since), "until": _moment(until)}
    found: list[Shift] = []
    with Http(address(value_of(URL) or ""), system="PagerDuty", headers=headers(token), secrets=[token]) as http:
        while True:
            answer = http.request("GET", "/oncalls", params={**asked, "limit": _PER_PAGE, "offset": len(found)}).json
            if not isinstance(answer, dict) or not isinstance(answer.get("oncalls"), list):
                raise Final(f"What answers at {URL.name} is not PagerDuty: it lists nobody on call. Check the address.")
            found += [(_or(one.get("start"), since), _or(one.get("end"), until)) for one in answer["oncalls"]]
            if not answer.get("more") or not answer["oncalls"]:
                return found


def _or(at: str | None, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC) if at else otherwise


def _lease(window: dict[str, Any], *, is_open: bool) -> Lease:
    ends_at = datetime.fromisoformat(window["end_time"]).astimezone(UTC)
    return Lease(window["id"], ends_at, "active" if is_open else "ended", window)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
