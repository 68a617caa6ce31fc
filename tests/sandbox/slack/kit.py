"""Blocks that the tests send."""

from typing import Any

Block = dict[str, Any]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def section(text: str, **more: Any) -> Block:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(text: str, action_id: str = "", **more: Any) -> Block:
    return {"type": "button", "text": plain(text), "action_id": action_id or text.lower(), **more}


def actions(*elements: Block, **more: Any) -> Block:
    return {"type": "actions", "elements": list(elements), **more}


def field(block_id: str, kind: str = "plain_text_input", **more: Any) -> Block:
    """An input block whose block and action are both called `block_id`."""
    inner = {"type": kind, "action_id": block_id, **more.pop("element", {})}
    return {"type": "input", "block_id": block_id, "label": plain(block_id.title()), "element": inner, **more}


def option(value: str) -> Block:
    return {"text": plain(value.title()), "value": value}


def modal(*blocks: Block, **more: Any) -> Block:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("Form"),
        "submit": plain("Go"),
        "blocks": list(blocks),
        **more,
    }


def home(*blocks: Block) -> Block:
    return {"type": "home", "blocks": list(blocks)}


CONFIRM = {"title": plain("Sure?"), "text": plain("It cannot be undone."), "confirm": plain("Yes"), "deny": plain("No")}
