"""Blocks as an app sends them: refused as Slack refuses them, completed as Slack completes them."""

import copy
import json
import zlib
from collections.abc import Iterator
from typing import Any

from sandbox.slack.block_kinds import BLOCK, VIEW
from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.shapes import array, fault

MOST_IN_MESSAGE = 50
# Not documented. Slack's people speak of 12,000 characters of text "with a buffer for block containers"; 9,597 in 50
# blocks have been seen to pass and 11,341 in 45 blocks to fail, which 20 a block agrees with.
MOST_CHARACTERS = 12_000
CHARACTERS_PER_BLOCK = 20


def check_message_blocks(value: Any) -> list[Json]:
    """The blocks of a message, with all ids. Raises `RefusedError` as chat.postMessage answers."""
    if not isinstance(value, list):
        raise RefusedError("invalid_blocks_format")
    faults: list[str] = []
    array(BLOCK, MOST_IN_MESSAGE, least=0)(value, "/blocks", faults)
    if not faults:
        faults = _ids_and_choices(value, "/blocks")
    if faults:
        raise RefusedError("invalid_blocks", faults)
    if sum(len(text) for text in _texts(value)) + CHARACTERS_PER_BLOCK * len(value) > MOST_CHARACTERS:
        raise RefusedError("msg_blocks_too_long")
    return complete(value)


def check_view(value: Any) -> Json:
    """A view, complete. Raises `RefusedError("invalid_arguments")` naming each fault, as views.open answers."""
    faults: list[str] = []
    VIEW(value, "/view", faults)
    if not faults:
        faults = _ids_and_choices(value["blocks"], "/view/blocks")
        if value["type"] == "modal" and "submit" not in value and any(b["type"] == "input" for b in value["blocks"]):
            fault(faults, "/view", "missing required field: submit")
        if any(block["type"] == "markdown" for block in value["blocks"]):
            fault(faults, "/view/blocks", "unsupported type for block: markdown")
    if faults:
        raise RefusedError("invalid_arguments", faults)
    return {**value, "blocks": complete(value["blocks"])}


def elements_of(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every (block, interactive element) in `blocks`."""
    for block in blocks:
        if block["type"] == "actions":
            yield from ((block, element) for element in block["elements"])
        elif block["type"] == "input":
            yield block, block["element"]
        elif block.get("accessory", {}).get("type", "image") != "image":
            yield block, block["accessory"]


def all_blocks(message: Json) -> list[Json]:
    """The blocks of a message and of its attachments."""
    inner = [block for attachment in message.get("attachments") or [] for block in attachment.get("blocks", [])]
    return [*(message.get("blocks") or []), *inner]


def options_of(element: Json) -> list[Json]:
    """The options of a select, radio, checkboxes or overflow element."""
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return [*element.get("options", []), *grouped]


def complete(blocks: list[Json]) -> list[Json]:
    """A copy with the ids and defaults that Slack adds and gives back in every payload."""
    done = copy.deepcopy(blocks)
    for number, block in enumerate(done):
        block.setdefault("block_id", f"b{number}={zlib.crc32(json.dumps(block).encode()):08x}")
        for index, element in enumerate(elements_of([block])):
            element[1].setdefault("action_id", f"a{number}.{index}")
    _defaults(done)
    return done


def _defaults(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("type") == "plain_text":
            value.setdefault("emoji", True)
        elif value.get("type") == "mrkdwn":
            value.setdefault("verbatim", False)
        for one in value.values():
            _defaults(one)
    elif isinstance(value, list):
        for one in value:
            _defaults(one)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "text" and isinstance(one, str):
                yield one
            else:
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _ids_and_choices(blocks: list[Json], path: str) -> list[str]:
    """What no single block shows: ids used twice, an initial choice that is not on offer, text that is missing.

    Slack asks for action ids that are unique in their block; in a message we ask for it in the whole message, so that
    a press is told by its action id alone.
    """
    faults: list[str] = []
    block_ids: set[str] = set()
    action_ids: set[str] = set()
    for number, block in enumerate(blocks):
        here = f"{path}/{number}"
        if block.get("block_id") in block_ids:
            fault(faults, here, f"block_id {block['block_id']} already exists")
        if "block_id" in block:
            block_ids.add(block["block_id"])
        if block["type"] == "section" and "text" not in block and "fields" not in block:
            fault(faults, here, "missing required field: text")
        if block["type"] == "image" and ("image_url" in block) == ("slack_file" in block):
            fault(faults, here, "exactly one of image_url and slack_file is required")
        if path != "/blocks":
            action_ids.clear()
        for _, element in elements_of([block]):
            action_id = element.get("action_id")
            if action_id in action_ids:
                fault(faults, here, f"action_id {action_id} already exists")
            if action_id:
                action_ids.add(action_id)
            _choices(element, here, faults)
    return faults


def _choices(element: Json, path: str, faults: list[str]) -> None:
    listed = element["type"] in {"static_select", "multi_static_select"}
    if listed and ("options" in element) == ("option_groups" in element):
        fault(faults, path, "exactly one of options and option_groups is required")
    values = [option["value"] for option in options_of(element)]
    if len(values) != len(set(values)):
        fault(faults, path, "option values must be unique")
    initial = element.get("initial_options", [])
    if "initial_option" in element and element["type"] != "external_select":
        initial = [element["initial_option"]]
    if any(option not in options_of(element) for option in initial):
        fault(faults, path, "the initial option is not one of the options")
    if element.get("min_length", 0) > element.get("max_length", 3000):
        fault(faults, path, "min_length is greater than max_length")
