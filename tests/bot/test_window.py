import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BadInput
from bot.markup import announced
from bot.step import Window
from bot.window import (
    Moment,
    banner_time,
    duration_words,
    echo,
    local,
    make_window,
    needs_confirmation,
    parse_duration,
    parse_when,
    plain,
    relative,
    zone_of,
)
from bot.zones import instants

NOW = datetime(2026, 11, 25, 9, 43, 20, tzinfo=UTC)  # a Wednesday; 22:43 in Auckland, 10:43 in Berlin
AUCKLAND, BERLIN = "Pacific/Auckland", "Europe/Berlin"
ZONES = st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone))
MINUTES = st.integers(0, 365 * 24 * 60)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "at", "zone"),
    [
        ("17:00 NZDT", utc(2026, 11, 26, 4), AUCKLAND),
        ("5pm", utc(2026, 11, 26, 4), AUCKLAND),
        ("5.30 p.m.", utc(2026, 11, 26, 4, 30), AUCKLAND),
        ("noon", utc(2026, 11, 25, 23), AUCKLAND),
        ("12am", utc(2026, 11, 25, 11), AUCKLAND),
        ("“22:45”", utc(2026, 11, 25, 9, 45), AUCKLAND),
        ("22:43", utc(2026, 11, 25, 9, 43), AUCKLAND),
        ("22:42", utc(2026, 11, 26, 9, 42), AUCKLAND),
        ("tomorrow 5pm", utc(2026, 11, 26, 4), AUCKLAND),
        ("tonight 11pm", utc(2026, 11, 25, 10), AUCKLAND),
        ("in 2h", utc(2026, 11, 25, 11, 44), AUCKLAND),
        ("in 90 minutes", utc(2026, 11, 25, 11, 14), AUCKLAND),
        ("in two hours", utc(2026, 11, 25, 11, 44), AUCKLAND),
        ("now", utc(2026, 11, 25, 9, 43), AUCKLAND),
        ("2026-12-01 22:00 Europe/Berlin", utc(2026, 12, 1, 21), BERLIN),
        ("2026\u201312\u201301 22:00 europe/berlin", utc(2026, 12, 1, 21), BERLIN),
        ("2026-12-01T22:00Z", utc(2026, 12, 1, 22), "UTC"),
        ("2026-12-01T22:00:00+01:00", utc(2026, 12, 1, 21), "Etc/GMT-1"),
        ("fri 22:00", utc(2026, 11, 27, 9), AUCKLAND),
        ("Wed 22:00", utc(2026, 12, 2, 9), AUCKLAND),
        ("wednesday 23:00", utc(2026, 11, 25, 10), AUCKLAND),
        ("1 Dec 22:00", utc(2026, 12, 1, 9), AUCKLAND),
        ("Tue 1 Dec 22:00", utc(2026, 12, 1, 9), AUCKLAND),
        ("22:30 Dec 1", utc(2026, 12, 1, 9, 30), AUCKLAND),
        ("10pm on the 1st of December, 2026", utc(2026, 12, 1, 9), AUCKLAND),
        ("Dec 1st at 10:30 pm Auckland time", utc(2026, 12, 1, 9, 30), AUCKLAND),
        ("3 Jan 10:00", utc(2027, 1, 2, 21), AUCKLAND),
        ("1 July 17:00 NZST", utc(2027, 7, 1, 5), AUCKLAND),
        ("17:00 UTC+2", utc(2026, 11, 25, 15), "Etc/GMT-2"),
        ("17:00 GMT-3", utc(2026, 11, 25, 20), "Etc/GMT+3"),
        ("23:00 UTC+13", utc(2026, 11, 25, 10), AUCKLAND),
        ("17:00 UTC+5:30", utc(2026, 11, 25, 11, 30), AUCKLAND),
        ("17:00 GMT", utc(2026, 11, 25, 17), "UTC"),
        ("17:00 EST", utc(2026, 11, 25, 22), "America/New_York"),
        ("17:00 SGT", utc(2026, 11, 26, 9), "Asia/Singapore"),
        ("17:00 local time", utc(2026, 11, 26, 4), AUCKLAND),
    ],
)
def test_times_as_people_in_auckland_write_them(text: str, at: datetime, zone: str) -> None:
    assert parse_when(text, NOW, AUCKLAND) == Moment(at, zone)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("17:00 NZST", "is on NZDT (UTC+13), not on NZST. Say NZDT"),
        ("17:00 CEST", "Europe/Berlin is on CET (UTC+1), not on CEST. Say CET"),
        ("17:00 CST", "America/Chicago (UTC-6), Asia/Shanghai (UTC+8), America/Havana (UTC-5)"),
        ("17:00 IST", "Asia/Kolkata (UTC+5:30), Europe/Dublin (UTC+1), Asia/Jerusalem (UTC+2)"),
        ("17:00 Europe/Berln", "Did you mean Europe/Berlin"),
        ("17:00 XYZT", "I do not know the time zone"),
        ("17:00 UTC+20", "UTC-12 to UTC+14"),
        ("17:00 -0800", "UTC-0800"),
        ("17:00 to 19:00", "more than one time"),
        ("2027-03-28 02:30 Europe/Berlin", "Say 01:30 or 03:30"),
        ("2027-10-31 02:30 Europe/Berlin", "02:30 CEST (00:30 UTC) or 02:30 CET (01:30 UTC)"),
        ("2027-04-04 02:30", "02:30 NZDT (13:30 UTC) or 02:30 NZST (14:30 UTC)"),
        ("today 09:00", "in the past (Wed 25 Nov 2026 09:00 NZDT (UTC+13))"),
        ("2026-11-20 10:00", "in the past"),
        ("20 Nov 22:00", "in the past"),
        ("2027-12-31 10:00", "more than a year ahead"),
        ("9999-12-31 23:00 UTC-5", "in the year 9999"),
        ("0001-01-01 01:00", "in the year 0001"),
        ("in 300 weeks", "at most a year"),
        ("Wed 1 Dec 22:00", "1 December 2026 is a Tuesday"),
        ("next fri 22:00", "next week's for others"),
        ("01/12/2026 22:00", "different day in different countries"),
        ("31 Feb 22:00", "no such day"),
        ("2026-13-01 22:00", "no such day"),
        ("25:00", "00:00 to 23:59"),
        ("13pm", "from 1 to 12"),
        ("tomorrow", "at what time"),
        ("5", "at what time"),
        ("", "at what time"),
        ("in 90", "not a duration"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_way_out(text: str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_when(text, NOW, AUCKLAND)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("zone", "text", "at"),
    [
        ("America/Chicago", "17:00 CST", utc(2026, 11, 25, 23)),
        ("Asia/Kolkata", "17:00 IST", utc(2026, 11, 25, 11, 30)),
        ("Asia/Riyadh", "17:00 AST", utc(2026, 11, 25, 14)),
    ],
)
def test_an_abbreviation_of_ones_own_zone_is_not_ambiguous(zone: str, text: str, at: datetime) -> None:
    assert parse_when(text, NOW, zone) == Moment(at, zone)


def test_the_own_abbreviation_has_to_be_the_one_of_that_day() -> None:
    with pytest.raises(BadInput, match="Say CDT"):
        parse_when("2027-07-01 17:00 CST", NOW, "America/Chicago")


def test_the_choices_for_a_time_that_comes_twice_are_understood() -> None:
    first = parse_when("2027-10-31 02:30 CEST", NOW, AUCKLAND)
    second = parse_when("2027-10-31 02:30 CET", NOW, AUCKLAND)
    assert second.at - first.at == timedelta(hours=1)
    assert parse_when("2027-10-31 02:30 UTC+2", NOW, BERLIN) == Moment(first.at, BERLIN)


def test_the_first_reading_being_past_leaves_the_second() -> None:
    between = utc(2026, 10, 25, 0, 45)  # 02:45 CEST, a quarter of an hour before the clocks go back
    assert parse_when("02:30", between, BERLIN) == Moment(utc(2026, 10, 25, 1, 30), BERLIN)


def test_a_window_beyond_the_change_of_clocks_takes_the_offset_of_its_own_day() -> None:
    assert parse_when("2027-04-20 17:00", NOW, AUCKLAND).at == utc(2027, 4, 20, 5)
    assert local(utc(2027, 4, 20, 5), AUCKLAND) == "Tue 20 Apr 2027 17:00 NZST (UTC+12)"


@given(zone=ZONES, minutes=MINUTES)
def test_every_instant_can_be_said_in_every_zone(zone: str, minutes: int) -> None:
    at = NOW.replace(second=0) + timedelta(minutes=minutes)
    here = at.astimezone(ZoneInfo(zone))
    text = f"{here:%Y-%m-%d %H:%M}"
    if len(instants(here.replace(tzinfo=None, fold=0), ZoneInfo(zone))) == 1:
        assert parse_when(text, NOW, zone).at == at
        assert parse_when(f"{text} {zone}", NOW, AUCKLAND) == Moment(at, zone)
        return
    with pytest.raises(BadInput) as twice:
        parse_when(text, NOW, zone)
    choices = re.findall(r"(\d\d:\d\d [\w+:-]+) \(\d\d:\d\d UTC\)", str(twice.value))
    assert at in {parse_when(f"{here:%Y-%m-%d} {choice}", NOW, zone).at for choice in choices}


@given(zone=ZONES, minutes=MINUTES)
def test_local_times_and_instants_agree(zone: str, minutes: int) -> None:
    clock = ZoneInfo(zone)
    said = NOW.replace(tzinfo=None, second=0) + timedelta(minutes=minutes)
    found = instants(said, clock)
    assert all(at.astimezone(clock).replace(tzinfo=None, fold=0) == said for at in found)
    assert len(found) <= 2


@given(zone=ZONES, hour=st.integers(0, 23), minute=st.integers(0, 59))
def test_a_bare_time_is_the_next_such_time(zone: str, hour: int, minute: int) -> None:
    found = parse_when(f"{hour}:{minute:02}", NOW, zone)
    there = found.at.astimezone(ZoneInfo(zone))
    assert (there.hour, there.minute) == (hour, minute)
    assert timedelta(minutes=-1) < found.at - NOW < timedelta(days=1)


WORDS = """5pm 17:00 25:61 tomorrow fri next 1 31 Dec feb 2026-12-01 UTC+2 -5 NZDT CST in 2h at now Europe/Berlin 2027
1.12. noon IST Z , ( [ * \\ éß \u0661\u0667:\u0660\u0660 ² 9999-99-99 0001-01-01 9999-12-31 -05:00"""


@given(text=st.lists(st.sampled_from(WORDS.split()), max_size=5).map(" ".join) | st.text(max_size=30), zone=ZONES)
def test_any_words_are_a_time_or_refused(text: str, zone: str) -> None:
    try:
        found = parse_when(text, NOW, zone)
    except BadInput:
        return
    assert timedelta(minutes=-1) < found.at - NOW <= timedelta(days=366)
    assert zone_of(found.zone)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2h", 120), ("90m", 90), ("1h30", 90), ("1h30m", 90), ("1:30", 90), ("two hours", 120), ("45 minutes", 45),
        ("1.5h", 90), ("2 hours and 30 minutes", 150), ("half an hour", 30), ("an hour", 60), ("1d", 1440),
        ("1 week", 10080), ("2 Hrs", 120), ("10 s", 1 / 6),
    ],
)  # fmt: skip
def test_durations_as_people_write_them(text: str, minutes: float) -> None:
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text", ["", "90", "0h", "-2h", "1h 1h", "2 fortnights", "1:75", "h", "400 days", "2h foo", "1" * 5000 + ":30"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_duration(text)


@given(minutes=st.integers(1, 2 * 24 * 60 - 1))
def test_durations_in_words_are_understood_again(minutes: int) -> None:
    assert parse_duration(duration_words(timedelta(minutes=minutes))) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=119), "1 minute 59 seconds"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=-19), "19 minutes"),
        (timedelta(days=6, hours=11, minutes=59), "6 days 11 hours"),
    ],
)
def test_durations_in_words(length: timedelta, words: str) -> None:
    assert duration_words(length) == words


@pytest.mark.parametrize(
    ("start", "zone", "hours", "says"),
    [
        (
            utc(2026, 12, 1, 21), BERLIN, 2,
            "Tue 1 Dec 2026 22:00 to 00:00 Europe/Berlin (UTC+1), 21:00 to 23:00 UTC, 2 hours, in 6 days 11 hours",
        ),
        (
            utc(2026, 12, 1, 21), BERLIN, 3,
            "Tue 1 Dec 2026 22:00 to Wed 2 Dec 01:00 Europe/Berlin (UTC+1), 21:00 to 00:00 UTC, "
            "3 hours, in 6 days 11 hours",
        ),
        (
            utc(2026, 11, 30, 20), AUCKLAND, 1,
            "Tue 1 Dec 2026 09:00 to 10:00 Pacific/Auckland (UTC+13), Mon 30 Nov 20:00 to 21:00 UTC, "
            "1 hour, in 5 days 10 hours",
        ),
        (
            utc(2027, 3, 28, 0), BERLIN, 2,
            "Sun 28 Mar 2027 01:00 (UTC+1) to 04:00 (UTC+2) Europe/Berlin, 00:00 to 02:00 UTC, "
            "2 hours, in 122 days 14 hours",
        ),
        (utc(2026, 11, 25, 10), "UTC", 1, "Wed 25 Nov 2026 10:00 to 11:00 UTC, 1 hour, in 16 minutes"),
        (
            utc(2026, 11, 25, 9), "Etc/GMT-2", 1,
            "Wed 25 Nov 2026 11:00 to 12:00 UTC+2, 09:00 to 10:00 UTC, 1 hour, 43 minutes ago",
        ),
    ],
)  # fmt: skip
def test_a_window_is_said_back_with_weekday_zone_utc_and_length(
    start: datetime, zone: str, hours: int, says: str
) -> None:
    assert echo(Window(start, start + timedelta(hours=hours), zone), NOW) == says


@given(zone=ZONES, minutes=MINUTES, length=st.integers(1, 2000))
def test_the_weekday_and_offset_said_are_those_of_the_day(zone: str, minutes: int, length: int) -> None:
    start = NOW + timedelta(minutes=minutes)
    window = make_window(Moment(start, zone), timedelta(minutes=length))
    there = start.astimezone(ZoneInfo(zone))
    said = echo(window, NOW)
    assert said.startswith(f"{there:%a} {there.day} {there:%b %Y %H:%M} ")
    assert local(window.end, zone).split()[4] in said


def test_a_window_ends_after_it_starts() -> None:
    start = Moment(utc(2026, 12, 5, 8), "UTC")
    with pytest.raises(BadInput, match="not after the start"):
        make_window(start, utc(2026, 1, 5, 8))
    with pytest.raises(BadInput, match="not after the start"):
        make_window(start, timedelta(0))
    assert make_window(start, timedelta(hours=2)) == Window(start.at, utc(2026, 12, 5, 10), "UTC")


def test_more_than_twelve_hours_are_asked_about() -> None:
    start = Moment(utc(2026, 12, 5, 8), "UTC")
    question = needs_confirmation(make_window(start, timedelta(hours=16)))
    assert question is not None
    assert "16 hours" in question
    assert "Sun 6 Dec 2026 00:00 UTC" in question
    assert needs_confirmation(make_window(start, timedelta(hours=12))) is None


def test_a_banner_names_the_zone_and_its_offset() -> None:
    at = utc(2026, 11, 26, 4)
    assert banner_time(at, at - timedelta(hours=3), AUCKLAND) == "today at 5:00pm NZDT (UTC+13)"
    assert banner_time(at, NOW, AUCKLAND) == "tomorrow at 5:00pm NZDT (UTC+13)"
    assert banner_time(at, at - timedelta(days=3), AUCKLAND) == "on Thursday 26 November at 5:00pm NZDT (UTC+13)"
    assert banner_time(at, at, "UTC") == "today at 4:00am UTC"
    assert banner_time(at, at, "America/Sao_Paulo") == "today at 1:00am UTC-3"


def test_the_distance_is_said_both_ways() -> None:
    assert relative(NOW + timedelta(days=5), NOW) == "in 5 days"
    assert relative(NOW - timedelta(minutes=20), NOW) == "20 minutes ago"
    assert relative(NOW + timedelta(seconds=59), NOW) == "now"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("note “it\u2019s slow” — look", 'note "it\'s slow" -- look'),
        ("2026\u201312\u201301\u00a022:00", "2026-12-01 22:00"),
        ("a &amp; b &lt;c&gt; &amp;lt;", "a & b <c> &lt;"),
        ("skip banner <@U0ANA|ana> in <#C0OPS|ops>", "skip banner <@U0ANA|ana> in <#C0OPS|ops>"),
        ("url=<https://example.com/a?b=1&amp;c=2|example.com>", "url=https://example.com/a?b=1&c=2"),
        ("  start\u200b now… ", "start now..."),
    ],
)
def test_text_is_read_as_it_was_meant(sent: str, meant: str) -> None:
    assert plain(sent) == meant


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32, exclude_characters="<&")))
def test_text_without_specials_stays(text: str) -> None:
    assert plain(text) == text.strip()


def test_a_window_over_a_change_of_clocks_says_both_offsets_on_the_card() -> None:
    back = Window(utc(2026, 10, 24, 23, 30), utc(2026, 10, 25, 1, 30), BERLIN)
    assert announced(back) == (
        "Sun 25 Oct 2026 01:30 CEST (UTC+02:00) to 02:30 CET (UTC+01:00; Sat 24 Oct 2026 23:30 to Sun 25 Oct 2026 "
        "01:30 UTC)"
    )
    usual = Window(utc(2026, 10, 26, 22, 30), utc(2026, 10, 27, 0, 30), BERLIN)
    assert announced(usual).startswith("Mon 26 Oct 2026 23:30 to Tue 27 Oct 2026 01:30 CET (UTC+01:00; ")
