"""Waiting until another system says that it has finished what it was told: asked again and again, over restarts too.

No integration of its own: `http` and `command` share it. What is asked are fields of a JSON document.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bot.errors import CannotTell, Final, Temporary
from bot.step import Context, canonical
from integrations.answers import Url, field_of
from integrations.rounds import rounds_before

_FILE_CHARACTERS = 20_000
_SHOWN_CHARACTERS = 100


class Condition(BaseModel):
    """A field of the JSON answer, and the value that it must have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str
    """Keys and list positions joined by dots."""
    equals: Any
    """The value; a number is not its text."""

    def met(self, document: Any) -> bool:
        """Whether the field is there and has the value."""
        try:
            return canonical(field_of(document, self.field)) == canonical(self.equals)
        except LookupError:
            return False

    def shown(self, document: Any) -> str:
        """Return what the field is now."""
        try:
            return f"{self.field} is {json.dumps(field_of(document, self.field))[:_SHOWN_CHARACTERS]}"
        except LookupError as error:
            return str(error)


class Poll(BaseModel):
    """How to see, after the work was ordered, that it is finished."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    until: Condition
    """What the answer must show. Choose what is not so before the work is ordered: a version rather than a state."""
    fails_when: tuple[Condition, ...] = ()
    """What shows that the other system has given up: any of these fails the step at once."""
    every_s: Annotated[float, Field(gt=0)] = 15.0
    """Seconds between two looks."""
    limit_s: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which the step fails; the other system may go on."""

    def until_finished(self, ctx: Context, ask: Callable[[], Any], what: str) -> str:
        """Ask until it is finished; return what the field then shows. `what` names who is asked.

        The time counts from the order, over restarts of the bot. An answer that does not come is asked for again.
        Raises `Final` when it has failed or takes too long, `Stopped` when the step has to stop.
        """
        said: Any = None
        shown = "nothing yet"
        while True:
            try:
                said = ask()
                shown = self.until.shown(said)
                failed = next((each for each in self.fails_when if each.met(said)), None)
                if failed is not None:
                    raise Final(
                        f"{what} shows that it has failed: {failed.shown(said)}. Look there why, mend it, and retry.",
                        files=_file(said),
                    )
                if self.until.met(said):
                    return shown
            except (Temporary, CannotTell) as error:
                shown = str(error)
            waited_s = (ctx.now() - _ordered(ctx)).total_seconds()
            if waited_s > self.limit_s:
                raise Final(
                    f"{what} did not show {self.until.field} as {json.dumps(self.until.equals)} within "
                    f"{self.limit_s:g} seconds; last: {shown}. It may still go on there: look, and press Retry only if "
                    "it has to be ordered again.",
                    files=_file(said),
                )
            ctx.progress(round(waited_s), None, "seconds", shown)
            ctx.sleep(self.every_s)


def note_order(ctx: Context, text: str) -> None:
    """Put on record that the work was ordered in this round; a restarted bot goes on waiting."""
    ctx.record(text, **{_fact(ctx): ctx.now().isoformat()})


def is_ordered(ctx: Context) -> bool:
    """Whether the work was ordered in this round."""
    return _fact(ctx) in ctx.facts


def _ordered(ctx: Context) -> datetime:
    return datetime.fromisoformat(str(ctx.facts[_fact(ctx)]))


def _fact(ctx: Context) -> str:
    return f"ordered_{rounds_before(ctx)}"


def _file(document: Any) -> dict[str, str]:
    return {} if document is None else {"answer.json": json.dumps(document, indent=1)[:_FILE_CHARACTERS]}


class HttpPoll(Poll):
    """A GET request, made again and again."""

    url: Url
    """The address to read."""


class CommandPoll(Poll):
    """A program that only looks and writes a JSON document, run again and again."""

    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments; exit status 0 means that its output counts."""
