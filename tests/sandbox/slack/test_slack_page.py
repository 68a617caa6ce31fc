"""The page in a real browser: reading, pressing, filling a modal, switching person."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from slack_bolt import App

from tests.sandbox.slack.kit import CONFIRM, actions, button, field, home, modal, mrkdwn, option, plain, section
from tests.sandbox.slack.place import CHANNEL, Connect, Place, bolt_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = """--no-sandbox --disable-gpu --no-first-run --disable-background-networking
    --disable-component-update --disable-sync"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, place: Place) -> Iterator[Page]:
    """The page as Ana, at a machine in another zone than hers; it may load nothing from elsewhere, nor fail."""
    page = browser.new_page(timezone_id="America/New_York")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.extend([] if request.url.startswith(place.url) else [request.url]))
    page.goto(place.url)
    yield page
    page.close()
    assert wrong == []


def test_messages_are_drawn_for_the_reader(place: Place, page: Page) -> None:
    text = "*bold* _it_ ~no~ `a < b` <@U0BEN0001> <https://example.com|PR> <!date^1796140800^{date_num} {time}|x>\n> q"
    card = place.bot.chat_postMessage(
        channel=CHANNEL,
        text="card",
        blocks=[
            {"type": "header", "text": plain(":construction: Upgrade")},
            section(text, fields=[mrkdwn("<script>alert(1)</script>")]),
            {"type": "context", "elements": [mrkdwn("small print")]},
            {"type": "divider"},
        ],
    )
    place.bot.pins_add(channel=CHANNEL, timestamp=card["ts"])
    place.bot.files_upload_v2(channel=CHANNEL, content="line one\nline two", filename="log.txt", title="The log")
    message = page.locator("#list .message").filter(has_text="small print")
    expect(message.locator("h3")).to_have_text("🚧 Upgrade")
    expect(message.locator("b").first).to_have_text("maint")
    expect(message.locator("code")).to_have_text("a < b")
    expect(message.locator(".mention")).to_have_text("@ben")
    expect(message.locator("a")).to_have_attribute("href", "https://example.com")
    expect(message.locator("blockquote")).to_have_text("q")
    expect(message.locator(".b-text time")).to_have_text("2026-12-01 17:00")
    expect(message.get_by_text("<script>alert(1)</script>")).to_be_visible()
    expect(page.locator("#pinned h3")).to_have_text("🚧 Upgrade")
    expect(page.locator(".preview")).to_have_text("line one\nline two")
    page.get_by_role("tab", name="Chloe").click()
    expect(page.locator("#list .b-text time")).to_have_text("2026-12-02 05:00")


FORM = modal(
    field("runbook", "static_select", element={"options": [option("upgrade"), option("vacuum")]}),
    field("title"),
    field("start", "datetimepicker"),
    field("day", "datepicker"),
    field("time", "timepicker"),
    field("who", "users_select"),
    field("mode", "radio_buttons", element={"options": [option("link"), option("copy")]}),
    field("also", "checkboxes", element={"options": [option("mail"), option("banner")]}),
    field("note", element={"multiline": True}, optional=True),
)


def asking_app(place: Place, submitted: list[dict[str, Any]]) -> App:
    """Opens `FORM`, asks for approval, thanks; has a Home."""
    app = bolt_app(place)

    @app.command("/maint")
    def maint(ack: Any, body: Any, client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view("form")
    def done(ack: Any, view: Any, client: Any) -> None:
        values = {block_id: next(iter(held.values())) for block_id, held in view["state"]["values"].items()}
        if values["title"]["value"] == "bad":
            ack(response_action="errors", errors={"title": "Say it better."})
            return
        ack()
        submitted.append(values)
        client.chat_postMessage(
            channel=CHANNEL, text="ask", blocks=[section("May I?"), actions(button("Approve", confirm=CONFIRM))]
        )

    @app.action("approve")
    def approve(ack: Any, body: Any, client: Any, respond: Any) -> None:
        ack()
        client.chat_update(channel=CHANNEL, ts=body["message"]["ts"], text=f"approved by <@{body['user']['id']}>")
        respond("thank you")

    @app.event("app_home_opened")
    def opened(event: Any, client: Any) -> None:
        client.views_publish(user_id=event["user"], view=home(section("Nothing is planned")))

    @app.event("message")
    def ignore() -> None:
        pass

    return app


def test_a_whole_conversation_with_an_app(place: Place, page: Page, connect: Connect) -> None:
    submitted: list[dict[str, Any]] = []
    connect(asking_app(place, submitted))
    page.get_by_label("Message").fill("/maint start")
    page.get_by_label("Message").press("Enter")
    dialog = page.locator("#modal")
    expect(dialog.get_by_role("heading", name="Form")).to_be_visible()
    dialog.get_by_label("Title").fill("bad")
    dialog.get_by_role("button", name="Go").click()
    expect(dialog.locator("[data-block=runbook] .error")).to_have_text("Please complete this required field.")
    expect(dialog.get_by_label("Title")).to_have_value("bad")
    dialog.get_by_label("Runbook").select_option("Vacuum")
    dialog.get_by_label("Start").fill("2026-12-01T17:00")
    dialog.get_by_label("Day").fill("2026-12-01")
    dialog.get_by_label("Time").fill("17:00")
    dialog.get_by_label("Who").select_option("@ben")
    dialog.get_by_text("Copy").check()
    dialog.get_by_text("Banner").check()
    dialog.get_by_label("Note").fill("two\nlines")
    dialog.get_by_role("button", name="Go").click()
    expect(dialog.locator("[data-block=title] .error")).to_have_text("Say it better.")
    dialog.get_by_label("Title").fill("good")
    dialog.get_by_role("button", name="Go").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("tab", name="Ben").click()
    page.locator("#list").get_by_role("button", name="Approve").click()
    page.locator("#confirm").get_by_role("button", name="Yes").click()
    expect(page.locator("#list")).to_contain_text("approved by @ben")
    expect(page.locator("#list .ephemeral")).to_contain_text("Only visible to you")
    page.get_by_role("button", name="maint Home").click()
    expect(page.locator("#home")).to_contain_text("Nothing is planned")
    [values] = submitted
    assert values["runbook"]["selected_option"]["value"] == "vacuum"
    assert values["start"]["selected_date_time"] == 1_796_140_800  # 17:00 in Berlin, where Ana is
    assert (values["day"]["selected_date"], values["time"]["selected_time"]) == ("2026-12-01", "17:00")
    assert values["who"]["selected_user"] == "U0BEN0001"
    assert values["mode"]["selected_option"]["value"] == "copy"
    assert [one["value"] for one in values["also"]["selected_options"]] == ["banner"]
    assert values["note"]["value"] == "two\nlines"
