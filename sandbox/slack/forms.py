"""What Slack's own client checks before a modal is sent, and how it finds the field somebody means."""

import re

from sandbox.slack.blocks import elements_of
from sandbox.slack.config import Json
from sandbox.slack.surfaces import RESULT_KEYS, OpenView, chosen

REQUIRED = "Please complete this required field."


def fill(held: OpenView, values: Json) -> None:
    """Put values into a view's fields, each named by its label, block id or action id.

    Raises `ValueError` naming the fields there are, if there is no such field or option.
    """
    for name, value in values.items():
        block, element = find_field(held.view["blocks"], name)
        held.values.setdefault(block["block_id"], {})[element["action_id"]] = chosen(element, value)


def find_field(blocks: list[Json], name: str) -> tuple[Json, Json]:
    """The (block, element) that a label, block id, action id or `block_id/action_id` names."""
    known = []
    for block, element in elements_of(blocks):
        if element["type"] not in RESULT_KEYS:
            continue
        label = block.get("label", {}).get("text") or block.get("text", {}).get("text", "")
        both = f"{block['block_id']}/{element['action_id']}"
        if name in (label, block["block_id"], element["action_id"], both):
            return block, element
        known.append(label or both)
    raise ValueError(f"no field {name!r}; there are: {', '.join(known) or 'none'}")


def faults(held: OpenView) -> dict[str, str]:
    """What is wrong with the fields, by block id: the client shows it and sends nothing."""
    found: dict[str, str] = {}
    for block in held.view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            value = held.values.get(block["block_id"], {}).get(element["action_id"], {})
            entered = value.get(RESULT_KEYS[element["type"]][0])
            fault = _fault(block, element, entered)
            if fault:
                found[block["block_id"]] = fault
    return found


def _fault(block: Json, element: Json, entered: object) -> str:
    if entered in (None, "", []):
        return "" if block.get("optional") else REQUIRED
    check = _CHECKS.get(element["type"])
    return check(element, entered) if check and isinstance(entered, str) else ""


def _text_fault(element: Json, entered: str) -> str:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    return "" if least <= len(entered) <= most else f"Please use {least} to {most} characters."


def _email_fault(_: Json, entered: str) -> str:
    return "" if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", entered) else "Please enter an e-mail address."


def _url_fault(_: Json, entered: str) -> str:
    fine = re.fullmatch(r"https?://\S+", entered)
    return "" if fine else "Please enter an address that begins with http:// or https://."


def _number_fault(element: Json, entered: str) -> str:
    pattern = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(pattern, entered):
        return "Please enter a number."
    if "min_value" in element and float(entered) < float(element["min_value"]):
        return f"Please enter a number from {element['min_value']}."
    if "max_value" in element and float(entered) > float(element["max_value"]):
        return f"Please enter a number up to {element['max_value']}."
    return ""


_CHECKS = {
    "plain_text_input": _text_fault,
    "email_text_input": _email_fault,
    "url_text_input": _url_fault,
    "number_input": _number_fault,
}
