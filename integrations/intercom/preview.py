"""What whoever approves a message may look at before: who would get it, and the message itself, sent to them alone."""

from collections.abc import Callable, Mapping
from itertools import chain, islice
from typing import Any

from bot.errors import AnswerLost, Final
from bot.step import Context
from integrations.intercom.audience import Audience, people
from integrations.intercom.client import Intercom
from integrations.intercom.verdict import verdict

_SAMPLE = 3

Letter = Callable[[str, str], dict[str, object]]
"""Makes the body of `POST /messages` for a contact's id and role."""


def who_gets_it(ctx: Context, client: Intercom, audience: Audience) -> tuple[int, str, str]:
    """Return how many will get it, as a number and as a sentence, and a line that names three of them, without e-mail
    addresses.
    """
    if audience.earlier is not None:
        earlier = ctx.ledger(audience.earlier)
        counts = earlier.counts()
        ids = islice(chain(earlier.recipients("sent"), earlier.recipients("unknown")), _SAMPLE)
        shown = [found for contact, _ in ids if (found := client.contact(contact)) is not None]
        number = counts["sent"] + counts["unknown"]
        count = f"{people(number)} and those seen since will get this"
    else:
        page = client.search(audience.role, audience.seen_since(ctx, client.now()) or 0, per_page=_SAMPLE)
        shown, number, count = page.contacts, page.total, f"About {people(page.total)} will get this"
    return number, count, f"For example: {', '.join(map(name_of, shown)) or 'nobody yet'}."


def name_of(contact: Mapping[str, Any]) -> str:
    """Return a contact's name and id; the id alone where the name is missing, or is an address."""
    name = str(contact.get("name") or "").strip()
    return f"{name} ({contact['id']})" if name and "@" not in name else str(contact["id"])


def send_to(client: Intercom, letter: Letter, address: str, role: str) -> str:
    """Send the message to the one contact with this e-mail address, and return a sentence that says to whom.

    Raises `Final` if there is none or Intercom refuses, `AnswerLost` if it may or may not have arrived.
    """
    found = client.with_address(address)
    if not found:
        raise Final("Intercom knows no user and no lead with that address, so nothing was sent.")
    contact = next((one for one in found if one.get("role") == role), found[0])
    said = verdict(client.send(letter(str(contact["id"]), str(contact["role"])), lambda: False))
    if said.kind == "unknown":
        raise AnswerLost(f"Intercom may or may not have sent it to {name_of(contact)} ({said.detail}); look there.")
    if said.kind != "sent":
        raise Final(f"Intercom did not send it to {name_of(contact)}: {said.detail}.")
    return f"Sent to {name_of(contact)} alone, to be looked at in the app; nobody else has got it."
