"""Speaks Intercom's REST API, version 2.14: every request within the granted rate, every answer judged."""

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus as Status
from typing import Any, Self
from urllib.parse import urlsplit

from bot.errors import AnswerLost, Final, Stopped, Temporary
from bot.http import Http, Response
from bot.step import Context, Setting
from integrations.intercom.limiter import Limiter

TOKEN = Setting("MAINT_INTERCOM_TOKEN", help="The access token of the Intercom app.", secret=True)
URL = Setting(
    "MAINT_INTERCOM_URL",
    help="Intercom's API: https://api.intercom.io, https://api.eu.intercom.io or https://api.au.intercom.io.",
    default="https://api.intercom.io",
)
ADMIN_ID = Setting("MAINT_INTERCOM_ADMIN_ID", help="The id of the Intercom admin from whom messages come.")

VERSION = "2.14"
_TELLS_MERGED = "2.17"
WORKERS = 40
"""Requests on their way at once: 1,667 in ten seconds need 34 where an answer takes 0.2 s."""
_NOT_AS_PROMISED = (AttributeError, KeyError, TypeError, ValueError)
_PER_PAGE = 150  # the most that cursor paging grants
_OK = range(200, 300)
_ANY_ANSWER = range(300, 600)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Page:
    """One page of a contact search: contacts as the API gives them, how many there are in all, and the next cursor."""

    contacts: list[dict[str, Any]]
    total: int
    cursor: str | None


class Intercom:
    """A client for one step attempt; use it in a `with` block. Thread-safe.

    `stopped` is asked while waiting for the rate limit; when it comes true, requests raise `Stopped` unsent.
    """

    def __init__(self, url: str, token: str, stopped: Callable[[], bool]) -> None:
        host = urlsplit(url).hostname or ""
        if urlsplit(url).scheme != "https" and host not in _LOOPBACK:
            raise Final(f"{URL.name} is {url!r}: it has to begin with https://, or the token could be read on the way.")
        self._url, self._token = url, token
        self._idle: list[Http] = []
        self._limiter = Limiter()
        self._stopped = stopped
        self._ahead_s = 0.0

    @classmethod
    def of(cls, ctx: Context) -> Self:
        """Return a client made from the settings. Raises `Final` if one is missing or wrong."""
        return cls(ctx.setting(URL), ctx.setting(TOKEN), lambda: ctx.stop_reason() is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()

    def now(self) -> int:
        """Return Intercom's own time in Unix seconds, as its latest `Date` header had it: what its stamps go by."""
        return int(time.time() + self._ahead_s)

    def me(self) -> dict[str, Any]:
        """Return the admin whose token it is, with the workspace under `app` (`GET /me`)."""
        return self._read("GET", "/me")

    def name_of(self, admin: str) -> str:
        """Return the name of the admin with this id (`GET /admins`). Raises `Final`, naming those there are."""
        found = self._read("GET", "/admins")
        try:
            names = {str(one["id"]): str(one.get("name", "")) for one in found["admins"]}
        except _NOT_AS_PROMISED:
            raise Temporary("Intercom's list of admins is not what it promises. Nothing was sent.") from None
        if admin not in names:
            known = ", ".join(f"{name} ({number})" for number, name in list(names.items())[:10])
            raise Final(f"Intercom knows no admin {admin!r} to send from ({ADMIN_ID.name}). It knows: {known}.")
        return names[admin]

    def search(self, role: str, seen_after: int, cursor: str | None = None, per_page: int = _PER_PAGE) -> Page:
        """Return one page of the contacts with `role` seen after the day of `seen_after` (Unix seconds).

        Intercom compares by calendar day in the workspace's zone, and `>` begins with the next day. The cursor
        belongs in the body; in the address it is ignored. ("Search contacts", "Pagination".)
        """
        paging: dict[str, Any] = {"per_page": per_page}
        if cursor is not None:
            paging["starting_after"] = cursor
        filters = [
            {"field": "role", "operator": "=", "value": role},
            {"field": "last_seen_at", "operator": ">", "value": seen_after},
        ]
        asked = {
            "query": {"operator": "AND", "value": filters},
            "pagination": paging,
            "sort": {"field": "created_at", "order": "ascending"},
        }
        found = self._read("POST", "/contacts/search", asked)
        try:
            following = (found.get("pages") or {}).get("next") or {}
            return Page(list(found["data"]), int(found["total_count"]), following.get("starting_after"))
        except _NOT_AS_PROMISED:
            raise Temporary("Intercom's page of contacts is not what it promises. Nothing was sent.") from None

    def pages(self, role: str, seen_after: int) -> Iterator[Page]:
        """Yield every page of `search`. Raises `Final` if Intercom gives the same cursor twice."""
        cursor: str | None = None
        while True:
            page = self.search(role, seen_after, cursor)
            yield page
            if page.cursor is None:
                return
            if page.cursor == cursor:
                raise Final("Intercom's contact search gave the same page twice; nothing was sent. Retry the step.")
            cursor = page.cursor

    def with_address(self, address: str) -> list[dict[str, Any]]:
        """Return the contacts with this e-mail address ("Search contacts"); a user and a lead may share one."""
        query = {"operator": "AND", "value": [{"field": "email", "operator": "=", "value": address}]}
        found: list[dict[str, Any]] = self._read("POST", "/contacts/search", {"query": query})["data"]
        return found

    def contact(self, contact: str) -> dict[str, Any] | None:
        """Return a contact, or None if it was deleted, or merged into another ("Get a contact")."""
        answer = self._ask("GET", f"/contacts/{contact}", None, repeatable=True)
        return None if answer.status == Status.NOT_FOUND else self._good("GET", f"/contacts/{contact}", answer)

    def fate(self, contact: str) -> int:
        """Return the status that Intercom answers about a contact that is gone: 404 if deleted, 410 if merged.

        Asked in the first version that tells them apart ("Merge contacts", 2.17); 400 where it is not to be had.
        """
        path, headers = f"/contacts/{contact}", {"Intercom-Version": _TELLS_MERGED}
        return self._ask("GET", path, None, repeatable=True, headers=headers).status

    def send(self, message: dict[str, Any], stopped: Callable[[], bool]) -> Response:
        """Post one message, once, and return the answer, whatever its status.

        Raises `Temporary` if it certainly was not sent, `AnswerLost` if nobody knows, and `Stopped`, unsent, when
        `stopped` comes true while it waits for the rate limit.
        """
        return self._ask("POST", "/messages", message, repeatable=False, stopped=stopped)

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, repeatable: bool = True
    ) -> dict[str, Any] | None:
        """Make a call of the API and return its answer, or None if what it names is not there (404).

        Raises `Temporary` if a `repeatable` call may be made again, `AnswerLost` if nobody knows what came of one that
        is not, and `Final` if it was refused.
        """
        while (answer := self._ask(method, path, body, repeatable=repeatable)).status == Status.TOO_MANY_REQUESTS:
            pass  # the limiter holds the next one until the window that the refusal named
        if answer.status == Status.NOT_FOUND:
            return None
        if answer.status >= Status.INTERNAL_SERVER_ERROR and not repeatable:
            raise AnswerLost(
                f"Intercom answered {answer.status} to {method} {path}: {what_it_said(answer)} It may have been done."
            )
        return self._good(method, path, answer)

    def _read(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        while True:
            answer = self._ask(method, path, body, repeatable=True)
            if answer.status != Status.TOO_MANY_REQUESTS:
                return self._good(method, path, answer)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        repeatable: bool,
        stopped: Callable[[], bool] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        if not self._limiter.take(stopped or self._stopped):
            raise Stopped(f"Stopped before {method} {path} was sent to Intercom.")
        try:
            answer = self._request(method, path, body, repeatable, headers)
        except (AnswerLost, Temporary) as error:
            if isinstance(error, AnswerLost) or repeatable:
                self._limiter.lost()
            else:
                self._limiter.unsent()
            raise
        if answer.status == Status.TOO_MANY_REQUESTS:
            self._limiter.refused(answer.headers)
        else:
            self._limiter.learn(answer.headers)
        self._set_clock(answer)
        return answer

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None, repeatable: bool, headers: Mapping[str, str] | None
    ) -> Response:
        # A connection for each request on its way: a client with many looks at all of them before every request, which
        # with 40 took half of the processor's time.
        try:
            http = self._idle.pop()
        except IndexError:
            http = self._connection()
        try:
            return http.request(method, path, json=body, headers=headers, accept=_ANY_ANSWER, repeatable=repeatable)
        finally:
            self._idle.append(http)

    def _connection(self) -> Http:
        headers = {"Authorization": f"Bearer {self._token}", "Intercom-Version": VERSION, "Accept": "application/json"}
        return Http(self._url, system="Intercom", headers=headers, secrets=[self._token], connections=1)

    def _good(self, method: str, path: str, answer: Response) -> dict[str, Any]:
        if answer.status in _OK and isinstance(answer.json, dict):
            return answer.json
        said = f"Intercom answered {answer.status} to {method} {path}: {what_it_said(answer)}"
        if answer.status >= Status.INTERNAL_SERVER_ERROR:
            raise Temporary(said)
        raise Final(f"{said} {_advice(answer.status)}".strip(), status=answer.status)

    def _set_clock(self, answer: Response) -> None:
        try:
            theirs = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return
        self._ahead_s = theirs - time.time()


def errors_of(answer: Response) -> list[tuple[str, str]]:
    """Return code and message of each error in an answer of the type `error.list`."""
    listed = answer.json.get("errors") if isinstance(answer.json, dict) else None
    return [(str(item.get("code", "")), str(item.get("message", ""))) for item in listed or []]


def what_it_said(answer: Response) -> str:
    """Return the errors of an answer as one line for people."""
    told = "; ".join(f"{message} ({code})" for code, message in errors_of(answer))
    return told or " ".join(answer.text.split())[:200] or "(no text)"


def _advice(status: int) -> str:
    if status in {Status.UNAUTHORIZED, Status.FORBIDDEN}:
        return f"Check {TOKEN.name}, what the token may do, and whether {URL.name} is the region of the workspace."
    return ""
