"""The pictures: drawn in a process of their own, and with everything on them that they were asked to show."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image, ImageColor

from bot.charts import Bar, Group, Mark, Row, bars, groups, lines, timeline, work
from bot.charts.style import BLUE, GREEN, ORANGE, PLANNED, SHADE, SKY, VERMILLION, cut, day_and_zone
from bot.errors import Final

START = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
ENOUGH = 20


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def pixels(png: bytes, colour: str) -> int:
    """How many pixels have exactly this colour."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    counted = image.getcolors(image.width * image.height) or []
    return {rgb: count for count, rgb in counted}.get(ImageColor.getrgb(colour), 0)


def test_a_timeline_shows_what_was_planned_what_was_and_what_went_wrong() -> None:
    rows = [
        Row("Take the app off, for $5 {{ x }} <b>", (at(0), at(1)), (at(5), at(6)), (at(0), at(5))),
        Row("Upgrade", (at(1), at(11)), (at(6), at(40))),
        Row("Gate", (at(11), at(12)), (at(40), at(44)), state="failed"),
        Row("Watch", None, (at(0), at(60)), state="alongside"),
        Row("Left out", (at(12), at(13)), state="skipped"),
    ]
    rows[1] = replace(rows[1], stood=((at(10), at(20)),))
    marks = [Mark(0, at(5), "approved"), Mark(2, at(43), "failed"), Mark(2, at(44), "retried")]
    spans = {"window": (at(0), at(50)), "pauses": [(at(20), at(25))]}
    png = timeline("Postgres 14 to 18", rows, zone="Pacific/Auckland", marks=marks, **spans)
    assert png.startswith(b"\x89PNG")
    for colour in (BLUE, ORANGE, VERMILLION, PLANNED, SHADE, SKY, GREEN):
        assert pixels(png, colour) > ENOUGH, colour
    assert Image.open(io.BytesIO(png)).width > 1000


def test_bars_show_what_is_over_the_limit() -> None:
    png = bars("Largest tables", [("orders", 120.0), ("payments", 1834.5)], unit="s", limit=600)
    assert pixels(png, BLUE) > ENOUGH
    assert pixels(png, ORANGE) > ENOUGH


def test_lines_over_time() -> None:
    series = {"app": [(at(n), 100.0 + n) for n in range(20)], "www": [(at(n), 50.0) for n in range(20)]}
    png = lines("Answer time", series, unit="ms", zone="Europe/Berlin", shaded=[(at(5), at(9))])
    for colour in (BLUE, ORANGE, SHADE):
        assert pixels(png, colour) > ENOUGH, colour


def test_work_is_shown_against_its_forecast() -> None:
    done = [(at(n), float(n)) for n in range(21)]
    ends = [(at(n), at(20 + (20 - n) / 4)) for n in range(1, 20)]
    png = work("Vacuum", done=done, total=20.0, ends=ends, ended=at(20), unit="GB", zone="Pacific/Auckland")
    for colour in (BLUE, VERMILLION, SHADE):
        assert pixels(png, colour) > ENOUGH, colour


def test_groups_are_compared_on_a_scale_that_shows_all_of_them() -> None:
    bars = (Bar("before", 0.2, "0.2 ms"), Bar("without statistics", 36000, "36 s"), Bar("now", 0.3, "0.3 ms"))
    png = groups(
        "Probes", [Group("latest", bars, 20.2)], series=[bar.series for bar in bars], unit="ms", limit="3-fold"
    )
    # Even the smallest is as wide as a finger: on a linear scale it would be a fifth of a thousandth of a pixel.
    for colour in (BLUE, ORANGE, GREEN):
        assert pixels(png, colour) > 500, colour
    assert pixels(png, VERMILLION) > ENOUGH


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(Final, match=r"A picture could not be drawn: .*Nowhere/Never"):
        lines("x", {"a": [(at(0), 1.0)]}, unit="ms", zone="Nowhere/Never")


def test_words_on_the_axes() -> None:
    assert cut("a  b\nc") == "a b c"
    assert len(cut("x" * 100)) == 38
    assert day_and_zone(at(0), at(60), "Asia/Kolkata") == "Wed 25 Nov 2026, times in IST (Asia/Kolkata, UTC+05:30)"
    assert day_and_zone(at(0), at(24 * 60), "UTC").startswith("Wed 25 Nov 2026 to Thu 26 Nov 2026")
    change = datetime(2027, 3, 14, 6, tzinfo=UTC)
    assert day_and_zone(change, change + timedelta(hours=3), "America/New_York") == (
        "Sun 14 Mar 2027, times in EST (UTC-05:00), then EDT (UTC-04:00), America/New_York"
    )
