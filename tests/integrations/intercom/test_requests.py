"""What we ask of Intercom is what its own API description (2.14) says, where a checkout has that beside it."""

import json
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from bot.attempt import perform
from bot.context import StepContext
from integrations.intercom import Message
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.server import serving
from tests.sandbox.contract import Contract


class Recorded:
    """An ASGI application that keeps the bodies of all requests to another."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: list[tuple[str, str, Any]] = []
        self.versions: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def keep() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        await self.app(scope, keep, send)
        if scope["type"] == "http":
            self.asked.append((scope["method"], scope["path"], json.loads(body) if body else None))
            self.versions.add(dict(scope["headers"]).get(b"intercom-version", b""))


def test_every_request_of_a_whole_step(context_of: Callable[..., StepContext]) -> None:
    contract = Contract("intercom/bot-subset-2.14.yaml", formats=False)
    workspace = Intercom(limit=None)
    for _ in range(160):
        workspace.add_contact()
    recorded = Recorded(workspace.app)
    workspace.app.arm("drop_after", path="/messages", skip=4)
    with serving(recorded) as server:
        ctx = context_of(
            Message,
            settings={
                "MAINT_INTERCOM_TOKEN": "intercom-token",
                "MAINT_INTERCOM_URL": server.url,
                "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
            },
        )
        step = Message(body="Tonight", message_type="in_app", read_back_after_s=0)
        step.plan(ctx)
        step.try_on(ctx, next(iter(workspace.contacts.values())).email)
        perform(step, ctx)
    for method, path, body in recorded.asked:
        contract.template(method, path)
        if path == "/messages":
            # The description's examples give the sender's id as text, and its schema as a number.
            body["from"]["id"] = int(body["from"]["id"])
        if body is not None:
            contract.check_request(method, path, body)
    asked = {(method, path.partition("/contacts/")[0] or "/contacts") for method, path, _ in recorded.asked}
    assert asked == {
        ("GET", "/me"),
        ("GET", "/admins"),
        ("POST", "/contacts"),
        ("POST", "/messages"),
        ("GET", "/contacts"),
    }
    assert recorded.versions == {b"2.14"}
