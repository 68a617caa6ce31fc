"""What has been said about the promise that the announced end is: that it will not be kept, and when to turn back."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Overrun:
    """A question to people: it is expected to end late, what now? Times are aware UTC.

    `end` is when it was expected to end, most likely between `low` and `high`, when `announced` was the announced end.
    """

    number: int
    asked_at: datetime
    end: datetime
    low: datetime
    high: datetime
    announced: datetime
    asked: tuple[str, ...]
    """Whom: ids of people and user groups."""
    answer: str | None = None
    """`extend`, `go_on`, `stopped` (aborted, rolled back) or `averted` (in time again); None while nobody has."""
    answered_by: str = ""
    answered_at: datetime | None = None
    escalations: int = 0
    """How many further circles of people have been asked because nobody had answered."""

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.answer is None


@dataclass(frozen=True)
class TurnBack:
    """What was called out about the last safe moment to turn back, for the end `announced`.

    `said` are the minutes before it at which it was; once it has passed, `step` needs one approval more.
    """

    announced: datetime
    said: tuple[int, ...] = ()
    passed: bool = False
    step: str | None = None
