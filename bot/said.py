"""What an entry says, in parts: whose words are whose, and what comes when there is too much of it."""

from dataclasses import dataclass

from bot.entry import Entry
from bot.markup import inline

_WORDS = ("text", "summary", "error", "reason")


@dataclass(frozen=True)
class Said:
    """`head` is our mrkdwn, then come others' own `words` (an error, a note), then ours again: `tail`, what to do now.

    Words too long for a message are in the file `name`; a report may be longer than other words before it is cut.
    """

    head: str
    words: str = ""
    name: str = "text.txt"
    tail: str = ""
    is_report: bool = False


def by_name(entry: Entry) -> Said:
    """Return what can be said of an entry that only a newer version has a sentence for: its name, and its words."""
    of = f" of `{inline(entry.step)}`" if entry.step else ""
    words = next((str(entry.payload[key]) for key in _WORDS if entry.payload.get(key)), "")
    return Said(f"{inline(entry.kind.replace('_', ' ').capitalize())}{of}{':' if words else '.'}", words)
