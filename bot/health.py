"""Tells a load balancer or a service manager over HTTP how this process is: alive, ready, and in numbers.

`/healthz` is for restarts: it fails only if a restart would mend it. `/readyz` is for traffic and for people: it fails
while anything that the process needs is not there, and says what.
"""

import hmac
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer

import structlog
from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.database import Database, Unavailable

Check = Callable[[], str]
"""Returns what is wrong, in words, or an empty text."""
Numbers = Callable[[], tuple[bytes, str]]
"""Returns the text of the metrics and its media type. Raises `Unavailable` while the database is away."""
_ANSWERS_WITHIN_S = 2.0
# Of a table: SQLite answers what needs none without a look at its file.
_QUESTION = "SELECT count(*) AS number FROM schema_versions"
_FRESH = {"Cache-Control": "no-store"}

log = structlog.get_logger()


class Answers:
    """A check that the database answers within two seconds; one question is under way at a time."""

    def __init__(self, database: Database, within_s: float = _ANSWERS_WITHIN_S) -> None:
        self._database = database
        self._within_s = within_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._asked: Future[object] | None = None

    def __call__(self) -> str:
        # A question that hangs is waited for, not asked again: whoever probes often would pile them up.
        if self._asked is None or self._asked.done():
            self._asked = self._pool.submit(self._database.query, _QUESTION)
        try:
            self._asked.result(self._within_s)
        except NoAnswer:
            return f"no answer within {self._within_s:g} seconds"
        except Unavailable as error:
            return str(error)
        except Exception as error:
            log.exception("readiness_broke")
            return f"it cannot be read ({type(error).__name__})"
        return ""


def health_routes(
    alive: Mapping[str, Check],
    ready: Mapping[str, Check],
    numbers: Numbers | None = None,
    token: SecretStr | None = None,
) -> list[Route]:
    """Return the routes `/healthz` and `/readyz`, of the checks by name, and `/metrics` if there are `numbers`.

    The two answer 200, or 503 with what is wrong: `{"ok": false, "wrong": {"database": "…"}}`. With a `token`, the
    metrics are only for who sends it as `Authorization: Bearer`.
    """

    async def healthz(_: Request) -> Response:
        return await run_in_threadpool(_judged, alive)

    async def readyz(_: Request) -> Response:
        return await run_in_threadpool(_judged, {**alive, **ready})

    async def metrics(request: Request) -> Response:
        assert numbers is not None  # noqa: S101 - there is no route to here otherwise
        if token is not None and not _knows(request, token):
            return Response("The metrics are for who has the token.", 401, {"WWW-Authenticate": "Bearer"})
        try:
            text, media_type = await run_in_threadpool(numbers)
        except Unavailable as error:
            return Response(str(error), 503, _FRESH)
        return Response(text, headers={**_FRESH, "Content-Type": media_type})

    routes = [Route("/healthz", healthz), Route("/readyz", readyz)]
    return [*routes, Route("/metrics", metrics)] if numbers is not None else routes


def _judged(checks: Mapping[str, Check]) -> Response:
    wrong = {name: told for name, check in checks.items() if (told := check())}
    if wrong:
        return JSONResponse({"ok": False, "wrong": wrong}, 503, _FRESH)
    return JSONResponse({"ok": True}, headers=_FRESH)


def _knows(request: Request, token: SecretStr) -> bool:
    given = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode())
