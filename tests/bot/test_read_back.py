"""What people see is read back: what differs or is gone is said once, and once when it is right again."""

from typing import Any

import pytest

import integrations
from bot.card import card
from bot.entry import Entry, Kind
from bot.maintenances import Maintenances, utc_now
from bot.read_back import ReadBack
from bot.step import Standing
from tests.bot.entries import ID, add, begin
from tests.maintenance_fixtures import raw_step

integrations.load()

THEME = {"repository": "acme/theme"}
RIGHT = Standing("down at 5pm", "down at 5pm")
EDITED = Standing("down at 6pm", "down at 5pm")


class Outside:
    """What people see of the surfaces, by step; the bot looks again as often as it is told to."""

    def __init__(self, maintenances: Maintenances) -> None:
        self.maintenances = maintenances
        self.shows: dict[str, Standing | str | None] = {"banner": RIGHT}
        begin(
            maintenances,
            [
                raw_step("banner", "banner.on", surface=True, reversible=True, phase="scheduled", **{"with": THEME}),
                raw_step("banner-off", "banner.off", **{"with": THEME}),
            ],
        )
        add(
            maintenances,
            (Kind.STATE_CHANGED, None, {"from": "draft", "to": "scheduled"}),
            (Kind.STEP_STARTED, "banner", {"attempt": 1}),
            (Kind.STEP_SUCCEEDED, "banner", {"attempt": 1, "summary": "", "facts": {}, "files": {}}),
        )
        self.restart()

    def restart(self) -> None:
        self.bot = ReadBack(self.maintenances, lambda _: self.shows, lambda: True, 0.0)

    def look(self, banner: Standing | str | None) -> bool:
        self.shows["banner"] = banner
        return self.bot.round()

    @property
    def told(self) -> list[dict[str, Any]]:
        entries: list[Entry] = self.maintenances.journal.read(ID)
        return [dict(entry.payload) for entry in entries if entry.kind == Kind.READ_BACK]


@pytest.fixture
def outside(maintenances: Maintenances) -> Outside:
    return Outside(maintenances)


def test_what_was_edited_is_said_once_and_once_when_it_is_right_again(outside: Outside) -> None:
    assert not outside.look(RIGHT)
    assert outside.look(EDITED)
    assert not outside.look(EDITED)
    outside.restart()
    assert not outside.look(EDITED)
    shown = card(outside.maintenances.state(ID), {}, utc_now())
    assert "banner shows “down at 6pm”, and should show “down at 5pm”" in str(shown.blocks)
    assert outside.look(RIGHT)
    assert not outside.look(RIGHT)
    words = "shows “down at 6pm”, and should show “down at 5pm”"
    assert outside.told == [{"wrong": {"banner": words}, "right": []}, {"wrong": {}, "right": ["banner"]}]


def test_what_is_gone_is_said_unless_a_step_has_taken_it_down(outside: Outside) -> None:
    assert outside.look(None)
    assert outside.told[-1]["wrong"] == {"banner": "is not up any more as it was put up"}
    add(outside.maintenances, (Kind.STEP_STARTED, "banner-off", {"attempt": 1}))
    assert outside.look(None)
    assert outside.told[-1] == {"wrong": {}, "right": ["banner"]}


def test_a_short_outage_is_not_said_and_a_longer_one_is(outside: Outside) -> None:
    assert not outside.look("cannot be seen: connection refused")
    assert not outside.look(RIGHT)
    assert not outside.look("cannot be seen: connection refused")
    assert outside.look("cannot be seen: connection refused")
    assert outside.told == [{"wrong": {"banner": "cannot be seen: connection refused"}, "right": []}]


def test_an_outage_does_not_make_what_was_wrong_right(outside: Outside) -> None:
    assert outside.look(EDITED)
    assert not outside.look("cannot be seen: connection refused")


def test_nothing_is_read_back_while_it_is_brought_up_to_date_or_after_an_abort(outside: Outside) -> None:
    again = raw_step("banner-again-1", "banner.on", surface=True, change="move-1", needs=["move-1"], **{"with": THEME})
    window = {"start": utc_now().isoformat(), "end": utc_now().isoformat(), "zone": "UTC"}
    move = raw_step("move-1", "maint.window", change="move-1", **{"with": window})
    asked = {"change": "move-1", "what": "moved", "reason": "", "window": window, "steps": [move, again]}
    add(outside.maintenances, (Kind.CHANGE_ASKED, None, asked))
    assert outside.look(EDITED)
    add(outside.maintenances, (Kind.STEP_STARTED, "move-1", {"attempt": 1}))
    done = {"attempt": 1, "summary": "", "facts": {}, "files": {}}
    add(outside.maintenances, (Kind.STEP_SUCCEEDED, "move-1", done))
    assert not outside.look(RIGHT)
    add(outside.maintenances, (Kind.STEP_STARTED, "banner-again-1", {"attempt": 1}))
    add(outside.maintenances, (Kind.STEP_SUCCEEDED, "banner-again-1", done))
    outside.shows["banner-again-1"] = RIGHT
    assert outside.look(EDITED)
    assert outside.told[-1] == {"wrong": {}, "right": ["banner"]}
    add(outside.maintenances, (Kind.ABORTED, None, {"reason": "no"}))
    outside.shows["banner-again-1"] = EDITED
    assert not outside.look(EDITED)


def test_what_people_see_is_read_back_after_those_on_call_were_paged_too(outside: Outside) -> None:
    at = utc_now().isoformat()
    times = dict.fromkeys(("end", "low", "high", "announced"), at)
    page = raw_step("page-1", "oncall.page", change="overrun-1", reversible=True, **{"with": {"text": "late"}})
    add(
        outside.maintenances,
        (Kind.OVERRUN_EXPECTED, None, {"number": 1, **times, "late_chance": 0.95, "asked": []}),
        (Kind.OVERRUN_ESCALATED, None, {"number": 1, "to": [], "steps": [page]}),
        (Kind.STEP_STARTED, "page-1", {"attempt": 1}),
    )
    assert outside.look(EDITED)
    assert outside.told[-1]["wrong"].keys() == {"banner"}


def test_only_the_process_that_leads_looks(maintenances: Maintenances) -> None:
    outside = Outside(maintenances)
    outside.shows["banner"] = EDITED

    class Ends:
        """Set after the first wait."""

        waits = 0

        def wait(self, _: float) -> bool:
            self.waits += 1
            return self.waits > 1

    ReadBack(maintenances, lambda _: outside.shows, lambda: False, 0.0).run(Ends(), lambda: None)  # type: ignore[arg-type]
    assert outside.told == []
    ReadBack(maintenances, lambda _: outside.shows, lambda: True, 0.0).run(Ends(), lambda: None)  # type: ignore[arg-type]
    assert len(outside.told) == 1
