"""`/maint verify`: a long log says first how long it takes to read, and its result comes afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.entry import Kind
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.slack_api import HISTORY_A_SECOND
from bot.verify import Finding, Verification
from commands import load
from commands.verb import VERBS, Bot, Call
from tests.maintenance_fixtures import created_payload, raw_step

load()
CALL = Call("verify", "U0ANA0001", "C0MAINT01", "UTC", "", "trigger")


@dataclass
class Told:
    """What the verb asks of the bot: the states, and what a verification finds."""

    maintenances: Maintenances
    finding: Finding | None = None
    asked: int = 0

    def verify(self, maintenance: str) -> Verification:
        self.asked += 1
        found = () if self.finding is None else (self.finding,)
        return Verification(not found, found, self.maintenances.state(maintenance).seq)


def planned(maintenances: Maintenances, notes: int) -> None:
    payload = created_payload([raw_step("work", by_hand=True)], datetime.now(UTC), channel="C0MAINT01")
    maintenances.create("night", Draft(Kind.CREATED, "U0ANA0001", "created", payload=payload))
    drafts = [Draft(Kind.NOTED, "U0ANA0001", f"n{n}", payload={"text": "quiet"}) for n in range(notes)]
    maintenances.record("night", lambda _: drafts)


def test_a_short_log_is_answered_at_once(maintenances: Maintenances) -> None:
    planned(maintenances, 20)
    reply = VERBS["verify"].run(CALL, cast(Bot, Told(maintenances)))
    assert (reply.text, reply.then) == (":white_check_mark: The log of night is intact: 21 entries, in order.", None)


@pytest.mark.parametrize("finding", [None, Finding("edited", "was edited", 7)])
def test_a_long_log_says_first_how_long_it_takes(maintenances: Maintenances, finding: Any) -> None:
    planned(maintenances, int(HISTORY_A_SECOND * 60))
    told = Told(maintenances, finding)
    reply = VERBS["verify"].run(CALL, cast(Bot, told))
    assert "has 9,231 entries" in reply.text
    assert "in about 1 minute" in reply.text
    assert told.asked == 0
    assert reply.then is not None
    assert ("#7: was edited" if finding else "is intact: 9231 entries") in reply.then().text
