"""What an entry says, in parts: whose words are whose, and what comes when there is too much of it."""

from dataclasses import dataclass


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
