"""One message to one contact: who got what, what is refused, and how fast it may go."""

import httpx
import pytest

from sandbox.intercom import ADMIN_ID, Intercom
from tests.sandbox.intercom.conftest import Caller, told


def test_a_message_arrives_and_is_counted(intercom: Intercom, call: Caller) -> None:
    one, two = intercom.add_contact(), intercom.add_contact()
    answer = call.send(one.id).json()
    assert (answer["message_type"], answer["owner"]["id"]) == ("inapp", ADMIN_ID)
    assert call.send(two.id, message_type="in_app").status_code == 200
    assert call.send(one.id, "<p>Done</p>").status_code == 200
    assert intercom.received(one.id) == ["<p>Maintenance tonight</p>", "<p>Done</p>"]
    assert call.send(two.id).status_code == 200
    summary = intercom.summary()
    assert (summary["sent"], summary["recipients"], summary["duplicates"]) == (4, 2, 1)
    assert [(text["sent"], text["duplicates"]) for text in summary["texts"]] == [(3, 1), (1, 0)]


def test_contacts_that_cannot_be_reached(intercom: Intercom, call: Caller) -> None:
    gone, merged, lead, out = (intercom.add_contact(role) for role in ("user", "user", "lead", "user"))
    intercom.delete(gone.id)
    intercom.merge(merged.id)
    intercom.refuse(out.id, 403, "forbidden", "This user is blocked")
    for contact in ("unknown", gone.id, merged.id, lead.id):
        assert told(call.send(contact)) == (404, "not_found", "User Not Found")
    assert call.send(lead.id, to={"type": "lead", "id": lead.id}).status_code == 200
    assert told(call.send(out.id)) == (403, "forbidden", "This user is blocked")
    assert told(call("GET", f"/contacts/{gone.id}")) == (404, "not_found", "User Not Found")


def test_email_respects_unsubscribing_and_needs_a_subject(intercom: Intercom, call: Caller) -> None:
    out = intercom.add_contact(unsubscribed=True)
    assert told(call.send(out.id, message_type="email"))[:2] == (422, "parameter_not_found")
    refused = call.send(out.id, message_type="email", subject="Tonight")
    assert told(refused) == (403, "forbidden", "This user is unsubscribed from emails")
    assert call.send(out.id).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": " "},
        {"body": None},
        {"message_type": "sms"},
        {"from": {"type": "user", "id": "1"}},
        {"to": [{"type": "user", "id": "1"}, {"type": "user", "id": "2"}]},
        {"to": None},
    ],
)
def test_bad_parameters(intercom: Intercom, call: Caller, wrong: dict[str, object]) -> None:
    contact = intercom.add_contact()
    assert told(call.send(contact.id, **wrong))[:2] == (400, "parameter_invalid")  # type: ignore[arg-type]
    assert intercom.summary()["sent"] == 0


def test_token_admin_version_plan_and_json(intercom: Intercom, call: Caller) -> None:
    contact = intercom.add_contact()
    assert told(httpx.get(call.http.base_url.join("/me")))[:2] == (401, "unauthorized")
    assert call("GET", "/me").json()["id"] == ADMIN_ID
    assert [admin["id"] for admin in call("GET", "/admins").json()["admins"]] == [ADMIN_ID]
    assert told(call.send(contact.id, **{"from": {"type": "admin", "id": "1"}}))[2] == "Admin Not Found"
    wrong = call.http.get("/me", headers={"intercom-version": "9.9"})
    assert told(wrong)[:2] == (400, "intercom_version_invalid")
    assert call("GET", "/me").headers["intercom-version"] == "2.14"
    assert call.http.post("/messages", content=b"{").status_code == 400
    intercom.plan_allows_messages = False
    assert told(call.send(contact.id))[:2] == (403, "api_plan_restricted")


def test_the_rate_limit_is_a_window_of_ten_seconds() -> None:
    from sandbox.server import serving

    now = [1000.0]
    intercom = Intercom(limit=3, clock=lambda: now[0])
    with serving(intercom.app) as server:
        call = Caller(server.url)
        seen = [call("GET", "/me").headers["x-ratelimit-remaining"] for _ in range(3)]
        assert seen == ["2", "1", "0"]
        refused = call("GET", "/me")
        assert told(refused)[:2] == (429, "rate_limit_exceeded")
        assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-reset"]) == ("3", "1010")
        assert call("GET", "/rate.json").json() == {
            "limit": 3,
            "window_s": 10.0,
            "now": now[0],
            "messages": 0,
            "granted": {"100": 3},
            "refused": {"100": 1},
        }
        now[0] = 1010.0
        assert call("GET", "/me").status_code == 200
    assert (dict(intercom.window.granted), dict(intercom.window.refused)) == ({100: 3, 101: 1}, {100: 1})


def test_a_lost_answer_and_a_doubled_delivery(intercom: Intercom, call: Caller) -> None:
    one, two = intercom.add_contact(), intercom.add_contact()
    intercom.app.arm("drop_after", path="/messages")
    with pytest.raises(httpx.TransportError):
        call.send(one.id)
    assert len(intercom.received(one.id)) == 1
    assert call("GET", f"/contacts/{one.id}").json()["last_contacted_at"] is not None
    intercom.app.arm("duplicate", path="/messages")
    assert call.send(two.id).status_code == 200
    assert intercom.summary()["duplicates"] == 1


def test_a_conversation_makes_a_message_findable(intercom: Intercom, call: Caller) -> None:
    contact = intercom.add_contact()
    query = {"field": "source.body", "operator": "~", "value": "maint20261125a"}
    assert call("POST", "/conversations/search", query=query).json()["total_count"] == 0
    call.send(contact.id, "Tonight maint20261125a", create_conversation_without_contact_reply=True)
    assert call("POST", "/conversations/search", query=query).json()["total_count"] == 1


def test_news(intercom: Intercom, call: Caller) -> None:
    feed = call("GET", "/news/newsfeeds").json()["data"][0]
    assert told(call("POST", "/news/news_items", title="x"))[:2] == (400, "parameter_not_found")
    item = call("POST", "/news/news_items", title="New database", sender_id=int(ADMIN_ID)).json()
    assert item["state"] == "draft"
    assigned = [{"newsfeed_id": int(feed["id"]), "published_at": int(intercom.clock())}]
    live = call("PUT", f"/news/news_items/{item['id']}", state="live", newsfeed_assignments=assigned).json()
    assert live["state"] == "live"
    assert [one["id"] for one in call("GET", f"/news/newsfeeds/{feed['id']}/items").json()["data"]] == [item["id"]]
    future = [{"newsfeed_id": int(feed["id"]), "published_at": int(intercom.clock()) + 900}]
    assert call("PUT", f"/news/news_items/{item['id']}", newsfeed_assignments=future).status_code == 400
    assert call("DELETE", f"/news/news_items/{item['id']}").json()["deleted"] is True
    assert call("GET", f"/news/news_items/{item['id']}").status_code == 404


def test_the_page_shows_who_got_what_without_markup(intercom: Intercom, call: Caller) -> None:
    contact = intercom.add_contact()
    call.send(contact.id, "<p>Maintenance <script>tonight</script></p>")
    page = call.http.get("/").text
    assert contact.email in page
    assert "Maintenance tonight" in page
    assert "<script>" not in page
    assert call.http.get("/summary.json").json()["sent"] == 1
