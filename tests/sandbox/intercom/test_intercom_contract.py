"""The stand-in's answers, and the requests we send it, are what Intercom's own API description (2.14) says."""

from typing import Any

import httpx
import pytest

from sandbox.intercom import ADMIN_ID, Intercom
from tests.sandbox.contract import Contract
from tests.sandbox.intercom.conftest import Caller


@pytest.fixture(scope="module")
def contract() -> Contract:
    # The description gives "date-time" to whole numbers of seconds; as a format that means something else.
    return Contract("intercom/bot-subset-2.14.yaml", formats=False)


@pytest.fixture
def held(call: Caller, contract: Contract) -> Caller:
    def check(answer: httpx.Response) -> None:
        answer.read()
        request = answer.request
        contract.check(request.method, request.url.path, answer.status_code, answer.json())

    call.http.event_hooks["response"].append(check)
    return call


def test_every_answer(intercom: Intercom, held: Caller, contract: Contract) -> None:
    one, two = intercom.add_contact(), intercom.add_contact()
    for path in ("/me", "/admins", f"/contacts/{one.id}", "/news/newsfeeds?page=1&per_page=1", "/news/news_items"):
        held("GET", path)
    assert held.search(("role", "=", "user"), pagination={"per_page": 1}).json()["pages"]["next"]
    held.send(one.id)
    held.send(two.id, create_conversation_without_contact_reply=True)
    held.send(one.id, " ")
    held.send(one.id, message_type="email")
    query = {"field": "source.body", "operator": "~", "value": "tonight"}
    assert held("POST", "/conversations/search", query=query).json()["conversations"]
    item = held("POST", "/news/news_items", title="New", sender_id=int(ADMIN_ID), body="<p>New</p>").json()
    held("PUT", f"/news/news_items/{item['id']}", title="Newer", sender_id=int(ADMIN_ID))
    held("GET", f"/news/news_items/{item['id']}")
    live = {"newsfeed_assignments": [{"newsfeed_id": 1}], "state": "live"}
    held("PUT", f"/news/news_items/{item['id']}", title="Newer", sender_id=int(ADMIN_ID), **live)
    assert held("GET", "/news/newsfeeds/1/items?page=1").json()["total_count"] == 1
    held("GET", "/news/news_items/1")
    held("DELETE", f"/news/news_items/{item['id']}")
    held.http.headers["authorization"] = "Bearer wrong"
    held("GET", "/admins")
    assert len(contract.checked) >= 16


def test_our_search_request(contract: Contract) -> None:
    parts: list[dict[str, Any]] = [
        {"field": "role", "operator": "=", "value": "user"},
        {"field": "last_seen_at", "operator": ">", "value": 1_700_000_000},
    ]
    body = {"query": {"operator": "AND", "value": parts}, "pagination": {"per_page": 150, "starting_after": "x"}}
    contract.check_request("POST", "/contacts/search", body)


def test_a_wrong_answer_would_be_found(contract: Contract) -> None:
    with pytest.raises(AssertionError, match="'id' is a required property"):
        contract.check("POST", "/messages", 200, {"type": "admin_message"})
