"""What entries about expectations say to people: estimates, overruns, the last safe moment to turn back. Pure."""

from collections.abc import Callable
from datetime import datetime

from bot.entry import Entry, Kind, instant
from bot.markup import between, duration, inline, mentions, when
from bot.rehearsed import line_of, lines_of
from bot.said import Said
from bot.state import State


def _estimated(entry: Entry, state: State) -> Said:
    found = [(state.specs[step], took_s) for step, took_s in entry.payload["takes_s"].items() if step in state.specs]
    lines = [f"{spec.title} ({spec.id}): about {duration(took_s)}" for spec, took_s in found]
    told = entry.payload.get("rehearsal")
    if told is not None:
        return Said(inline(line_of(told, state.window.zone)), "\n".join([*lines_of(told), *lines]), "rehearsal.txt")
    source = "A rehearsal showed" if entry.payload["source"] == "rehearsal" else "The size of what is to be done shows"
    return Said(f"{source} how long steps take:", "\n".join(lines), "estimates.txt")


def _expected(entry: Entry, state: State) -> Said:
    told = entry.payload
    if told.get("ahead"):
        known = "" if state.milestones else " Nothing has been announced yet: now is the time."
        return Said(
            f"{mentions(tuple(told['asked']))}: by what is known now the window is too short. It would end between "
            f"{when(instant(told['low']))} and {when(instant(told['high']))}, and the window ends "
            f"{when(state.window.end)}.{known} The buttons in the next message ask for more time."
        )
    late = _late(entry, instant(told["low"]), instant(told["high"]), instant(told["announced"]))
    is_past = entry.at >= instant(told["announced"])
    # The bot may have been down, or a step have failed at the last moment.
    until = "as soon as it is approved" if is_past else "before the announced end has passed"
    return Said(
        f"{mentions(tuple(told['asked']))}: {late} What now? The buttons are in the next message: an extension is told "
        f"to everybody {until}."
    )


def _late(entry: Entry, low: datetime, high: datetime, announced: datetime) -> str:
    if entry.at >= announced:
        return f"it is late: announced was {when(announced)}, and it will probably end {between(low, high)}."
    return f"it will probably end late, {between(low, high)}; announced is {when(announced)}."


def _averted(entry: Entry, state: State) -> Said:
    return Said(
        f"In time again: it is now expected to end {when(instant(entry.payload['end']))}, and announced is "
        f"{when(state.window.end)}. Nothing has to be decided about it any more."
    )


def _escalated(entry: Entry, state: State) -> Said:
    to = tuple(entry.payload["to"])
    asked = state.overruns[-1] if state.overruns else None
    if to and asked is not None:
        late = _late(entry, asked.low, asked.high, asked.announced)
        return Said(f"Nobody has answered: {mentions(to)}, {late} Please decide with the buttons above.")
    pages = inline(entry.payload.get("pages") or "; ".join(raw["title"] for raw in entry.payload["steps"]))
    return Said(f"Still nobody has answered. {pages or 'Nobody else can be asked'}.")


def _near(entry: Entry, _: State) -> Said:
    moment = instant(entry.payload["moment"])
    # Less than it should be where the bot was down at the time.
    minutes = max(1, round((moment - entry.at).total_seconds() / 60))
    return Said(
        f"In about {minutes} minute{'' if minutes == 1 else 's'}, {when(moment)}, the last safe moment to turn back "
        "passes: later than that, going back would itself end after the announced end. Way back: "
        f"{inline(entry.payload['way_back'])}."
    )


def _passed(entry: Entry, state: State) -> Said:
    step = entry.payload["before"]
    then = (
        f" Going on takes one person more from here: *{inline(state.specs[step].title)}* waits for their approval."
        if step in state.specs
        else ""
    )
    return Said(
        f"The last safe moment to turn back has passed, {when(instant(entry.payload['moment']))}: going back would end "
        f"after the announced end.{then}"
    )


PROMISE: dict[str, Callable[[Entry, State], Said]] = {
    Kind.ESTIMATED: _estimated,
    Kind.OVERRUN_EXPECTED: _expected,
    Kind.OVERRUN_AVERTED: _averted,
    Kind.OVERRUN_ACCEPTED: lambda *_: Said("Decided to go on as it is, and to end late."),
    Kind.OVERRUN_ESCALATED: _escalated,
    Kind.TURN_BACK_NEAR: _near,
    Kind.TURN_BACK_PASSED: _passed,
}
