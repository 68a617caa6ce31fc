"""The heads of the logs in a real git repository, signed, and compared with a journal that somebody has rewritten."""

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.anchor import FILE, Anchor, Head, Keeper, contradictions, heads_at, unkept
from bot.entry import Kind
from bot.errors import Final, Temporary
from bot.journal import Journal
from bot.maintenances import Maintenances
from tests.bot.entries import ANA, ID, add, begin


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "heads.git").mkdir()
    git(tmp_path / "heads.git", "init", "--bare", "--quiet", "--initial-branch=main")
    git(tmp_path / "heads.git", "config", "receive.denyNonFastForwards", "true")
    return str(tmp_path / "heads.git")


@pytest.fixture
def clock(maintenances: Maintenances) -> list[datetime]:
    """The time, which tests move on."""
    now = [datetime(2026, 11, 25, tzinfo=UTC)]
    maintenances.now = lambda: now[0]
    return now


@pytest.fixture
def keeper(url: str, maintenances: Maintenances, tmp_path: Path, clock: list[datetime]) -> Keeper:
    return Keeper(Anchor(url, tmp_path / "clone"), maintenances, lambda: True)


def note(maintenances: Maintenances) -> None:
    add(maintenances, (Kind.NOTED, None, {"text": "all quiet"}, ANA))


def test_kept_at_once_then_daily_then_at_the_end(
    keeper: Keeper, url: str, maintenances: Maintenances, clock: list[datetime]
) -> None:
    begin(maintenances)
    assert [head.seq for head in keeper.keep()] == [1]
    note(maintenances)
    assert keeper.keep() == []
    clock[0] += timedelta(days=1)
    assert [head.seq for head in keeper.keep()] == [2]
    add(maintenances, (Kind.STATE_CHANGED, None, {"from": "in_progress", "to": "completed"}, "maint"))
    assert [head.seq for head in keeper.keep()] == [3]
    assert keeper.keep() == []
    kept = heads_at(url)
    hashes = [entry.hash for entry in maintenances.journal.read(ID)]
    assert [(head.maintenance, head.seq, head.hash) for head in kept] == [
        (ID, number, hash_) for number, hash_ in enumerate(hashes, 1)
    ]


def test_a_restart_or_another_process_adds_nothing_twice(
    keeper: Keeper, url: str, maintenances: Maintenances, tmp_path: Path
) -> None:
    begin(maintenances)
    keeper.keep()
    assert Keeper(Anchor(url, tmp_path / "other"), maintenances, lambda: True).keep() == []
    assert Keeper(Anchor(url, tmp_path / "third"), maintenances, lambda: False).keep() == []
    assert len(heads_at(url)) == 1


def test_who_was_slower_looks_again(url: str, tmp_path: Path) -> None:
    slow, fast = Anchor(url, tmp_path / "slow"), Anchor(url, tmp_path / "fast")
    first, second = (Head("2026-11-25T00:00:00+00:00", name, 1, "a" * 64) for name in ("m-1", "m-2"))
    assert slow.heads() == fast.heads() == []
    fast.add([first])
    with pytest.raises(Temporary, match="push failed"):
        slow.add([second])
    assert slow.heads() == [first]
    slow.add([second])
    assert heads_at(url) == [first, second]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this machine")
def test_commits_are_signed(url: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    anchor = Anchor(url, tmp_path / "clone", key)
    anchor.heads()
    anchor.add([Head("2026-11-25T00:00:00+00:00", ID, 1, "a" * 64)])
    allowed = tmp_path / "allowed"
    allowed.write_text(f"maint@localhost {key.with_suffix('.pub').read_text()}")
    shown = git(Path(url), "-c", f"gpg.ssh.allowedSignersFile={allowed}", "log", "--format=%G? %s", "main")
    assert shown == f"G {ID}: #1 aaaaaaaaaaaa\n"


def test_a_journal_that_was_rewritten_contradicts_what_was_kept(maintenances: Maintenances) -> None:
    begin(maintenances)
    note(maintenances)
    journal = maintenances.journal
    kept = [Head("2026-11-25T01:02:00+00:00", ID, entry.seq, entry.hash) for entry in journal.read(ID)]
    assert contradictions(journal, ID, kept) == []
    others = [dataclasses.replace(kept[0], maintenance="another")]
    assert contradictions(journal, ID, others) == []
    journal.database.query("UPDATE entries SET hash = ? WHERE seq = 2", ("f" * 64,))
    [(seq, text)] = contradictions(journal, ID, kept)
    assert (seq, "is another one now" in text, "2026-11-25 01:02 UTC" in text) == (2, True, True)
    journal.database.query("DELETE FROM entries WHERE seq = 2")
    assert "is not there any more" in contradictions(journal, ID, kept)[0][1]


def test_what_cannot_be_read_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="fetch failed"):
        heads_at(str(tmp_path / "nowhere.git"))
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", url, str(clone))
    (clone / FILE).write_text("not a head\n")
    git(clone, "add", FILE)
    git(clone, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "x")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    with pytest.raises(Final, match="somebody has edited it"):
        heads_at(url)


def pushed_by_somebody(url: str, clone: Path, change: Callable[[Path], object]) -> None:
    git(clone.parent, "clone", "--quiet", url, str(clone))
    change(clone / FILE)
    git(clone, "add", FILE)
    git(clone, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "x")
    git(clone, "push", "--quiet", "origin", "HEAD:main")


LINE = {"at": "2026-11-25T00:00:00+00:00", "maintenance": ID, "seq": 1, "hash": "a" * 64}


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\n",
        b"[" * 100_000,
        json.dumps({**LINE, "seq": "1"}).encode(),
        json.dumps({**LINE, "hash": None}).encode(),
        json.dumps({**LINE, "at": "yesterday"}).encode(),
        json.dumps({**LINE, "at": "2026-11-25"}).encode(),
        json.dumps([LINE]).encode(),
    ],
)
def test_whatever_somebody_pushes_there_is_told_in_words(url: str, tmp_path: Path, content: bytes) -> None:
    pushed_by_somebody(url, tmp_path / "clone", lambda file: file.write_bytes(content))
    with pytest.raises(Final, match="somebody has edited it"):
        heads_at(url)


def test_a_link_that_somebody_pushes_there_is_not_followed(
    keeper: Keeper, url: str, maintenances: Maintenances, tmp_path: Path
) -> None:
    ours = tmp_path / "authorized_keys"
    ours.write_text("")
    pushed_by_somebody(url, tmp_path / "theirs", lambda file: file.symlink_to(ours))
    begin(maintenances)
    with pytest.raises(Final, match="is a link"):
        keeper.keep()
    assert ours.read_text() == ""


def test_git_and_its_helpers_are_told_none_of_our_secrets(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINT_SLACK_BOT_TOKEN", "xoxb-secret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    told = tmp_path / "told"
    hook = tmp_path / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\nenv > {told}\n")
    hook.chmod(0o755)
    for name, value in (("COUNT", "1"), ("KEY_0", "core.hooksPath"), ("VALUE_0", str(hook.parent))):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    anchor = Anchor(url, tmp_path / "clone")
    anchor.heads()
    anchor.add([Head("2026-11-25T00:00:00+00:00", ID, 1, "a" * 64)])
    assert "SSH_AUTH_SOCK=/run/agent" in told.read_text()
    assert "xoxb-secret" not in told.read_text()


def test_a_head_that_could_not_be_brought_there_or_was_taken_away_is_missed(maintenances: Maintenances) -> None:
    begin(maintenances)
    note(maintenances)
    journal, begun = maintenances.journal, maintenances.journal.read(ID)[0].at
    kept = [Head(begun.isoformat(), ID, 1, journal.read(ID)[0].hash)]
    soon, later = begun + timedelta(minutes=50), begun + timedelta(hours=26)
    assert unkept(journal, ID, [], soon) == unkept(journal, ID, kept, soon) == []
    [(seq, told)] = unkept(journal, ID, [], begun + timedelta(minutes=70))
    assert (seq, "nothing of this log is kept" in told) == (1, True)
    [(seq, told)] = unkept(journal, ID, kept, later)
    assert (seq, "since #1" in told) == (2, True)


def test_all_heads_at_once(maintenances: Maintenances) -> None:
    begin(maintenances)
    note(maintenances)
    journal: Journal = maintenances.journal
    assert journal.heads() == [(ID, 2, journal.read(ID)[-1].hash)]
