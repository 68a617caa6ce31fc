"""The message that asks what now when it will end late, with its buttons, and the answer after. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from bot.blocks import Message, actions, button, confirmation, context, section
from bot.markup import between, cut, inline, mention, mentions, when
from bot.promise import Overrun
from bot.prompts import PROMPT_EVENT
from bot.state import State
from bot.way_back import way_back
from bot.window import duration_words

MINUTES = (15, 30, 60)


def overrun_prompts(state: State, now: datetime) -> Mapping[str, Message]:
    """Return the message of each question, by its name `overrun:<number>`; one that is answered has no buttons."""
    return {f"overrun:{asked.number}": _prompt(state, asked, now) for asked in state.overruns}


def _prompt(state: State, asked: Overrun, now: datetime) -> Message:
    title = inline(state.title)
    answer = _answer(state, asked)
    is_late = (asked.answered_at or (asked.asked_at if answer else now)) >= asked.announced
    blocks = [section(_told(state, asked, title, is_late=is_late))]
    if answer:
        blocks.append(section(answer))
    else:
        blocks += [section(_asks(state, asked)), actions(_buttons(state, asked, now))]
    blocks.append(context(f"{title} · `{state.id}`"))
    payload = {"maintenance": state.id, "name": f"overrun:{asked.number}"}
    late = "is late" if is_late else "will probably end late"
    text = answer or f"{mentions(asked.asked, 'or')}: {title} {late}. What now?"
    return Message(cut(text, 900), blocks, {"event_type": PROMPT_EVENT, "event_payload": payload})


def _told(state: State, asked: Overrun, title: str, *, is_late: bool) -> str:
    expected, end = between(asked.low, asked.high), when(asked.announced)
    if is_late:
        return f"*{title} is late:* announced was {end}. It was expected to end {expected}."
    promised = "Announced is" if state.milestones or state.started_at else "The window ends"
    return f"*{title} will probably end late:* {expected}. {promised} {end}."


def _asks(state: State, asked: Overrun) -> str:
    return (
        f"{mentions(asked.asked, 'or')}: what now? *+15*, *+30* and *+60* ask for that many minutes more; once "
        f"somebody else has approved it, every surface shows the new end and everybody is told. "
        f"{_enough(state, asked)} *Go on* leaves the announced end as it is, and it will be missed."
    )


def _enough(state: State, asked: Overrun) -> str:
    """Which extension will do, nine times in ten: one that is too short asks customers for patience twice."""
    minutes = max(1, ceil((asked.high - asked.announced).total_seconds() / 60))
    fits = next((each for each in MINUTES if each >= minutes), None)
    if fits is not None:
        return f"By the forecast *+{fits}* is enough, nine times in ten."
    quarters = timedelta(minutes=15 * ceil(minutes / 15))
    return (
        f"By the forecast {duration_words(quarters)} more are needed to be enough, nine times in ten: "
        f"`/maint extend {state.id} {quarters // timedelta(minutes=1)}m`."
    )


def _buttons(state: State, asked: Overrun, now: datetime) -> list[dict[str, object]]:
    value = (state.id, "", str(asked.number))
    sure = confirmation(
        "Go on and end late?", "Customers keep the announced end until somebody extends the window.", "Go on"
    )
    can_turn_back = state.started_at is not None and way_back(state, now).possible
    back = [button("Roll back…", "rollback", (state.id, "", ""), style="danger")] if can_turn_back else []
    return [
        *(button(f"+{minutes}", f"more-{minutes}", value) for minutes in MINUTES),
        *back,
        button("Go on", "go-on", value, confirm=sure),
    ]


def _answer(state: State, asked: Overrun) -> str:
    """How the question was answered; empty while it is open."""
    if asked.is_open and asked.number < len(state.overruns):
        return "Asked again since: the latest message counts."
    if asked.is_open:
        return "No longer asked: the maintenance is over." if state.over or state.taking_down else ""
    at = when(asked.answered_at) if asked.answered_at else ""
    by = mention(asked.answered_by)
    words = {
        "extend": f"✓ {by} asked for more time, {at}. It counts once it is approved.",
        "go_on": f"✓ {by} decided to go on as it is, {at}: it ends late.",
        "averted": f"✓ No longer asked, {at}: it is in time again.",
        "stopped": f"✓ {by} decided to stop, {at}.",
    }
    return words.get(asked.answer or "", "")
