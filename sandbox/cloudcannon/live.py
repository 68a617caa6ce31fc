"""The hosting: what was put out last for each site, as plain files."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.cloudcannon.world import World

_FRESH = {"Cache-Control": "no-store"}


def routes(world: World) -> list[Route]:
    """`/site/NAME/…` for every site, and a list of them."""
    serve = _serve(world)
    return [Route("/", serve), Route("/site/{name}", serve), Route("/site/{name}/{path:path}", serve)]


def _serve(world: World) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        return await run_in_threadpool(_answer, world, request)

    return serve


def _answer(world: World, request: Request) -> Response:
    name, path = request.path_params.get("name"), request.path_params.get("path")
    if name is None:
        links = "".join(
            f'<li><a href="/site/{escape(site.name)}/">{escape(site.name)}</a>' for site in world.sites.values()
        )
        return HTMLResponse(f"<!doctype html><title>Sites</title><ul>{links}</ul>", headers=_FRESH)
    if path is None:
        return RedirectResponse(f"/site/{name}/", 301)
    with world.lock:
        for each in world.sites.values():
            world.refresh(each)
        site = next((site for site in world.sites.values() if site.name == name and not site.deleted), None)
        folder = site.live if site else None
    file = _inside(folder, path) if folder else None
    return FileResponse(file, headers=_FRESH) if file else HTMLResponse("Not found", 404, _FRESH)


def _inside(folder: Path, path: str) -> Path | None:
    file = (folder / path).resolve()
    if file.is_dir():
        file = file / "index.html"
    return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
