"""Silences alerts in Alertmanager, and in what speaks its API: Grafana, Mimir, Cortex.

Source: the description of Alertmanager's API, version 2, and "Alerting / Management API" of Prometheus.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, Field

from bot.connections import ValueOf, connection
from bot.errors import Final
from bot.http import Http, Response
from bot.step import Context, Plan, Setting, step
from integrations.leases import Lease, Leased

URL = Setting(
    "MAINT_ALERTMANAGER_URL",
    help="Where Alertmanager is, without `/api/v2`: http://alertmanager:9093, for Grafana's own alerting "
    "https://GRAFANA/api/alertmanager/grafana, for Mimir https://MIMIR/alertmanager.",
)
TOKEN = Setting(
    "MAINT_ALERTMANAGER_TOKEN",
    help="The token that it asks for, sent as `Authorization: Bearer`. Empty: none is sent.",
    secret=True,
    default="",
)

AUTHOR = "maint"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_REFUSED = frozenset({301, 302, 307, 308, 401, 403, 404})  # a login page, too
_NOT_FOUND = 404
_SHOWN = 5
# A start in the past becomes now; a start in the future, by a clock that runs ahead, would be no silence yet.
_SKEW = timedelta(minutes=1)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\["\\n])*)"|([^\s"{},]*))\s*')
_STATES: dict[str, Literal["pending", "active", "ended"]] = {
    "pending": "pending",
    "active": "active",
    "expired": "ended",
}


@dataclass(frozen=True)
class Matcher:
    """One condition on the labels of an alert, as Prometheus writes it: `service="shop"`, `job=~"db-.*"`."""

    name: str
    operator: str
    value: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a matcher. Raises `ValueError` if it is none."""
        found = _MATCHER.fullmatch(text)
        if found is None:
            raise ValueError(f'{text!r} is no matcher; write one like service="shop" or alertname=~"Db.*"')
        name, operator, quoted, bare = found.groups()
        unescaped = re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], quoted or "")
        return cls(name, operator, unescaped if bare is None else bare)

    @property
    def text(self) -> str:
        """The matcher as text, the value in quotes."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'

    def body(self) -> dict[str, Any]:
        """Return the matcher as the API has it."""
        regex, equal = self.operator.endswith("~"), not self.operator.startswith("!")
        return {"name": self.name, "value": self.value, "isRegex": regex, "isEqual": equal}

    def takes_any(self) -> bool:
        """Whether an alert without the label matches, as far as can be told here."""
        if not self.operator.endswith("~"):
            return (self.value == "") == (self.operator == "=")
        try:
            empty_fits = re.fullmatch(self.value, "") is not None
        except re.error:  # Go's dialect, or a mistake: Alertmanager says so
            return False
        return empty_fits == (self.operator == "=~")


def _narrow(matchers: tuple[str, ...]) -> tuple[str, ...]:
    parsed = [Matcher.of(text) for text in matchers]
    if all(matcher.takes_any() for matcher in parsed):
        raise ValueError("one matcher at least has to demand that a label is there, or everything would be silent")
    return tuple(matcher.text for matcher in parsed)


class Silences:
    """A client for one step; use it in a `with` block. `mark` is the text in a comment by which the step's are known.

    Silences are kept by a short lease (see `integrations.leases.Keeper`).
    """

    def __init__(self, value_of: Callable[[Setting], str], mark: str, title: str, matchers: tuple[str, ...]) -> None:
        token = value_of(TOKEN)
        self._http = Http(
            address(value_of(URL), secret=bool(token)),
            system="Alertmanager",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            secrets=[token],
        )
        self._mark, self._comment = mark, f"{title} {mark}"
        self._matchers = [Matcher.of(text) for text in matchers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ours(self) -> list[Lease]:
        listed = self._ask("GET", "/api/v2/silences?expired=false").json
        mine = [one for one in listed if one["createdBy"] == AUTHOR and self._mark in one["comment"]]
        # Whatever the server makes of `expired`, which older ones do not know.
        return [lease for lease in map(_lease, mine) if lease.state != "ended"]

    def read(self, id_: str) -> Lease | None:
        answer = self._ask("GET", f"/api/v2/silence/{id_}", accept={_NOT_FOUND})
        return None if answer.status == _NOT_FOUND else _lease(answer.json)

    def create(self, ends_at: datetime) -> str:
        body = {
            "matchers": [matcher.body() for matcher in self._matchers],
            "startsAt": _moment(datetime.now(UTC) - _SKEW),
            "endsAt": _moment(ends_at),
            "createdBy": AUTHOR,
            "comment": self._comment,
        }
        return self._post(body, repeatable=False)

    def renew(self, lease: Lease, ends_at: datetime) -> str:
        # With the same start and matchers it is changed in place; with others it would be replaced.
        kept = {key: lease.document[key] for key in ("id", "matchers", "startsAt", "createdBy", "comment")}
        return self._post({**kept, "endsAt": _moment(ends_at)}, repeatable=True)

    def end(self, id_: str) -> None:
        self._ask("DELETE", f"/api/v2/silence/{id_}", accept={_NOT_FOUND})

    def firing(self) -> list[str]:
        """Return the names of the alerts that fire now and match. Raises `Final` if a matcher cannot be understood."""
        filters = urlencode([("filter", matcher.text) for matcher in self._matchers])
        return [one["labels"].get("alertname", "?") for one in self._ask("GET", f"/api/v2/alerts?{filters}").json]

    def version(self) -> str:
        """Return the server's version, as `/status` tells it."""
        return str(self._ask("GET", "/api/v2/status").json["versionInfo"].get("version", "unknown"))

    def _post(self, body: dict[str, Any], *, repeatable: bool) -> str:
        return str(self._ask("POST", "/api/v2/silences", json=body, repeatable=repeatable).json["silenceID"])

    def _ask(self, method: str, path: str, **options: Any) -> Response:
        try:
            answer = self._http.request(method, path, **options)
        except Final as error:
            advice = f" Check {URL.name} and {TOKEN.name}." if error.status in _REFUSED else ""
            raise Final(f"{error}{advice}", status=error.status) from None
        if method == "GET" and answer.json is None and answer.status != _NOT_FOUND:
            raise Final(f"What answers at {URL.name} is no Alertmanager: it sent no JSON. Check the address.")
        return answer


@step("alertmanager.silence")
class Silence(Leased):
    """Silence alerts in Alertmanager (Grafana, Mimir) until another step is settled, then end the silence.

    Let nothing need it, and let it need what should come before: it runs alongside. The silence is short and renewed
    while the step runs, so it follows an overrun, and ends by itself should the bot be gone. An abort ends it.
    """

    noun: ClassVar[str] = "silence"
    fact: ClassVar[str] = "silence"
    settings: ClassVar[tuple[Setting, ...]] = (URL, TOKEN)

    matchers: Annotated[tuple[str, ...], Field(min_length=1, max_length=50), AfterValidator(_narrow)]
    """Which alerts: those that fit all of these, such as `service="shop"`, `alertname=~"Db.*"`, `severity!="info"`."""

    def plan(self, ctx: Context) -> Plan:
        self.must_know_until(ctx)
        with self.keeper(ctx) as silences:
            firing = silences.firing()
        names = ", ".join(sorted(set(firing))[:_SHOWN])
        fire = "1 alert that matches fires" if len(firing) == 1 else f"{len(firing)} alerts that match fire"
        return Plan(
            summary=f"Silence {self._which()} until {self.until} is done",
            details=(f"{fire} now{f': {names}' if names else ''}.", f"Leased for {self.lease_s:g} s, and renewed."),
            subject={"uses": self.uses, "with": self.model_dump(mode="json")},
        )

    def keeper(self, ctx: Context) -> Silences:
        return Silences(ctx.setting, f"[{ctx.key}]", ctx.title, self.matchers)

    def effect(self) -> str:
        return f"Alerts with {self._which()} are silenced"

    def _which(self) -> str:
        return ", ".join(self.matchers)


@connection("Alertmanager", URL, TOKEN)
def look(value_of: ValueOf) -> str:
    """Return one line on the server. Raises `StepError` if it is not there or refuses the token."""
    with Silences(lambda setting: value_of(setting) or "", "", "", ()) as silences:
        return f"version {silences.version()} answers"


def address(url: str, *, secret: bool) -> str:
    """Return the address. Raises `Final` if it is none, or if a secret sent there could be read on the way."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise Final(f"{URL.name} has to be an http or https address without user and password.")
    if secret and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Final(f"{URL.name} has to begin with https://, or {TOKEN.name} could be read on the way.")
    return url.rstrip("/")


def _lease(silence: dict[str, Any]) -> Lease:
    ends_at = datetime.fromisoformat(silence["endsAt"]).astimezone(UTC)
    return Lease(silence["id"], ends_at, _STATES[silence["status"]["state"]], silence)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
