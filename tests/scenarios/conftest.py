"""A workspace, a bot as its own process, and the people in it: what a scenario needs to read as chat."""

from collections.abc import Iterator

import pytest

from tests.scenarios.house import House, Room, open_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One workspace and one bot for all scenarios that do not need their own."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def room(house: House, request: pytest.FixtureRequest) -> Iterator[Room]:
    """A room of its own for the scenario, in a house whose bot runs. Its runbooks are gone afterwards."""
    house.is_open()
    begins = house.bot.log.stat().st_size
    made = house.room()
    yield made
    made.tidies_up()
    for path in house.runbooks.glob("*.yml"):
        path.unlink()
    with house.bot.log.open("rb") as log:
        log.seek(begins)
        request.node.add_report_section("teardown", "bot log", log.read().decode(errors="replace")[-20000:])
