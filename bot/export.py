"""The journal as a file for people and programs: CSV, JSON lines, Markdown, a page. Pure."""

import csv
import functools
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from bot.entry import Entry
from bot.evolve import evolve
from bot.journal import hashed_text
from bot.markup import plain, stamp
from bot.messages import entry_json
from bot.sentences import said
from bot.state import State
from bot.step import canonical

_COLUMNS = ("seq", "at", "actor", "kind", "step", "text", "payload", "prev_hash", "hash")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(entries: Iterable[Entry]) -> str:
    """Return one row for each entry (RFC 4180), `text` being the sentence that the channel shows.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for entry, head, words in _told(entries):
        cells = (
            entry.seq,
            entry.at.isoformat(),
            entry.actor,
            entry.kind,
            entry.step or "",
            f"{head} {words}".strip(),
            canonical(dict(entry.payload)),
            entry.prev_hash,
            entry.hash,
        )
        rows.writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def as_json_lines(entries: Iterable[Entry]) -> str:
    """Return each entry as one line of canonical JSON, exactly as it is hashed, with its hash."""
    return "".join(f"{entry_json(entry)}\n" for entry in entries)


def as_markdown(entries: Iterable[Entry]) -> str:
    """Return the log as a Markdown document, one list item for each entry, others' words as code blocks."""
    lines: list[str] = []
    for entry, head, words in _told(entries):
        if entry.seq == 1:
            lines += [f"# {_escaped(str(entry.payload['title']))}", "", f"Log of `{entry.maintenance}`.", ""]
        lines.append(f"- **#{entry.seq}** {stamp(entry.at)}, {_escaped(entry.actor)}: {_escaped(head)}")
        if words:
            fence = "`" * max(3, _longest_run(words) + 1)
            lines += ["", f"  {fence}text", *(f"  {line}" for line in words.splitlines()), f"  {fence}", ""]
    return "\n".join(lines) + "\n"


def as_page(entries: Iterable[Entry]) -> str:
    """Return the log as one HTML page that needs nothing else, for whoever has neither Slack nor the bot.

    It carries the text that each entry's hash is made from, and a script that checks the chain where it is opened.
    """
    told = [(entry, head, words) for entry, head, words in _told(entries)]
    chain = [[hashed_text(entry), entry.hash] for entry, _, _ in told]
    first = told[0][0] if told else None
    return _page().render(
        maintenance=first.maintenance if first else "",
        title=str(first.payload["title"]) if first else "",
        rows=[
            {"entry": entry, "at": stamp(entry.at), "iso": entry.at.isoformat(), "head": head, "words": words}
            for entry, head, words in told
        ],
        chain=chain,
    )


@functools.cache
def _page() -> Template:
    text = Path(__file__).with_name("log_page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


def _told(entries: Iterable[Entry]) -> Iterator[tuple[Entry, str, str]]:
    """Yield each entry with its sentence and the words that follow it, both as plain text."""
    state: State | None = None
    for entry in entries:
        state = evolve(state, entry)
        told = said(entry, state)
        yield entry, plain(told.head), told.words.strip()


def _harmless(cell: str | int) -> str | int:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_[]<>#|" else one for one in text)


def _longest_run(text: str) -> int:
    longest = run = 0
    for one in text:
        run = run + 1 if one == "`" else 0
        longest = max(longest, run)
    return longest


FORMATS: dict[str, Callable[[Iterable[Entry]], str]] = {
    "csv": as_csv,
    "json": as_json_lines,
    "md": as_markdown,
    "html": as_page,
}
"""What a log can be had as, by the word that people use."""
