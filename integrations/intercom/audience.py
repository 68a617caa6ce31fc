"""Who gets a message: found once, written down whole, and only then sent to.

`last_seen_at` moves while one pages through a search, so the audience is put on the ledger first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from bot.errors import Final
from bot.step import Context, Ledger
from integrations.intercom.client import Intercom

_DAY_S = 86_400
_MARGIN_S = _DAY_S + 2 * 3600  # a search begins with the day after; a day may have 25 hours
_CHUNK = 1000
_PREFIX = "ledger:"


@dataclass(frozen=True)
class Audience:
    """Contacts with `role`: seen within `active_days`, or (`earlier` names a ledger) everyone who got, or may have
    got, that earlier message, and whoever was seen since its audience was fixed.
    """

    role: str
    active_days: int
    earlier: str | None

    @classmethod
    def of(cls, to: str, role: str, active_days: int) -> "Audience":
        """Return the audience that the fields of a step describe."""
        return cls(role, active_days, to.removeprefix(_PREFIX) if to.startswith(_PREFIX) else None)

    def must_be_known(self, ctx: Context) -> None:
        """Raise `Final` if no step of the maintenance sends the earlier message: a slip would tell nobody."""
        if self.earlier is None:
            return
        steps = ctx.history[0]["payload"]["steps"]
        names = [step["with"].get("ledger") or step["id"] for step in steps if step["uses"] == "intercom.message"]
        if self.earlier not in names:
            raise Final(f"No step sends a message called {self.earlier}; those that are sent: {', '.join(names)}.")

    def seen_since(self, ctx: Context, now: int) -> int | None:
        """Return since when (Unix seconds) one must have been seen, or None if there was no earlier message."""
        if self.earlier is None:
            return now - self.active_days * _DAY_S
        return since_of(ctx, self.earlier)

    def text(self) -> str:
        """Return the audience as people read it."""
        if self.earlier is None:
            return f"every {self.role} seen within the last {self.active_days} days"
        return f"everyone who got the message {self.earlier}, and every {self.role} seen since"


def since_of(ctx: Context, ledger: str) -> int | None:
    """Return when (Unix seconds, Intercom's clock) the audience of the message `ledger` was fixed, or None."""
    found = None
    for entry in ctx.history:
        facts = entry["payload"].get("facts", {}) if entry["kind"] == "step_fact" else {}
        if facts.get("ledger") == ledger and "audience_at" in facts:
            found = int(facts["audience_at"])
    return found


def fix(ctx: Context, client: Intercom, audience: Audience, name: str) -> None:
    """Put the audience on the ledger `name`, and on record when it is whole. Begins anew after a failure half-way.

    Records the facts `ledger`, `audience_at` (the moment that it is counted from), `audience` (number of people) and
    `sending_since`; times in Unix seconds by Intercom's clock.
    """
    if "audience" in ctx.facts:
        return
    if "audience_at" not in ctx.facts:
        now = client.now()
        ctx.record(f"Looking for {audience.text()}.", ledger=name, audience_at=now)
    at = int(ctx.facts["audience_at"])
    since = audience.seen_since(ctx, at)
    ledger = ctx.ledger(name)
    if audience.earlier is not None:
        _copy(ctx.ledger(audience.earlier), ledger)
    if since is not None:
        _search(ctx, client, audience.role, since, ledger)
    total = sum(ledger.counts().values())
    ctx.record(f"The audience is fixed: {people(total)}.", audience=total, sending_since=client.now())


def _copy(earlier: Ledger, ledger: Ledger) -> None:
    got_it = chain(earlier.recipients("sent"), earlier.recipients("unknown"))
    contacts = (contact for contact, _ in got_it)
    while chunk := list(islice(contacts, _CHUNK)):
        ledger.add(chunk)


def _search(ctx: Context, client: Intercom, role: str, since: int, ledger: Ledger) -> None:
    seen = 0
    for page in client.pages(role, since - _MARGIN_S):
        ctx.raise_if_stopped()
        ledger.add(_active(page.contacts, role, since))
        seen += len(page.contacts)
        ctx.progress(seen, page.total, "contacts", "finding out whom to tell")


def _active(contacts: Iterable[Mapping[str, Any]], role: str, since: int) -> Iterator[str]:
    """Yield the ids of those really seen since: the search knows days only."""
    for contact in contacts:
        if contact.get("role") == role and (contact.get("last_seen_at") or 0) >= since:
            yield str(contact["id"])


def people(number: int) -> str:
    """Return a number of people in words."""
    return "1 person" if number == 1 else f"{number:,} people"


def must_be_whole(ctx: Context, name: str) -> None:
    """Raise `Final` unless every recipient of the ledger `name` is accounted for."""
    counts, total = ctx.ledger(name).counts(), ctx.facts.get("audience")
    if total is None or sum(counts.values()) != total or counts["pending"] or counts["sending"]:
        raise Final(f"The ledger {name} does not add up: {counts} for an audience of {total}. Retry the step.")
