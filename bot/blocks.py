"""What a message is, and the few Block Kit pieces it is built from, within Slack's limits.

Source of every limit: https://docs.slack.dev/reference/block-kit and `chat.postMessage`; those on the length of all
blocks together and on metadata are not documented, and ours keep well below what has been seen to be refused.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.markup import cut
from bot.step import canonical

Block = dict[str, Any]

SECTION_CHARACTERS = 3000
TEXT_CHARACTERS = 3000
MESSAGE_CHARACTERS = 10_000
MESSAGE_BLOCKS = 50
METADATA_BYTES = 7000
_BLOCK_COSTS = 25
_BUTTON_CHARACTERS = 75
_CONFIRM_TITLE_CHARACTERS = 100
_CONFIRM_CHARACTERS = 300


@dataclass(frozen=True)
class Attachment:
    """A file that is uploaded right behind a log message. `name` is unique in the channel.

    It is `text`, or the picture with the SHA-256 `picture`, of which `alt` says what it shows.
    """

    name: str
    text: str = ""
    picture: str = ""
    alt: str = ""


@dataclass(frozen=True)
class Message:
    """A message to be: `text` for notifications, `blocks` for the eye, `metadata` for finding it again."""

    text: str
    blocks: Sequence[Block]
    metadata: Mapping[str, Any]
    files: tuple[Attachment, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of what is shown: equal digests look the same."""
        return hashlib.sha256(canonical({"text": self.text, "blocks": list(self.blocks)}).encode()).hexdigest()

    @property
    def has_buttons(self) -> bool:
        """Whether anybody can still press anything."""
        return any(block["type"] == "actions" for block in self.blocks)


def section(markup: str) -> Block:
    """A paragraph of our own mrkdwn. `verbatim`: names and channels in it are not made into links by Slack."""
    text = {"type": "mrkdwn", "text": cut(markup, SECTION_CHARACTERS), "verbatim": True}
    return {"type": "section", "text": text}


def quotation(words: str, limit: int) -> Block:
    """Somebody's own words, cut to `limit`, as plain text: nothing in them is markup, mention or emoji."""
    text = {"type": "plain_text", "text": cut(words, min(limit, SECTION_CHARACTERS)), "emoji": False}
    return {"type": "section", "text": text}


def context(markup: str) -> Block:
    """A small grey line of mrkdwn."""
    text = {"type": "mrkdwn", "text": cut(markup, SECTION_CHARACTERS), "verbatim": True}
    return {"type": "context", "elements": [text]}


def header(words: str) -> Block:
    """A headline."""
    return {"type": "header", "text": {"type": "plain_text", "text": cut(words, 150), "emoji": False}}


def actions(buttons: Sequence[Block]) -> Block:
    """A row of at most 25 buttons."""
    return {"type": "actions", "elements": list(buttons)}


def button(
    label: str, verb: str, value: tuple[str, str, str], *, style: str = "", confirm: Block | None = None
) -> Block:
    """A button. `value` is (maintenance, step or "", guard); `action_id` is `verb:step`, or `verb` alone.

    The guard says which situation the person saw: the token of a request, or the number of the attempt.
    """
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": cut(label, _BUTTON_CHARACTERS), "emoji": False},
        "action_id": f"{verb}:{value[1]}" if value[1] else verb,
        "value": "|".join(value),
    }
    if style:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def confirmation(title: str, words: str, yes: str) -> Block:
    """The question that comes up before a press counts. All of it is plain text."""
    return {
        "title": _words(title, _CONFIRM_TITLE_CHARACTERS),
        "text": _words(words, _CONFIRM_CHARACTERS),
        "confirm": _words(yes, 30),
        "deny": _words("No, go back", 30),
        "style": "danger",
    }


def _words(words: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(words, limit), "emoji": False}


def size_characters(blocks: Sequence[Block]) -> int:
    """Return the length of all texts in `blocks`, with what each block itself may cost in Slack's count."""
    return sum(len(text) for text in texts(blocks)) + _BLOCK_COSTS * len(blocks)


def fits(blocks: Sequence[Block]) -> bool:
    """Whether one message can hold `blocks`."""
    return len(blocks) <= MESSAGE_BLOCKS and size_characters(blocks) <= MESSAGE_CHARACTERS


def texts(value: Any) -> Iterator[str]:
    """Yield every text that blocks show, in order."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "text" and isinstance(one, str):
                yield one
            else:
                yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)
