"""News items: the change log inside the app. Nothing keeps two items with one title apart, as in the real one."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sandbox.intercom.api import Handler, serve
from sandbox.intercom.refusal import Refusal
from sandbox.intercom.workspace import WORKSPACE, Workspace

FIELDS = ("title", "body", "sender_id", "state", "labels", "deliver_silently", "newsfeed_assignments", "reactions")


_PER_PAGE = 20


def _pages(request: Request, items: list[Any]) -> dict[str, Any]:
    """The page asked for: `page` from 1, `per_page` up to 20."""
    asked = {name: request.query_params.get(name, "") for name in ("page", "per_page")}
    page, per_page = (int(text) if text.isdigit() and int(text) else None for text in asked.values())
    page, per_page = page or 1, min(per_page or _PER_PAGE, _PER_PAGE)
    shown = items[(page - 1) * per_page : page * per_page]
    pages = {"type": "pages", "page": page, "per_page": per_page, "total_pages": -(-len(items) // per_page)}
    return {"type": "list", "pages": pages, "total_count": len(items), "data": shown}


def _item(workspace: Workspace, request: Request) -> dict[str, Any]:
    number = str(request.path_params["id"])
    if not number.isdigit() or int(number) not in workspace.news:
        raise Refusal(404, "not_found", "Resource Not Found")
    return workspace.news[int(number)]


def _changes(workspace: Workspace, body: dict[str, Any]) -> dict[str, Any]:
    """The fields given, once they are known to be right. Raises `Refusal`."""
    given = {name: body[name] for name in FIELDS if name in body}
    if given.get("state", "draft") not in ("draft", "live"):
        raise Refusal(400, "parameter_invalid", "state must be draft or live", "state")
    if "sender_id" in given and str(given["sender_id"]) not in workspace.admins:
        raise Refusal(404, "not_found", "Admin Not Found")
    for assignment in given.get("newsfeed_assignments", []):
        if assignment.get("newsfeed_id") not in workspace.newsfeeds:
            raise Refusal(404, "not_found", "Newsfeed Not Found")
        if assignment.get("published_at", 0) > workspace.clock():
            raise Refusal(400, "parameter_invalid", "published_at cannot be in the future", "published_at")
    return given


def list_items(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /news/news_items`, newest first."""
    return _pages(request, list(reversed(workspace.news.values())))


def create_item(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`POST /news/news_items`."""
    for name in ("title", "sender_id"):
        if not body.get(name):
            raise Refusal(400, "parameter_not_found", f"{name} is required", name)
    number, now = workspace.next_id(), int(workspace.clock())
    unset = {"body": "", "state": "draft", "labels": [], "reactions": [], "deliver_silently": False}
    unset |= {"newsfeed_assignments": [], "cover_image_url": None}
    fixed = {"type": "news-item", "id": str(number), "workspace_id": WORKSPACE, "created_at": now, "updated_at": now}
    workspace.news[number] = fixed | unset | _changes(workspace, body)
    return workspace.news[number]


def get_item(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /news/news_items/{id}`."""
    return _item(workspace, request)


def update_item(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:
    """`PUT /news/news_items/{id}`."""
    item = _item(workspace, request)
    item.update(_changes(workspace, body), updated_at=int(workspace.clock()))
    return item


def delete_item(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`DELETE /news/news_items/{id}`."""
    item = _item(workspace, request)
    del workspace.news[int(item["id"])]
    return {"id": item["id"], "object": "news-item", "deleted": True}


def _feed(workspace: Workspace, number: int) -> dict[str, Any]:
    times = {"created_at": 1_600_000_000, "updated_at": 1_600_000_000}
    return {"type": "newsfeed", "id": str(number), "name": workspace.newsfeeds[number], **times}


def list_feeds(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /news/newsfeeds`."""
    return _pages(request, [_feed(workspace, number) for number in workspace.newsfeeds])


def list_feed_items(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /news/newsfeeds/{id}/items`: the live ones."""
    number = str(request.path_params["id"])
    if not number.isdigit() or int(number) not in workspace.newsfeeds:
        raise Refusal(404, "not_found", "Resource Not Found")
    live = [item for item in workspace.news.values() if item["state"] == "live"]
    return _pages(
        request,
        [item for item in live if int(number) in {part["newsfeed_id"] for part in item["newsfeed_assignments"]}],
    )


def routes(workspace: Workspace) -> list[Route]:
    """The routes of this module."""
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/news/news_items", list_items),
        ("POST", "/news/news_items", create_item),
        ("GET", "/news/news_items/{id}", get_item),
        ("PUT", "/news/news_items/{id}", update_item),
        ("DELETE", "/news/news_items/{id}", delete_item),
        ("GET", "/news/newsfeeds", list_feeds),
        ("GET", "/news/newsfeeds/{id}/items", list_feed_items),
    ]
    return [Route(path, serve(workspace, handler), methods=[method]) for method, path, handler in table]
