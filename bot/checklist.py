"""A step by hand with a list: who has ticked which item, and that it is done when all are. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Item:
    """One thing to tick off. `owner` is a Slack user id, a name, or empty; `at` is aware UTC."""

    text: str
    owner: str = ""
    by: str | None = None
    """Who has ticked it (a Slack user id), `at` which time."""
    at: datetime | None = None


def items_of(told: Sequence[Mapping[str, Any]], before: Sequence[Item]) -> tuple[Item, ...]:
    """Return the items that an entry stores as plain JSON; what was ticked before stays ticked, if it says the same."""
    ticked = {(item.text, item.owner): item for item in before if item.by is not None}
    made = [Item(str(raw["text"]), str(raw.get("owner") or "")) for raw in told]
    return tuple(ticked.get((item.text, item.owner), item) for item in made)


def unticked(items: Sequence[Item]) -> list[int]:
    """Return the numbers (from 1) of those that nobody has ticked."""
    return [number for number, item in enumerate(items, 1) if item.by is None]
