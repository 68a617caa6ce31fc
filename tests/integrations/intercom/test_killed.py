"""Killed with SIGKILL in the middle of a mass send, again and again: everybody gets the message once."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.intercom import EVERYONE, Intercom
from sandbox.server import serving
from tests.integrations.intercom.sender import context

PEOPLE = 900


@pytest.mark.parametrize("seed", [1])
def test_killed_five_times_while_sending(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    kills = sorted(chance.sample(range(1, PEOPLE - 400), 5))
    workspace = Intercom(contacts=PEOPLE, seed=seed, mix=EVERYONE, limit=None)
    with serving(workspace.app) as server:
        arguments = [str(tmp_path / "maint.sqlite3"), str(tmp_path / "work"), server.url]
        command = [sys.executable, "-m", "tests.integrations.intercom.sender", *arguments]
        for number in kills:
            bot = subprocess.Popen(command)
            while len(workspace.messages) < number and bot.poll() is None:
                time.sleep(0.001)
            bot.kill()
            assert bot.wait() != 0, "it was to be killed before it had finished"
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        counts = context(tmp_path / "maint.sqlite3", tmp_path / "work", server.url).ledger("start").counts()
    assert workspace.summary()["duplicates"] == 0
    assert workspace.summary()["recipients"] == PEOPLE
    assert said == f"{PEOPLE:,} messages sent"
    assert counts == {"pending": 0, "sending": 0, "sent": PEOPLE, "skipped": 0, "unknown": 0}


def test_killed_while_nobody_shows_when_they_were_contacted(tmp_path: Path) -> None:
    """Without that evidence, whoever was in between stays unknown: at most once."""
    workspace = Intercom(contacts=PEOPLE, mix=EVERYONE, limit=None)
    with serving(workspace.app) as server:
        deliver = workspace.deliver

        def without_a_trace(*arguments: object) -> object:
            made = deliver(*arguments)  # type: ignore[arg-type]
            workspace.contacts[made.contact].last_contacted_at = None
            return made

        workspace.deliver = without_a_trace  # type: ignore[assignment]
        arguments = [str(tmp_path / "maint.sqlite3"), str(tmp_path / "work"), server.url]
        command = [sys.executable, "-m", "tests.integrations.intercom.sender", *arguments]
        bot = subprocess.Popen(command)
        while len(workspace.messages) < 500 and bot.poll() is None:
            time.sleep(0.001)
        bot.kill()
        bot.wait()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        counts = context(tmp_path / "maint.sqlite3", tmp_path / "work", server.url).ledger("start").counts()
    assert workspace.summary()["duplicates"] == 0
    assert counts["sent"] + counts["unknown"] == PEOPLE
    assert 0 < counts["unknown"] <= 80
    assert f"{counts['unknown']} unknown" in said
