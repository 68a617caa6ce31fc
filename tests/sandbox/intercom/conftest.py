from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.server import serving


class Caller:
    """A caller with the token, over real HTTP."""

    def __init__(self, url: str) -> None:
        headers = {"authorization": "Bearer intercom-token", "intercom-version": "2.14"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def __call__(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self.http.request(method, path, **({"json": body} if body else {}))

    def search(self, *filters: tuple[str, str, Any], **more: Any) -> httpx.Response:
        parts = [{"field": field, "operator": operator, "value": value} for field, operator, value in filters]
        return self("POST", "/contacts/search", query={"operator": "AND", "value": parts}, **more)

    def send(self, contact: str, text: str = "<p>Maintenance tonight</p>", **more: Any) -> httpx.Response:
        fields = {
            "message_type": "inapp",
            "body": text,
            "from": {"type": "admin", "id": ADMIN_ID},
            "to": {"type": "user", "id": contact},
        }
        return self("POST", "/messages", **{**fields, **more})


def told(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["errors"][0]
    return answer.status_code, error["code"], error["message"]


@pytest.fixture
def intercom() -> Intercom:
    return Intercom()


@pytest.fixture
def call(intercom: Intercom) -> Iterator[Caller]:
    with serving(intercom.app) as server:
        yield Caller(server.url)
