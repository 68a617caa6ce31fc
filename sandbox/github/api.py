"""The REST front: finds the caller, counts the rate limit, checks rights, and turns refusals into answers.

Served under `/` and, as on an Enterprise Server, under `/api/v3`.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.github import apps, checks, contents, gitdata, pulls, repos
from sandbox.github.call import Answer, Call, Endpoint
from sandbox.github.errors import Refusal, not_found
from sandbox.github.git import GitError
from sandbox.github.model import Access
from sandbox.github.world import World

PREFIXES = ("", "/api/v3")
# Longer paths first: a branch or ref may itself hold slashes.
ENDPOINTS = [*gitdata.ENDPOINTS, *contents.ENDPOINTS, *pulls.ENDPOINTS, *checks.ENDPOINTS, *repos.ENDPOINTS]
NOBODY = Access("", {}, set())


def routes(world: World) -> list[Route]:
    """Every API route over `world`."""
    app_paths = [(endpoint, True) for endpoint in apps.APP_ENDPOINTS]
    paths = app_paths + [(endpoint, False) for endpoint in ENDPOINTS]
    return [
        Route(prefix + endpoint.path, _serve(world, endpoint, as_app=as_app), methods=[endpoint.method])
        for prefix in PREFIXES
        for endpoint, as_app in paths
    ]


def _serve(world: World, endpoint: Endpoint, *, as_app: bool) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        raw = await request.body()
        return await run_in_threadpool(_answer, world, endpoint, request, raw, as_app=as_app)

    return serve


def _answer(world: World, endpoint: Endpoint, request: Request, raw: bytes, *, as_app: bool) -> Response:
    bearer = _bearer(request)
    headers = {"x-github-media-type": "github.v3; format=json", "x-github-api-version-selected": "2022-11-28"}
    body, access = None, NOBODY
    with world.lock:
        try:
            if not as_app:
                access = _caller(world, bearer)
                _spend(world, access, endpoint, headers)
            body = _body(raw)
            call = _call(world, request, access, bearer, body)
            _check_rights(call, endpoint, headers)
            status, content = _handle(call, endpoint)
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
            headers |= refusal.headers
        world.requests.append(
            {"method": request.method, "path": request.url.path, "query": dict(request.query_params),
             "body": body, "by": access.login, "status": status}
        )  # fmt: skip
    if isinstance(content, bytes):
        return Response(content, status, headers, "application/vnd.github.raw")
    return Response(None, status, headers) if content is None else JSONResponse(content, status, headers)


def _handle(call: Call, endpoint: Endpoint) -> Answer:
    if "repo" in call.params:
        name = f"{call.params['owner']}/{call.params['repo']}"
        if name in call.world.repositories:
            call.world.refresh(call.world.repositories[name])
    try:
        answer = endpoint.handler(call)
    except GitError as error:  # a path or name that git itself will not have
        raise Refusal(422, f"git refused: {error}") from error
    if "repo" in call.params and endpoint.method != "GET":
        call.world.refresh(call.repo)
    return answer


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() in {"bearer", "token"} else ""


def _caller(world: World, bearer: str) -> Access:
    if not bearer:
        raise Refusal(401, "Requires authentication")
    access = world.tokens.get(bearer)
    if access is None or (access.expires_at and access.expires_at <= world.now()):
        raise Refusal(401, "Bad credentials")
    return access


def _spend(world: World, access: Access, endpoint: Endpoint, headers: dict[str, str]) -> None:
    allowed = endpoint.path == "/rate_limit" or access.spend(world.now())
    ends = access.window_ends
    headers |= {
        "x-ratelimit-limit": str(access.limit),
        "x-ratelimit-remaining": str(access.limit - access.used),
        "x-ratelimit-used": str(access.used),
        "x-ratelimit-reset": str(int(ends.timestamp()) if ends else 0),
        "x-ratelimit-resource": "core",
    }
    if not allowed:
        raise Refusal(403, f"API rate limit exceeded for {access.login}.")


def _body(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body


def _call(world: World, request: Request, access: Access, bearer: str, body: dict[str, Any]) -> Call:
    prefix = "/api/v3" if request.url.path.startswith("/api/v3/") else ""
    url = str(request.base_url).rstrip("/") + prefix
    params = {name: str(value) for name, value in request.path_params.items()}
    accept = request.headers.get("accept", "")
    return Call(world, access, url, params, dict(request.query_params), body, accept, bearer, world.now())


def _check_rights(call: Call, endpoint: Endpoint, headers: dict[str, str]) -> None:
    """What may not be seen is 404; what may be seen but not done is 403 and names the right that lacks."""
    if endpoint.permission is None:
        return
    repo = call.repo
    headers["x-accepted-github-permissions"] = f"{endpoint.permission}={endpoint.level}"
    if call.access.may(endpoint.permission, endpoint.level):
        return
    if not repo.private and endpoint.level == "read" and endpoint.permission != "administration":
        return
    if call.access.app_id is not None:
        raise Refusal(403, "Resource not accessible by integration")
    raise Refusal(403, "Resource not accessible by personal access token")


def unknown(request: Request) -> Response:  # noqa: ARG001 - the shape that Starlette calls
    """The answer for an API path that does not exist."""
    refusal = not_found()
    return JSONResponse(refusal.body, refusal.status)
