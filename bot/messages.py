"""The log: one message for each journal entry, posted once and never edited. Pure.

A log line is, in Slack, a small line `#17 · 2026-11-25 09:42:13 UTC · <the reader's own time> · <who>`, then the
sentence; on a terminal the same in one line (`log_line`). A sentence may be put better: `/maint verify` compares what
the channel shows with what this module renders, or else with the digest of what was posted (`shown_digest`). Who
changes the metadata raises `FORMAT`.
"""

import hashlib
import html
import json
import re
from collections.abc import Sequence
from typing import Any

from bot.blocks import METADATA_BYTES, Attachment, Block, Message, context, quotation, section, texts
from bot.entry import Entry
from bot.markup import cut, inline, mention, outcome, plain, stamp, when
from bot.said import Said
from bot.sentences import said
from bot.state import State
from bot.step import canonical

ENTRY_EVENT = "maint_entry"
FORMAT = 1
LIKE_AN_ENTRY = re.compile(r"#\d+ · \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC · ")
"""The small line above each entry, by which people know one."""
_EMOJI = re.compile(r":(?:[+-]1|(?=[\w+-]*[a-z])[a-z0-9_+-]+):|[\u2190-\u2bff\u3030-\u303d\ufe0f\U0001f000-\U0001faff]")
_LINK = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>")
_UNFIT = re.compile(r"[^\w.-]+")
_INLINE_CHARACTERS = 300
_SHOWN_CHARACTERS = 1500
_REPORT_CHARACTERS = 7000
_PART_CHARACTERS = 2900
_TEXT_CHARACTERS = 1000


def log_message(entry: Entry, state: State, *, metadata_bytes: int = METADATA_BYTES) -> Message:
    """Return the message of `entry`; `state` is the state right after it.

    Its metadata holds the whole entry as canonical JSON (`entry`), from which the journal can be rebuilt. Where that
    is longer than `metadata_bytes`, `entry_file` names the file that holds it. Long words are cut, and follow whole
    as a file, as does the evidence in the payload's `files`.
    """
    told = said(entry, state)
    top = f"#{entry.seq} · {stamp(entry.at)} · {when(entry.at)} · {mention(entry.actor)}"
    files = _files(entry, told)
    blocks = [context(top), *_body(told)]
    if files:
        blocks.append(context("In files below: " + ", ".join(inline(file.name) for file in files)))
    metadata, entry_file = _metadata(entry, metadata_bytes)
    text = cut(f"#{entry.seq} {plain(_sentence(told))}", _TEXT_CHARACTERS)
    return Message(inline(text), blocks, metadata, (*files, *entry_file))


def bare_message(entry: Entry, state: State) -> Message:
    """Return the same entry in the least that Slack can refuse: one line of text, everything else as a file."""
    full = log_message(entry, state, metadata_bytes=0)
    return Message(full.text, [], full.metadata, full.files)


def log_line(entry: Entry, state: State) -> str:
    """Return `entry` as one line of plain text: `#17 2026-11-25 09:42:13 UTC maint: upgrade started`."""
    told = said(entry, state)
    words = " ".join(f"{plain(told.head)} {told.words} {plain(told.tail)}".split())
    return f"#{entry.seq} {stamp(entry.at)} {entry.actor}: {cut(words, _SHOWN_CHARACTERS)}"


def shown_digest(text: str, blocks: Sequence[Block]) -> str:
    """Return a short digest of what a message shows, apart from what Slack itself alters (emoji, links, entities)."""
    own = [block for block in blocks if block.get("type") != "rich_text"]
    shown = [[block["type"] for block in own], [_essence(each) for each in (text, *texts(own))]]
    return hashlib.sha256(canonical(shown).encode()).hexdigest()[:16]


def _essence(text: str) -> str:
    return " ".join(html.unescape(_EMOJI.sub("", _LINK.sub(r"\1", text))).split())


def entry_json(entry: Entry) -> str:
    """Return the whole entry as canonical JSON, `at` in ISO 8601."""
    return canonical({**vars(entry), "at": entry.at.isoformat(), "payload": dict(entry.payload)})


def _body(told: Said) -> list[Block]:
    short = _short(told)
    if short or not told.words.strip():
        return [section(_sentence(told))]
    shown, limit = told.words.strip(), _limit(told)
    if len(shown) > limit:
        shown = cut(shown, limit) + f"\n(cut here; {len(told.words)} characters in the file)"
    tail = [section(told.tail)] if told.tail else []
    return [section(told.head), *(quotation(part, _PART_CHARACTERS) for part in _parts(shown)), *tail]


def _limit(told: Said) -> int:
    return _REPORT_CHARACTERS if told.is_report else _SHOWN_CHARACTERS


def _parts(words: str) -> list[str]:
    """The words in parts of which each fits into a block, parted between lines."""
    parts = [""]
    for line in words.split("\n"):
        one = cut(line, _PART_CHARACTERS)
        if parts[-1] and len(parts[-1]) + 1 + len(one) > _PART_CHARACTERS:
            parts.append(one)
        else:
            parts[-1] += f"\n{one}" if parts[-1] else one
    return parts


def _sentence(told: Said) -> str:
    short = _short(told)
    return f"{told.head} {short}".rstrip() + (("\n" if short else " ") + told.tail if told.tail else "")


def _short(told: Said) -> str:
    words = told.words.strip()
    return outcome(words) if len(words) <= _INLINE_CHARACTERS and "\n" not in words else ""


def _files(entry: Entry, told: Said) -> tuple[Attachment, ...]:
    files = [
        Attachment(f"{entry.maintenance}-{entry.seq}-{_UNFIT.sub('-', name)}", text)
        for name, text in dict(entry.payload.get("files") or {}).items()
        if text
    ]
    files += [
        Attachment(f"{entry.maintenance}-{entry.seq}-{_UNFIT.sub('-', name)}", picture=one["sha256"], alt=one["alt"])
        for name, one in dict(entry.payload.get("pictures") or {}).items()
    ]
    if len(told.words.strip()) > _limit(told):
        files.insert(0, Attachment(f"{entry.maintenance}-{entry.seq}-{told.name}", told.words))
    return tuple(files)


def _metadata(entry: Entry, limit_bytes: int) -> tuple[dict[str, Any], tuple[Attachment, ...]]:
    whole = entry_json(entry)
    payload: dict[str, Any] = {
        "maintenance": entry.maintenance,
        "seq": entry.seq,
        "hash": entry.hash,
        "prev_hash": entry.prev_hash,
        "format": FORMAT,
    }
    with_entry = {"event_type": ENTRY_EVENT, "event_payload": {**payload, "entry": whole}}
    if len(json.dumps(with_entry)) <= limit_bytes:
        return with_entry, ()
    file = Attachment(f"{entry.maintenance}-entry-{entry.seq}.json", whole)
    return {"event_type": ENTRY_EVENT, "event_payload": {**payload, "entry_file": file.name}}, (file,)
