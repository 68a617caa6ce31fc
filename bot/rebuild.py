"""The journal from the channel alone, for when the database is lost: every log message carries its whole entry."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.anchor import Head
from bot.entry import Entry, Kind, instant
from bot.errors import StepError
from bot.evolve import fold
from bot.journal import GENESIS, Draft, Journal, entry_hash
from bot.messages import ENTRY_EVENT
from bot.slack_api import Json, SlackApi, payload_of
from bot.step_spec import StepSpec

_NO_CHAIN = "does not continue the chain"


@dataclass(frozen=True)
class Rebuilt:
    """The entries of every maintenance in the channel, by id, oldest first, as far as each chain holds.

    `findings` are sentences about what is missing or does not fit; entries behind a break are left out, and the
    maintenances that have a break are in `cut`.
    """

    entries: dict[str, tuple[Entry, ...]]
    findings: tuple[str, ...]
    cut: frozenset[str] = frozenset()


def rebuild(
    slack: SlackApi,
    channel: str,
    *,
    page: int = 200,
    pause: Callable[[float], object] | None = None,
    anchored: Iterable[Head] = (),
) -> Rebuilt:
    """Read the whole history of `channel` and put the journals in it together again; nothing is written.

    Only messages of this bot count. `anchored` are the heads kept outside: what they know and the channel lacks is a
    break too, also at the very end. Raises `Temporary` or `Refused` if the history cannot be read.
    """
    own = slack.identity()
    logged: list[Json] = []
    addresses: dict[str, str] = {}
    for message in slack.patient_history(channel, page=page, pause=pause):
        if not own.wrote(message):
            continue
        addresses |= {file.get("name", ""): file.get("url_private", "") for file in message.get("files") or []}
        if (message.get("metadata") or {}).get("event_type") == ENTRY_EVENT:
            logged.append(message)
    findings: list[str] = []
    found: dict[str, dict[int, list[Entry]]] = {}
    for message in reversed(logged):
        entry = _entry(slack, payload_of(message), addresses, findings)
        if entry is not None:
            found.setdefault(entry.maintenance, {}).setdefault(entry.seq, []).append(entry)
    heads = list(anchored)
    entries, cut = {}, set()
    for name, by_seq in found.items():
        broken = len(findings)
        entries[name] = tuple(_chained(name, by_seq, findings))
        findings += _beyond(entries[name], [head for head in heads if head.maintenance == name])
        cut |= {name} if len(findings) > broken else set()
    return Rebuilt(entries, tuple(findings), frozenset(cut))


def _entry(slack: SlackApi, payload: Json, addresses: dict[str, str], findings: list[str]) -> Entry | None:
    """The entry that a message carries, or None and a finding: its own hash decides whether it is whole."""
    name = f"{payload.get('maintenance')} #{payload.get('seq')}"
    try:
        text = payload.get("entry") or slack.download(addresses[payload["entry_file"]])
        raw = json.loads(text)
        entry = Entry(**{**raw, "at": instant(raw["at"])})
        numbered = (type(entry.seq), type(entry.maintenance)) == (int, str)
        altered = entry_hash(entry) != entry.hash
    except (StepError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        findings.append(f"{name} cannot be read back: {type(error).__name__}: {error}")
        return None
    if not numbered:
        findings.append(f"{name} cannot be read back: it has no number, or no maintenance")
        return None
    if altered:
        findings.append(f"{name} does not fit its own hash: it was altered")
        return None
    return entry


def _chained(maintenance: str, by_seq: dict[int, list[Entry]], findings: list[str]) -> Iterator[Entry]:
    prev_hash = GENESIS
    for seq in range(1, max(by_seq) + 1):
        claimed = by_seq.get(seq, [])
        # Whoever has our token may have put another one there, before the true one or behind it.
        fitting = [entry for entry in claimed if entry.prev_hash == prev_hash]
        if len({entry.hash for entry in fitting}) != 1:
            why = "is missing" if not claimed else "is there twice, with different words" if fitting else _NO_CHAIN
            findings.append(f"{maintenance} #{seq} {why}; what follows it is left out")
            return
        prev_hash = fitting[0].hash
        yield fitting[0]


def _beyond(entries: Sequence[Entry], heads: Iterable[Head]) -> list[str]:
    """What was in the journal when its head was kept outside, and is not in `entries`."""
    hashes = {entry.seq: entry.hash for entry in entries}
    return [
        f"{head.maintenance} #{head.seq} was written (its head was kept outside at {head.at}), and is not here"
        for head in heads
        if hashes.get(head.seq) != head.hash
    ]


def restore(journal: Journal, entries: Sequence[Entry], *, cut: bool = False) -> list[str]:
    """Write a rebuilt maintenance into `journal`, and hold it: what it was in the middle of is not known any more.

    With the database went what steps had committed before their effects. So every running step becomes `unknown`,
    for people to look and settle, and the maintenance is paused. Where entries behind a break are lost (`cut`), any
    step that had not ended may have been done since: all of them become `unknown`, but those that only look, and those
    that people do. Returns what was held, as sentences. Raises `Conflict` as `Journal.restore` does.
    """
    journal.restore(entries)
    state = fold(entries)
    if state is None or state.over:
        return []
    lost = "The database was lost while this step ran; its record was rebuilt from the channel."
    if cut:
        lost = "Part of the log is lost, so nobody knows whether this step was done since. Look before you settle it."
    drafts = [
        Draft(
            Kind.STEP_UNKNOWN,
            "maint",
            f"{state.id}:{step}:rebuilt:{state.seq}",
            step,
            {"attempt": now.attempt, "error": lost, "files": {}},
        )
        for step, now in state.steps.items()
        if _in_doubt(now.status, state.specs[step], cut=cut)
    ]
    drafts += [] if state.paused else [Draft(Kind.PAUSED, "maint", f"{state.id}:rebuilt:{state.seq}")]
    journal.append(state.id, drafts, after=state.seq)
    return [f"{state.id} is paused", *(f"{draft.step} is unknown" for draft in drafts if draft.step)]


def _in_doubt(status: str, spec: StepSpec, *, cut: bool) -> bool:
    if spec.by_hand:
        return False
    return status == "running" or (cut and not spec.gate and status in {"pending", "waiting", "failed"})
