"""The pieces of modals, and the small modal that asks for a reason. Limits: Slack's Block Kit reference."""

from collections.abc import Mapping
from typing import Any

Block = dict[str, Any]
_TOLD = "told"


def plain_text(text: str) -> Block:
    """Plain text, which Slack never reads as markup."""
    return {"type": "plain_text", "text": text, "emoji": False}


def text_input(
    block: str,
    label: str,
    *,
    value: str = "",
    hint: str = "",
    placeholder: str = "",
    optional: bool = False,
    multiline: bool = False,
) -> Block:
    """A labelled text field; its value is found under `block` and the action id `value`."""
    element: Block = {"type": "plain_text_input", "action_id": "value", "multiline": multiline}
    if value:
        element["initial_value"] = value
    if placeholder:
        element["placeholder"] = plain_text(placeholder)
    made: Block = {"type": "input", "block_id": block, "label": plain_text(label), "element": element}
    if hint:
        made["hint"] = plain_text(hint)
    if optional:
        made["optional"] = True
    return made


def modal(callback: str, title: str, submit: str, blocks: list[Block], private: str) -> Block:
    """A modal whose submission comes back as `callback` with `private` (at most 3,000 characters)."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_text(title),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "private_metadata": private,
        "blocks": blocks,
    }


def closing(title: str, words: str) -> Block:
    """A modal that only says something: there is nothing to submit."""
    blocks = [{"type": "section", "text": plain_text(words[:3000])}]
    return {"type": "modal", "title": plain_text(title), "close": plain_text("Close"), "blocks": blocks}


def told_above(view: Mapping[str, Any], errors: Mapping[str, str]) -> Block:
    """The modal that was submitted as `view` once more, with what was typed, and `errors` above it."""
    told = "\n".join(f":warning: {text}" for text in errors.values())
    blocks = [_typed(block, view["state"]["values"]) for block in view["blocks"] if block.get("block_id") != _TOLD]
    above: Block = {"type": "section", "block_id": _TOLD, "text": plain_text(told[:3000])}
    kept = {key: view[key] for key in ("type", "callback_id", "title", "submit", "close", "private_metadata")}
    return {**kept, "blocks": [above, *blocks]}


def _typed(block: Block, values: Mapping[str, Any]) -> Block:
    """The block with what was typed or chosen in it as its first value."""
    if block["type"] != "input":
        return block
    element = dict(block["element"])
    now = values.get(block["block_id"], {}).get(element["action_id"], {})
    for first, of in (("initial_value", "value"), ("initial_option", "selected_option")):
        if now.get(of):
            element[first] = now[of]
    if now.get("selected_options"):
        element["initial_options"] = now["selected_options"]
    return {**block, "element": element}


def confirm_box(block: str, label: str, words: str) -> Block:
    """A box that has to be ticked before a modal can be submitted."""
    option = {"text": plain_text(words), "value": "yes"}
    element = {"type": "checkboxes", "action_id": "value", "options": [option]}
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element}


def ask_reason(verb: str, button_value: str, about: str, reason: str = "") -> Block:
    """The modal behind the buttons that need a reason. `button_value` travels with it to the submission."""
    titles = {
        "reject": ("Reject", "Reject"),
        "skip": ("Skip a step", "Skip"),
        "abort": ("Abort", "Abort"),
        "rollback": ("Roll back", "Ask"),
        "open-on-red": ("Open on red", "Ask"),
        "break-glass": ("Break the glass", "Break it"),
    }
    title, submit = titles[verb]
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": about[:3000], "emoji": False}},
        text_input(
            "reason",
            "Reason",
            value=reason,
            multiline=True,
            hint="The others and the report will read it.",
        ),
    ]
    return modal(f"reason:{verb}", title, submit, blocks, button_value)


def ask_address(button_value: str, words: str, about: str) -> Block:
    """The modal behind a step's own button that shows its effect to one person first. As `ask_reason`."""
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": about[:3000], "emoji": False}},
        text_input("reason", "Your e-mail address there", hint="It is used for this alone, and shown to nobody."),
    ]
    return modal("reason:try_on", words[:24], "Send", blocks, button_value)


def value_of(view: Mapping[str, Any], block: str) -> str:
    """Return what was typed or chosen in `block`, or an empty text."""
    for field in view["state"]["values"].get(block, {}).values():
        option = field.get("selected_option")
        return str(option["value"]) if option else str(field.get("value") or "")
    return ""
