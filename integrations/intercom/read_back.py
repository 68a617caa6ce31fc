"""Finds out, where it can be found out, who got a message whose answer never came.

Intercom keeps when a contact was last contacted (`last_contacted_at`), and has no key that would find a message. So:
moved since the send began: they got it. Not moved, in a workspace where this very send is seen to move it: they did
not. That is believed only of recipients whose request was cut off by a crash of the bot, most of whom were never sent
anything; a request that Intercom took without answering may still be carried out later, and is left to a person.

It says that somebody was contacted, not with what: where another send of ours may have written to them meanwhile, it
proves nothing of this one.
"""

from collections import deque
from datetime import UTC, datetime
from itertools import islice

from bot.step import Context, Ledger
from integrations.intercom.audience import people
from integrations.intercom.client import Intercom
from integrations.intercom.verdict import GONE

CUT_OFF = "the bot was cut off while sending"
_WITNESSES, _CANDIDATES = 5, 200


def mark_cut_off(ledger: Ledger) -> None:
    """Turn what an earlier run left in `sending` into `unknown`."""
    left = [(contact, "unknown", CUT_OFF) for contact, _ in ledger.recipients("sending")]
    if left:
        ledger.settle(left)


def read_back(ctx: Context, client: Intercom, ledger: Ledger, since: int) -> bool:
    """Settle the unknown by their `last_contacted_at` (`since`: Unix seconds); True if some are to be sent it now."""
    trusted: bool | None = None
    begun = datetime.fromtimestamp(since, UTC)
    got_it = again = 0
    for contact, detail in list(ledger.recipients("unknown")):
        ctx.raise_if_stopped()
        found = client.contact(contact)
        if found is None:
            ledger.settle([(contact, "skipped", GONE)])
        elif contacted(found) >= since:
            if ledger.written_elsewhere(contact, begun):
                continue
            ledger.settle([(contact, "sent", f"read back: contacted at {_moment(contacted(found))}")])
            got_it += 1
        elif detail == CUT_OFF:
            trusted = _shows(client, ledger, since) if trusted is None else trusted
            if trusted:
                ledger.settle([(contact, "pending", "")])
                again += 1
    if got_it or again:
        ctx.record(
            f"Read back those whose answer was lost: {people(got_it)} had got the message, {people(again)} certainly "
            "had not and will be sent it now."
        )
    return again > 0


def contacted(contact: dict[str, object]) -> int:
    """Return `last_contacted_at` of a contact (Unix seconds), 0 if never."""
    at = contact.get("last_contacted_at")
    return at if isinstance(at, int) else 0


def _shows(client: Intercom, ledger: Ledger, since: int) -> bool:
    """Whether the latest recipients that surely got the message show it in `last_contacted_at`."""
    begun = datetime.fromtimestamp(since, UTC)
    # Of a hundred thousand only the latest are looked at: each one costs a look into the other ledgers.
    latest = deque(
        (contact for contact, detail in ledger.recipients("sent") if not detail.startswith("read back")),
        maxlen=_CANDIDATES,
    )
    surely = (contact for contact in reversed(latest) if not ledger.written_elsewhere(contact, begun))
    witnesses = [client.contact(contact) for contact in islice(surely, _WITNESSES)]
    living = [witness for witness in witnesses if witness is not None]
    return bool(living) and all(contacted(witness) >= since for witness in living)


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
