"""Generated parts about the journal and the log: fields, hash, kinds, and what a message carries."""

import dataclasses
import hashlib
import json

import integrations
from bot.entry import Entry, Kind
from bot.journal import entry_hash
from bot.messages import entry_json, log_line, log_message
from bot.state import State
from bot.step import canonical
from docs.generate import sample
from docs.generate.tables import table

_MEANING = {
    "maintenance": "The id of the maintenance.",
    "seq": "The place in the chain, from 1, without gaps.",
    "at": "When, in UTC, ISO 8601 with offset. Never earlier than the entry before.",
    "actor": "Who: a Slack user id, taken from the signed request, or `maint` for the bot itself.",
    "kind": "What has happened: one of the kinds below.",
    "step": "The id of the step it is about, or null.",
    "payload": "What else belongs to it, as JSON: see the kinds below.",
    "key": "The idempotency key, unique over the whole journal: the same thing is recorded once.",
    "prev_hash": "The hash of the entry before; 64 zeros for the first.",
    "hash": "The hash of this entry.",
}


def entry_fields() -> str:
    """The fields of an entry."""
    return table(("field", "meaning"), [(f"`{each.name}`", _MEANING[each.name]) for each in dataclasses.fields(Entry)])


def entry_hash_example() -> str:
    """One entry with what its hash is made of."""
    entry, _ = _example()
    body = {name: value for name, value in json.loads(entry_json(entry)).items() if name != "hash"}
    text = canonical(body)
    if hashlib.sha256(text.encode()).hexdigest() != entry_hash(entry):
        raise ValueError("the hash is made of something else than this page says")
    return f"```text\n{text}\n```\n\nIts SHA-256 is the entry's hash:\n\n```text\n{entry.hash}\n```"


def entry_kinds() -> str:
    """Every kind with its payload and its line in the log."""
    found = _entries()
    rows = []
    for kind in Kind:
        if kind not in found:
            raise LookupError(f"docs/generate/sample.py has no entry of the kind {kind}")
        entry, state = found[kind]
        keys = ", ".join(f"`{key}`" for key in entry.payload) or "none"
        rows.append((f"`{kind}`", keys, f"`{log_line(entry, state).replace('`', '')}`"))
    return table(("kind", "payload", "as a line of text"), rows)


def log_message_example() -> str:
    """One message of the log as it is posted."""
    entry, state = _example()
    message = log_message(entry, state)
    shown = {"text": message.text, "blocks": list(message.blocks), "metadata": dict(message.metadata)}
    return f"```json\n{json.dumps(shown, indent=2, ensure_ascii=False)}\n```"


def _example() -> tuple[Entry, State]:
    """A short entry, with a made-up one before it: else every change of a step type would change its hash."""
    entry, state = _entries()[Kind.NOTED]
    placed = dataclasses.replace(entry, seq=17, prev_hash=hashlib.sha256(b"the entry before").hexdigest())
    return dataclasses.replace(placed, hash=entry_hash(placed)), state


def _entries() -> dict[str, tuple[Entry, State]]:
    integrations.load()
    return sample.entries()
