"""The change log inside the app: drafted once, published as approved, and taken back."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from bot.attempt import Waits, perform, take_down
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.errors import Final, Temporary
from bot.journal import Draft
from integrations.intercom import NewsDraft, PublishNews
from integrations.intercom.body import html_of
from integrations.intercom.news_item import Item, words
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.server import serving
from tests.maintenance_fixtures import raw_step
from tests.sandbox.contract import Contract

TOKEN = "intercom-token"
TITLE = "PostgreSQL 18"
BODY = "Searching is faster now.\n\nMore: https://example.com/changes/?a=1&b=2"
REQUEST = {
    "token": "t", "summary": "", "details": [], "count": 1, "approvers": ["U0BEN"],
    "expires_at": "2099-01-01T00:00:00+00:00",
}  # fmt: skip
NOW = Waits(settle_s=(0.01,), verify_s=())


class Paper:
    """An Intercom workspace that is served, and a maintenance with the steps `news` and `publish`."""

    def __init__(self, context_of: Callable[..., StepContext], surroundings: Surroundings) -> None:
        self._context_of = context_of
        self._maintenances = surroundings.maintenances
        self.workspace = Intercom(limit=None)
        self.url = ""

    def context(self, step: str = "news", attempt: int = 1) -> StepContext:
        steps = [
            raw_step("news", "intercom.news", reversible=True),
            raw_step("publish", "intercom.publish_news", reversible=True),
        ]
        settings = {
            "MAINT_INTERCOM_TOKEN": TOKEN,
            "MAINT_INTERCOM_URL": self.url,
            "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
        }
        return self._context_of(None, step, steps=steps, settings=settings, attempt=attempt)

    def draft(self) -> dict[str, Any]:
        """The draft, made by the step and recorded as the engine does."""
        ctx = self.context()
        outcome = perform(draft(), ctx)
        for entry in [
            Draft(Kind.STEP_STARTED, "maint", "s", "news", {"attempt": 1}),
            Draft(Kind.STEP_SUCCEEDED, "maint", "e", "news", {"attempt": 1, "summary": "", "facts": outcome.facts}),
        ]:
            self.records(entry)
        return self.items[-1]

    def records(self, entry: Draft) -> None:
        self._maintenances.record(self.context().maintenance, lambda _: [entry])

    @property
    def items(self) -> list[dict[str, Any]]:
        return list(self.workspace.news.values())


@pytest.fixture
def paper(context_of: Callable[..., StepContext], surroundings: Surroundings) -> Iterator[Paper]:
    paper = Paper(context_of, surroundings)
    with serving(paper.workspace.app) as server:
        paper.url = server.url
        yield paper


def draft(**fields: Any) -> NewsDraft:
    return NewsDraft.model_validate({"title": TITLE, "body": BODY, **fields})


def publish() -> PublishNews:
    return PublishNews(draft="news")


def test_planning_shows_what_would_be_drafted_and_makes_nothing(paper: Paper) -> None:
    plan = draft().plan(paper.context())
    assert plan.summary == "Draft a news item for the newsfeed What is new: PostgreSQL 18"
    assert plan.details[0] == "Searching is faster now."
    assert plan.details[-1] == "From Ada Coordinator. Users do not see it yet."
    assert plan.digest != draft(silently=True).plan(paper.context()).digest
    assert paper.items == []


def test_a_draft_is_made_once_whatever_is_run_again(paper: Paper) -> None:
    first = perform(draft(labels=("Maintenance",)), paper.context())
    again = perform(draft(labels=("Maintenance",)), paper.context(attempt=2))
    (item,) = paper.items
    assert first.facts == again.facts == {"item": item["id"], "title": TITLE}
    assert item["body"] == (
        '<p>Searching is faster now.</p><p>More: <a href="https://example.com/changes/?a=1&amp;b=2">'
        "https://example.com/changes/?a=1&amp;b=2</a></p>"
    )
    assert (item["state"], item["labels"], item["newsfeed_assignments"]) == (
        "draft",
        ["Maintenance"],
        [{"newsfeed_id": 1}],
    )


@pytest.mark.parametrize("fault", ["drop_after", "status"])
def test_a_draft_whose_answer_was_lost_is_found_and_not_made_again(paper: Paper, fault: str) -> None:
    for number in range(45):  # others' news, on further pages, one with the same title
        paper.workspace.news[number] = {
            "id": str(number), "title": TITLE if number == 3 else "Old", "state": "draft", "created_at": 1_600_000_000,
            "sender_id": 1,
        }  # fmt: skip
    paper.workspace.app.arm(fault, method="POST", path="/news/news_items", status=502)
    if fault == "status":  # nothing was done there, so that a second attempt does it
        with pytest.raises(Temporary, match="Reading back shows that it was not done"):
            perform(draft(), paper.context(), NOW)
    perform(draft(), paper.context(attempt=2), NOW)
    assert sum(item["title"] == TITLE for item in paper.items) == 2


def test_a_draft_that_was_cut_off_before_its_number_was_on_record_is_found(paper: Paper) -> None:
    ctx = paper.context()
    assert ctx.intend("draft")
    ctx.record("Drafting the news item.", drafted_since=int(paper.workspace.clock()) - 2)
    item = {"title": TITLE, "sender_id": int(ADMIN_ID)}
    httpx.post(f"{paper.url}/news/news_items", json=item, headers={"authorization": f"Bearer {TOKEN}"})
    perform(draft(), ctx)
    assert len(paper.items) == 1


def test_the_newsfeed_has_to_be_told_where_there_are_several(paper: Paper) -> None:
    paper.workspace.newsfeeds = {1: "What is new", 7: "Visitors"}
    with pytest.raises(Final, match=r"none named\)\. Intercom has: What is new \(1\), Visitors \(7\)"):
        draft().plan(paper.context())
    with pytest.raises(Final, match=r"\(Nobody\)\. Intercom has"):
        draft(feeds=("Nobody",)).plan(paper.context())
    assert "newsfeeds Visitors, What is new" in draft(feeds=("Visitors", "1")).plan(paper.context()).summary


def test_what_is_published_is_what_reads_in_intercom(paper: Paper) -> None:
    item = paper.draft()
    item["body"] = "<p>Mended by <b>hand</b></p>"
    ctx = paper.context("publish")
    plan = publish().plan(ctx)
    assert plan.summary == "Publish the news item “PostgreSQL 18” in the newsfeed What is new"
    assert plan.details == ("As they will read it:", "Mended by hand", "It appears with a badge.")
    assert item["state"] == "draft"
    outcome = perform(publish(), ctx)
    assert (item["state"], item["body"]) == ("live", "<p>Mended by <b>hand</b></p>")
    assert perform(publish(), paper.context("publish", attempt=2)).facts == outcome.facts


def test_an_edit_after_the_approval_changes_its_digest(paper: Paper) -> None:
    item = paper.draft()
    before = publish().plan(paper.context("publish")).digest
    assert publish().plan(paper.context("publish")).digest == before
    for field, value in [("title", "Else"), ("body", "<p>Else</p>"), ("labels", ["New"]), ("deliver_silently", True)]:
        kept, item[field] = item[field], value
        assert publish().plan(paper.context("publish")).digest != before
        item[field] = kept


def test_an_edit_in_the_last_moment_is_not_published(paper: Paper) -> None:
    item = paper.draft()
    digest = publish().plan(paper.context("publish")).digest
    paper.records(Draft(Kind.APPROVAL_REQUESTED, "maint", "q", "publish", {**REQUEST, "digest": digest}))
    paper.records(Draft(Kind.APPROVED, "U0BEN", "a", "publish", {"token": "t", "digest": digest, "of": 1}))
    item["body"] = "<p>Else</p>"
    with pytest.raises(Final, match="was edited in Intercom after its approval"):
        perform(publish(), paper.context("publish"))
    assert item["state"] == "draft"
    item["body"] = html_of(BODY)
    perform(publish(), paper.context("publish"))
    assert item["state"] == "live"


def test_a_cancelled_maintenance_takes_both_back_and_a_published_item_outlives_its_draft(paper: Paper) -> None:
    paper.draft()
    done = take_down(draft(), paper.context())
    assert (done.summary, paper.items) == ("Deleted the draft of the news item “PostgreSQL 18”.", [])
    assert take_down(draft(), paper.context()).summary == "There is no draft of the news item."


def test_published_news_stays_until_it_is_unpublished(paper: Paper) -> None:
    item = paper.draft()
    perform(publish(), paper.context("publish"))
    assert "has been published, and stays" in take_down(draft(), paper.context()).summary
    assert "is a draft again" in take_down(publish(), paper.context("publish")).summary
    assert item["state"] == "draft"
    assert take_down(publish(), paper.context("publish")).summary == "The news item is not published."
    take_down(draft(), paper.context())
    assert paper.items == []


def test_a_draft_deleted_by_hand_is_said(paper: Paper) -> None:
    paper.draft()
    paper.workspace.news.clear()
    with pytest.raises(Final, match="was deleted in Intercom"):
        publish().plan(paper.context("publish"))


def test_a_draft_that_is_not_there_is_said_with_what_to_do(paper: Paper) -> None:
    ctx = paper.context("publish")
    with pytest.raises(Final, match="has not drafted the news item yet"):
        publish().plan(ctx)
    with pytest.raises(Final, match="There is no step nws"):
        PublishNews(draft="nws").plan(ctx)
    paper.records(Draft(Kind.STEP_SKIPPED, "U0ANA", "k", "news", {"reason": "no news"}))
    with pytest.raises(Final, match="is skipped, so there is no news item"):
        publish().plan(paper.context("publish"))


@pytest.mark.parametrize("fields", [{"title": " "}, {"title": "x" * 256}, {"body": " "}, {"sender": "ada"}])
def test_what_intercom_would_refuse_is_refused_before(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        draft(**fields)


def test_the_words_of_a_body() -> None:
    assert words("<p>One &amp;  <b>two</b><br/>three</p>\n<p></p><p>four</p>") == "One & two\nthree\nfour"


def test_our_requests_are_as_described(paper: Paper) -> None:
    contract = Contract("intercom/bot-subset-2.14.yaml", formats=False)
    item = Item.of(paper.draft())
    for method, path in [("POST", "/news/news_items"), ("PUT", f"/news/news_items/{item.id}")]:
        contract.check_request(method, path, item.request(live=method == "PUT"))
