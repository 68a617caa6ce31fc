"""Several processes on one PostgreSQL: who works, who speaks, and who goes on when one of them is gone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.bot_process import BotProcess
from tests.postgres_fixtures import ClusterFactory
from tests.scenarios.fleet import Fleet, until
from tests.scenarios.house import House


@pytest.fixture
def fleet(cluster_factory: ClusterFactory, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    made = Fleet(cluster_factory(18, tcp=True), tmp_path, apart=getattr(request, "param", "") == "apart")
    yield made
    made.close()
    for name, process in made.processes.items():
        request.node.add_report_section("teardown", f"log of {name}", process.log.read_text()[-8000:])


@pytest.mark.parametrize("role", ["runs", "leads"])
def test_the_other_worker_takes_over_from_a_killed_one(fleet: Fleet, role: str) -> None:
    maintenance = fleet.begins()
    leader, runner = fleet.leader(), fleet.runs_the_step()
    victim = runner if role == "runs" else leader
    print(f"{runner} runs the step, {leader} leads, {victim} is killed")
    assert set(fleet.spaces.who_posted()) == {leader}, "only the leader speaks to the channel"
    killed_at, calls = time.monotonic(), len(fleet.spaces.calls)
    fleet.processes[victim].kill()
    until(lambda: fleet.asks("SELECT 1 FROM leases WHERE executor <> 'leader'") == [(1,)], "the dead one is found out")
    print(f"found out after {time.monotonic() - killed_at:.1f} s")
    fleet.go.touch()
    fleet.ends_well(maintenance)
    [survivor] = fleet.executors().values()
    assert set(fleet.spaces.who_posted(calls)) == {survivor}
    assert fleet.leader() == survivor


def test_a_stopped_worker_hands_its_work_on(fleet: Fleet) -> None:
    maintenance = fleet.begins()
    assert fleet.processes[fleet.runs_the_step()].stop() == 0
    assert len(fleet.asks("SELECT 1 FROM leases WHERE executor <> 'leader'")) == 1
    fleet.go.touch()
    fleet.ends_well(maintenance)


@pytest.mark.parametrize("fleet", ["apart"], indirect=True)
def test_what_was_begun_on_another_machine_is_asked_about_and_not_run_again(fleet: Fleet) -> None:
    fleet.begins()
    fleet.processes[fleet.runs_the_step()].kill()
    fleet.slack.channel("maintenance").shows("it was on another machine")
    assert fleet.world.read_text() == "first\n"
    fleet.go.touch()
    fleet.slack.person("ben").clicks("It happened", on="A small maintenance")
    fleet.slack.channel("maintenance").shows("The maintenance is completed")
    assert fleet.world.read_text() == "first\nsecond\n"


def test_the_database_is_restarted_meanwhile(fleet: Fleet) -> None:
    maintenance = fleet.begins()
    fleet.cluster.stop("immediate")
    fleet.go.touch()
    time.sleep(2)  # the command ends while nobody can be told
    fleet.cluster.start()
    fleet.ends_well(maintenance)
    assert all(process.running() for process in fleet.processes.values())


def test_a_second_bot_on_one_folder_refuses_to_start(house: House, tmp_path: Path) -> None:
    house.is_open()
    second = BotProcess(house.environment, tmp_path / "second.log")
    second.start()
    assert second.exit_status(60) == 1
    assert "Another maint is running on" in second.log.read_text()
    assert house.bot.running()
