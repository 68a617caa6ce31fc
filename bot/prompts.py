"""The approval prompts: one message for each request, with buttons while it is open and the decision after. Pure."""

from collections.abc import Mapping
from datetime import datetime

from bot.blocks import Block, Message, actions, button, confirmation, context, quotation, section
from bot.markup import cut, duration, inline, mention, mentions, task, when
from bot.rehearsed import lines_of, rehearsal_line
from bot.state import Approval, State
from bot.step_spec import StepSpec

PROMPT_EVENT = "maint_prompt"
_DETAIL_CHARACTERS = 2000
_DETAIL_LINES = 25
_SUMMARY_CHARACTERS = 600


def prompts(state: State, now: datetime) -> Mapping[str, Message]:
    """Return the prompt of each step's latest request, by name `approval:<step>:<number of the request>`.

    A request that is over has no buttons and says how it ended.
    """
    made = {}
    for spec in state.specs.values():
        step = state.steps[spec.id]
        if step.approval is not None:
            name = f"approval:{spec.id}:{step.requests}"
            made[name] = _prompt(state, spec, step.approval, name, now)
    return made


def replaced_prompt(state: State, name: str) -> Message:
    """Return what stands in the place of a prompt whose request has been replaced or forgotten."""
    step = name.split(":")[1]
    title = state.specs[step].title if step in state.specs else step
    words = f"*{inline(title)}*: this request is no longer open. If another is needed, it is below."
    return Message(f"{inline(title)}: closed", [section(words)], _metadata(state, name))


def _metadata(state: State, name: str) -> Mapping[str, object]:
    return {"event_type": PROMPT_EVENT, "event_payload": {"maintenance": state.id, "name": name}}


def _prompt(state: State, spec: StepSpec, approval: Approval, name: str, now: datetime) -> Message:
    title = inline(spec.title)
    blocks = [
        section(f"*Approval: {title}* (`{spec.id}`)\n{_summary(spec, approval)}"),
        *_details(approval),
    ]
    ended = _ended(state, spec, approval, now)
    if ended:
        blocks.append(section(ended))
    else:
        blocks += [section(_asks(state, spec, approval)), _buttons(state, spec, approval)]
    blocks.append(context(f"{inline(state.title)} · `{state.id}`"))
    text = f"{title}: {ended}" if ended else f"{title} needs approval by {_who(approval)}"
    return Message(cut(text, 900), blocks, _metadata(state, name))


def _summary(spec: StepSpec, approval: Approval) -> str:
    if not spec.by_hand:
        return inline(approval.summary, _SUMMARY_CHARACTERS)
    whose, what = task(approval.summary)
    return f"By hand{whose}: {inline(what, _SUMMARY_CHARACTERS)}"


def _details(approval: Approval) -> list[Block]:
    whole = "\n".join(approval.details).strip()
    if not whole:
        return []
    shown = cut("\n".join(whole.splitlines()[:_DETAIL_LINES]), _DETAIL_CHARACTERS)
    blocks = [quotation(shown, _DETAIL_CHARACTERS)]
    if shown != whole:
        blocks.append(context("This is only the beginning; the log entry of this request has the whole plan."))
    return blocks


def _asks(state: State, spec: StepSpec, approval: Approval) -> str:
    people = "One of" if approval.count == 1 else f"{approval.count} different people of"
    lines = [f"{people} {_who(approval)} may decide, until {when(approval.expires_at)}. After that it is asked again."]
    if approval.approved_by:
        more = approval.count - len(approval.approved_by)
        lines.append(f"Approved by {mentions(approval.approved_by)}; {more} more needed.")
    glass = state.crew.glass(approval.token)
    if glass is not None:
        lines.append(f"✗ *Break-glass* by {mention(glass.by)}: {mention(glass.asker)} may approve this themselves.")
    elif not (spec.approval and spec.approval.requester_may):
        lines.append(_not_by(state, spec))
    if spec.uses == "maint.window":
        lines.append("The window can be changed again; whoever is told of this one has been told.")
    elif _for_good(spec):
        lines.append("✗ *There is no way back:* this step cannot be undone by the bot.")
    if spec.id in state.rehearsable:
        told = state.rehearsed
        lines += [inline(line) for line in (rehearsal_line(state), *(lines_of(told) if told else ()))]
    lines.append(f"It takes about {duration(spec.estimate_s)}.")
    return "\n".join(lines)


def _not_by(state: State, spec: StepSpec) -> str:
    if spec.asked_by is None or spec.asked_by == state.requester:
        return (
            f"Not by {mentions((state.requester,))}, who asked for {'the maintenance' if not spec.asked_by else 'it'}."
        )
    if spec.uses == "maint.open-on-red":
        return f"Neither by {mentions((spec.asked_by,))}, who asks, nor by {mentions((state.requester,))}."
    return f"Not by {mentions((spec.asked_by,))}, who asked for it."


def _who(approval: Approval) -> str:
    return mentions(approval.approvers, "or") or "anybody who may approve"


def _for_good(spec: StepSpec) -> bool:
    return spec.point_of_no_return or (not spec.reversible and not spec.gate)


def _buttons(state: State, spec: StepSpec, approval: Approval) -> Block:
    value = (state.id, spec.id, approval.token)
    sure = None
    if _for_good(spec):
        what = cut(approval.summary, 200)
        ends = "Whoever is told has been told." if spec.uses == "maint.window" else "This cannot be undone by the bot."
        words = f"{what}{'' if what.endswith(('.', '!', '?', '…')) else '.'} {ends}"
        sure = confirmation(cut(f"Approve {spec.title}", 95) + "?", words, "Approve")
    buttons = [
        button("Approve", "approve", value, style="primary", confirm=sure),
        button("Reject…", "reject", value, style="danger"),
    ]
    if spec.try_on:
        buttons.append(button(f"{spec.try_on}…", "try_on", value))
    return actions(buttons)


def _ended(state: State, spec: StepSpec, approval: Approval, now: datetime) -> str:
    at = when(approval.decided_at) if approval.decided_at else ""
    by = mentions(approval.approved_by)
    reason = inline(state.steps[spec.id].error or "", _SUMMARY_CHARACTERS)
    words = {
        "granted": f"✓ Approved by {by}, {at}.",
        "rejected": f"✗ Rejected by {mention(approval.rejected_by or '')}, {at}: {reason}",
        "expired": f"Expired {when(approval.expires_at)}: nobody decided in time, and nothing of it has been done.",
        "void": f"No longer valid, {at}: what would be done has changed since. It is asked again.",
        "passed": f"Not enough any more, {at}: past the last safe moment to turn back it takes one person more. It is "
        "asked again.",
        "extended": f"No longer asked, {at}: the window is longer now, and there is time to turn back again.",
        "skipped": f"No longer asked, {at}: the step was skipped.",
    }
    if approval.closed is not None:
        return words[approval.closed]
    if state.status in {"completed", "cancelled", "aborted", "rolled_back"}:
        return f"No longer asked: the maintenance is {state.status}."
    if state.taking_down and spec.change is None:
        return "No longer asked: what has been done is taken back."
    return f"Expired {when(approval.expires_at)}; a new request is on its way." if now >= approval.expires_at else ""
