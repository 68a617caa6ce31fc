"""A maintenance in a real browser: the form, the approval, the running card, the closing report."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.scenarios.house import Room

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = """--no-sandbox --disable-gpu --no-first-run --disable-background-networking
    --disable-component-update --disable-sync"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
STEPS = """\
  - id: work
    title: Do the work
    uses: command
    approval: true
    with: {argv: [sh, -c, "echo done >> WORLD; while [ ! -e WORLD.go ]; do sleep 0.05; done"]}
  - id: report
    title: Write the closing report
    uses: report
"""


@pytest.fixture
def page(room: Room) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{room.slack.url}/archives/{room.channel_id}")
        yield page
        browser.close()
        assert wrong == []


def test_from_the_form_to_the_closing_report(room: Room, page: Page) -> None:
    runbook = room.runbook(STEPS)
    page.locator("#words").fill(f"/maint start {runbook} at yesterday 5pm for 30m")
    page.locator("#words").press("Enter")
    form = page.get_by_role("dialog")
    expect(form).to_contain_text("Plan a maintenance")
    expect(form).to_contain_text("is in the past")
    form.get_by_label("Start").fill("now")
    form.get_by_role("button", name="Plan it").click()
    expect(page.locator("#list")).to_contain_text("is planned: ")
    expect(page.locator("#pinned")).to_contain_text("Waiting for")

    page.get_by_role("tab", name="Ben").click()
    page.locator("#list").get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Yes").or_(page.get_by_role("button", name="Approve")).last.click()
    expect(page.locator("#list")).to_contain_text("Approved by")
    expect(page.locator("#list").get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("#pinned")).to_contain_text("▶ Do the work")

    room.lets_go()
    expect(page.locator("#list")).to_contain_text("of the 30 minutes allotted", timeout=20_000)
    expect(page.locator("#list")).to_contain_text("timeline.png", timeout=60_000)
    expect(page.locator("#pinned")).to_contain_text("Completed", timeout=20_000)
