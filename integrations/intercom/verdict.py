"""What an answer to `POST /messages` says about one recipient, and about the whole send. Pure."""

from dataclasses import dataclass
from http import HTTPStatus as Status
from typing import Literal

from bot.http import Response
from integrations.intercom.client import errors_of, what_it_said

Kind = Literal["sent", "skipped", "refused", "held", "unsent", "unknown", "halt"]

GONE = "deleted or merged"
DELETED = "deleted"
MERGED = "merged into another contact"
OPTED_OUT = "opted out"
BLOCKED = "blocked in Intercom"


@dataclass(frozen=True)
class Verdict:
    """`sent` and `skipped` settle the recipient; `refused`: Intercom does not accept this message for them.

    `held` and `unsent` (no connection): certainly not sent, to be tried again. `unknown`: it may have been sent.
    `halt`: nobody can be sent anything.
    """

    kind: Kind
    detail: str


def verdict(answer: Response) -> Verdict:
    """Judge an answer ("Create a message", "Error codes" in Intercom's reference)."""
    said = what_it_said(answer)
    if answer.status < Status.MULTIPLE_CHOICES:
        return Verdict("sent", str((answer.json or {}).get("id", "")))
    if answer.status == Status.TOO_MANY_REQUESTS:
        return Verdict("held", said)
    if answer.status == Status.REQUEST_TIMEOUT or answer.status >= Status.INTERNAL_SERVER_ERROR:
        return Verdict("unknown", f"answered {answer.status}: {said}")
    about_one = _about_one(answer)
    if about_one is not None:
        return Verdict("skipped", about_one)
    if answer.status in {Status.UNAUTHORIZED, Status.FORBIDDEN, Status.NOT_FOUND}:
        return Verdict("halt", said)
    return Verdict("refused", f"refused: {said}")


def _about_one(answer: Response) -> str | None:
    """Return why this one contact cannot be written to, or None if the answer is about more than them."""
    said = " ".join(message for _, message in errors_of(answer)).lower()
    if answer.status == Status.FORBIDDEN and "unsubscribed" in said:
        return OPTED_OUT
    if "blocked" in said and answer.status in {Status.FORBIDDEN, Status.BAD_REQUEST, Status.UNPROCESSABLE_ENTITY}:
        return BLOCKED
    if answer.status == Status.NOT_FOUND and "admin" not in said:
        return GONE
    return None
