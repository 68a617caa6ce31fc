"""What the process serves over HTTP, and the port that it serves it on."""

import socket
from collections.abc import Sequence

from slack_bolt import App
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.errors import MaintError
from bot.feed_publisher import Publisher
from bot.feed_routes import feed_routes


def bound(port: int) -> socket.socket:
    """Return a socket on `port` of every interface, not listening yet. Raises `MaintError` if it cannot be had."""
    every_interface = "0.0.0.0"  # noqa: S104 - the platform's router reaches the process from outside
    # The protocol is named, since asyncio sets TCP_NODELAY only then.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((every_interface, port))
    except OSError as error:
        made.close()
        raise MaintError(f"Port {port} cannot be listened on ({error.strerror}). MAINT_PORT names it.") from None
    return made


def web_app(app: App | None, feed: Publisher | None, health: Sequence[Route] = ()) -> Starlette:
    """Return the ASGI application: `health`, `/slack/events` for all that Slack sends to `app`, and the feed."""

    async def slack(request: Request) -> Response:
        assert app is not None  # noqa: S101 - there is no route to here otherwise
        # In a thread: Bolt's dispatch is synchronous, and one slow request must not hold up the others' answers.
        bolt_request = to_bolt_request(request, await request.body())
        return to_starlette_response(await run_in_threadpool(app.dispatch, bolt_request))

    routes = list(health)
    if app is not None:
        routes.append(Route("/slack/events", slack, methods=["POST"]))
    return Starlette(routes=[*routes, *(feed_routes(feed) if feed is not None else [])])
