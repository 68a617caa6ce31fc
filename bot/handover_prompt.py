"""The message that asks somebody to take over, with what they have to know, and the answer after. Pure."""

from collections.abc import Mapping
from datetime import datetime

from bot.blocks import Message, actions, button, context, quotation, section
from bot.crew import Handover
from bot.markup import inline, mention, when
from bot.prompts import PROMPT_EVENT
from bot.state import State

_PACKAGE_CHARACTERS = 2900


def handover_prompts(state: State, now: datetime) -> Mapping[str, Message]:
    """Return the message of each question, by its name `handover:<number>`; one that is over has no buttons."""
    return {f"handover:{asked.number}": _prompt(state, asked, now) for asked in state.crew.handovers}


def _prompt(state: State, asked: Handover, now: datetime) -> Message:
    ended = _ended(state, asked, now)
    title = inline(state.title)
    head = f"*Handover: {title}*\n{mention(asked.to)}, {mention(asked.by)} asks you to coordinate it from here."
    blocks = [section(head), quotation(asked.package, _PACKAGE_CHARACTERS)]
    if ended:
        blocks.append(section(ended))
    else:
        value = (state.id, "", str(asked.number))
        take = button("Take over", "take-over", value, style="primary")
        words = (
            f"Until {when(asked.expires_at)}. {mention(state.coordinator)} coordinates as long as nobody takes over."
        )
        blocks += [section(words), actions([take, button("Not now", "not-now", value)])]
    blocks.append(context(f"{title} · `{state.id}`"))
    payload = {"maintenance": state.id, "name": f"handover:{asked.number}"}
    text = f"{title}: {ended or f'{mention(asked.to)} is asked to take over'}"
    return Message(text, blocks, {"event_type": PROMPT_EVENT, "event_payload": payload})


def _ended(state: State, asked: Handover, now: datetime) -> str:
    at = when(asked.answered_at) if asked.answered_at else ""
    words = {
        "accepted": f"✓ Taken over by {mention(asked.to)}, {at}.",
        "declined": f"✗ {mention(asked.to)} declined, {at}.",
        "replaced": f"No longer asked, {at}: somebody was asked anew.",
    }
    if asked.answer is not None:
        return words[asked.answer]
    if state.over:
        return f"No longer asked: the maintenance is {state.status}."
    return f"Expired {when(asked.expires_at)}: nobody took it over." if now >= asked.expires_at else ""
