"""The workspace: contacts, admins, messages, news; and the hands of everyone but the bot."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.intercom.contacts import Contact, Mix, generate
from sandbox.intercom.refusal import Refusal
from sandbox.intercom.search import Search

ADMIN_ID = "991267497"
WORKSPACE = "acmews01"
TOKEN = "intercom-token"


@dataclass(slots=True)
class Message:
    """One delivered message; `text` is the number of its body in `Workspace.texts`, `at` Unix seconds."""

    id: int
    contact: str
    text: int
    kind: str
    sender: str
    at: int


class Window:
    """Requests granted in fixed windows of `window_s` seconds, `limit` in each (None: no limit)."""

    def __init__(self, limit: int | None, window_s: float, clock: Callable[[], float]) -> None:
        self.limit, self.window_s, self.clock = limit, window_s, clock
        self.granted: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count one request: whether it is granted, and the headers that tell the caller where it stands."""
        number = int(self.clock() // self.window_s)
        if self.limit is None:
            self.granted[number] += 1
            return True, {}
        allowed = self.granted[number] < self.limit
        (self.granted if allowed else self.refused)[number] += 1
        return allowed, {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self.granted[number]),
            "X-RateLimit-Reset": str(int((number + 1) * self.window_s)),
        }


class Workspace:
    """State of the stand-in. `contacts` people are generated from `seed`; `limit` requests in each `window_s`."""

    def __init__(
        self,
        contacts: int = 0,
        *,
        seed: int = 1,
        mix: Mix | None = None,
        token: str = TOKEN,
        limit: int | None = 1667,
        window_s: float = 10.0,
        timezone: str = "UTC",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock, self.timezone, self.tokens = clock, timezone, {token}
        self.contacts = {contact.id: contact for contact in generate(contacts, clock(), seed, mix)}
        self.search = Search(self.contacts, ZoneInfo(timezone))
        self.window = Window(limit, window_s, clock)
        self.admins = {ADMIN_ID: "Ada Coordinator"}
        self.messages: list[Message] = []
        self.texts: list[str] = []
        self.conversations: list[dict[str, Any]] = []
        self.newsfeeds = {1: "What is new"}
        self.news: dict[int, dict[str, Any]] = {}
        self.plan_allows_messages = True
        self._text_numbers: dict[str, int] = {}
        self._refusals: dict[str, Refusal] = {}
        self._ids = itertools.count(403918396)

    def next_id(self) -> int:
        """A number never given before."""
        return next(self._ids)

    # What people and the passage of time do

    def add_contact(
        self, role: str = "user", *, seen_s_ago: float | None = 3600, unsubscribed: bool = False
    ) -> Contact:
        """One more contact, last seen so long ago (None: never)."""
        now, number = int(self.clock()), len(self.contacts) + 1
        seen = None if seen_s_ago is None else int(now - seen_s_ago)
        name, email = f"{role.title()} {number}", f"person{number}@example.com"
        contact = Contact(f"{self.next_id():024x}", role, name, email, now, seen, unsubscribed)
        self.contacts[contact.id] = contact
        self.search.forget()
        return contact

    def delete(self, contact: str, *, indexed: bool = False) -> None:
        """Delete a contact; `indexed` leaves it in the search for now, as a lagging index would."""
        self._leave(contact, "deleted", indexed=indexed)

    def merge(self, contact: str, *, indexed: bool = False) -> None:
        """Merge a contact into another: its id is gone; `indexed` as for `delete`."""
        self._leave(contact, "merged", indexed=indexed)

    def _leave(self, contact: str, state: str, *, indexed: bool) -> None:
        self.contacts[contact].state, self.contacts[contact].indexed = state, indexed
        self.search.forget()

    def see(self, contact: str) -> None:
        """The contact uses the app right now."""
        self.contacts[contact].last_seen_at = int(self.clock())
        self.search.forget()

    def refuse(self, contact: str, status: int, code: str, message: str) -> None:
        """From now on refuse every message to this contact in this way."""
        self._refusals[contact] = Refusal(status, code, message)

    # What the API does

    def recipient(self, contact: str, role: str) -> Contact:
        """The contact to write to. Raises the 404 that unknown, deleted and merged ones all give."""
        found = self.contacts.get(contact)
        if found is None or found.state != "active" or found.role != role:
            raise Refusal(404, "not_found", "User Not Found" if role == "user" else "Contact Not Found")
        if contact in self._refusals:
            raise self._refusals[contact]
        return found

    def deliver(self, contact: Contact, text: str, kind: str, sender: str) -> Message:
        """Put a message before a contact."""
        number = self._text_numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        message = Message(self.next_id(), contact.id, number, kind, sender, int(self.clock()))
        self.messages.append(message)
        contact.last_contacted_at = message.at
        contact.received = [*(contact.received or []), number]
        return message

    # What a test or the page asks

    def received(self, contact: str) -> list[str]:
        """The texts that a contact got, in order."""
        return [self.texts[number] for number in self.contacts[contact].received or []]

    def rate(self) -> dict[str, Any]:
        """What was granted and refused in each window of the rate limit, by the window's number; cheap to ask often."""
        window = self.window
        return {
            "limit": window.limit,
            "window_s": window.window_s,
            "now": self.clock(),
            "messages": len(self.messages),
            "granted": dict(window.granted),
            "refused": dict(window.refused),
        }

    def summary(self) -> dict[str, Any]:
        """Counts: `sent`, `recipients`, `duplicates` (the same text again to the same contact), and per text."""
        pairs = Counter((message.contact, message.text) for message in self.messages)
        sent = Counter(message.text for message in self.messages)
        distinct = Counter(text for _, text in pairs)
        texts = [
            {"text": text, "sent": sent[n], "recipients": distinct[n], "duplicates": sent[n] - distinct[n]}
            for n, text in enumerate(self.texts)
        ]
        return {
            "sent": len(self.messages),
            "recipients": len({contact for contact, _ in pairs}),
            "duplicates": len(self.messages) - len(pairs),
            "texts": texts,
        }
