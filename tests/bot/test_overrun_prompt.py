from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.blocks import Message
from bot.entry import Kind
from bot.maintenances import Maintenances
from bot.messages import log_message
from bot.overrun_prompt import overrun_prompts
from tests.bot.entries import ANA, APPROVERS, BEN, ID, add, begin, told

NOW = datetime.now(UTC)
LATE: dict[str, Any] = {
    "number": 1,
    "end": NOW.isoformat(),
    "low": NOW.isoformat(),
    "high": NOW.isoformat(),
    "announced": NOW.isoformat(),
    "late_chance": 0.9,
    "asked": [ANA, APPROVERS],
}


def prompt(maintenances: Maintenances) -> Message:
    return overrun_prompts(maintenances.state(ID), NOW)["overrun:1"]


def labels(message: Message) -> list[str]:
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row]


def shown(message: Message) -> str:
    return "\n".join(block["text"]["text"] for block in message.blocks if block["type"] == "section")


def test_it_asks_those_responsible_with_a_button_for_each_way(maintenances: Maintenances) -> None:
    begin(maintenances)
    add(maintenances, (Kind.STATE_CHANGED, None, {"to": "in_progress"}), (Kind.OVERRUN_EXPECTED, None, LATE))
    made = prompt(maintenances)
    assert labels(made) == ["+15", "+30", "+60", "Roll back…", "Go on"]
    assert f"<@{ANA}> or <!subteam^{APPROVERS}>: what now?" in shown(made)


@pytest.mark.parametrize(
    ("kind", "actor", "words"),
    [
        (Kind.OVERRUN_ACCEPTED, BEN, f"<@{BEN}> decided to go on as it is"),
        (Kind.OVERRUN_AVERTED, "maint", "it is in time again"),
        (Kind.ABORTED, BEN, f"<@{BEN}> decided to stop"),
    ],
)
def test_an_answered_one_has_no_buttons_and_says_how(
    maintenances: Maintenances, kind: Kind, actor: str, words: str
) -> None:
    begin(maintenances)
    add(maintenances, (Kind.OVERRUN_EXPECTED, None, LATE), (kind, None, {**LATE, "reason": "enough"}, actor))
    made = prompt(maintenances)
    assert not made.has_buttons
    assert words in shown(made)


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (12, "*+15* is enough, nine times in ten"),
        (31, "*+60* is enough, nine times in ten"),
        (132, f"2 hours 15 minutes more are needed to be enough, nine times in ten: `/maint extend {ID} 135m`"),
    ],
)
def test_it_says_which_extension_will_do(maintenances: Maintenances, late: int, words: str) -> None:
    begin(maintenances)
    high = {"high": (NOW + timedelta(minutes=late)).isoformat()}
    add(
        maintenances, (Kind.STATE_CHANGED, None, {"to": "in_progress"}), (Kind.OVERRUN_EXPECTED, None, {**LATE, **high})
    )
    assert words in shown(prompt(maintenances))


def test_whoever_is_asked_next_reads_how_late_it_will_be(maintenances: Maintenances) -> None:
    begin(maintenances)
    asked = {"number": 1, "to": [BEN], "steps": []}
    add(maintenances, (Kind.OVERRUN_EXPECTED, None, LATE), (Kind.OVERRUN_ESCALATED, None, asked))
    entry, state = list(told(maintenances))[-1]
    shown = log_message(entry, state).text
    assert f"@{BEN}" in shown
    assert f"announced was {NOW:%Y-%m-%d %H:%M} UTC" in shown


def test_what_is_asked_when_the_end_has_passed_already_does_not_promise_to_tell_people_before_it(
    maintenances: Maintenances,
) -> None:
    begin(maintenances)
    low, high = ((NOW + timedelta(minutes=minutes)).isoformat() for minutes in (5, 25))
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for number, end in enumerate((NOW.isoformat(), ahead), 1):
        times = {"number": number, "announced": end, "low": low, "high": high}
        add(maintenances, (Kind.OVERRUN_EXPECTED, None, {**LATE, **times}))
    late, coming = (log_message(entry, state).text for entry, state in list(told(maintenances))[-2:])
    assert "it is late: announced was" in late
    assert "told to everybody as soon as it is approved" in late
    assert "it will probably end late, between" in coming
    assert "before the announced end has passed" in coming
    asked = overrun_prompts(maintenances.state(ID), datetime.now(UTC))
    assert "is late:* announced was" in shown(asked["overrun:1"])
    assert "will probably end late:* between" in shown(asked["overrun:2"])
    later = overrun_prompts(maintenances.state(ID), datetime.now(UTC) + timedelta(hours=2))["overrun:2"]
    assert "is late:*" in shown(later), "an open question goes with the time"


@pytest.mark.parametrize(
    ("left", "words"), [(15, "In about 15 minutes"), (6, "In about 6 minutes"), (1, "about 1 minute,")]
)
def test_a_moment_that_was_called_out_late_is_as_far_off_as_it_is(
    maintenances: Maintenances, left: int, words: str
) -> None:
    begin(maintenances)
    moment = (datetime.now(UTC) + timedelta(minutes=left)).isoformat()
    add(maintenances, (Kind.TURN_BACK_NEAR, None, {"moment": moment, "minutes": 15, "way_back": "yes"}))
    entry, state = list(told(maintenances))[-1]
    assert words in log_message(entry, state).text
