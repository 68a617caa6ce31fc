"""What the run card asks of people, step by step, with the buttons that answer. Pure."""

from collections.abc import Sequence

from bot.blocks import Block, actions, button, confirmation, section
from bot.checklist import unticked
from bot.markup import cut, inline, mentions, task
from bot.offers import offer_of
from bot.state import State, StepState
from bot.step_spec import StepSpec
from bot.unproved import unproved
from bot.waiting import asks_undo

_MOST_ASKED = 6
_TITLE_CHARACTERS = 100
_ERROR_CHARACTERS = 200
_OFFER_CHARACTERS = 500


def questions(state: State) -> list[Block]:
    """Return the blocks that ask; the steps beyond the first few are only counted, and have their verbs."""
    asked = [blocks for spec in state.specs.values() if (blocks := _question(state, spec))]
    shown = [block for blocks in asked[:_MOST_ASKED] for block in blocks]
    if len(asked) > _MOST_ASKED:
        shown.append(section(f"… and {len(asked) - _MOST_ASKED} more; `/maint status` names them and what to do."))
    return shown


def _question(state: State, spec: StepSpec) -> list[Block]:
    step = state.steps[spec.id]
    title = inline(spec.title, _TITLE_CHARACTERS)
    error = inline(step.error or "", _ERROR_CHARACTERS)
    value = (state.id, spec.id, str(step.attempt))
    if step.status == "unknown":
        words = f"? *Did {title} happen?* The answer was lost: {error} Look at the outside system before you press."
        return _asked(words, _unknown_buttons(value, spec))
    if asks_undo(state, spec):
        return _still_up(state, spec, title, error)
    if state.over or (state.taking_down and (spec.change is None or state.status == "aborted")):
        return []
    if step.status == "failed":
        return _asked(f"✗ *{title} failed:* {error}", _failed_buttons(value, spec))
    if step.status == "running" and spec.by_hand:
        return _by_hand(step, title, value)
    return _offered(state, spec)


def _still_up(state: State, spec: StepSpec, title: str, error: str) -> list[Block]:
    value = (state.id, spec.id, str(state.steps[spec.id].undo_attempt))
    seen = inline(state.still_up.get(spec.id, ""), _ERROR_CHARACTERS)
    words = f"↩ *{title} is still up.* {seen} Lift takes it down, Keep leaves it as it is. {error}"
    keep = button("Keep", "keep", value, confirm=_sure(spec, "It stays as it is, for good.", "Keep"))
    gate = unproved(state, spec.id) if state.status == "aborted" else None
    if gate is None:
        return _asked(words, [button("Lift", "lift", value, style="primary"), keep])
    red = inline(state.specs[gate].title, _TITLE_CHARACTERS)
    not_by = mentions(tuple(dict.fromkeys([state.requester, *filter(None, [state.aborted_by])])), "or")
    words += (
        f" ✗ *“{red}” has not come out green:* to lift it lets users in on what is not proved. That is for somebody "
        f"who may approve, not for {not_by}."
    )
    sure = _sure(spec, f"“{cut(state.specs[gate].title, 150)}” has not come out green. Users come in.", "Lift")
    return _asked(words, [button("Lift", "lift", value, style="danger", confirm=sure), keep])


def _offered(state: State, spec: StepSpec) -> list[Block]:
    offer = offer_of(state, spec.id)
    if offer is None:
        return []
    sure = _sure(spec, offer.sure, cut(offer.button, 30))
    words = f"▶ *{inline(spec.title, _TITLE_CHARACTERS)}*: {inline(offer.words, _OFFER_CHARACTERS)}"
    taken = (state.id, spec.id, offer.token)
    return _asked(words, [button(cut(offer.button, 75), "take", taken, style="danger", confirm=sure)])


def _by_hand(step: StepState, title: str, value: tuple[str, str, str]) -> list[Block]:
    if step.items:
        left = len(unticked(step.items))
        return [section(f"▶ *{title}* is done by hand: {left} of {len(step.items)} left to tick, in its message.")]
    whose, what = task(step.doing or "")
    told = inline(what, _ERROR_CHARACTERS)
    end = "" if told.endswith((".", "!", "?", "…")) else "."
    words = f"▶ *{title}* is done by hand{whose}: {told}{end} Press Done when it is."
    return _asked(words, [_done(value)])


def _asked(words: str, buttons: Sequence[Block]) -> list[Block]:
    return [section(words), actions(buttons)]


def _unknown_buttons(value: tuple[str, str, str], spec: StepSpec) -> list[Block]:
    again = _sure(spec, "It is done again. If it did happen after all, it will have happened twice.", "It did not")
    return [
        button("It happened", "happened", value, style="primary"),
        button("It did not", "not_happened", value, confirm=again),
    ]


def _failed_buttons(value: tuple[str, str, str], spec: StepSpec) -> list[Block]:
    retry = button("Retry", "retry", value, style="primary")
    if spec.gate and spec.approval is not None:
        return [retry]
    if spec.gate:
        return [retry, button("Open on red…", "open-on-red", value, style="danger")]
    return [retry, button("Skip…", "skip", value)]


def _done(value: tuple[str, str, str]) -> Block:
    return button("Done", "done", value, style="primary")


def _sure(spec: StepSpec, words: str, yes: str) -> Block:
    return confirmation(cut(spec.title, 90) + "?", words, yes)
