"""Something that a person does."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.errors import CannotTell, Final
from bot.step import Context, Outcome, Plan, Step, step

_ID = re.compile(r"[UWS](?=.{8}|.*\d)[A-Z0-9]{2,}")


def _item(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


class Item(BaseModel):
    """One thing to tick off; a text alone is an item without an owner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=1000)
    """What is to be done."""
    owner: str = ""
    """Who is to do it: the id of a Slack user or user group, or a name. Anybody may tick it; the log says who did."""


@step("manual")
class Manual(Step):
    """Wait for a person to do something and to say so, with the button Done or `/maint done STEP`.

    For whatever the bot cannot reach or should not touch: a switch in a data centre, a call to a customer.
    """

    by_hand: ClassVar[bool] = True
    estimate_s: ClassVar[float] = 300.0
    timeout_s: ClassVar[float] = 86400.0

    text: str
    """What is to be done, in words that a tired colleague understands."""
    owner: str | None = None
    """Who is to do it: the id of a Slack user or user group, or a name. Anybody may press Done; the log
    says who did."""

    items: Annotated[tuple[Annotated[Item, BeforeValidator(_item)], ...], Field(max_length=40)] = ()
    """A checklist: each a text, or `{text, owner}`. The step is done when all are ticked, in its own message."""

    def plan(self, ctx: Context) -> Plan:
        by = f" ({_named(self.owner)})" if self.owner else ""
        if self.items:
            return self._plan_of_list(by)
        return Plan(
            summary=f"By hand{by}: {self.text}",
            details=(f"Press Done, or type /maint done {ctx.step}, when it is.",),
            subject={"uses": self.uses, "text": self.text, "owner": self.owner},
        )

    def _plan_of_list(self, by: str) -> Plan:
        items: list[Mapping[str, Any]] = [item.model_dump() for item in self.items]
        return Plan(
            summary=f"By hand{by}: {self.text}",
            details=tuple(f"{number}. {item.text}" for number, item in enumerate(self.items, 1)),
            subject={"uses": self.uses, "text": self.text, "owner": self.owner, "items": items},
            items=tuple(dict(item) for item in items),
        )

    def check(self, ctx: Context) -> Outcome | None:
        raise CannotTell(f"{ctx.step} is done by a person: only they can say whether it is done.")

    def apply(self, ctx: Context) -> Outcome:
        raise Final(f"{ctx.step} is done by a person: do it, then press Done or type /maint done {ctx.step}.")


def _named(owner: str) -> str:
    """A person or a user group as Slack takes a mention of them; a name as it is."""
    if not _ID.fullmatch(owner):
        return owner
    return f"<!subteam^{owner}>" if owner.startswith("S") else f"<@{owner}>"
