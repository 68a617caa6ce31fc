"""A release in the middle of a maintenance: two really different versions of the bot on one PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.entry import Kind
from sandbox.bot_process import ROOT
from tests.postgres_fixtures import ClusterFactory
from tests.scenarios.fleet import STEPS, Fleet, until
from tests.scenarios.house import planned
from tests.scenarios.next_release import next_release

OLD = ("web-old", "worker-old")
NEW = ("web-new", "worker-new")
NEW_AGAIN = ("web-newer", "worker-newer")
FAIR = """\
name: fair
title: A fair maintenance
steps:
  - id: look
    uses: weather.tell
    approval: false
    with: {file: "WORLD.weather"}
"""
LATER = STEPS.replace("name: small", "name: later").replace("A small maintenance", "A later maintenance")


@pytest.fixture
def rollout(cluster_factory: ClusterFactory, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    newer = next_release(tmp_path / "next")
    roots = {**dict.fromkeys(OLD, ROOT), **dict.fromkeys((*NEW, *NEW_AGAIN), newer)}
    first = getattr(request, "param", OLD)
    made = Fleet(cluster_factory(18, tcp=True), tmp_path, of=roots, first=first)
    (tmp_path / "runbooks" / "later.yml").write_text(LATER.replace("WORLD", f"{made.world}.later"))
    yield made
    made.close()
    for name, process in made.processes.items():
        if process.log.exists():
            request.node.add_report_section("teardown", f"log of {name}", process.log.read_text()[-8000:])


def use(fleet: Fleet, web: str) -> None:
    fleet.slack.use_request_url(f"http://127.0.0.1:{fleet.ports[web]}/slack/events")


def leads(fleet: Fleet, name: str) -> None:
    until(lambda: fleet.leader() == name, f"{name} leads")


def runs(fleet: Fleet, name: str) -> None:
    until(lambda: name in running(fleet), f"{name} runs the step")


def running(fleet: Fleet) -> list[str]:
    rows = fleet.asks("SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
    return [fleet.executors().get(executor, "") for [executor] in rows]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_new_version_takes_the_work_over_from_the_old_one(rollout: Fleet, how: str) -> None:
    maintenance = rollout.begins()
    rollout.starts(*NEW)
    leads(rollout, "worker-new")
    calls = len(rollout.spaces.calls)
    assert running(rollout) == ["worker-old"], "what has begun goes on where it was begun"
    rollout.slack.person("ana").says("/maint note half-way")
    rollout.slack.channel("maintenance").shows("half-way")
    for name in OLD:
        getattr(rollout.processes[name], how)()
    runs(rollout, "worker-new")
    rollout.go.touch()
    rollout.ends_well(maintenance)
    assert set(rollout.spaces.who_posted(calls)) == {"worker-new"}
    rollout.slack.channel("maintenance").shows("second has begun")
    ends = [entry for entry in rollout.entries(maintenance) if entry.kind == Kind.STEP_SUCCEEDED]
    assert [entry.payload.get("by") for entry in ends] == ["the next release"] * 2


def test_the_old_version_leaves_alone_what_it_does_not_understand(rollout: Fleet) -> None:
    maintenance = rollout.begins()
    rollout.starts(*NEW)
    leads(rollout, "worker-new")
    ana, channel = rollout.slack.person("ana"), rollout.slack.channel("maintenance")
    ana.says("/maint weather grey")
    channel.shows("The sky is grey.")
    runs(rollout, "worker-new")  # handed over by the old one, which might miss an abort now
    use(rollout, "web-old")
    ana.says("/maint pause")
    ana.sees("A newer version of the bot has gone on with")
    use(rollout, "web-new")
    # What only the new version can do is not tried by the old one.
    (rollout.folder / "runbooks" / "fair.yml").write_text(FAIR.replace("WORLD", str(rollout.world)))
    ana.says("/maint start fair at now for 1h")
    fair = planned(ana, "A fair maintenance")
    until(lambda: rollout.entries(fair)[-1].payload.get("to") == "completed", "the fair one is completed")
    assert [entry.step for entry in rollout.entries(fair) if entry.kind == Kind.STEP_FAILED] == []
    assert Path(f"{rollout.world}.weather").read_text() == "weather\n"
    rollout.go.touch()
    until(lambda: rollout.entries(maintenance)[-1].payload.get("to") == "completed", "it is completed")
    assert rollout.world.read_text() == "first\nsecond\n"
    assert all(rollout.processes[name].running() for name in OLD)
    assert [rollout.processes[name].stop() for name in OLD] == [0, 0]
    for one in (maintenance, fair):
        ana.says(f"/maint verify {one}")
        ana.sees(f"{one} is intact")


@pytest.mark.parametrize("rollout", [NEW], indirect=True)
def test_a_release_is_taken_back_and_made_again(rollout: Fleet) -> None:
    maintenance = rollout.begins()
    ana, channel = rollout.slack.person("ana"), rollout.slack.channel("maintenance")
    ana.says("/maint start later at tomorrow 22:00 for 1h")
    later = planned(ana, "A later maintenance")
    ana.says(f"/maint weather {later} grey")
    channel.shows("The sky is grey.")
    for name in NEW:
        rollout.processes[name].stop()
    rollout.starts(*OLD)
    runs(rollout, "worker-old")
    rollout.go.touch()
    until(lambda: rollout.entries(maintenance)[-1].payload.get("to") == "completed", "the old version completes it")
    assert rollout.world.read_text() == "first\nsecond\n"
    ana.says(f"/maint cancel {later} not now")
    ana.sees(f"A newer version of the bot has gone on with {later}")
    channel.shows("The one that runs now does not understand its log")
    for one in (maintenance, later):
        ana.says(f"/maint verify {one}")
        ana.sees(f"{one} is intact")
    for name in OLD:
        rollout.processes[name].kill()
    rollout.starts(*NEW_AGAIN)
    ana.says(f"/maint note {later} back again")
    channel.shows("Note: back again")
    Path(f"{rollout.world}.later.go").touch()
    until(lambda: rollout.entries(later)[-1].payload.get("to") == "completed", "the new version completes it")
    assert Path(f"{rollout.world}.later").read_text() == "first\nsecond\n"
    ana.says(f"/maint verify {later}")
    ana.sees(f"{later} is intact")
