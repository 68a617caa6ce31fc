"""The REST front: token, version, rate limit, then contacts, messages and conversations."""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.intercom.contacts import Contact
from sandbox.intercom.refusal import Refusal
from sandbox.intercom.workspace import WORKSPACE, Message, Workspace

VERSIONS = {"1.0", "1.1", "1.2", "1.3", "1.4", *(f"2.{minor}" for minor in range(18)), "Unstable", "Preview"}
DEFAULT_VERSION = "2.14"
_TELLING_MERGED = {"2.17", "Unstable", "Preview"}
Handler = Callable[[Workspace, Request, dict[str, Any]], Any]


def serve(workspace: Workspace, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that does what every one of them does, then calls `handler`."""

    async def endpoint(request: Request) -> Response:
        headers: dict[str, str] = {}
        request_id = str(uuid.uuid4())
        try:
            _authorize(workspace, request)
            _take(workspace, headers)
            headers["Intercom-Version"] = _version(request)
            content = handler(workspace, request, _object(await request.body()))
            status = 200
        except Refusal as refusal:
            status, content = refusal.status, refusal.body(request_id)
        return JSONResponse(content, status, {**headers, "X-Request-Id": request_id})

    return endpoint


def _authorize(workspace: Workspace, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token not in workspace.tokens:
        raise Refusal(401, "unauthorized", "Access Token Invalid")


def _take(workspace: Workspace, headers: dict[str, str]) -> None:
    allowed, standing = workspace.window.take()
    headers.update(standing)
    if not allowed:
        raise Refusal(429, "rate_limit_exceeded", f"Exceeded rate limit of {workspace.window.limit}")


def _version(request: Request) -> str:
    version = request.headers.get("intercom-version", DEFAULT_VERSION)
    if version not in VERSIONS:
        raise Refusal(400, "intercom_version_invalid", "The requested version could not be found")
    return version


def _object(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refusal(400, "bad_request", "bad 'Content-Type' header or malformed JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "bad_request", "A JSON object is expected")
    return body


def admin(workspace: Workspace, number: str) -> dict[str, Any]:
    """An admin as the API shows one."""
    name = workspace.admins[number]
    return {
        "type": "admin",
        "id": number,
        "name": name,
        "email": f"{name.split()[0].lower()}@example.com",
        "job_title": "Operations",
        "away_mode_enabled": False,
        "away_mode_reassign": False,
        "has_inbox_seat": True,
        "team_ids": [],
    }


def get_me(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /me`: the admin whose token it is, and the workspace's name and zone."""
    app = {
        "type": "app",
        "id_code": WORKSPACE,
        "name": "Acme",
        "region": "US",
        "timezone": workspace.timezone,
        "created_at": 1_500_000_000,
        "identity_verification": False,
    }
    avatar = {"type": "avatar", "image_url": "https://example.com/ada.png"}
    return admin(workspace, next(iter(workspace.admins))) | {"email_verified": True, "app": app, "avatar": avatar}


def list_admins(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /admins`."""
    return {"type": "admin.list", "admins": [admin(workspace, number) for number in workspace.admins]}


def search_contacts(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`POST /contacts/search`; a cursor in the query string is ignored, as in the real one."""
    found, total, pages = workspace.search.page(body)
    data = [contact.json(WORKSPACE) for contact in found]
    return {"type": "list", "data": data, "total_count": total, "pages": pages}


def get_contact(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`GET /contacts/{id}`."""
    contact = workspace.contacts.get(request.path_params["id"])
    if contact is not None and contact.state == "merged" and _version(request) in _TELLING_MERGED:
        raise Refusal(410, "gone", "This contact has been merged into another one")
    if contact is None or contact.state != "active":
        raise Refusal(404, "not_found", "User Not Found")
    return contact.json(WORKSPACE)


def create_message(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`POST /messages`: one message to one contact. There is no key against doubles: posting twice sends twice."""
    if not workspace.plan_allows_messages:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    kind, text = _what(body)
    sender = _sender(workspace, body.get("from"))
    target = body.get("to")
    if not isinstance(target, dict) or target.get("type") not in ("user", "lead"):
        # An array is one conversation shared by all: customers would see one another.
        raise Refusal(400, "parameter_invalid", "to must be one user or lead", "to")
    contact = workspace.recipient(str(target.get("id")), str(target["type"]))
    if kind == "email" and contact.unsubscribed:
        raise Refusal(403, "forbidden", "This user is unsubscribed from emails")
    message = workspace.deliver(contact, text, kind, sender)
    answer = _message(workspace, message, body)
    if body.get("create_conversation_without_contact_reply"):
        answer["conversation_id"] = _open_conversation(workspace, message, contact)
    return answer


def _what(body: dict[str, Any]) -> tuple[str, str]:
    kind, text = body.get("message_type"), body.get("body")
    if kind not in ("inapp", "in_app", "email"):
        raise Refusal(400, "parameter_invalid", "message_type must be inapp or email", "message_type")
    if not isinstance(text, str) or not text.strip():
        raise Refusal(400, "parameter_invalid", "Body is required")
    if kind == "email" and not body.get("subject"):
        raise Refusal(422, "parameter_not_found", "No subject supplied for email message")
    return "email" if kind == "email" else "inapp", text


def _sender(workspace: Workspace, sender: Any) -> str:
    if not isinstance(sender, dict) or sender.get("type") != "admin":
        raise Refusal(400, "parameter_invalid", "from must be an admin", "from")
    if str(sender.get("id")) not in workspace.admins:
        raise Refusal(404, "not_found", "Admin Not Found")
    return str(sender["id"])


def _message(workspace: Workspace, message: Message, body: dict[str, Any]) -> dict[str, Any]:
    subject = {"subject": str(body["subject"])} if message.kind == "email" else {}
    return {
        "type": "admin_message",
        "id": str(message.id),
        "created_at": message.at,
        **subject,
        "body": workspace.texts[message.text],
        "message_type": message.kind,
        "owner": admin(workspace, message.sender),
    }


def _open_conversation(workspace: Workspace, message: Message, contact: Contact) -> str:
    number = str(workspace.next_id())
    author = {"type": "admin", "id": message.sender, "name": workspace.admins[message.sender]}
    source: dict[str, Any] = {
        "type": "conversation",
        "id": str(message.id),
        "delivered_as": "admin_initiated",
        "author": author,
    }
    source |= {"body": workspace.texts[message.text], "subject": "", "attachments": [], "redacted": False}
    reached = [{"type": "contact", "id": contact.id}]
    workspace.conversations.append(
        {"type": "conversation", "id": number, "created_at": message.at, "updated_at": message.at, "open": True,
         "state": "open", "read": False, "priority": "not_priority", "source": source,
         "contacts": {"type": "contact.list", "contacts": reached}}
    )  # fmt: skip
    return number


def search_conversations(workspace: Workspace, request: Request, body: dict[str, Any]) -> Any:  # noqa: ARG001
    """`POST /conversations/search`, by one word of `source.body` only."""
    query = body.get("query") or {}
    if query.get("field") != "source.body" or query.get("operator") not in ("=", "~"):
        raise Refusal(400, "parameter_invalid", "Only source.body with = or ~ can be searched here", "query")
    word = str(query.get("value"))
    found = [item for item in workspace.conversations if word in str(item["source"]["body"])]
    pages = {"type": "pages", "page": 1, "per_page": 150, "total_pages": 1}
    return {"type": "conversation.list", "conversations": found[:150], "total_count": len(found), "pages": pages}


def routes(workspace: Workspace) -> list[Route]:
    """The routes of this module."""
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/messages", create_message),
        ("POST", "/contacts/search", search_contacts),
        ("GET", "/contacts/{id}", get_contact),
        ("GET", "/me", get_me),
        ("GET", "/admins", list_admins),
        ("POST", "/conversations/search", search_conversations),
    ]
    return [Route(path, serve(workspace, handler), methods=[method]) for method, path, handler in table]
