"""What everybody may see of the maintenances: a small model, made from their states, that holds nothing internal. Pure.

No ids of people, no steps, no channel, no reasons: those were written for colleagues. The id of a maintenance is not
shown either, since it has the runbook's name in it; what stands in its place is stable and says nothing.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from bot.milestones import ENDS
from bot.state import Milestone, State

KEPT = timedelta(days=30)
"""How long a maintenance stays after its end."""
NAMES = uuid.UUID("c4f8b6d2-0a4e-5d0e-9a57-3f1d7c1b9e60")
"""The namespace of all ids that are made here (RFC 9562, section 5.5)."""
_TITLE_CHARACTERS = 200
_IMPACT_CHARACTERS = 2000
# What Slack makes of a mention: <@U…|name>, <!subteam^S…>, <#C…|name>.
_MENTION = re.compile(r"<[@#!][^<>]*>")
# Not allowed in XML 1.0 (section 2.2), or of no use in a line of text, or turning the order of what follows round.
_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Change:
    """What became known at `at`, and the window from then on. All times are aware UTC. `what` is a milestone's."""

    what: str
    at: datetime
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Notice:
    """One maintenance as the public may see it. Times are aware UTC, `zone` is the IANA zone it was announced in.

    `status` is `scheduled`, `in_progress`, `verifying`, `completed`, `cancelled` or `aborted`; `url` is "" or begins
    with http; `changes` is never empty, and begins with `announced`.
    """

    id: str
    title: str
    status: str
    start: datetime
    end: datetime
    zone: str
    impact: str
    url: str
    changes: tuple[Change, ...]

    @property
    def updated(self) -> datetime:
        """When anything about it last became known."""
        return self.changes[-1].at

    @property
    def ended(self) -> bool:
        """Whether nothing more will become known."""
        return self.changes[-1].what in ENDS


@dataclass(frozen=True)
class Feed:
    """All maintenances that the public may see, by their start. `id` is that of the feed, stable, for Atom."""

    id: str
    notices: tuple[Notice, ...]

    @property
    def updated(self) -> datetime:
        """When anything last became known; the beginning of time if nothing ever did."""
        return max((notice.updated for notice in self.notices), default=datetime.fromtimestamp(0, UTC))


def public(states: Iterable[State], now: datetime, *, of: str = "") -> Feed:
    """Return what everybody may see at `now` (aware UTC): what is announced, and for 30 days what has ended.

    `of` is any text that tells this bot's feed from another's; it cannot be found out from the feed.
    """
    notices = [notice(state) for state in states if is_shown(state, now)]
    return Feed(str(uuid.uuid5(NAMES, of)), tuple(sorted(notices, key=lambda each: (each.start, each.id))))


def is_shown(state: State, now: datetime) -> bool:
    """Whether the feed tells of it: it may be told, has been announced, and has not ended long ago."""
    if not state.public or not state.milestones:
        return False
    last = state.milestones[-1]
    return last.what not in ENDS or now < last.at + KEPT


def notice(state: State) -> Notice:
    """Return what everybody may see of an announced maintenance."""
    return Notice(
        id=str(uuid.uuid5(NAMES, f"{state.id} {state.created_at.isoformat()}")),
        title=told(state.title, _TITLE_CHARACTERS),
        status=_status(state),
        start=state.window.start,
        end=state.window.end,
        zone=state.window.zone,
        impact=told(state.impact, _IMPACT_CHARACTERS),
        url=link(str(state.params.get("url", ""))),
        changes=tuple(map(_change, state.milestones)),
    )


def _change(passed: Milestone) -> Change:
    return Change(passed.what, passed.at, passed.window.start, passed.window.end)


def _status(state: State) -> str:
    """Told by the milestones, so that no entry of the change log can say anything else."""
    what = {each.what for each in state.milestones}
    ended = what & ENDS
    if ended:
        return ended.pop()
    if "begun" not in what:
        return "scheduled"
    return "verifying" if state.status == "verifying" else "in_progress"


def told(text: str, limit: int) -> str:
    """Return somebody's words as one line of at most `limit` characters, without mentions and control characters."""
    line = " ".join(_UNSEEN.sub(" ", _MENTION.sub("", text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def link(text: str) -> str:
    """Return `text` if it is a web address that may be shown to everybody: http or https, with no password in it."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return text if good and not re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff]", text) else ""
