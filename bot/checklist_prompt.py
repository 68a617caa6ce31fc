"""The message with a checklist: each item with its owner and who has ticked it, and a button for each other. Pure."""

from collections.abc import Mapping

from bot.blocks import Block, Message, actions, button, context, section
from bot.checklist import Item, unticked
from bot.markup import cut, inline, mention, when
from bot.prompts import PROMPT_EVENT
from bot.state import State
from bot.step_spec import StepSpec

_A_ROW = 25  # elements that Slack takes in one actions block
_ITEM_CHARACTERS = 300
_LABEL_CHARACTERS = 60
_SECTION_ITEMS = 8


def checklist_prompts(state: State) -> Mapping[str, Message]:
    """Return the message of each checklist, by its name `checklist:<step>`; one that is done has no buttons."""
    return {f"checklist:{spec.id}": _prompt(state, spec) for spec in state.specs.values() if state.steps[spec.id].items}


def _prompt(state: State, spec: StepSpec) -> Message:
    now = state.steps[spec.id]
    left = unticked(now.items)
    title = inline(spec.title)
    told = f"{len(now.items) - len(left)} of {len(now.items)} ticked"
    lines = [_line(number, item) for number, item in enumerate(now.items, 1)]
    blocks = [section(f"*Checklist: {title}* (`{spec.id}`): {told}")]
    blocks += [section("\n".join(lines[at : at + _SECTION_ITEMS])) for at in range(0, len(lines), _SECTION_ITEMS)]
    if now.status == "running" and not state.over:
        buttons = [_button(state, spec, number) for number in left]
        blocks += [actions(buttons[at : at + _A_ROW]) for at in range(0, len(buttons), _A_ROW)]
    blocks.append(context(f"{inline(state.title)} · `{state.id}`"))
    payload = {"maintenance": state.id, "name": f"checklist:{spec.id}"}
    return Message(f"{title}: {told}", blocks, {"event_type": PROMPT_EVENT, "event_payload": payload})


def _line(number: int, item: Item) -> str:
    owner = f" · {mention(item.owner)}" if item.owner else ""
    text = f"{number}. {inline(item.text, _ITEM_CHARACTERS)}{owner}"
    if item.by is None:
        return f"○ {text}"
    return f"✓ {text} · ticked by {mention(item.by)}{f', {when(item.at)}' if item.at else ''}"


def _button(state: State, spec: StepSpec, number: int) -> Block:
    text = cut(state.steps[spec.id].items[number - 1].text, _LABEL_CHARACTERS)
    made = button(f"Tick {number}: {text}", "tick", (state.id, spec.id, str(number)))
    # An action id may occur once in a block.
    return {**made, "action_id": f"tick:{spec.id}:{number}"}
