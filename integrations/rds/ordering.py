"""An order to Amazon is given once; what became of it shows in what was ordered to change."""

from collections.abc import Callable

from bot.errors import AnswerLost, Final, Temporary
from bot.step import Context
from integrations.rds.waiting import way_back
from integrations.rounds import rounds_before


def is_ordered(ctx: Context) -> bool:
    """Whether this step's order is on record in this round: a second one is for a person to give.

    It was given, or the bot was killed the moment before.
    """
    return bool(ctx.facts.get("ordered") == rounds_before(ctx))


def order(
    ctx: Context,
    give: Callable[[], None],
    *,
    text: str,
    no_way_back: str,
    serves: str,
    untouched: Callable[[], bool],
) -> None:
    """Put the order on record with `text` and `no_way_back`, then `give` it.

    Returns also where its answer is lost. Where it was not taken, the way back is open again: `serves` says what
    serves as before, and `untouched` looks whether that is so after a refusal. Raises what `give` raises, but
    `AnswerLost`.
    """
    ctx.record(text, ordered=rounds_before(ctx), **way_back(no_way_back))
    try:
        give()
    except AnswerLost:
        return
    except Temporary:
        ctx.record(f"The order did not reach Amazon: {serves}.", ordered=None, **way_back())
        raise
    except Final:
        if untouched():
            ctx.record(f"Amazon refused the order: {serves}.", **way_back())
        raise
