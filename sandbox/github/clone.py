"""Read-only smart HTTP, so that `git clone http://host/owner/name.git` (and Bundler) gets the real commits.

git's own CGI program does the work. Pushing goes through the API or the path on disk.
"""

import os
import subprocess
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.github.world import World


def routes(world: World) -> list[Route]:
    """The two requests of a clone or fetch."""
    base = "/{owner}/{repo}.git"
    return [
        Route(f"{base}/info/refs", _serve(world), methods=["GET"]),
        Route(f"{base}/git-upload-pack", _serve(world), methods=["POST"]),
    ]


def _serve(world: World) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        body = await request.body()
        full_name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        if full_name not in world.repositories:
            return PlainTextResponse("Repository not found.", 404)
        return await run_in_threadpool(_backend, world, request, body)

    return serve


def _backend(world: World, request: Request, body: bytes) -> Response:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(world.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": request.url.path,
        "QUERY_STRING": request.url.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    }
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "http-backend"],  # noqa: S607 - whichever git the machine has
        input=body,
        capture_output=True,
        check=True,
        env=environment,
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split(" ")[0])
    return Response(content, status, headers)
