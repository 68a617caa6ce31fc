"""A step by hand with a list: ticks are entries, once each, and the last one ends the step."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot import acts
from bot.acts import Act, AlreadyDecided
from bot.checklist_prompt import checklist_prompts
from bot.entry import Kind
from bot.errors import BadInput
from bot.evolve import fold
from bot.maintenances import Maintenances
from bot.messages import log_message
from bot.state import State
from tests.bot.entries import ANA, BEN, ID, add, begin, told
from tests.maintenance_fixtures import raw_step

NOW = datetime.now(UTC)


def started(maintenances: Maintenances, count: int = 2) -> State:
    begin(maintenances, [raw_step("check", title="Check it", by_hand=True)])
    items = [{"text": f"Look at *thing* {number}", "owner": BEN if number == 1 else ""} for number in range(count)]
    add(maintenances, (Kind.STEP_STARTED, "check", {"attempt": 1, "summary": "By hand", "items": items}))
    return maintenances.state(ID)


def ticks(maintenances: Maintenances, number: int, who: str = ANA) -> State:
    maintenances.record(ID, lambda state: acts.tick(state, Act(who, str(number)), "check", number))
    return maintenances.state(ID)


def buttons(state: State) -> list[list[dict[str, Any]]]:
    return [block["elements"] for block in checklist_prompts(state)["checklist:check"].blocks if "elements" in block][
        :-1
    ]


def test_the_last_tick_ends_the_step_and_each_says_who(maintenances: Maintenances) -> None:
    started(maintenances)
    state = ticks(maintenances, 2, BEN)
    assert state.steps["check"].status == "running"
    assert [item.by for item in state.steps["check"].items] == [None, BEN]
    with pytest.raises(BadInput, match="Not yet: 1"):
        acts.done(state, Act(ANA, "9"), "check")
    state = ticks(maintenances, 1)
    assert (state.steps["check"].status, state.steps["check"].summary) == ("succeeded", f"done by <@{ANA}>")
    assert buttons(state) == []
    assert fold(maintenances.journal.read(ID)) == state, "the ticks are in the journal and nowhere else"


def test_an_item_is_ticked_once(maintenances: Maintenances) -> None:
    started(maintenances)
    state = ticks(maintenances, 1, BEN)
    with pytest.raises(AlreadyDecided, match=f"ticked already by <@{BEN}>"):
        acts.tick(state, Act(ANA, "9"), "check", 1)
    with pytest.raises(BadInput, match="no item 3"):
        acts.tick(state, Act(ANA, "9"), "check", 3)


def test_what_was_ticked_stays_ticked_in_another_attempt(maintenances: Maintenances) -> None:
    started(maintenances)
    state = ticks(maintenances, 1)
    items = [{"text": "Look at *thing* 0", "owner": ""}, {"text": "Something new", "owner": ""}]
    add(maintenances, (Kind.STEP_STARTED, "check", {"attempt": 2, "summary": "By hand", "items": items}))
    state = maintenances.state(ID)
    assert [item.by for item in state.steps["check"].items] == [ANA, None]


def test_a_long_list_has_rows_that_slack_takes(maintenances: Maintenances) -> None:
    state = started(maintenances, 40)
    assert [len(row) for row in buttons(state)] == [25, 15]
    assert len({button["action_id"] for row in buttons(state) for button in row}) == 40


def test_items_are_text_and_no_markup(maintenances: Maintenances) -> None:
    state = started(maintenances)
    blocks = checklist_prompts(state)["checklist:check"].blocks
    shown = "\n".join(block["text"]["text"] for block in blocks if block["type"] == "section")
    assert "*thing*" not in shown
    assert f"<@{BEN}>" in shown


def test_a_noted_message_is_told_with_its_author_and_its_words_as_text(maintenances: Maintenances) -> None:
    begin(maintenances)
    source = {"text": "<!channel> *done*", "author": BEN, "link": "https://example.com/archives/C0/p1"}
    maintenances.record(ID, lambda state: acts.note(state, Act(ANA, "C0:1.2"), source["text"], source))
    entry, state = list(told(maintenances))[-1]
    shown = str(log_message(entry, state).blocks)
    assert f"a message of <@{BEN}> (<https://example.com/archives/C0/p1>)" in shown
    assert "&lt;!channel&gt;" in shown
    assert "<!channel>" not in shown
    assert "*done*" not in shown
    assert entry.key == "note:C0:1.2", "one message is one entry, whoever marks it"


def test_the_log_says_where_to_tick_and_not_to_press_what_is_not_there(maintenances: Maintenances) -> None:
    started(maintenances)
    entry, state = list(told(maintenances))[-1]
    shown = log_message(entry, state).text
    assert "its last tick ends the step" in shown
    assert "Press Done" not in shown
