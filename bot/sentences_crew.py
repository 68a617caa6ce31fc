"""What entries about people say: a glass that was broken, handing over. Pure."""

from collections.abc import Callable

from bot.entry import Entry, Kind, instant
from bot.markup import inline, mention, mentions, when
from bot.said import Said
from bot.state import State


def _glass_broken(entry: Entry, state: State) -> Said:
    step = str(entry.step)
    approval = state.steps[step].approval
    others = mentions(approval.approvers) if approval is not None else ""
    asker = mention(entry.payload["asker"])
    return Said(
        f"✗ *BREAK-GLASS* {others}: {asker}, who asked for it, may now approve *{inline(state.specs[step].title)}* "
        f"(`{step}`) themselves, this once. Nobody else had decided in time. The reason given:",
        str(entry.payload["reason"]),
        "reason.txt",
        "If you can still decide, do it now: approve or reject it yourself, or press Abort.",
    )


def _asked(entry: Entry, _: State) -> Said:
    told = entry.payload
    return Said(
        f"{mention(told['to'])} is asked to take over, until {when(instant(told['expires_at']))}; the button is in the "
        "next message. What they get to know:",
        str(told["package"]),
        "handover.txt",
    )


def _answered(entry: Entry, _: State) -> Said:
    before = mention(entry.payload["from"])
    if entry.payload["accepted"]:
        return Said(f"Takes over from {before}, and coordinates from here on.")
    return Said(f"Does not take over; {before} goes on coordinating.")


CREW: dict[str, Callable[[Entry, State], Said]] = {
    Kind.GLASS_BROKEN: _glass_broken,
    Kind.HANDOVER_ASKED: _asked,
    Kind.HANDOVER_ANSWERED: _answered,
}
