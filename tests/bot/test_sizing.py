from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from bot.build import build_step
from bot.context import Surroundings
from bot.entry import Kind
from bot.errors import Final
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.planning import Planner
from bot.sizing import size_up
from bot.step import REGISTRY, Context, Plan, Step, step
from tests.maintenance_fixtures import created_payload, raw_step


@pytest.fixture(autouse=True)
def steps() -> Iterator[None]:
    """Steps that know a size, that do not, and that cannot be planned yet; gone afterwards."""
    known = dict(REGISTRY)

    @step("test.sized")
    class Sized(Step):
        """Takes as long as it says."""

        sized: ClassVar[bool] = True

        takes_s: float = 0.0
        """How long."""

        def plan(self, ctx: Context) -> Plan:
            if self.takes_s < 0:
                raise Final(f"{ctx.step} cannot be planned")
            return Plan("sized", estimate_s=self.takes_s)

    assert Sized.sized
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


def sized(id_: str, takes_s: float, **changes: Any) -> dict[str, Any]:
    return {**raw_step(id_, "test.sized", **changes), "with": {"takes_s": takes_s}}


def test_what_takes_longer_than_the_runbook_says_is_found_before_it_is_announced(
    surroundings: Surroundings, maintenances: Maintenances
) -> None:
    made = [sized("vacuum", 3600, estimate_s=600.0), sized("analyze", 60), sized("later", -1), raw_step("by-hand")]
    payload = created_payload(made, datetime.now(UTC))
    maintenances.create("m", Draft(Kind.CREATED, "U0ANA", "created", payload=payload))
    planner = Planner(surroundings, build_step)
    drafts = size_up(planner, maintenances.state("m"))
    assert [(draft.kind, draft.payload) for draft in drafts] == [
        (Kind.ESTIMATED, {"source": "size", "takes_s": {"vacuum": 3600.0}})
    ]
    maintenances.record("m", lambda _: drafts)
    assert size_up(planner, maintenances.state("m")) == []
