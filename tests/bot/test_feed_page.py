"""The script on a page of somebody else, in a real browser: the viewer's zone, and what it must not do."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from bot.database import Database
from bot.feed_publisher import SCRIPT, Publisher
from bot.web import web_app
from sandbox.server import Server, serving
from tests.bot.feed_story import IMPACT, START, URL, Story

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = """--no-sandbox --disable-gpu --no-first-run --disable-background-networking
    --disable-component-update --disable-sync"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
A_MINUTE = 75_000
"""Milliseconds after which the script has certainly asked again."""


class Feed:
    """The feed's server, and the statuses that it has answered `maintenance.json` with."""

    def __init__(self, publisher: Publisher) -> None:
        self._app = web_app(None, publisher)
        self.answers: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"].endswith(".json"):
                self.answers.append(message["status"])
            await send(message)

        await self._app(scope, receive, watched)


@pytest.fixture
def story(database: Database) -> Story:
    return Story(database)


@pytest.fixture
def publisher(story: Story) -> Publisher:
    return Publisher(story.maintenances, "a test")


@pytest.fixture
def feed(publisher: Publisher) -> Feed:
    return Feed(publisher)


@pytest.fixture
def served(feed: Feed) -> Iterator[Server]:
    with serving(feed) as server:
        yield server


async def shop(request: Request) -> Response:
    """A page of another team, which lets nothing in but the feed's script and its data."""
    script = request.query_params["script"]
    origin = script.rpartition("/feed/")[0]
    policy = f"default-src 'none'; script-src {origin}; connect-src {origin}"
    body = f'<!doctype html><title>Shop</title><script src="{script}"></script><h1>Shop</h1>'
    return HTMLResponse(body, headers={"Content-Security-Policy": policy})


@pytest.fixture(scope="module")
def shop_url() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/", shop)])) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        yield browser
        browser.close()


class Viewer:
    """Somebody who looks at the shop, with a clock that the test sets."""

    def __init__(self, page: Page, shop_url: str, story: Story) -> None:
        self.page = page
        self.notices = page.locator(".maint-notice")
        self._shop_url = shop_url
        self._story = story

    def opens(self, script: str) -> None:
        self.page.clock.install(time=self._story.now)
        self.page.goto(f"{self._shop_url}/?script={script}")

    def waits(self, milliseconds: int = A_MINUTE) -> None:
        """Let this much time pass at once, on the viewer's clock and in the story."""
        self.page.clock.fast_forward(milliseconds)
        self._story.now += timedelta(milliseconds=milliseconds)

    def is_at(self, story: Story) -> None:
        """Set the clock to that of the story, and let the script ask again."""
        self.page.clock.set_system_time(story.now)
        self.waits()


@pytest.fixture
def viewer(browser: Browser, shop_url: str, story: Story) -> Iterator[Viewer]:
    """A viewer in New York; nothing may fail on the page, the policy included."""
    context = browser.new_context(timezone_id="America/New_York", locale="en-GB")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if "Failed to load" not in message.text else None)
    yield Viewer(page, shop_url, story)
    context.close()
    assert wrong == []


def test_from_the_announcement_to_the_end(
    story: Story, publisher: Publisher, feed: Feed, served: Server, viewer: Viewer
) -> None:
    story.plan()
    story.is_announced()
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    expect(viewer.notices).to_have_count(1)
    # 22:00 in Auckland, where it was announced.
    expect(viewer.notices).to_contain_text("Scheduled maintenance: Postgres 14 to 18.")
    expect(viewer.notices).to_contain_text("04:00")
    expect(viewer.notices).to_contain_text("06:00")
    expect(viewer.notices).to_contain_text("GMT-5")
    expect(viewer.notices).to_contain_text(IMPACT)
    expect(viewer.notices).to_contain_text("Begins in 24 hours.")
    expect(viewer.notices.get_by_role("link", name="More about it")).to_have_attribute("href", URL)
    # At the top, and said by screen readers: without the countdown, which would never let them rest.
    assert viewer.page.evaluate("document.body.firstElementChild.getAttribute('aria-label')") == "Maintenance"
    status = viewer.page.get_by_role("status")
    expect(status).to_contain_text("Scheduled maintenance: Postgres 14 to 18.")
    expect(status).not_to_contain_text("Begins in")

    with viewer.page.expect_response("**/maintenance.json"):
        viewer.waits()
    assert feed.answers[:2] == [200, 304], "it asks by the tag whether anything has changed"

    story.moves(START + timedelta(hours=3))
    publisher.refresh()
    viewer.is_at(story)
    expect(viewer.notices).to_contain_text("Maintenance has moved: Postgres 14 to 18.")
    expect(viewer.notices).to_contain_text("07:00")

    story.begins()
    publisher.refresh()
    viewer.is_at(story)
    expect(viewer.notices).to_contain_text("Maintenance in progress: Postgres 14 to 18.")
    expect(viewer.notices).to_contain_text("Ends in 2 hours.")
    story.now += timedelta(hours=2)
    viewer.is_at(story)
    expect(viewer.notices).to_contain_text("It takes longer than planned.")
    story.turns("verifying")
    publisher.refresh()
    viewer.is_at(story)
    expect(viewer.notices).to_contain_text("Maintenance almost over")

    story.turns("completed")
    publisher.refresh()
    viewer.is_at(story)
    expect(viewer.notices).to_have_count(0)
    expect(viewer.page.locator("section")).to_have_count(0)


def test_words_are_words_and_never_markup(story: Story, publisher: Publisher, served: Server, viewer: Viewer) -> None:
    evil = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
    story.plan(title=evil, impact=evil, params={"url": "javascript:document.title='evil'"})
    story.is_announced()
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    expect(viewer.notices).to_contain_text(evil)
    assert viewer.page.locator("img").count() == 0
    expect(viewer.notices.locator("a")).to_be_hidden()
    assert viewer.page.title() == "Shop"


def test_a_dismissed_notice_stays_away_until_there_is_news(
    story: Story, publisher: Publisher, served: Server, viewer: Viewer
) -> None:
    story.plan()
    story.is_announced()
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    viewer.page.get_by_role("button", name="Dismiss this notice").click()
    expect(viewer.notices).to_have_count(0)
    with viewer.page.expect_response("**/maintenance.json"):
        viewer.page.reload()
    viewer.page.wait_for_load_state("networkidle")
    expect(viewer.notices).to_have_count(0)
    story.extends(timedelta(minutes=30))
    publisher.refresh()
    viewer.is_at(story)
    expect(viewer.notices).to_have_count(1)


def test_a_cancellation_is_told_for_a_day(story: Story, publisher: Publisher, served: Server, viewer: Viewer) -> None:
    story.now = START - timedelta(days=3)
    story.plan()
    story.is_announced()
    story.cancels()
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    expect(viewer.notices).to_contain_text("Maintenance cancelled: Postgres 14 to 18. It will not take place")
    story.now += timedelta(days=1)
    viewer.is_at(story)
    expect(viewer.notices).to_have_count(0)


def test_what_is_far_ahead_or_was_never_begun_is_not_shown(
    story: Story, publisher: Publisher, served: Server, viewer: Viewer
) -> None:
    story.plan("2026-11-25-a", title="Never begun")
    story.is_announced("2026-11-25-a")
    story.now = START + timedelta(hours=3)
    story.plan("2026-12-25-b", title="Far ahead", start=START + timedelta(days=30))
    story.is_announced("2026-12-25-b")
    story.plan("2026-11-26-c", title="Soon", start=START + timedelta(days=1))
    story.is_announced("2026-11-26-c")
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    expect(viewer.notices).to_have_count(1)
    expect(viewer.notices).to_contain_text("Soon")


def test_a_page_that_draws_itself_anew_gets_its_notice_back(
    story: Story, publisher: Publisher, served: Server, viewer: Viewer
) -> None:
    story.plan()
    story.is_announced()
    publisher.refresh()
    viewer.opens(f"{served.url}/feed/maintenance.js")
    expect(viewer.notices).to_have_count(1)
    viewer.page.evaluate("document.body.replaceChildren(document.createElement('main'))")
    expect(viewer.notices).to_have_count(0)
    viewer.waits()
    expect(viewer.notices).to_have_count(1)


BROKEN: dict[str, Any] = {
    "gone": Response("not found", 404),
    "not JSON": HTMLResponse("<p>We will be back</p>"),
    "of another version": Response('{"version": 2, "maintenances": [{}]}'),
    "half": Response('{"version": 1, "maintenances": [null, 7, {"id": "x", "title": "Half"}]}'),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_feed_that_cannot_be_read_shows_nothing(viewer: Viewer, answer: Response) -> None:
    asked: list[str] = []

    async def script(_: Request) -> Response:
        return Response(SCRIPT.read_bytes(), media_type="text/javascript")

    async def broken(request: Request) -> Response:
        asked.append(request.url.path)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    routes = [Route("/feed/maintenance.js", script), Route("/feed/maintenance.json", broken)]
    with serving(Starlette(routes=routes)) as server:
        with viewer.page.expect_response("**/maintenance.json"):
            viewer.opens(f"{server.url}/feed/maintenance.js")
        assert asked == ["/feed/maintenance.json"]
        expect(viewer.page.get_by_role("heading", name="Shop")).to_be_visible()
        expect(viewer.notices).to_have_count(0)


def test_what_was_read_stays_for_a_while_when_the_feed_is_gone(
    story: Story, publisher: Publisher, feed: Feed, viewer: Viewer
) -> None:
    story.plan()
    story.is_announced()
    publisher.refresh()
    with serving(feed) as server:
        viewer.opens(f"{server.url}/feed/maintenance.js")
        expect(viewer.notices).to_have_count(1)
    viewer.waits()
    expect(viewer.notices).to_have_count(1)
    viewer.waits(16 * 60_000)
    expect(viewer.notices).to_have_count(0)
