"""A whole Slack workspace as one ASGI application."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Faults
from sandbox.slack.answers import respond
from sandbox.slack.api import WebApi
from sandbox.slack.config import Config
from sandbox.slack.delivery import Delivery
from sandbox.slack.interaction import Interaction
from sandbox.slack.methods_files import download, upload
from sandbox.slack.people_api import PeopleApi
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import State
from sandbox.slack.surfaces import Surfaces

PAGE = Path(__file__).parent / "page"


class Workspace:
    """`app` is to be served on loopback; `faults` wraps it and can break its HTTP (not its WebSockets).

    Everything else in here belongs to the server's event loop: from outside, use `sandbox.slack.people.Slack`.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.state = State(self.config)
        self.surfaces = Surfaces(self.state)
        self.sockets = Sockets(self.surfaces, self.config.timing)
        self.delivery = Delivery(self.state, self.sockets)
        self.state.emit = self.delivery.event
        people = PeopleApi(Interaction(self.state, self.surfaces, self.delivery), self.sockets)
        routes = [
            Route("/api/{method}", WebApi(self.state, self.surfaces).answer, methods=["GET", "POST"]),
            WebSocketRoute("/link/", self.sockets.endpoint),
            Route("/response/{kind}/{team}/{key}", self._respond, methods=["POST"]),
            Route("/upload/v1/{file_id}", self._upload, methods=["POST"]),
            Route("/files/{file_id}/{name:path}", self._download),
            *people.routes(),
            Route("/", self._page),
            Route("/archives/{rest:path}", self._page),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        self.faults = Faults(_Located(Starlette(routes=routes), self.state))
        self.app: ASGIApp = self.faults

    async def _respond(self, request: Request) -> Response:
        return await respond(self.surfaces, request)

    async def _upload(self, request: Request) -> Response:
        return await upload(self.state, request)

    async def _download(self, request: Request) -> Response:
        return await download(self.state, request)

    async def _page(self, _: Request) -> Response:
        return FileResponse(PAGE / "index.html")


class _Located:
    """Learns from each request at which address the workspace is reached: the URLs it hands out begin with it."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value.decode() for name, value in scope["headers"] if name == b"host"), "")
            if host:
                self.state.base_url = f"http://{host}"
        await self.app(scope, receive, send)
