"""How maintenances have gone: the numbers against maintenances whose times are known."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.database import Database
from bot.entry import Kind
from bot.track_record import Summary, TrackRecord
from commands.stats import bars, summed_up
from tests.bot.entries import request
from tests.bot.feed_story import START, Story

HOUR = timedelta(hours=1)


class Years:
    """Maintenances one after the other, each with a window of two hours and one step that takes as long as said."""

    def __init__(self, database: Database) -> None:
        self.story = Story(database)
        self.record = TrackRecord(self.story.maintenances)
        self.number = 0

    def passes(self, took: timedelta, end: str = "completed", waits: timedelta | None = None) -> str:
        self.number += 1
        name, story = f"2026-11-{self.number:04}-work", self.story
        start = START + timedelta(days=self.number)
        story.now = start - timedelta(hours=2)
        story.plan(name, start=start)
        story.is_announced(name)
        story.now = start - timedelta(minutes=1)
        story.turns("in_progress", name)
        if waits is not None:
            kind, step, payload, *_ = request("secret-work", token=name)
            story.happens(kind, step, payload, name)
            story.now += waits - timedelta(minutes=1)
            story.happens(Kind.APPROVED, "secret-work", {"token": name, "digest": "d", "of": 1}, name)
        story.happens(Kind.STEP_STARTED, "secret-work", {"attempt": 1}, name)
        story.now = start + took - timedelta(minutes=1)
        done = {"attempt": 1, "summary": "done", "facts": {}, "files": {}}
        story.happens(Kind.STEP_SUCCEEDED, "secret-work", done, name)
        story.now -= timedelta(minutes=1)
        if end == "aborted":
            story.happens(Kind.ABORTED, None, {"reason": "no"}, name)
        else:
            story.turns(end, name)
        return name

    def summary(self) -> Summary:
        return self.record.summary()


@pytest.fixture
def years(database: Database) -> Years:
    return Years(database)


def test_before_anything_is_over_there_is_nothing(years: Years) -> None:
    years.story.plan()
    found = years.summary()
    assert (found.on_time, found.error_start, found.wait_median, list(found.last)) == (None, None, None, [])


def test_on_time_and_late_by_the_end_that_was_promised(years: Years) -> None:
    for _ in range(3):
        years.passes(HOUR)
    late = years.passes(3 * HOUR)
    aborted = years.passes(HOUR, end="aborted")
    found = years.summary()
    assert found.by_status == {"completed": 4, "aborted": 1}
    assert found.on_time == 0.75
    assert (found.late_median, found.latest and found.latest.id) == (HOUR, late)
    assert [each.id for each in found.last][:2] == [aborted, late]


def test_an_extension_does_not_make_it_punctual(years: Years) -> None:
    story = years.story
    story.plan()
    story.is_announced()
    story.begins()
    promised = story.state().window
    story.extends(timedelta(minutes=30))
    story.now = promised.end + timedelta(minutes=20)
    story.turns("completed")
    found = years.summary()
    assert story.state().window.end > story.now
    assert (found.on_time, found.extended) == (0.0, 1)
    assert found.last[0].promised == promised


def test_the_forecasts_are_judged_by_what_was_known_then(years: Years) -> None:
    years.passes(HOUR)
    first = years.summary()
    assert first.error_start is not None
    assert first.error_start > 0.9, "the runbook says a minute, it takes an hour"
    for _ in range(6):
        years.passes(HOUR)
    found = years.summary()
    assert found.judged == 7
    assert found.error_start is not None
    assert found.error_start < 0.6 * first.error_start, "the later ones have learned"


def test_how_long_people_take(years: Years) -> None:
    for minutes in (5, 10, 30):
        years.passes(HOUR, waits=timedelta(minutes=minutes))
    found = years.summary()
    assert (found.wait_median, found.wait_longest) == (timedelta(minutes=10), timedelta(minutes=30))


def test_a_single_one_and_a_forecast_that_was_wide_of_it_read_as_a_sentence(years: Years) -> None:
    years.passes(HOUR)
    found = replace(years.summary(), error_start=49.7, error_half=0.2)
    told = "\n".join(summed_up(found))
    assert told.startswith("*1 maintenance is over*")
    assert "off by more than the time it took when it began, by 20% of the time it took half-way" in told


def test_the_words_and_the_bars(years: Years) -> None:
    years.passes(HOUR)
    years.passes(4 * HOUR)
    found = years.summary()
    told = "\n".join(summed_up(found))
    assert told.startswith("*2 maintenances are over*: 2 completed.")
    assert "On time: 50% of those completed" in told
    assert "at most by 2 hours (`2026-11-0002-work`)" in told
    assert "Extended" not in told
    in_time = "\n".join(summed_up(replace(found, late_median=None, latest=None, extended=1)))
    assert "Extended on the way: 1." in in_time, "also where none was late"
    fence, late, good, *_ = bars(found).splitlines()
    assert fence == "```"
    assert late == "2026-11-0002-work ████████▓▓▓▓▓▓▓▓ 4 hours of 2 hours, 2 hours late"
    assert good == "2026-11-0001-work ████░░░░         1 hour of 2 hours, on time"


def test_asking_again_reads_nothing_of_what_is_over(years: Years) -> None:
    years.passes(HOUR)
    before = years.summary()
    # Should it read the journal once more, it would find a chain that cannot be folded.
    years.story.maintenances.journal.database.query("UPDATE entries SET step = 'gone' WHERE step IS NOT NULL")
    assert years.summary() == before
