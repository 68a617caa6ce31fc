"""The people in the workspace: generated from a seed, kept compactly, so that 100,000 are no burden."""

import random
from dataclasses import dataclass
from typing import Any

DAY_S = 86_400


@dataclass(frozen=True)
class Mix:
    """What share (0 to 1) of the generated contacts is what; the rest are users not seen for 31 days or more."""

    leads: float = 0.08
    active: float = 0.60  # seen within the last 30 days
    never_seen: float = 0.05
    unsubscribed: float = 0.03
    deleted: float = 0.004
    merged: float = 0.002
    stale: float = 0.001  # deleted, but search has not noticed yet


EVERYONE = Mix(leads=0, active=1, never_seen=0, unsubscribed=0, deleted=0, merged=0, stale=0)


@dataclass(slots=True)
class Contact:
    """One contact; times in Unix seconds. `state`: active, deleted or merged; `indexed`: search can find it."""

    id: str
    role: str
    name: str
    email: str
    created_at: int
    last_seen_at: int | None
    unsubscribed: bool = False
    state: str = "active"
    indexed: bool = True
    last_contacted_at: int | None = None
    received: list[int] | None = None  # numbers of the texts it got, in order

    def json(self, workspace: str) -> dict[str, Any]:
        """The contact as the API shows it."""
        listing = {"type": "list", "data": [], "total_count": 0, "has_more": False}
        return {
            "type": "contact",
            "id": self.id,
            "workspace_id": workspace,
            "external_id": self.id[::-1] if self.role == "user" else None,
            "role": self.role,
            "email": self.email,
            "email_domain": "example.com",
            "phone": None,
            "name": self.name,
            "owner_id": None,
            "has_hard_bounced": False,
            "marked_email_as_spam": False,
            "unsubscribed_from_emails": self.unsubscribed,
            "created_at": self.created_at,
            "updated_at": self.last_contacted_at or self.created_at,
            "signed_up_at": self.created_at,
            "last_seen_at": self.last_seen_at,
            "last_replied_at": None,
            "last_contacted_at": self.last_contacted_at,
            "last_email_opened_at": None,
            "last_email_clicked_at": None,
            "language_override": None,
            "custom_attributes": {},
            "avatar": None,
            **{part: listing | {"url": f"/contacts/{self.id}/{part}"} for part in ("tags", "notes", "companies")},
            "location": {"type": "location", "country": None, "region": None, "city": None},
            "social_profiles": {"data": []},
        }


def generate(count: int, now_s: float, seed: int = 1, mix: Mix | None = None) -> list[Contact]:
    """`count` contacts as they are at `now_s`; the same seed gives the same people."""
    dice, mix, now = random.Random(seed), mix or Mix(), int(now_s)  # noqa: S311 - nothing secret
    return [_one(number, dice, mix, now) for number in range(count)]


def _one(number: int, dice: random.Random, mix: Mix, now: int) -> Contact:
    role = "lead" if dice.random() < mix.leads else "user"
    age_s = dice.randrange(40 * DAY_S, 1000 * DAY_S)
    seen = dice.random()
    last_seen: int | None = now - dice.randrange(32 * DAY_S, 400 * DAY_S)
    if seen < mix.active:
        last_seen = now - dice.randrange(60, 30 * DAY_S)
    elif seen < mix.active + mix.never_seen:
        last_seen = None
    contact = Contact(
        f"{dice.getrandbits(96):024x}",
        role,
        f"{'User' if role == 'user' else 'Lead'} {number + 1}",
        f"person{number + 1}@example.com",
        now - age_s,
        last_seen,
        dice.random() < mix.unsubscribed,
    )
    fate = dice.random()
    if fate < mix.deleted:
        contact.state, contact.indexed = "deleted", False
    elif fate < mix.deleted + mix.merged:
        contact.state, contact.indexed = "merged", False
    elif fate < mix.deleted + mix.merged + mix.stale:
        contact.state = "deleted"
    return contact
