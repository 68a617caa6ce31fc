import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.starlette import SlackRequestHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from sandbox.server import Server
from sandbox.slack import Workspace
from tests.sandbox.slack.peers import Listener
from tests.sandbox.slack.place import CONFIG, Place


@pytest.fixture
def open_place() -> Iterator[Callable[..., Place]]:
    """Opens workspaces with changed settings; all are closed at the end."""
    servers: list[Server] = []

    def opened(**changes: Any) -> Place:
        workspace = Workspace(dataclasses.replace(CONFIG, **changes))
        servers.append(Server(workspace.app).start())
        return Place(workspace, servers[-1])

    yield opened
    for server in servers:
        server.stop()


@pytest.fixture
def place(open_place: Callable[..., Place]) -> Place:
    return open_place()


@pytest.fixture(params=["socket", "http"])
def connect(request: pytest.FixtureRequest, place: Place) -> Iterator[Callable[[App], None]]:
    """Connects a real Bolt app to `place`, once in each mode."""
    ends: list[Callable[[], object]] = []

    def connected(app: App) -> None:
        if request.param == "socket":
            handler = SocketModeHandler(app, place.workspace.config.app.app_token)
            handler.client.web_client.base_url = f"{place.url}/api/"
            handler.connect()  # type: ignore[no-untyped-call]
            ends.append(handler.close)
            place.slack.wait_for_app()
        else:
            handle = SlackRequestHandler(app)

            async def endpoint(incoming: Request) -> object:
                return await handle.handle(incoming)

            server = Server(Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])).start()
            ends.append(server.stop)
            place.slack.use_request_url(f"{server.url}/slack/events")

    yield connected
    for end in ends:
        end()


@pytest.fixture
def listen() -> Iterator[Callable[[Place], Listener]]:
    """Makes an app of which the test is the app's side, and has its deliveries come by HTTP."""
    servers: list[Server] = []

    def listening(place: Place) -> Listener:
        listener = Listener()
        routes = [Route("/events", listener.endpoint, methods=["POST"])]
        servers.append(Server(Starlette(routes=routes)).start())
        place.slack.use_request_url(f"{servers[-1].url}/events")
        return listener

    yield listening
    for server in servers:
        server.stop()
