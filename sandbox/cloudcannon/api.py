"""The REST front under `/api/v0`: checks the key, and answers for sites, what happens to them, and publishing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.cloudcannon import publishing, shapes
from sandbox.cloudcannon.errors import Refusal
from sandbox.cloudcannon.model import Pull, Site
from sandbox.cloudcannon.world import World


@dataclass(frozen=True)
class Call:
    """A request about one site: `body` is the JSON object sent (or empty), `params` those of path and query."""

    world: World
    site: Site
    body: dict[str, Any]
    params: dict[str, str]


Answer = tuple[int, Any]
Handler = Callable[[Call], Answer]
_MESSAGE = {"socket_message_id": "message-1"}


def routes(world: World) -> list[Route]:
    """Every API route over `world`."""
    sites = [
        Route(f"/api/v0/sites/{{site}}{path}", _serve(world, handler), methods=[method])
        for method, path, handler in HANDLERS
    ]
    organisations = _listing(world, lambda: [{"uuid": world.organisation, "id": 1, "name": "Acme"}])
    listed = _listing(world, lambda: [shapes.site(site) for site in world.sites.values() if not site.deleted])
    return [Route("/api/v0/orgs", organisations), Route("/api/v0/orgs/{org}/sites", listed), *sites]


def _serve(world: World, handler: Handler) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        raw = await request.body()
        return await run_in_threadpool(_answer, world, handler, request, raw)

    return serve


def _answer(world: World, handler: Handler, request: Request, raw: bytes) -> Response:
    with world.lock:
        try:
            _check_key(world, request)
            params = {**request.query_params, **request.path_params}
            status, content = handler(Call(world, _site(world, params), json.loads(raw) if raw else {}, params))
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
    return Response(None, status) if content is None else JSONResponse(content, status)


def _site(world: World, params: dict[str, str]) -> Site:
    site = world.sites.get(params["site"])
    if site is None or site.deleted:
        raise Refusal(403, "Forbidden")
    for each in world.sites.values():
        world.refresh(each)
    return site


def _check_key(world: World, request: Request) -> None:
    key = request.headers.get("x-api-key", "")
    if not key:
        raise Refusal(401, "Unauthorized")
    if key != world.key:
        raise Refusal(403, "Forbidden")


def _listing(world: World, items: Callable[[], list[Any]]) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        try:
            _check_key(world, request)
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return JSONResponse(items())

    return serve


def show(call: Call) -> Answer:
    """`GET /sites/{site}`."""
    return 200, shapes.site(call.site)


def syncs(call: Call) -> Answer:
    """`GET …/syncs`."""
    return 200, _page([shapes.sync(one, call.site) for one in call.site.syncs], call.params)


def builds(call: Call) -> Answer:
    """`GET …/builds`."""
    return 200, _page([shapes.build(one, call.site) for one in call.site.builds], call.params)


def outputs(call: Call) -> Answer:
    """`GET …/outputs`."""
    return 200, _page([shapes.output(one, call.site) for one in call.site.outputs], call.params)


def _page(items: list[dict[str, Any]], params: dict[str, str]) -> list[dict[str, Any]]:
    """Those that the filters let through, the newest first, as `page` and `items` cut them."""
    since = params.get("created_at_gte")
    for name in ("after_identifier", "identifier"):
        if name in params:
            items = [item for item in items if item.get(name) == params[name]]
    if "successful" in params:
        items = [item for item in items if item["successful"] is (params["successful"] == "true")]
    if since:
        items = [item for item in items if datetime.fromisoformat(item["created_at"]) >= datetime.fromisoformat(since)]
    items = sorted(items, key=lambda item: int(item["id"]), reverse=params.get("sort_direction", "DESC") == "DESC")
    size, page = int(params.get("items", 20)), int(params.get("page", 1))
    return items[(page - 1) * size : page * size]


def start_sync(call: Call) -> Answer:
    """`POST …/providers/sync`."""
    call.world.sync(call.site)
    return 200, _MESSAGE


def start_build(call: Call) -> Answer:
    """`POST …/builds`: no answer but that it was taken."""
    call.world.build(call.site)
    return 204, None


def cancel_builds(call: Call) -> Answer:
    """`DELETE …/builds`."""
    for build in call.site.builds:
        build.cancelled = build.cancelled or build.completed_at is None
    return 204, None


def branches(call: Call) -> Answer:
    """`GET …/providers/branches`."""
    refs = call.world.git(call.site).refs("refs/heads/")
    return 200, [{"name": ref.removeprefix("refs/heads/"), "sha": sha} for ref, sha in refs.items()]


def compare(call: Call) -> Answer:
    """`GET …/branches/publish/compare`."""
    return 200, publishing.comparison(call.world, call.site)


def merge(call: Call) -> Answer:
    """`POST …/branches/merge`: publishes. 204 when the site is gone by that."""
    if call.site.publish_mode == "pull_request":
        raise Refusal(422, {"base": ["This call.site publishes through pull requests"]})
    publishing.merge(call.world, call.site)
    return (204, None) if call.site.deleted else (200, shapes.site(call.site))


def set_publish_branch(call: Call) -> Answer:
    """`POST …/branches/publish`: says which branch is published to, and publishes nothing."""
    if call.world.git(call.site).branch(str(call.body.get("branch", ""))) is None:
        raise Refusal(422, {"branch": ["No such branch"]})
    call.site.publish_branch = call.body["branch"]
    return 200, shapes.site(call.site)


def set_publish_mode(call: Call) -> Answer:
    """`PUT …/publish`: says how to publish, and publishes nothing."""
    call.site.publish_mode = call.body.get("publish_mode", call.site.publish_mode)
    call.site.destroy_on_publish = bool(call.body.get("destroy_on_publish", call.site.destroy_on_publish))
    return 200, shapes.site(call.site)


def pulls(call: Call) -> Answer:
    """`GET …/pull-requests`: the newest first."""
    size, page = int(call.params.get("items", 20)), int(call.params.get("page", 1))
    found = [shapes.pull(pull, call.site) for pull in reversed(call.site.pulls)]
    return 200, found[(page - 1) * size : page * size]


def open_pull(call: Call) -> Answer:
    """`POST …/pull-requests`."""
    pull = publishing.open_pull(call.world, call.site, str(call.body.get("title", "")), str(call.body.get("body", "")))
    return 200, shapes.pull(pull, call.site)


def show_pull(call: Call) -> Answer:
    """`GET …/pull-requests/{number}`."""
    return 200, shapes.pull(_pull(call.site, call.params), call.site)


def merge_pull(call: Call) -> Answer:
    """`PUT …/pull-requests/{number}/merge`: 204 when it was merged at once."""
    publishing.merge_pull(
        call.world, call.site, _pull(call.site, call.params), squash=call.body.get("type") == "squash"
    )
    return 204, None


def _pull(site: Site, params: dict[str, str]) -> Pull:
    for pull in site.pulls:
        if str(pull.number) == params["number"]:
            return pull
    raise Refusal(422, {"number": ["No such pull request"]})


_GIT = "/providers/branches"
_PULLS = "/providers/pull-requests"
HANDLERS: list[tuple[str, str, Handler]] = [
    ("GET", "", show),
    ("GET", "/syncs", syncs),
    ("GET", "/builds", builds),
    ("POST", "/builds", start_build),
    ("DELETE", "/builds", cancel_builds),
    ("GET", "/outputs", outputs),
    ("POST", "/providers/sync", start_sync),
    ("GET", f"{_GIT}/publish/compare", compare),
    ("POST", f"{_GIT}/publish", set_publish_branch),
    ("POST", f"{_GIT}/merge", merge),
    ("GET", _GIT, branches),
    ("GET", _PULLS, pulls),
    ("POST", _PULLS, open_pull),
    ("GET", f"{_PULLS}/{{number}}", show_pull),
    ("PUT", f"{_PULLS}/{{number}}/merge", merge_pull),
    ("PUT", "/publish", set_publish_mode),
]
