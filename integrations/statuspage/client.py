"""Speaks Statuspage's REST API, version 1: within its rate, every answer judged."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus as Status
from typing import Any, Self
from urllib.parse import urlsplit

from bot.errors import Final, Temporary
from bot.http import Http, Response, retry_after_s
from bot.step import Context, Setting
from integrations.statuspage.rate import bucket_of

KEY = Setting("MAINT_STATUSPAGE_KEY", help="The API key of the Statuspage account.", secret=True)
URL = Setting("MAINT_STATUSPAGE_URL", help="Statuspage's API.", default="https://api.statuspage.io/v1")
SETTINGS = (KEY, URL)

OPEN_LISTS = ("upcoming", "scheduled", "active_maintenance")
"""The lists that hold every maintenance which is not over."""
_TOO_MANY = frozenset({420, 429})
_REFUSALS = range(300, 500)
_REFUSED_AT_MOST = 3
_LONGEST_WAIT_S = 60.0
_PER_PAGE = 100
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Mapped = Mapping[str, Any]


class Statuspage:
    """A client of the API; use it in a `with` block. `pause` waits so many seconds, or raises `Stopped`.

    Every method raises `Temporary` if certainly nothing was done, `Final` if Statuspage refuses; those that write say
    what a lost answer means.
    """

    def __init__(self, url: str, key: str, pause: Callable[[float], None]) -> None:
        if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in _LOOPBACK:
            raise Final(f"{URL.name} is {url!r}: it has to begin with https://, or the key could be read on the way.")
        self._key = key
        self._pause = pause
        self._bucket = bucket_of(url, key)
        headers = {"Authorization": f"OAuth {key}", "Accept": "application/json"}
        self._http = Http(url, system="Statuspage", headers=headers, secrets=[key], connections=2)

    @classmethod
    def of(cls, ctx: Context) -> Self:
        """Return a client made from the settings. Raises `Final` if one is missing or wrong."""
        return cls(ctx.setting(URL), ctx.setting(KEY), ctx.sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __repr__(self) -> str:
        return "Statuspage()"

    def pages(self) -> list[Mapped]:
        """Return the pages that the key may change."""
        return list(self._read("/pages"))

    def page(self, page: str) -> Mapped:
        """Return a page: `name`, `domain`, `subdomain`, `viewers_must_be_team_members` and the like."""
        return dict(self._read(f"/pages/{page}"))

    def components(self, page: str) -> list[Mapped]:
        """Return the components and groups of a page, with the status of each as it is now."""
        return list(self._listed(f"/pages/{page}/components"))

    def incidents(self, page: str, kind: str) -> Iterator[Mapped]:
        """Yield the incidents in one of `OPEN_LISTS`."""
        return self._listed(f"/pages/{page}/incidents/{kind}")

    def latest(self, page: str) -> Iterator[Mapped]:
        """Yield the latest hundred incidents, those that are over among them."""
        yield from self._read(f"/pages/{page}/incidents", {"limit": _PER_PAGE})

    def incident(self, page: str, incident: str) -> Mapped | None:
        """Return one incident, or None if it has been deleted."""
        answer = self._send("GET", f"/pages/{page}/incidents/{incident}")
        return None if answer.status == Status.NOT_FOUND else dict(self._good("read the maintenance", answer))

    def create(self, page: str, fields: Mapped) -> Mapped:
        """Create an incident, once. A lost answer raises `AnswerLost`: whoever calls has to look for it."""
        answer = self._send("POST", f"/pages/{page}/incidents", {"incident": fields})
        return dict(self._good("publish the maintenance", answer))

    def update(self, page: str, incident: str, fields: Mapped) -> Mapped:
        """Change an incident, once: what has a `body` is told to the subscribers. A lost answer raises `AnswerLost`."""
        answer = self._send("PATCH", f"/pages/{page}/incidents/{incident}", {"incident": fields})
        if answer.status == Status.NOT_FOUND:
            raise Final(f"{GONE} {what_it_said(answer, self._key)}", status=answer.status)
        return dict(self._good("update the maintenance", answer))

    def delete(self, page: str, incident: str) -> None:
        """Delete an incident; one that is gone already is fine."""
        answer = self._send("DELETE", f"/pages/{page}/incidents/{incident}")
        if answer.status != Status.NOT_FOUND:
            self._good("delete the maintenance", answer)

    def set_component(self, page: str, component: str, status: str) -> None:
        """Set a component's status by itself; doing so twice changes nothing more."""
        path = f"/pages/{page}/components/{component}"
        answer = self._send("PATCH", path, {"component": {"status": status}}, repeatable=True)
        self._good("set the status of a component", answer)

    def _listed(self, path: str) -> Iterator[Mapped]:
        number = 1
        while True:
            found = list(self._read(path, {"page": number, "per_page": _PER_PAGE}))
            yield from found
            if len(found) < _PER_PAGE:
                return
            number += 1

    def _read(self, path: str, params: Mapping[str, int] | None = None) -> Any:
        return self._good(f"read {path}", self._send("GET", path, params=params))

    def _send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, int] | None = None,
        repeatable: bool | None = None,
    ) -> Response:
        """Make one request when the rate allows it. One refused for its rate was not done, and is made again."""
        for refused in range(_REFUSED_AT_MOST + 1):
            wait_s = self._bucket.take()
            if wait_s:
                self._pause(wait_s)
            answer = self._http.request(method, path, json=json, params=params, accept=_REFUSALS, repeatable=repeatable)
            if answer.status not in _TOO_MANY:
                return answer
            wait_s = retry_after_s(answer.headers) or float(2**refused)
            self._bucket.hold(wait_s)
            if wait_s > _LONGEST_WAIT_S:
                break
        raise Temporary(
            f"Statuspage answered {answer.status}: the rate of this key (60 requests a minute) is used up, by others "
            "too perhaps. Nothing was changed.",
            retry_after_s=wait_s,
        )

    def _good(self, doing: str, answer: Response) -> Any:
        if answer.status < _REFUSALS.start and isinstance(answer.json, dict | list):
            return answer.json
        if answer.status < _REFUSALS.start:
            raise Temporary(f"Statuspage's answer to our attempt to {doing} was not what it promises.")
        said = what_it_said(answer, self._key)
        raise Final(f"Statuspage refused to {doing} ({answer.status}): {said} {_advice(answer.status)}".strip(),
                    status=answer.status)  # fmt: skip


GONE = (
    "The maintenance is no longer on the status page: somebody has deleted it. Retry the step that publishes it, or "
    "skip this one."
)


def what_it_said(answer: Response, key: str) -> str:
    """Return the message of a refusal as one line, the key cut out."""
    told = answer.json.get("message") or answer.json.get("error") if isinstance(answer.json, dict) else None
    return " ".join(str(told or answer.text).split()).replace(key, "•••")[:300] or "(no text)"


def _advice(status: int) -> str:
    if status in {Status.UNAUTHORIZED, Status.FORBIDDEN}:
        return f"Check {KEY.name}: whether the key is still good, and whether it may change this page."
    if status == Status.NOT_FOUND:
        return "Check `page` in the runbook: `maint check` lists the pages that the key sees."
    return ""
