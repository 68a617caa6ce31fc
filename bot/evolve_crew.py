"""What entries about people do to the state: a glass that was broken, handing over. Pure."""

from collections.abc import Callable
from dataclasses import replace

from bot.crew import Glass, Handover
from bot.entry import Entry, Kind, instant
from bot.state import State


def _glass_broken(state: State, entry: Entry) -> State:
    told = entry.payload
    glass = Glass(str(entry.step), told["token"], entry.actor, told["asker"], told["reason"])
    return replace(state, crew=replace(state.crew, glasses=(*state.crew.glasses, glass)))


def _asked(state: State, entry: Entry) -> State:
    told, crew = entry.payload, state.crew
    before = tuple(
        replace(each, answer="replaced", answered_at=entry.at) if each.answer is None else each
        for each in crew.handovers
    )
    asked = Handover(
        number=len(crew.handovers) + 1,
        by=entry.actor,
        to=told["to"],
        package=told["package"],
        asked_at=entry.at,
        expires_at=instant(told["expires_at"]),
    )
    return replace(state, crew=replace(crew, handovers=(*before, asked)))


def _answered(state: State, entry: Entry) -> State:
    crew = state.crew
    if not crew.handovers:
        raise ValueError(f"{entry.maintenance} #{entry.seq}: {entry.kind} and nobody was asked")
    accepted = bool(entry.payload["accepted"])
    last = replace(crew.handovers[-1], answer="accepted" if accepted else "declined", answered_at=entry.at)
    coordinator = last.to if accepted else crew.coordinator
    return replace(state, crew=replace(crew, handovers=(*crew.handovers[:-1], last), coordinator=coordinator))


CREW: dict[str, Callable[[State, Entry], State]] = {
    Kind.GLASS_BROKEN: _glass_broken,
    Kind.HANDOVER_ASKED: _asked,
    Kind.HANDOVER_ANSWERED: _answered,
}
