"""The database is lost in the middle of a maintenance: the channel alone brings it back, and nothing is done twice."""

from pathlib import Path

from sandbox.bot_process import BotProcess
from tests.scenarios.house import open_house

STEPS = """\
  - id: first
    title: Do the first thing
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo first >> WORLD"]}
  - id: second
    title: Do the second thing
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo second >> WORLD; while [ ! -e WORLD.go ]; do sleep 0.05; done"]}
  - id: third
    title: Do the third thing
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo third >> WORLD"]}
"""


def test_a_lost_database_is_rebuilt_from_the_channel(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.is_open()
        room = house.room()
        maintenance = room.plans(STEPS)
        room.has_done("first", "second")
        room.channel.shows("Do the second thing (second) started")
        before = room.log()
        house.bot.kill()
        room.lets_go()
        (tmp_path / "data").rename(tmp_path / "lost")  # at once: the step's own process may still be writing there

        channel = {"MAINT_CHANNEL": room.channel_id}
        rebuild = BotProcess({**house.environment, **channel}, tmp_path / "rebuild.log", ("rebuild", "--write"))
        rebuild.start()
        assert rebuild.exit_status(90) == 0, rebuild.log.read_text()
        assert f"{maintenance} is paused" in rebuild.log.read_text()

        house.is_open()
        room.channel.shows("Paused")
        assert room.log()[: len(before)] == before
        room.ana.clicks("It happened", on="Did Do the second thing happen?")
        room.ana.clicks("Resume", on="asked for by")
        room.has_done("first", "second", "third")
        room.channel.shows("The maintenance is completed")
        room.ana.says(f"/maint verify {maintenance}")
        room.ana.sees("is intact")
