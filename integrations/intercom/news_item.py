"""News items over Intercom's API ("News", version 2.14): found again without a key, compared as people read them."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import CannotTell, Final
from integrations.intercom.client import Intercom

_ITEMS = "/news/news_items"
_PER_PAGE = 20  # the most that these lists grant
_PAGES_AT_MOST = 50
_BREAKS = re.compile(r"<br\s*/?>|</p>")
_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Item:
    """A news item as Intercom has it. `body` is HTML, `feeds` are numbers of newsfeeds, `created_at` Unix seconds."""

    id: str
    workspace: str
    title: str
    body: str
    sender: int
    is_live: bool
    feeds: tuple[int, ...]
    labels: tuple[str, ...]
    silently: bool
    created_at: int

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Item":
        """Read it from Intercom's answer."""
        return cls(
            id=str(raw["id"]),
            workspace=str(raw.get("workspace_id") or ""),
            title=str(raw.get("title") or ""),
            body=str(raw.get("body") or ""),
            sender=int(raw.get("sender_id") or 0),
            is_live=raw.get("state") == "live",
            feeds=tuple(int(each["newsfeed_id"]) for each in raw.get("newsfeed_assignments") or ()),
            labels=tuple(str(each) for each in raw.get("labels") or () if each),
            silently=bool(raw.get("deliver_silently")),
            created_at=int(raw.get("created_at") or 0),
        )

    def request(self, *, live: bool) -> dict[str, Any]:
        """Return what to send to Intercom so that it is exactly this, as a draft or `live`."""
        return {
            "title": self.title,
            "body": self.body,
            "sender_id": self.sender,
            "state": "live" if live else "draft",
            "labels": list(self.labels),
            "deliver_silently": self.silently,
            "newsfeed_assignments": [{"newsfeed_id": feed} for feed in self.feeds],
        }


def words(body: str) -> str:
    """Return the text of an HTML body, a line for each paragraph or break: Intercom may write its tags anew."""
    lines = html.unescape(_TAGS.sub("", _BREAKS.sub("\n", body))).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


class News:
    """The news of one workspace, through a client that is open. Errors are those of `Intercom.call`."""

    def __init__(self, client: Intercom) -> None:
        self._client = client

    def item(self, number: str) -> Item | None:
        """Return an item, or None if there is none (any more)."""
        found = self._client.call("GET", f"{_ITEMS}/{number}")
        return None if found is None else Item.of(found)

    def feeds(self) -> dict[int, str]:
        """Return the name of each newsfeed by its number. The names are for teammates; users do not see them."""
        return {int(raw["id"]): str(raw["name"]) for raw in self._list("/news/newsfeeds")}

    def chosen(self, wanted: tuple[str, ...]) -> dict[int, str]:
        """Return the newsfeeds that go by these names or numbers; the only one there is if none is named.

        Raises `Final`, naming those there are.
        """
        feeds = self.feeds()
        by_name = {**{str(number): number for number in feeds}, **{name: number for number, name in feeds.items()}}
        numbers = [by_name[each] for each in wanted if each in by_name]
        if len(numbers) == len(wanted) and numbers:
            return {number: feeds[number] for number in numbers}
        if not wanted and len(feeds) == 1:
            return feeds
        known = ", ".join(f"{name} ({number})" for number, name in feeds.items()) or "none: make one in Intercom"
        missing = ", ".join(each for each in wanted if each not in by_name) or "none named"
        raise Final(f"Name the newsfeeds under `feeds` in the runbook ({missing}). Intercom has: {known}.")

    def found(self, title: str, since: int) -> Item | None:
        """Return the item with this title that was made since (Unix seconds, Intercom's clock); None if there is none.

        Raises `CannotTell` if there are several, or more pages than one can read.
        """
        alike = [item for raw in self._list(_ITEMS) if (item := Item.of(raw)).title == title]
        made = [item for item in alike if item.created_at >= since]
        if len(made) > 1:
            raise CannotTell(f"Intercom has {len(made)} news items called “{title}” made since: which is maint's?")
        return made[0] if made else None

    def create(self, item: Item) -> Item:
        """Make a draft. There is no key against doubles: call it once, and look with `found` after a lost answer."""
        made = self._client.call("POST", _ITEMS, item.request(live=False), repeatable=False)
        if made is None:
            raise Final(
                f"Intercom knows the sender {item.sender} or a newsfeed of {item.feeds} no more. Nothing was made."
            )
        return Item.of(made)

    def put(self, item: Item, *, live: bool) -> Item | None:
        """Make the item exactly this, as a draft or live; None if it is gone."""
        made = self._client.call("PUT", f"{_ITEMS}/{item.id}", item.request(live=live))
        return None if made is None else Item.of(made)

    def delete(self, number: str) -> None:
        """Delete an item; one that is gone already is fine."""
        self._client.call("DELETE", f"{_ITEMS}/{number}")

    def _list(self, path: str) -> Iterator[Mapping[str, Any]]:
        seen: set[str] = set()
        for page in range(1, _PAGES_AT_MOST + 1):
            found = self._client.call("GET", f"{path}?page={page}&per_page={_PER_PAGE}") or {}
            new = [raw for raw in found.get("data") or [] if str(raw["id"]) not in seen]
            seen |= {str(raw["id"]) for raw in new}
            yield from new
            if page >= int((found.get("pages") or {}).get("total_pages") or 1):
                return
            if not new:
                break  # the address is ignored, and the same page comes again
        raise CannotTell(f"Intercom did not list everything under {path}, so what is there cannot be told.")
