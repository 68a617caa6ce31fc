"""One whole maintenance, and a bot that is killed with `kill -9` again and again: in the end everything once."""

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from bot.entry import Kind
from sandbox.bot_process import BotProcess
from sandbox.demo.play import Story
from sandbox.demo.world import World
from sandbox.slack import Limits
from tests.scenarios.night import Outside, People

KILLS = 25
LAST_KILL = 66  # the log of the whole maintenance has about 73 entries
ANSWERS_AFTER_S = 0.05
SEED = int(os.environ.get("MAINT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(lambda _: None, scale=0.1, contacts=60, sites=(), silence=False, news=False, limits=Limits(scale=100))
    # The outside takes its time, so that many a kill falls between a request and its answer.
    for faults in (made.forge.app, made.audience.app, made.status.app, made.product.app, made.workspace.faults):
        faults.arm("delay", path=r"^/(?!_)", times=10**9, delay_s=ANSWERS_AFTER_S)
    yield made
    made.stop()


@pytest.fixture
def bot(world: World, request: pytest.FixtureRequest) -> Iterator[BotProcess]:
    process = BotProcess(world.environment(), world.folder / "bot.log")
    yield process
    process.stop()
    request.node.add_report_section("teardown", "bot log", process.log.read_text()[-20000:])


def wait_until(holds: Callable[[], bool], what: str, people: People, limit_s: float = 90.0) -> None:
    """Return once it holds; fail after `limit_s` seconds, or as soon as the people meet what they should not."""
    until = time.monotonic() + limit_s
    while not holds():
        if people.error is not None:
            raise people.error
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.01)


def kill_again_and_again(bot: BotProcess, outside: Outside, people: People, rng: random.Random) -> None:
    """Kill the bot at moments all over the maintenance, and start it again at once.

    Each life ends a random time after a random number of entries: some in the start already, some in the middle of a
    request. The numbers are such that the lives together reach the end of the log, and not beyond it.
    """
    for number in range(1, KILLS + 1):
        born, began = time.monotonic(), outside.length()
        share = max(0, LAST_KILL - began) / (KILLS + 1 - number)
        until = min(LAST_KILL, began + rng.randint(0, round(2 * share)))
        age_s, delay_s = rng.uniform(0.2, 2.5), rng.expovariate(6.0)
        wait_until(lambda until=until: outside.length() >= until, f"entry #{until}", people)  # type: ignore[misc]
        time.sleep(max(delay_s, born + age_s - time.monotonic()) if until == began else delay_s)
        bot.kill()
        lived_s, last = time.monotonic() - born, outside.entries()[-1]
        print(f"kill {number:2} after {lived_s:4.1f} s, behind #{last.seq} {last.kind} {last.step or ''}")
        assert outside.status() != "completed", "it was over before the last kill"
        bot.start()


@pytest.mark.timeout(600)  # 26 starts of the bot: minutes on a machine that is busy with other tests
def test_killed_at_25_moments_of_one_maintenance_everything_happens_once(world: World, bot: BotProcess) -> None:
    print(f"seed {SEED} (MAINT_TEST_SEED repeats it)")
    outside = Outside(world)
    story = Story(world.slack.url, print)
    bot.start()
    story.begin()
    people = People(story.slack, outside.happened)
    people.start()
    kill_again_and_again(bot, outside, people, random.Random(SEED))
    try:
        wait_until(lambda: outside.status() == "completed", "completed", people)
    finally:
        for entry in outside.entries():
            if entry.kind == Kind.STEP_FAILED:
                print(f"#{entry.seq} {entry.step} failed: {entry.payload['error']}")
    wait_until(outside.delivered, "everything in the channel", people)
    people.go_home()
    assert bot.running()
    print(f"people were asked what happened: {people.asked_about or 'never'}; {outside.length()} entries")
    outside.check_all()
