"""What a step may see and do besides its own fields."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bot.step_values import Json, Setting, Window


class Ledger(Protocol):
    """The per-recipient record of a mass send. States: `pending`, `sending`, `sent`, `skipped`, `unknown`.

    Every method commits before it returns, so what it says survives a `kill -9` in the next instruction.
    """

    def add(self, recipients: Iterable[str]) -> int:
        """Add recipients as `pending`; those already there keep their state. Returns how many were new."""
        ...

    def claim(self, limit: int) -> list[str]:
        """Turn up to `limit` `pending` recipients into `sending`, in the order added, and return them."""
        ...

    def settle(self, results: Iterable[tuple[str, str, str]]) -> None:
        """Set `(recipient, state, detail)` for many at once."""
        ...

    def counts(self) -> dict[str, int]:
        """Return the number of recipients in each of the five states (zero where there is none)."""
        ...

    def recipients(self, state: str) -> Iterator[tuple[str, str]]:
        """Yield `(recipient, detail)` of everybody in `state`, in the order added, without holding all in memory."""
        ...

    def written_elsewhere(self, recipient: str, since: datetime) -> bool:
        """Whether another mass send of this bot may have written to `recipient` after `since` (aware UTC).

        What the outside then shows of the recipient is no proof that it was this send.
        """
        ...


class Context(Protocol):
    """All that a step may see and do besides its own fields. Made anew for each attempt."""

    maintenance: str
    step: str
    attempt: int
    title: str
    window: Window

    @property
    def workdir(self) -> Path:
        """A folder of this step alone that survives restarts: job logs, prober logs. It exists."""
        ...

    @property
    def key(self) -> str:
        """`<maintenance>:<step>`, the same in every attempt: name branches, jobs and markers after it."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What this step has put on record so far (`record`), in this attempt or an earlier one."""
        ...

    @property
    def outcomes(self) -> Mapping[str, Mapping[str, Any]]:
        """The facts in the outcome of every step that has succeeded, by step id."""
        ...

    @property
    def statuses(self) -> Mapping[str, str]:
        """The status of every step of the maintenance now, by step id."""
        ...

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """The journal so far, oldest first: `seq`, `at` (ISO 8601, UTC), `actor`, `kind`, `step`, `payload`."""
        ...

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def setting(self, setting: Setting) -> str:
        """Return the value of `setting`. Raises `Final`, naming the variable, if it is neither set nor defaulted."""
        ...

    def intend(self, name: str) -> bool:
        """Commit the intent to do the effect `name`, and say whether it is the first time for this key.

        Call it right before an effect that the outside cannot recognise as a repetition. `False` means that an
        earlier run got this far: the effect may have happened, so read back or raise `AnswerLost`.
        """
        ...

    def intended(self, name: str) -> bool:
        """Whether the intent is on record; commits nothing, so that `check` may ask."""
        ...

    def forget_intent(self, name: str) -> None:
        """Take an intent back after the outside has *certainly* refused it, so that a retry may try again."""
        ...

    def record(self, text: str, **facts: Json) -> None:
        """Write one line into the journal (and so the channel), with facts that `facts` shows from then on."""
        ...

    def progress(self, done: float, total: float | None, unit: str, text: str = "") -> None:
        """Show how far the step is on the run card. Cheap: call it as often as you like."""
        ...

    def ledger(self, name: str) -> Ledger:
        """Return the ledger `name` of this maintenance; steps of one maintenance share it by name."""
        ...

    def stop_reason(self) -> str | None:
        """Return why the step should stop now (`aborted`, `cancelled`, `rolled_back`, `shutdown`), or None.

        On `shutdown` what runs outside goes on, and is taken up after the restart; on the others it is ended. What
        takes down (`undo`) is only ever stopped by a shutdown.
        """
        ...

    def taken_back(self) -> str | None:
        """Return why what was put up is being taken down (`aborted`, `cancelled`, `rolled_back`), or None."""
        ...

    def raise_if_stopped(self) -> None:
        """Raise `Stopped` if the step should stop. Call it between effects, never inside one."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, but raise `Stopped` as soon as the step should stop."""
        ...

    def paused(self) -> bool:
        """Whether people have paused the maintenance, so that a `pausable` step has no further effect now."""
        ...

    def hold(self, done: float, total: float | None, unit: str) -> None:
        """Wait while the maintenance is paused; the run card shows how far the step is, and who has paused it.

        Call it between effects, with nothing half done: a pause may take days, and the bot may be killed in it.
        Raises `Stopped` as soon as the step should stop.
        """
        ...
