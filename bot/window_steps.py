"""The steps that are the bot's own: what they say (another window, the end, the way back) holds once they succeed.

What follows from that is in `bot.evolve`; what else has to be done comes with them as steps (`bot.changes`).
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from bot.entry import instant
from bot.errors import CannotTell
from bot.step import Context, Outcome, Plan, Step, step
from bot.window import local

OVERRIDE = "maint.override"


class Found(BaseModel):
    """A conflict, as it was when somebody asked to go on in spite of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """Which kind of conflict."""
    text: str
    """What speaks against the window."""
    blocks: bool
    """Whether it blocks, rather than warns."""

    @property
    def line(self) -> str:
        """The conflict as one line for people."""
        return f"{'Overridden' if self.blocks else 'Warning'}: {self.text}"


class _OfTheJournal(Step):
    """A step that does nothing outside: it holds by its entry alone."""

    estimate_s: ClassVar[float] = 5.0

    def check(self, ctx: Context) -> Outcome | None:
        raise CannotTell(f"{ctx.step} only writes into the journal")


@step(OVERRIDE)
class OverrideConflicts(_OfTheJournal):
    """Go on in spite of what speaks against the window. Not for runbooks: `override=REASON` adds it."""

    estimate_s: ClassVar[float] = 1.0
    gate: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    reason: str
    """Why, for those who approve and for the report."""
    conflicts: tuple[Found, ...]
    """What speaks against the window."""

    def plan(self, ctx: Context) -> Plan:
        count = sum(each.blocks for each in self.conflicts)
        summary = f"Go on in spite of {count} conflict{'' if count == 1 else 's'}. Reason: {self.reason}"
        return Plan(summary, tuple(each.line for each in self.conflicts), super().plan(ctx).subject)

    def apply(self, ctx: Context) -> Outcome:  # noqa: ARG002 - a step's signature
        return Outcome(f"Overridden: {', '.join(each.kind for each in self.conflicts if each.blocks)}. {self.reason}")


@step("maint.window")
class ChangeWindow(_OfTheJournal):
    """Change the window of the maintenance. Not for runbooks: `/maint move` and `/maint extend` add it."""

    start: str
    """The new start, ISO 8601 with its offset."""
    end: str
    """The new end, likewise."""
    zone: str
    """The IANA zone that it is announced in."""
    conflicts: tuple[Found, ...] = ()
    """What spoke against it when it was asked for."""
    override: str = ""
    """Why it is to be so all the same, where one of them blocks."""

    def apply(self, ctx: Context) -> Outcome:  # noqa: ARG002 - a step's signature
        start, end = instant(self.start), instant(self.end)
        return Outcome(f"The window is now {local(start, self.zone)} to {local(end, self.zone)}.")


@step("maint.cancel")
class CancelMaintenance(_OfTheJournal):
    """Cancel the maintenance and take back what it has published. Not for runbooks: `/maint cancel` adds it."""

    reason: str
    """Why, for the log and for those who are told."""

    def apply(self, ctx: Context) -> Outcome:  # noqa: ARG002
        return Outcome(f"Cancelled: {self.reason}")


@step("maint.rollback")
class RollBack(_OfTheJournal):
    """Take back all that has been done, in reverse order. Not for runbooks: `/maint rollback` adds it."""

    reason: str
    """Why, for the log and for those who are told."""

    def apply(self, ctx: Context) -> Outcome:  # noqa: ARG002
        return Outcome(f"The way back begins: {self.reason}")


@step("maint.open-on-red")
class OpenOnRed(_OfTheJournal):
    """Go on although a gate is red. Not for runbooks: `/maint open-on-red` adds it, and two people approve it."""

    red: str
    """The gate that is red."""
    reason: str
    """Why, for the log and the report."""

    def apply(self, ctx: Context) -> Outcome:  # noqa: ARG002
        return Outcome(
            f"OPENED ON RED: {self.red} is not green, and what waits for it goes on all the same. {self.reason}",
            {"gate": self.red, "reason": self.reason},
        )
