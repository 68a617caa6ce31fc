"""Serves the feed over HTTP: to any page (CORS), and only what the reader does not have yet (RFC 9110, section 13)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.feed_publisher import Document, Publisher

_OPEN = {
    "Access-Control-Allow-Origin": "*",
    # A page that isolates itself (COEP) may load the script too.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "If-None-Match, Cache-Control",
    "Access-Control-Max-Age": "86400",
}


def feed_routes(publisher: Publisher) -> list[Route]:
    """Return the routes `/feed/maintenance.json`, `.ics`, `.atom` and `.js`, for GET, HEAD and OPTIONS."""

    async def feed(request: Request) -> Response:
        # No thread and no database: the texts are in memory.
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={**_OPEN, **_PREFLIGHT})
        documents = publisher.documents
        document = documents.get(request.path_params["name"])
        if document is not None:
            return _answer(document, request.headers.get("If-None-Match", ""))
        if documents:
            return Response("There is no such text.", 404, headers=_OPEN)
        return Response(
            "The maintenances cannot be read at the moment.",
            503,
            headers={**_OPEN, "Cache-Control": "no-store", "Retry-After": "10"},
        )

    return [Route("/feed/{name}", feed, methods=["GET", "HEAD", "OPTIONS"])]


def _answer(document: Document, known: str) -> Response:
    headers = {**_OPEN, "ETag": document.etag, "Cache-Control": document.cache_control}
    if _matches(known, document.etag):
        return Response(status_code=304, headers=headers)
    return Response(document.body, headers={**headers, "Content-Type": document.media_type})


def _matches(known: str, etag: str) -> bool:
    """Whether `If-None-Match` names this text; `W/` does not matter to it (RFC 9110, section 13.1.2)."""
    return any(tag.strip().removeprefix("W/") in {etag, "*"} for tag in known.split(","))
