"""What a step says and is given, as plain values: plan, outcome, what stands, window, setting, offer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from bot.picture import Picture

T = TypeVar("T")

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical(value: object) -> str:
    """Return `value` (plain JSON data) as the one JSON text that hashes and digests are made from."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_as(cls: type[T], stored: Mapping[str, Any]) -> T:
    """Return the dataclass `cls` made from what was `stored`, without the fields that only a newer version knows."""
    known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True)
class Plan:
    """What a step would do, found out without changing anything.

    `summary` is one line, `details` further lines (a diff, SQL, counts). `subject` is exactly what people approve:
    everything that decides the effect and nothing that changes by itself (no clock, no running count). `estimate_s` is
    how many seconds it will take by the size of what is to be done, where that can be told. `items` are what a person
    ticks off one by one, each with `text` and `owner`, in a step that is done by hand.
    """

    summary: str
    details: tuple[str, ...] = ()
    subject: Mapping[str, Any] = field(default_factory=dict)
    estimate_s: float | None = None
    items: tuple[Mapping[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the subject; an approval is bound to it."""
        return hashlib.sha256(canonical(dict(self.subject)).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What came of a step: one line for people, `facts` (JSON) for later steps, `files` (name to text) as evidence.

    `details` is more plain text for the log, shown under the line; only what everybody should read there. `pictures`
    (by name, ending in `.png`) follow it in the channel.
    """

    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    details: str = ""
    pictures: Mapping[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """What people see now of something that a step put up: `shown` is read from outside.

    `wanted` is what it should say, and empty where there is no text to compare.
    """

    shown: str
    wanted: str = ""

    @property
    def differs(self) -> bool:
        """Whether people read something else than they should."""
        return bool(self.wanted) and self.shown != self.wanted


@dataclass(frozen=True)
class Retry:
    """How a temporary failure is retried: at most `attempts` in all, waiting `wait_s`, doubled each time."""

    attempts: int = 5
    wait_s: float = 5.0
    longest_wait_s: float = 300.0

    def delay_s(self, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 1) failed."""
        return float(min(self.longest_wait_s, self.wait_s * 2 ** (attempt - 1)))


@dataclass(frozen=True)
class Window:
    """The announced start and end (aware, UTC) and the IANA zone they were announced in."""

    start: datetime
    end: datetime
    zone: str


@dataclass(frozen=True)
class Setting:
    """One environment variable that an integration reads. A secret's value is masked wherever settings are shown."""

    name: str
    help: str
    secret: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Offer:
    """Something that a running step would do if somebody says so, by a button on the run card.

    `token` names this very offer (no `|`, not digits alone), `words` is what people read, `button` the button's text,
    `sure` what they are asked to confirm. Offer it with `ctx.record(text, offer=offer.facts())`.
    """

    token: str
    words: str
    button: str
    sure: str

    def facts(self) -> dict[str, Json]:
        """Return it as plain JSON."""
        return {"token": self.token, "words": self.words, "button": self.button, "sure": self.sure}
