"""`/maint handover @user [OPEN QUESTIONS]`: let somebody else coordinate, once they have accepted."""

import re
from collections.abc import Callable
from datetime import datetime

from bot import handover as act_of
from bot.durations import duration_words
from bot.errors import BadInput, NotAllowed
from bot.forecast import Forecast, forecast_words
from bot.markup import announced, plain
from bot.state import State
from bot.waiting import waited_for
from bot.way_back import way_back
from commands.verb import Bot, Call, Reply, as_typed, pick, record, verb

_TO = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>\s*(.*)", re.DOTALL)
_MOST_NEXT = 5


@verb("handover", "handover @USER [OPEN QUESTIONS]", "let somebody else coordinate, once they have accepted by button")
def handover(call: Call, bot: Bot) -> Reply:
    """Ask them, with what they have to know."""
    state, words = pick(call, bot)
    found = _TO.fullmatch(words.strip())
    if found is None:
        raise BadInput("To whom? `/maint handover @name`, and then what is still open, in your own words.")
    to, questions = found[1], as_typed(found[2]).strip()
    bot.admit_decision(call.user, state, "handover")
    _must_be_able(to, state, bot)
    now = bot.maintenances.now()
    told = package(state, bot.forecast(state), bot.named(questions), now, bot.named)
    record(bot, state, call.act, "handover", lambda latest: act_of.ask(latest, call.act, to, told, now))
    return Reply(f"<@{to}> is asked in the channel. You coordinate {state.id} until they have accepted.")


def _must_be_able(to: str, state: State, bot: Bot) -> None:
    try:
        bot.admit(to, "", "handover")
        if state.crew.roles.get("coordinator"):
            bot.admit_decision(to, state, "handover")
    except NotAllowed as error:
        raise NotAllowed(f"<@{to}> cannot take it over. {error}") from None


def package(state: State, forecast: Forecast, questions: str, now: datetime, named: Callable[[str], str] = str) -> str:
    """Return what whoever takes over has to know, as plain text: state, what runs, what is next, what is open.

    `named` turns mentions into names.
    """
    runs = [_running(state, step, now) for step, each in state.steps.items() if each.status == "running"]
    following = [spec.title for step, spec in state.specs.items() if state.steps[step].status == "pending"]
    more = f" and {len(following) - _MOST_NEXT} more" if len(following) > _MOST_NEXT else ""
    lines = [
        f"State: {state.status.replace('_', ' ')}{', paused' if state.paused else ''}.",
        f"Window: {announced(state.window)}.",
        f"Runs now: {'; '.join(runs) or 'nothing'}.",
        *(f"Waits for: {plain(named(line))}" for line in waited_for(state, now)),
        f"Next: {'; '.join(following[:_MOST_NEXT]) or 'nothing'}{more}.",
        f"Forecast: {forecast_words(state, forecast)}",
        f"Way back: {way_back(state, now).text}.",
        f"Open questions: {questions or 'none were named'}",
    ]
    return "\n".join(lines)


def _running(state: State, step: str, now: datetime) -> str:
    since = state.steps[step].attempt_at
    for_ = f", for {duration_words(now - since)}" if since else ""
    return f"{state.specs[step].title}{for_}"
