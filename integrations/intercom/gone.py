"""Tells apart why a contact could not be written to: deleted, or merged into another.

To a message, and in the pinned version also to `GET /contacts/{id}`, both answer 404. From version 2.17 on a contact
that was merged answers 410 instead ("Merge contacts" in Intercom's reference), so this one question is asked in it.
"""

from http import HTTPStatus as Status
from itertools import islice

from bot.errors import Temporary
from bot.step import Context, Ledger
from integrations.intercom.client import Intercom
from integrations.intercom.verdict import DELETED, GONE, MERGED

_MOST = 2000
_FATES: dict[int, str] = {Status.NOT_FOUND: DELETED, Status.GONE: MERGED}


def tell_apart(ctx: Context, client: Intercom, ledger: Ledger) -> None:
    """Ask what became of those who are gone, and write it down; it stays `GONE` where Intercom does not say.

    Of a great many, only the first are asked about: the question is worth some minutes and no more.
    """
    gone = (contact for contact, detail in ledger.recipients("skipped") if detail == GONE)
    for number, contact in enumerate(islice(gone, _MOST)):
        ctx.raise_if_stopped()
        ctx.progress(number, None, "contacts", "finding out who was deleted and who was merged")
        try:
            fate = _FATES.get(client.fate(contact))
        except Temporary:
            return  # the message is out; this is not worth a retry of the step
        if fate is not None:
            ledger.settle([(contact, "skipped", fate)])
