"""The app's side by hand, where a test must see or spoil what a framework would hide."""

import contextlib
import json
import queue
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from websockets.sync.client import ClientConnection, connect

from sandbox.slack.config import APP
from tests.sandbox.slack.place import Place

Json = dict[str, Any]


class Listener:
    """An app's side by hand: remembers what comes, answers what it is told to."""

    def __init__(self) -> None:
        self.forms: queue.Queue[Any] = queue.Queue()
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: list[Response] = []

    async def endpoint(self, request: Request) -> Response:
        body = (await request.body()).decode()
        if body.startswith("{") and json.loads(body)["type"] == "url_verification":
            return JSONResponse({"challenge": json.loads(body)["challenge"]})
        (self.events if body.startswith("{") else self.forms).put((dict(request.headers), body))
        return self.answers.pop(0) if self.answers else Response()

    def event(self) -> tuple[dict[str, str], Json]:
        headers, body = self.events.get(timeout=60)
        return headers, json.loads(body)

    def form(self) -> Json:
        return dict(urllib.parse.parse_qsl(self.forms.get(timeout=60)[1], keep_blank_values=True))

    def interaction(self) -> Json:
        return json.loads(self.form()["payload"])  # type: ignore[no-any-return]


class Wire:
    """One Socket Mode connection by hand."""

    def __init__(self, place: Place) -> None:
        url = place.bot.apps_connections_open(app_token=APP.app_token)["url"]
        self.socket: ClientConnection = contextlib.ExitStack().enter_context(connect(url, proxy=None))
        self.hello = json.loads(self.socket.recv(timeout=60))

    def next(self) -> Json:
        return json.loads(self.socket.recv(timeout=60))  # type: ignore[no-any-return]

    def acknowledge(self, envelope: Json, payload: Json | None = None) -> None:
        answer = {"envelope_id": envelope["envelope_id"]} | ({"payload": payload} if payload else {})
        self.socket.send(json.dumps(answer))


class Doing:
    """Somebody doing something in a thread, because it lasts until the app acknowledges."""

    def __init__(self, what: Callable[..., Json], *arguments: Any, **named: Any) -> None:
        self.result: Json = {}
        self.thread = threading.Thread(target=lambda: self.result.update(what(*arguments, **named)))
        self.thread.start()

    def done(self) -> Json:
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.result
