"""Is the channel's log whole and true? Reads its history back and compares it, message by message, with the journal.

The journal is what counts: it keeps the head of the chain, so that even entries deleted at the very end are missed.
"""

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.anchor import Head, contradictions, unkept
from bot.entry import Entry
from bot.errors import StepError
from bot.evolve import evolve
from bot.journal import Journal
from bot.messages import ENTRY_EVENT, FORMAT, LIKE_AN_ENTRY, bare_message, entry_json, log_message, shown_digest
from bot.outbox import Outbox
from bot.slack_api import Identity, Json, SlackApi, moment, payload_of
from bot.state import State

_LOOK_BACK_S = 86_400


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `what` is `missing`, `edited`, `order`, `duplicated`, `forged`, `chain`, `anchor` or `file`.
    """

    what: str
    text: str
    seq: int | None = None

    def __str__(self) -> str:
        return f"#{self.seq}: {self.text}" if self.seq is not None else self.text


@dataclass(frozen=True)
class Verification:
    """What came of it. `counted` entries were compared; those that still wait for Slack are not at fault."""

    ok: bool
    findings: tuple[Finding, ...]
    counted: int


@dataclass
class _Read:
    """What of the channel's history concerns one maintenance. `at` holds the messages of its log, packed: there may be
    a hundred thousand. `claims` name the maintenance in their metadata, `posing` only look like entries.
    """

    at: dict[str, bytes] = field(default_factory=dict)
    claims: list[Json] = field(default_factory=list)
    posing: list[Json] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


def verify(
    slack: SlackApi,
    journal: Journal,
    maintenance: str,
    *,
    page: int = 200,
    pause: Callable[[float], object] | None = None,
    anchored: Callable[[], Iterable[Head]] | None = None,
) -> Verification:
    """Compare the channel, and the heads kept outside, with the journal of `maintenance`; name all that differs.

    `anchored` reads those heads; None where none are kept. Reads `page` messages a request and waits between requests
    with `pause` (seconds). Raises `Temporary` or `Refused` if the history cannot be read.
    """
    outbox = Outbox(journal.database)
    # Read in this order, what is posted meanwhile is neither missing nor forged.
    delivered, files = outbox.delivered(maintenance), _files(outbox, maintenance)
    channel, oldest = outbox.channel(maintenance), f"{_begun(journal, maintenance) - _LOOK_BACK_S:.6f}"
    own = slack.identity()
    read = _sorted_out(
        slack.patient_history(channel, oldest, page=page, pause=pause), maintenance, set(delivered.values()), own
    )
    findings = [
        *_chain(journal, maintenance),
        *_anchors(journal, maintenance, anchored),
        *_entries(
            _with_states(journal.stream(maintenance)),
            delivered,
            read,
            own,
            lambda seq: outbox.shown_as(maintenance, seq),
        ),
        *_order(delivered),
        *_extras(journal.stream(maintenance), outbox.delivered(maintenance), read, own),
        *_posing(read, set(journal.maintenances()), own),
        *(Finding("file", f"its file {name} is gone", seq) for seq, name in files if name not in read.files),
    ]
    return Verification(not findings, tuple(findings), len(delivered))


def _begun(journal: Journal, maintenance: str) -> float:
    return next(journal.stream(maintenance)).at.timestamp()


def _files(outbox: Outbox, maintenance: str) -> list[tuple[int, str]]:
    """The number of the entry and the name of each file that is in the channel, as far as we know."""
    split = [live.name.split(":", 2) for live in outbox.live(maintenance).values() if live.is_up]
    return [(int(parts[1]), parts[2]) for parts in split if parts[0] == "file"]


def _with_states(entries: Iterable[Entry]) -> Iterator[tuple[Entry, State]]:
    state: State | None = None
    for entry in entries:
        state = evolve(state, entry)
        yield entry, state


def _sorted_out(history: Iterator[Json], maintenance: str, known: set[str], own: Identity) -> _Read:
    read = _Read()
    for message in history:
        if message["ts"] in known:
            read.at[message["ts"]] = zlib.compress(json.dumps(message).encode(), 1)
        elif _claims(message) == maintenance:
            read.claims.append(message)
        elif message.get("bot_id") and (_claims(message) is not None or _looks_like_one(message)):
            read.posing.append(message)
        if own.wrote(message):
            read.files |= {file.get("name", "") for file in message.get("files") or []}
    return read


def _claims(message: Json) -> str | None:
    """The maintenance that a message claims to be an entry of, by its metadata."""
    claims = (message.get("metadata") or {}).get("event_type") == ENTRY_EVENT
    return str(payload_of(message).get("maintenance")) if claims else None


def _looks_like_one(message: Json) -> bool:
    """Whether people would take it for an entry: it has the small line that every entry begins with."""
    shown = json.dumps([message.get("text"), message.get("blocks")], ensure_ascii=False)
    return LIKE_AN_ENTRY.search(shown) is not None


def _chain(journal: Journal, maintenance: str) -> Iterator[Finding]:
    broken = journal.broken_at(maintenance)
    if broken is not None:
        yield Finding("chain", "the journal itself is not intact from here on: its hashes do not fit", broken)


def _anchors(journal: Journal, maintenance: str, anchored: Callable[[], Iterable[Head]] | None) -> Iterator[Finding]:
    if anchored is None:
        return
    try:
        heads = list(anchored())
    except StepError as error:
        yield Finding("anchor", f"the heads kept outside cannot be compared: {error}")
        return
    wrong = contradictions(journal, maintenance, heads) or unkept(journal, maintenance, heads, datetime.now(UTC))
    for seq, text in wrong:
        yield Finding("anchor", text, seq)


def _entries(
    entries: Iterable[tuple[Entry, State]],
    delivered: Mapping[int, str],
    read: _Read,
    own: Identity,
    shown_as: Callable[[int], str | None],
) -> Iterator[Finding]:
    for entry, state in entries:
        ts = delivered.get(entry.seq)
        if ts is None:
            continue
        if ts not in read.at:
            yield Finding("missing", f"is missing: it was posted at {ts} and has been deleted since", entry.seq)
            continue
        difference = _difference(json.loads(zlib.decompress(read.at[ts])), entry, state, own, shown_as)
        if difference:
            yield Finding("edited", f"was edited: {difference}", entry.seq)


def _difference(message: Json, entry: Entry, state: State, own: Identity, shown_as: Callable[[int], str | None]) -> str:
    """Say how a message differs from what was posted for `entry`; "" if it does not."""
    payload, full = payload_of(message), log_message(entry, state)
    shows = shown_digest(message.get("text", ""), message.get("blocks") or [])
    as_usual = payload == full.metadata["event_payload"] and shows == shown_digest(full.text, full.blocks)
    # The other form is made only where it is needed: nearly all of a long log is as usual.
    forms = (full,) if as_usual else (full, bare_message(entry, state))
    altered_entry = "entry" in payload and payload["entry"] != entry_json(entry)
    wrong_payload = payload not in [dict(form.metadata["event_payload"]) for form in forms]
    # An older version of the bot may have put the same entry into other words.
    known = [shown_digest(form.text, form.blocks) for form in forms]
    is_as_posted = shows in known or shows == shown_as(entry.seq)
    checks = (
        (not own.wrote(message), "it is from somebody else"),
        (bool(message.get("edited")), "Slack marks it as edited"),
        (not payload, "its metadata is gone"),
        (payload.get("format") != FORMAT, f"its format {payload.get('format')} is not known to this version of maint"),
        (altered_entry, "the entry in its metadata is not the one in the journal"),
        (wrong_payload, "its metadata (number, hash, or the hash before) is not that of the journal"),
        (bool(message.get("attachments") or message.get("files")), "something was attached to it"),
        (not is_as_posted, "its visible text is not what was posted"),
    )
    return next((what for wrong, what in checks if wrong), "")


def _order(delivered: Mapping[int, str]) -> Iterator[Finding]:
    latest = (0, 0)
    for seq, ts in sorted(delivered.items()):
        if moment(ts) <= latest:
            yield Finding("order", "stands before an earlier entry in the channel", seq)
        latest = max(latest, moment(ts))


def _extras(entries: Iterable[Entry], delivered: Mapping[int, str], read: _Read, own: Identity) -> Iterator[Finding]:
    if not read.claims:
        return
    hashes = {entry.hash: entry.seq for entry in entries}
    for message in reversed(read.claims):
        payload, ts = payload_of(message), message["ts"]
        if not own.wrote(message):
            who = message.get("user") or message.get("bot_id") or "somebody"
            yield Finding("forged", f"the message at {ts} claims to be entry #{payload.get('seq')} and is from {who}")
            continue
        seq = hashes.get(str(payload.get("hash")))
        if seq is None:
            yield Finding(
                "forged", f"the message at {ts} claims to be entry #{payload.get('seq')}; no such entry exists"
            )
        elif delivered.get(seq, ts) != ts:
            yield Finding("duplicated", f"is in the channel a second time, at {ts}", seq)


def _posing(read: _Read, known: Collection[str], own: Identity) -> Iterator[Finding]:
    """What looks like an entry to people and is none: without our metadata, or of a maintenance that there is not."""
    for message in reversed(read.posing):
        claimed, who = _claims(message), message.get("user") or message.get("bot_id")
        if own.wrote(message) and claimed in known:
            continue  # that one's own log, which is compared where it is verified
        of = f"claims to be an entry of {claimed}" if claimed is not None else "looks like an entry"
        why = "is from" if not own.wrote(message) else "is none, though it was posted with the token of"
        yield Finding("forged", f"the message at {message['ts']} {of} and {why} {who}")
