"""The engine killed at random moments and started again: each effect once, each entry once, the chain whole."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from bot.state import State
from tests.bot.databases import opened, postgres_address, postgres_server
from tests.bot.worker import RECIPIENTS, happened
from tests.maintenance_fixtures import created_payload, raw_step

__all__ = ["postgres_address", "postgres_server"]

CHECKOUT = Path(__file__).resolve().parents[2]
ID = "2026-11-25-kill"
TTL_S = 0.9


def worker(address: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bot.worker", address, str(folder), str(TTL_S)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def steps(world: str) -> list[dict[str, Any]]:
    """Eight steps of every kind, some beside one another, each with time to be killed before and after its effect."""
    slow = {"world": world, "before_s": 0.3, "after_s": 0.2}

    def raw(name: str, kind: str, *needs: str, **changes: Any) -> dict[str, Any]:
        return raw_step(name, f"test.{kind}", **{"with": slow, "needs": list(needs), **changes})

    return [
        raw("announce", "effect"),
        raw("banner", "effect", "announce"),
        raw("note", "recorded", "announce"),
        raw("message", "mass", "banner", "note"),
        raw("off", "intended", "message"),
        raw("upgrade", "recorded", "off"),
        raw("gate", "effect", "upgrade", gate=True, phase="verifying"),
        raw("on", "intended", "gate", phase="verifying"),
    ]


EFFECTS = Counter(
    [f"{ID}:{name}" for name in ("announce", "banner", "note", "off", "upgrade", "gate", "on")]
    + [f"{ID}:message {recipient}" for recipient in RECIPIENTS]
)


def settled_by_looking(state: State, world: str) -> list[Draft]:
    """What the people do who are asked about an `unknown` step: they look, and say."""
    return [
        Draft(
            Kind.STEP_SETTLED,
            "U0ANA",
            f"looked:{name}:{step.attempt}",
            name,
            {"happened": f"{ID}:{name}" in happened(world), "summary": "looked", "attempt": step.attempt},
        )
        for name, step in state.steps.items()
        if step.status == "unknown"
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("kind", "kills", "seed"), [("sqlite", 7, 11), ("postgres", 5, 5)])
def test_killed_at_random_moments_every_effect_is_had_once(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, kills: int, seed: int
) -> None:
    address = f"sqlite:///{tmp_path / 'maint.sqlite3'}"
    if kind == "postgres":
        address = request.getfixturevalue("postgres_address")
    moments = random.Random(seed)
    world = tmp_path / "world"
    maintenances = Maintenances(Journal(opened(address)))
    payload = created_payload(steps(str(world)), datetime.now(UTC))
    maintenances.create(ID, Draft(Kind.CREATED, "U0ANA", "created", payload=payload))
    killed_at: list[int] = []
    for _ in range(kills):
        process = worker(address, tmp_path / "data")
        if moments.random() < 0.85:
            until_it_works(process, maintenances, world)
        time.sleep(moments.uniform(0, 0.45))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        killed_at.append(maintenances.state(ID).seq)
        assert maintenances.journal.broken_at(ID) is None
        maintenances.record(ID, lambda state: settled_by_looking(state, str(world)))
    last = worker(address, tmp_path / "data")
    deadline = time.monotonic() + 60
    while last.poll() is None and time.monotonic() < deadline:
        maintenances.record(ID, lambda state: settled_by_looking(state, str(world)))
        time.sleep(0.05)
    assert last.wait(60) == 0
    assert_once(maintenances, str(world))
    assert len(killed_at) >= 0.75 * kills, f"over after {len(killed_at)} kills"
    assert len(set(killed_at)) >= 0.25 * kills, f"the kills fell on few moments: {killed_at}"
    maintenances.journal.database.close()


def until_it_works(process: subprocess.Popen[str], maintenances: Maintenances, world: Path) -> None:
    """Wait until the process has taken up what the one before it left: the world or the journal goes on."""
    before = signs_of_life(maintenances, world)
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while signs_of_life(maintenances, world) == before and process.poll() is None:
        assert time.monotonic() < deadline, "nothing was taken up"
        time.sleep(0.01)


def signs_of_life(maintenances: Maintenances, world: Path) -> tuple[int, int]:
    applied = Path(f"{world}.applied")
    return maintenances.state(ID).seq, applied.stat().st_size if applied.exists() else 0


def assert_once(maintenances: Maintenances, world: str) -> None:
    assert maintenances.state(ID).status == "completed"
    assert Counter(happened(world)) == EFFECTS
    entries = maintenances.journal.read(ID)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert maintenances.journal.broken_at(ID) is None
    told = Counter(
        (entry.kind, entry.step, entry.payload.get("attempt"), entry.payload.get("to"), entry.payload.get("text"))
        for entry in entries
    )
    assert set(told.values()) == {1}, told


NEXT_WORKFLOW = """
import runpy, bot.durable
bot.durable.VERSION = "of the next release"
runpy.run_module("tests.bot.worker", run_name="__main__")
"""


def test_what_another_version_of_the_workflow_left_is_run_again_after_the_restart(tmp_path: Path) -> None:
    address, world = f"sqlite:///{tmp_path / 'maint.sqlite3'}", tmp_path / "world"
    maintenances = Maintenances(Journal(opened(address)))
    long = raw_step("long", "test.effect", **{"with": {"world": str(world), "before_s": 1.0}})
    maintenances.create(ID, Draft(Kind.CREATED, "U0ANA", "created", payload=created_payload([long], datetime.now(UTC))))
    first = worker(address, tmp_path / "data")
    deadline = time.monotonic() + 60
    while not happened(f"{world}.applied"):
        assert time.monotonic() < deadline, "never begun"
        time.sleep(0.02)
    first.kill()
    first.communicate()
    command = [sys.executable, "-c", NEXT_WORKFLOW, address, str(tmp_path / "data")]
    newer = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert newer.wait(60) == 0
    finally:
        newer.kill()
        newer.wait()
    assert maintenances.state(ID).status == "completed"
    assert happened(str(world)) == [f"{ID}:long"]
    maintenances.journal.database.close()
