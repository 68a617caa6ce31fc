"""A short round of the crash campaign (`script/bench crash`), always the same: killed, and cut off."""

from pathlib import Path

import pytest

from benchmarks.crash import shop_server
from benchmarks.crashing.drawn import Weather, draw, draw_weather, every_point
from benchmarks.crashing.play import Round

SEED = 5
# Killed behind an entry, an answer of GitHub lost, and extended; killed in the middle of the send, and rolled back.
RUNS = [41, 29]


@pytest.mark.timeout(300)
def test_a_short_round(tmp_path: Path) -> None:
    with shop_server() as server:
        weather = [Weather("twice", 4, 0.0)]
        played = Round(SEED, 0, RUNS, server, stuck_s=90, weather=weather).play(tmp_path)
    print(played)
    assert played.wrong == {}
    assert played.kills >= 1
    assert played.weather == ["twice"]
    assert played.turns == {"extend: completed": 1, "rollback: rolled back": 1}


def test_a_run_is_drawn_from_its_seed_alone_and_the_campaign_comes_to_every_point() -> None:
    assert [draw(7, run) for run in range(40)] == [draw(7, run) for run in range(40)]
    assert draw_weather(7, 3, 10) == draw_weather(7, 3, 10)
    points = every_point()
    came = {(point.system, point.number, point.kind) for run in range(len(points)) for point in draw(7, run).points}
    assert came >= {(point.system, point.number, point.kind) for point in points}
