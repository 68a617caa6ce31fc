"""Calendars of freezes and vendors' pages: asked over HTTP, kept for minutes, and told where they cannot be seen."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import integrations
from bot.errors import Final, MaintError, Temporary
from bot.freeze_calendars import FreezeCalendars
from bot.lookups import Lookups
from bot.radar_checks import radar_checks
from bot.settings import SettingsErrors, load
from bot.step import Window
from bot.vendor_pages import VendorPage, VendorPages
from sandbox.server import serving
from sandbox.statuspage import Statuspage

integrations.load()
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WINDOW = Window(NOW + timedelta(hours=10), NOW + timedelta(hours=12), "Europe/Berlin")
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
X-WR-CALNAME:Releases
X-WR-TIMEZONE:Europe/Berlin
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261201
SUMMARY:No releases <today>
END:VEVENT
END:VCALENDAR
"""


class Files:
    """Serves one text, and counts how often it was asked for."""

    def __init__(self) -> None:
        self.text, self.status, self.asked = CALENDAR, 200, 0
        self.app = Starlette(routes=[Route("/private-s3cret/basic.ics", self._serve)])

    async def _serve(self, request: Request) -> Response:
        self.asked += 1
        return PlainTextResponse(self.text.replace("\n", "\r\n"), self.status)


def patient(**options: float) -> Lookups:
    return Lookups(patience_s=30.0, **options)


def test_a_calendar_is_asked_once_in_minutes_and_anew_soon_after_a_failure() -> None:
    files = Files()
    with serving(files.app) as server:
        url = SecretStr(f"{server.url}/private-s3cret/basic.ics")
        calendars = FreezeCalendars([url], patient())
        for _ in range(2):
            [freeze], not_seen = calendars.begin(WINDOW)()
            assert (freeze.reason, freeze.source, not_seen) == ("No releases <today>", "Releases", [])
            assert freeze.until == datetime(2026, 12, 1, 23, tzinfo=UTC), "midnight in Berlin"
        assert files.asked == 1
        forgetful = FreezeCalendars([url], patient(keep_failure_s=-1.0))
        for text, status, told in [
            ("<html>", 200, "not an iCalendar file"),
            ("gone", 404, "answered 404 to GET •••"),
            (CALENDAR.replace("SUMMARY", "RRULE:FREQ=HOURLY\nSUMMARY"), 200, "hours or less"),
        ]:
            files.text, files.status = text, status
            found, [unseen] = forgetful.begin(WINDOW)()
            assert (found, unseen.kind) == ([], "unseen")
            assert told in unseen.text
            assert "s3cret" not in unseen.text
            assert "127.0.0.1" in unseen.text
    _, [unseen] = FreezeCalendars([url], patient()).begin(WINDOW)()
    assert "cannot be reached" in unseen.text


@pytest.fixture(scope="module")
def vendor() -> Iterator[tuple[Statuspage, VendorPage]]:
    page = Statuspage("GitHub", clock=lambda: NOW)
    names = [page.add_component(f"Part {number}").id for number in range(7)]
    with serving(page.app) as server:

        def plan(title: str, hours: float, length: float, **more: object) -> None:
            times = {
                "scheduled_for": (NOW + timedelta(hours=hours)).isoformat(),
                "scheduled_until": (NOW + timedelta(hours=hours + length)).isoformat(),
            }
            page.create({"name": title, "status": "scheduled", **times, **more}, server.url)

        plan("Move of databases.", 11, 4, component_ids=names)
        plan("Long before", 2, 1)
        plan("Just after", 12, 1)
        yield page, VendorPage("GitHub", server.url)


def test_what_a_vendor_plans_is_named_with_times_parts_and_link(vendor: tuple[Statuspage, VendorPage]) -> None:
    _, page = vendor
    [one] = VendorPages([page], patient()).begin(WINDOW, NOW)()
    assert one.kind == "vendor"
    span = "Wed 2 Dec 2026 00:00 CET (UTC+1) to Wed 2 Dec 2026 04:00 CET (UTC+1)"
    assert one.text.startswith(f"GitHub plans maintenance of its own, {span}: Move of databases. It names Part 0, ")
    assert "Part 4 and 2 more." in one.text
    assert one.text.endswith(one.about)
    assert one.about.startswith("http")


def test_what_a_vendor_has_begun_lasts_until_it_says_that_it_has_ended(
    vendor: tuple[Statuspage, VendorPage],
) -> None:
    page, address = vendor
    begun = next(one for one in page.incidents.values() if one.name == "Long before")
    page.update(begun, {"status": "in_progress"})
    found = VendorPages([address], patient()).begin(WINDOW, WINDOW.start + timedelta(minutes=1))()
    assert [each.text.split(",")[0] for each in found] == [
        "GitHub is in maintenance of its own",
        "GitHub plans maintenance of its own",
    ]
    page.update(begun, {"status": "completed"})


def test_a_page_that_is_none_or_does_not_answer_is_told(vendor: tuple[Statuspage, VendorPage]) -> None:
    page, address = vendor
    page.members_only = True
    closed = VendorPages([address], patient()).begin(WINDOW, NOW)
    elsewhere = VendorPages([VendorPage("Nobody", "http://127.0.0.1:9")], patient()).begin(WINDOW, NOW)
    assert [(each.kind, each.text.partition(":")[0]) for wait in (closed, elsewhere) for each in wait()] == [
        ("unseen", "What GitHub plans cannot be looked at"),
        ("unseen", "What Nobody plans cannot be looked at"),
    ]
    page.members_only = False


# How long is waited ---------------------------------------------------------------------------------------------------


def test_nobody_waits_for_long_and_a_late_answer_is_there_for_the_next() -> None:
    answered, now = threading.Event(), [0.0]

    def slowly() -> str:
        answered.wait(60)
        return "late"

    lookups = Lookups(patience_s=0.0, clock_s=lambda: now[0])
    with pytest.raises(Temporary, match="has not answered yet"):
        lookups.begin("slow", slowly)()
    with pytest.raises(Temporary, match="has not answered yet"):
        lookups.begin("slow", lambda: "a second question while the first is open")()
    answered.set()
    for thread in threading.enumerate():
        if thread.name == "lookup":
            thread.join(60)
    assert lookups.begin("slow", slowly)() == "late"


def test_answers_are_kept_longer_than_failures() -> None:
    now, asked = [0.0], []
    lookups = Lookups(keep_s=100, keep_failure_s=10, patience_s=30, clock_s=lambda: now[0])

    def ask(answer: str | Exception) -> Callable[[], str]:
        def run() -> str:
            asked.append(answer)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return run

    with pytest.raises(Final, match="no"):
        lookups.begin("key", ask(Final("no")))()
    with pytest.raises(Final, match="no"):
        lookups.begin("key", ask("yes"))()
    now[0] = 11.0
    assert lookups.begin("key", ask("yes"))() == "yes"
    now[0] = 100.0
    assert lookups.begin("key", ask("again"))() == "yes"
    now[0] = 112.0
    with pytest.raises(Temporary, match=r"not what was expected \(KeyError\)"):
        lookups.begin("key", ask(KeyError("x")))()


def test_the_check_of_the_configuration_tries_each(tmp_path: Path, vendor: tuple[Statuspage, VendorPage]) -> None:
    _, page = vendor
    with serving(Files().app) as server:
        settings = load(
            {
                "MAINT_SLACK_BOT_TOKEN": "xoxb-1",
                "MAINT_SLACK_APP_TOKEN": "xapp-1",
                "MAINT_CHANNEL": "C0OPS",
                "MAINT_BUSY_HOURS": "Mon 9-17 UTC",
                "MAINT_FREEZES": str(tmp_path / "nowhere.yml"),
                "MAINT_FREEZE_CALENDARS": f"{server.url}/private-s3cret/basic.ics, {server.url}/private-other/x.ics",
                "MAINT_VENDOR_PAGES": f"GitHub={page.url}/, My Host=http://127.0.0.1:9",
                "MAINT_ON_CALL": "pagerduty:PI7DH85, moon:X1",
            }
        )
        said = []
        for what, look in radar_checks(settings, lambda setting: setting.default):
            try:
                said.append(f"{what}: {look()}")
            except MaintError as error:
                said.append(f"WRONG {what}: {error}")
    assert [one.partition(":")[0] for one in said] == [
        "WRONG busy hours",
        "WRONG freezes",
        "calendar of freezes at 127.0.0.1",
        "WRONG calendar of freezes at 127.0.0.1",
        "status page of GitHub",
        "WRONG status page of My Host",
        "WRONG on call by pagerduty",
        "WRONG on call by moon",
    ]
    assert said[6].endswith("MAINT_PAGERDUTY_TOKEN is not set.")
    assert "MAINT_ON_CALL takes " in said[7]
    assert f" maintenances planned or under way at {page.url}" in said[4]
    assert "private-" not in f"{said}{settings!r}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("FREEZE_CALENDARS", "http://calendar.example/s3cret.ics"), ("VENDOR_PAGES", "https://www.githubstatus.com")],
)
def test_other_addresses_are_refused(name: str, value: str) -> None:
    needed = {"MAINT_SLACK_BOT_TOKEN": "xoxb-1", "MAINT_SLACK_APP_TOKEN": "xapp-1", "MAINT_CHANNEL": "C0OPS"}
    with pytest.raises(SettingsErrors, match=f"MAINT_{name}") as wrong:
        load({**needed, f"MAINT_{name}": value})
    assert "s3cret" not in str(wrong.value)
