"""Small checks that `block_kinds` combines into the shape of every block and element.

A check takes a value, its path (`/blocks/0/text`) and the list of faults to add to. The faults' wording and the
`[json-pointer:…]` are in the manner of Slack's own answers.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

Faults = list[str]
Check = Callable[[Any, str, Faults], None]


def fault(faults: Faults, path: str, what: str) -> None:
    """Note one fault at `path`."""
    faults.append(f"{what} [json-pointer:{path}]")


def string(limit: int | None = None, *, least: int = 0, pattern: str = "", among: Collection[str] = ()) -> Check:
    """A string of `least` to `limit` characters, matching `pattern` whole, one of `among`."""

    def check(value: Any, path: str, faults: Faults) -> None:
        if not isinstance(value, str):
            fault(faults, path, "must be a string")
        elif len(value) < least:
            fault(faults, path, f"must be more than {least - 1} characters")
        elif limit is not None and len(value) > limit:
            fault(faults, path, f"must be less than {limit + 1} characters")
        elif pattern and not re.fullmatch(pattern, value):
            fault(faults, path, f"does not match {pattern}")
        elif among and value not in among:
            fault(faults, path, f"must be one of {', '.join(sorted(among))}")

    return check


def boolean(value: Any, path: str, faults: Faults) -> None:
    """True or false."""
    if not isinstance(value, bool):
        fault(faults, path, "must be a boolean")


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(value: Any, path: str, faults: Faults) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            fault(faults, path, f"must be an integer from {low} to {high}")

    return check


def anything(value: Any, path: str, faults: Faults) -> None:
    """Whatever: for parts that Slack itself does not describe."""


def array(item: Check, most: int, least: int = 1) -> Check:
    """A list of `least` to `most` items, each passing `item`."""

    def check(value: Any, path: str, faults: Faults) -> None:
        if not isinstance(value, list):
            fault(faults, path, "must be an array")
        elif len(value) < least:
            fault(faults, path, f"no less than {least} items allowed")
        elif len(value) > most:
            fault(faults, path, f"no more than {most} items allowed")
        else:
            for number, one in enumerate(value):
                item(one, f"{path}/{number}", faults)

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with exactly these keys; unknown keys are faults."""
    known = {**required, **(optional or {})}

    def check(value: Any, path: str, faults: Faults) -> None:
        if not isinstance(value, dict):
            fault(faults, path, "must be an object")
            return
        for key in required:
            if key not in value:
                fault(faults, path, f"missing required field: {key}")
        for key, one in value.items():
            if key not in known:
                fault(faults, path, f"invalid additional property: {key}")
            else:
                known[key](one, f"{path}/{key}", faults)

    return check


def by_type(kinds: Mapping[str, Check], what: str) -> Check:
    """An object whose `type` chooses the check."""

    def check(value: Any, path: str, faults: Faults) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            fault(faults, path, f"unsupported type for {what}: {kind}")
        else:
            kinds[kind](value, path, faults)

    return check
