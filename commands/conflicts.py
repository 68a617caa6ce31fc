"""How conflicts are told to the one who asks, and the field of the form in which they are overridden."""

from collections.abc import Sequence
from typing import Any

from bot.markup import inline
from bot.radar import Conflict
from commands.modals import text_input

FIELD = "override"


def told(found: Sequence[Conflict]) -> str:
    """Return conflicts that do not keep anybody from going on, as lines of mrkdwn: warnings, and what is overridden."""
    return "".join(f":warning: {'Overridden: ' if each.blocks else ''}{inline(each.text)}\n" for each in found)


def field(reason: str) -> dict[str, Any]:
    """Return the field for the reason why it is to be so in spite of what blocks it."""
    return text_input(
        FIELD,
        "Why in spite of that?",
        value=reason,
        multiline=True,
        optional=True,
        hint="Somebody else has to approve it, with this reason, before anything is announced. Or choose another time.",
    )
