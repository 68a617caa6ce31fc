"""Keeps the heads of the journals in a git repository that the bot may only add to.

Whoever gets hold of the database and of the bot's token in Slack can write journal and channel anew, hashes and all.
Not so a commit that is signed and pushed to a branch that takes no force-push: what a log was then, it has to be still.
"""

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from bot.entry import instant
from bot.environment import without_secrets
from bot.errors import Final, Temporary
from bot.journal import Journal
from bot.maintenances import Maintenances
from bot.step import canonical

FILE = "heads.jsonl"
_DAILY = timedelta(days=1)
_GRACE = timedelta(hours=1)
_TICK_S = 60.0
_LIMIT_S = 60.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Head:
    """The number and the hash of the last entry that a maintenance had at `at` (ISO 8601, UTC)."""

    at: str
    maintenance: str
    seq: int
    hash: str


class Anchor:
    """A clone, in `folder`, of the repository at `url`; commits are signed with the SSH key `key`, if there is one.

    Uses the system's git and whatever lets it in there (an SSH agent, a credential helper). Not thread-safe.
    """

    def __init__(self, url: str, folder: Path, key: Path | None = None) -> None:
        self.url = url
        self._folder = folder
        self._key = key

    def heads(self) -> list[Head]:
        """Fetch, and return all heads that are kept there, in the order in which they were added.

        Raises `Temporary` if the repository cannot be reached, `Final` if what is there cannot be read.
        """
        self._fetch()
        path = self._folder / FILE
        if path.is_symlink():
            # Whoever may push there must not choose what is read and written on this machine.
            raise Final(f"{FILE} in {self.url} is a link to elsewhere: somebody has edited it. It is not followed.")
        try:
            lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
            return [_head(line) for line in lines if line]
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise Final(f"{FILE} in {self.url} cannot be read ({error}): somebody has edited it.") from None

    def add(self, heads: Sequence[Head]) -> None:
        """Append `heads` in one commit, and push it. Safe to repeat: call `heads` first to know what is there.

        Raises `Temporary` if it was not taken, as when another process was faster.
        """
        with (self._folder / FILE).open("a") as file:
            file.writelines(f"{canonical(asdict(head))}\n" for head in heads)
        signed = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={self._key}"] if self._key else []
        self._git("add", FILE)
        self._git(*signed, "commit", "--quiet", "-S" if self._key else "--no-gpg-sign", "-m", _subject(heads))
        self._git("push", "--quiet", "origin", "HEAD:main")

    def _fetch(self) -> None:
        if not (self._folder / ".git").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--initial-branch=main")
            self._git("remote", "add", "origin", self.url)
        self._git("remote", "set-url", "origin", self.url)
        self._git("fetch", "--quiet", "origin")
        if self._git("branch", "--remotes", "--list", "origin/main"):
            self._git("reset", "--quiet", "--hard", "origin/main")

    def _git(self, *words: str) -> str:
        who = ["-c", "user.name=maint", "-c", "user.email=maint@localhost"]
        environment = {**without_secrets(), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            ended = subprocess.run(
                ["git", *who, *words],  # noqa: S607 - the system's own git
                cwd=self._folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Temporary(f"git could not be run for {self.url}: {error}") from None
        if ended.returncode != 0:
            raise Temporary(f"git {words[0]} failed for {self.url}: {' '.join(ended.stderr.split())[-300:]}")
        return ended.stdout.strip()


def _head(line: str) -> Head:
    """Raises `TypeError` or `ValueError` if `line` is no head."""
    head = Head(**json.loads(line))
    if (type(head.at), type(head.maintenance), type(head.seq), type(head.hash)) != (str, str, int, str):
        raise TypeError(f"{line[:80]!r} is no head")
    instant(head.at)
    return head


def heads_at(url: str) -> list[Head]:
    """Return all heads that are kept in the repository at `url`, by a clone that is thrown away.

    Raises `StepError` if they cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="maint-anchor-") as folder:
        return Anchor(url, Path(folder)).heads()


class Keeper:
    """Brings the heads there: of what is over at once, of all others once a day. Only the process that leads does."""

    def __init__(self, anchor: Anchor, maintenances: Maintenances, leads: Callable[[], bool]) -> None:
        self._anchor = anchor
        self._maintenances = maintenances
        self._leads = leads
        self._kept: dict[str, Head] | None = None

    def run(self, stop: threading.Event) -> None:
        """Look each minute until `stop` is set. What fails is logged, and tried again the next minute."""
        while not stop.is_set():
            try:
                self.keep()
            except Exception:
                # Whatever is wrong with git or the database, it must not end the thread for good.
                log.exception("heads_not_anchored", url=self._anchor.url)
            stop.wait(_TICK_S)

    def keep(self) -> list[Head]:
        """Add every head that is due, and return them. Raises `StepError` if the repository does not take them."""
        if not self._leads():
            self._kept = None
            return []
        kept = self._latest() if self._kept is None else self._kept
        due = list(self._due(kept))
        if due:
            kept = self._latest()
            due = list(self._due(kept))
        if due:
            self._kept = None
            self._anchor.add(due)
            log.info("heads_anchored", count=len(due))
        self._kept = kept | {head.maintenance: head for head in due}
        return due

    def _latest(self) -> dict[str, Head]:
        return {head.maintenance: head for head in self._anchor.heads()}

    def _due(self, kept: Mapping[str, Head]) -> Iterable[Head]:
        now = self._maintenances.now()
        for maintenance, seq, hash_ in self._maintenances.journal.heads():
            before = kept.get(maintenance)
            if before is not None and before.seq >= seq:
                continue
            if before is None or now - instant(before.at) >= _DAILY or self._maintenances.state(maintenance).over:
                yield Head(now.isoformat(), maintenance, seq, hash_)


def contradictions(journal: Journal, maintenance: str, heads: Iterable[Head]) -> list[tuple[int, str]]:
    """Return where the journal is not what it was when its head was kept: number of the entry, and what is wrong."""
    entries = {entry.seq: entry.hash for entry in journal.stream(maintenance)}
    found = []
    for head in heads:
        if head.maintenance == maintenance and entries.get(head.seq) != head.hash:
            now = "is not there any more" if head.seq not in entries else "is another one now"
            found.append((head.seq, f"{now}: its hash was {head.hash[:12]}… when it was kept outside at {_time(head)}"))
    return found


def unkept(journal: Journal, maintenance: str, heads: Iterable[Head], now: datetime) -> list[tuple[int, str]]:
    """Return that the head of `maintenance` is not kept outside though it should be: its number, and what is wrong.

    Either it could not be brought there for long, or somebody has taken it away.
    """
    kept = max((head.seq for head in heads if head.maintenance == maintenance), default=0)
    entries = list(journal.stream(maintenance))
    late = next((entry for entry in entries if entry.seq > kept and now - entry.at > _DAILY + _GRACE), None)
    if late is None and kept == 0 and entries and now - entries[0].at > _GRACE:
        late = entries[0]
    if late is None:
        return []
    since = f"it has not been kept outside since #{kept}" if kept else "nothing of this log is kept outside"
    return [(late.seq, f"{since}: it could not be brought there, or was taken away. The bot's own log says which")]


def _time(head: Head) -> str:
    return f"{datetime.fromisoformat(head.at):%Y-%m-%d %H:%M} UTC"


def _subject(heads: Sequence[Head]) -> str:
    if len(heads) == 1:
        return f"{heads[0].maintenance}: #{heads[0].seq} {heads[0].hash[:12]}"
    return f"The heads of {len(heads)} logs"
