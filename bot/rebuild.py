"""The journal from the channel alone, for when the database is lost: every log message carries its whole entry."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.entry import Entry, Kind, instant
from bot.errors import StepError
from bot.evolve import fold
from bot.journal import GENESIS, Draft, Journal, entry_hash
from bot.messages import ENTRY_EVENT
from bot.slack_api import Json, SlackApi, payload_of


@dataclass(frozen=True)
class Rebuilt:
    """The entries of every maintenance in the channel, by id, oldest first, as far as each chain holds.

    `findings` are sentences about what is missing or does not fit; entries behind a break are left out.
    """

    entries: dict[str, tuple[Entry, ...]]
    findings: tuple[str, ...]


def rebuild(
    slack: SlackApi, channel: str, *, page: int = 200, pause: Callable[[float], object] | None = None
) -> Rebuilt:
    """Read the whole history of `channel` and put the journals in it together again; nothing is written.

    Only messages of this bot count. Raises `Temporary` or `Refused` if the history cannot be read.
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
    found: dict[str, dict[int, Entry]] = {}
    for message in reversed(logged):
        entry = _entry(slack, payload_of(message), addresses, findings)
        if entry is not None:
            found.setdefault(entry.maintenance, {}).setdefault(entry.seq, entry)
    entries = {name: tuple(_chained(name, by_seq, findings)) for name, by_seq in found.items()}
    return Rebuilt(entries, tuple(findings))


def _entry(slack: SlackApi, payload: Json, addresses: dict[str, str], findings: list[str]) -> Entry | None:
    """The entry that a message carries, or None and a finding: its own hash decides whether it is whole."""
    name = f"{payload.get('maintenance')} #{payload.get('seq')}"
    try:
        text = payload.get("entry") or slack.download(addresses[payload["entry_file"]])
        raw = json.loads(text)
        entry = Entry(**{**raw, "at": instant(raw["at"])})
    except (StepError, KeyError, TypeError, ValueError) as error:
        findings.append(f"{name} cannot be read back: {type(error).__name__}: {error}")
        return None
    if entry_hash(entry) != entry.hash:
        findings.append(f"{name} does not fit its own hash: it was altered")
        return None
    return entry


def _chained(maintenance: str, by_seq: dict[int, Entry], findings: list[str]) -> Iterator[Entry]:
    prev_hash = GENESIS
    for seq in range(1, max(by_seq) + 1):
        entry = by_seq.get(seq)
        if entry is None or entry.prev_hash != prev_hash:
            why = "is missing" if entry is None else "does not continue the chain"
            findings.append(f"{maintenance} #{seq} {why}; what follows it is left out")
            return
        prev_hash = entry.hash
        yield entry


def restore(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    """Write a rebuilt maintenance into `journal`, and hold it: what it was in the middle of is not known any more.

    With the database went what steps had committed before their effects. So every running step becomes `unknown`,
    for people to look and settle, and the maintenance is paused. Returns what was held, as sentences. Raises
    `Conflict` as `Journal.restore` does.
    """
    journal.restore(entries)
    state = fold(entries)
    if state is None or state.over:
        return []
    lost = "The database was lost while this step ran; its record was rebuilt from the channel."
    drafts = [
        Draft(
            Kind.STEP_UNKNOWN,
            "maint",
            f"{state.id}:{step}:rebuilt:{state.seq}",
            step,
            {"attempt": now.attempt, "error": lost, "files": {}},
        )
        for step, now in state.steps.items()
        if now.status == "running" and not state.specs[step].by_hand
    ]
    drafts += [] if state.paused else [Draft(Kind.PAUSED, "maint", f"{state.id}:rebuilt:{state.seq}")]
    journal.append(state.id, drafts, after=state.seq)
    return [f"{state.id} is paused", *(f"{draft.step} is unknown" for draft in drafts if draft.step)]
