"""`/maint start [runbook] [at TIME] [for DURATION] [key=value …]`: plan a maintenance from a runbook."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot import acts
from bot.acts import Act
from bot.errors import BadInput, Conflict
from bot.evolve import planned
from bot.journal import Duplicate
from bot.markup import inline
from bot.overrides import overriding, refusal
from bot.people import Person
from bot.rehearsal import rehearsable
from bot.rehearsals import Rehearsals
from bot.rehearsed import rehearsal_line, window_line
from bot.runbook import Param, ParamErrors, Runbook, maintenance_id, resolve
from bot.state import State
from bot.step import Window
from bot.window import Moment, duration_words, echo, make_window, needs_confirmation, parse_duration, parse_when
from bot.window_steps import OVERRIDE
from commands import conflicts
from commands.modals import modal, plain_text, text_input, value_of
from commands.verb import Bot, Call, Reply, verb
from commands.wish import Wish, read

CHOOSE = "start_runbook"
SUBMIT = "start"
USAGE = "start [RUNBOOK] [at TIME] [for DURATION] [KEY=VALUE …] [override=REASON]"
_NO_RUNBOOK = "There is no runbook: put one into the folder of MAINT_RUNBOOKS."
Block = dict[str, Any]
T = TypeVar("T")


@verb("start", USAGE, "plan a maintenance; opens a form for what you leave out")
def start(call: Call, bot: Bot) -> Reply:
    """Create the maintenance if nothing is missing or wrong, else open the form with the errors at their fields."""
    wish = read(call.words)
    if not bot.runbooks:
        raise BadInput(_NO_RUNBOOK)
    if not wish.at or not wish.runbook:
        # Of several none is chosen for anybody: the first one could be the one that deletes something.
        only = next(iter(bot.runbooks)) if len(bot.runbooks) == 1 else ""
        wish = replace(wish, runbook=wish.runbook or only)
        errors = _unknown(wish, bot) if wish.runbook and wish.runbook not in bot.runbooks else {}
        return Reply(modal=form(wish, bot, call.channel, errors))
    made, errors = create(wish, bot, call.zone, call.channel, call.act)
    if made is None:
        return Reply(modal=form(wish, bot, call.channel, errors))
    return Reply(_created(made, bot))


def create(wish: Wish, bot: Bot, zone: str, channel: str, act: Act) -> tuple[State | None, dict[str, str]]:
    """Create what is wished. Returns its state, or None and what is wrong, by the field of the form.

    Raises `Duplicate` if this very request has created it before.
    """
    errors: dict[str, str] = {}
    runbook = bot.runbooks.get(wish.runbook)
    if runbook is None:
        return None, _unknown(wish, bot)
    bot.admit_start(act.user, runbook)
    moment, window = _window(wish, runbook, bot.maintenances.now(), zone, errors)
    if moment is None or window is None:
        return None, errors
    try:
        payload = resolve(
            runbook,
            params=wish.params,
            window=window,
            requester=act.user,
            channel=bot.room(channel),
            approvers=tuple(bot.defaults["approvers"]),
            levels=bot.defaults["conflicts"],
            roles=bot.defaults["roles"],
            environments=bot.defaults["environments"],
        )
        payload = Rehearsals(bot.maintenances).told_in(payload, rehearsable(runbook))
        found = bot.conflicts(planned(payload, act.user, bot.maintenances.now()))
        refused = refusal(found)
        if refused and not wish.override:
            return None, {conflicts.FIELD: refused}
        payload = overriding(payload, found, wish.override, act.user, bot.defaults["approvers"])
    except ParamErrors as error:
        return None, {f"param:{name}": f"{name} {text}" for name, text in error.problems.items()}
    except BadInput as error:
        return None, {error.field or "runbook": str(error)}
    return record_created(bot, runbook, payload, act, moment), {}


def _unknown(wish: Wish, bot: Bot) -> dict[str, str]:
    known = ", ".join(bot.runbooks) or "none"
    mistakes = f"\n{bot.runbook_mistakes}" if bot.runbook_mistakes else ""
    return {"runbook": f"There is no runbook {wish.runbook!r}. There is: {known}.{mistakes}"}


def _window(
    wish: Wish, runbook: Runbook, now: datetime, zone: str, errors: dict[str, str]
) -> tuple[Moment | None, Window | None]:
    moment = _judged(errors, "at", lambda: parse_when(wish.at, now, zone))
    length = _judged(errors, "duration", lambda: _length(wish, runbook))
    if moment is None or length is None:
        return None, None
    window = _judged(errors, "duration", lambda: make_window(moment, length))
    question = needs_confirmation(window) if window else None
    if question and not wish.long_is_meant:
        errors["duration"] = question
        return moment, None
    return moment, window


def record_created(bot: Bot, runbook: Runbook, payload: Mapping[str, Any], act: Act, moment: Moment) -> State:
    """Create the maintenance with the payload of its first entry, under an id that is free. Raises `Duplicate`."""
    while True:
        made = maintenance_id(runbook.name, moment.at, moment.zone, bot.maintenances.ids())
        try:
            bot.maintenances.create(made, acts.created(made, act, payload))
        except Duplicate:
            raise
        except Conflict:
            continue  # somebody took the id in this very moment; the next one is free
        bot.wake()
        return bot.maintenances.state(made)


def _length(wish: Wish, runbook: Runbook) -> timedelta:
    return parse_duration(wish.duration) if wish.duration else runbook.window.duration


def _judged(errors: dict[str, str], block: str, judge: Callable[[], T]) -> T | None:
    try:
        return judge()
    except BadInput as error:
        errors[block] = str(error)
        return None


def _created(state: State, bot: Bot) -> str:
    now = bot.maintenances.now()
    overrides = any(spec.uses == OVERRIDE for spec in state.specs.values())
    then = (
        "Somebody else has to approve there that it goes on in spite of that; until then nothing of it starts."
        if overrides
        else "Nothing is announced or done before it is approved there."
    )
    return (
        f"`{state.id}` is planned: *{inline(state.title)}*, {echo(state.window, now)}.\n"
        + "".join(f"{inline(line)}\n" for line in filter(None, [rehearsal_line(state), window_line(state.rehearsed)]))
        + conflicts.told(bot.conflicts(state))
        + f"Its card is in <#{state.channel}>. {then}"
    )


def form(wish: Wish, bot: Bot, channel: str, errors: Mapping[str, str]) -> Block:
    """Return the modal, filled with what is known, with errors that opened it above the fields."""
    blocks: list[Block] = []
    if errors:
        told = "\n".join(f":warning: {text}" for text in errors.values())
        blocks.append({"type": "section", "text": plain_text(told[:3000])})
    elif bot.runbook_mistakes:
        told = f":warning: Not to be had until mended:\n{bot.runbook_mistakes}"
        blocks.append({"type": "section", "text": plain_text(told[:3000])})
    runbook = bot.runbooks.get(wish.runbook)
    blocks.append(_runbook_select(bot, runbook))
    blocks.append(
        text_input(
            "at",
            "Start",
            value=wish.at,
            placeholder="tomorrow 22:00",
            hint="In your own zone or a named one: tomorrow 5pm, in 2h, 2026-12-01 22:00 Europe/Berlin",
        )
    )
    usual = duration_words(runbook.window.duration) if runbook else "2 hours"
    blocks.append(
        text_input("duration", "Length", value=wish.duration, placeholder=usual, hint=f"Empty: {usual}", optional=True)
    )
    if _asks_whether_long(errors):
        blocks.append(_long_is_meant())
    if conflicts.FIELD in errors or wish.override:
        blocks.append(conflicts.field(wish.override))
    asked = {name: param for name, param in (runbook.params if runbook else {}).items() if param.asked}
    for name, param in asked.items():
        blocks.append(_param_input(name, param, wish.params.get(name, "")))
    return modal(SUBMIT, "Plan a maintenance", "Plan it", blocks, channel)


def _runbook_select(bot: Bot, chosen: Runbook | None) -> Block:
    options = [{"text": plain_text(name), "value": name} for name in bot.runbooks]
    element: Block = {"type": "static_select", "action_id": CHOOSE, "options": options}
    if chosen is not None:
        element["initial_option"] = {"text": plain_text(chosen.name), "value": chosen.name}
    return {
        "type": "input",
        "block_id": "runbook",
        "dispatch_action": True,
        "label": plain_text("Runbook"),
        "element": element,
    }


def _long_is_meant() -> Block:
    option = {"text": plain_text("Yes, it is meant to be so long"), "value": "yes"}
    return {
        "type": "input",
        "block_id": "long",
        "optional": True,
        "label": plain_text("Length"),
        "element": {"type": "radio_buttons", "action_id": "value", "options": [option]},
    }


def _param_input(name: str, param: Param, value: str) -> Block:
    default = ", ".join(map(str, param.default)) if isinstance(param.default, list) else param.default
    shown = value or ("" if default is None else str(default))
    if not param.choices:
        return text_input(f"param:{name}", name, value=shown, hint=param.help, optional=not param.needed)
    options = [{"text": plain_text(str(choice)), "value": str(choice)} for choice in param.choices]
    element: Block = {"type": "static_select", "action_id": "value", "options": options}
    if shown in map(str, param.choices):
        element["initial_option"] = {"text": plain_text(shown), "value": shown}
    made: Block = {"type": "input", "block_id": f"param:{name}", "label": plain_text(name), "element": element}
    return {**made, "optional": not param.needed}


def again(view: Mapping[str, Any], bot: Bot) -> Block:
    """Return the form for the runbook just chosen, with what was typed so far.

    Raises `BadInput` where no runbook is left to choose.
    """
    wish = _wish_of(view)
    if not bot.runbooks:
        raise BadInput(_NO_RUNBOOK)
    return form(wish, bot, view["private_metadata"], {} if wish.runbook in bot.runbooks else _unknown(wish, bot))


@dataclass(frozen=True)
class Submitted:
    """What came of a submitted form: a reply, or what is wrong by block, or the form anew because it has to ask."""

    reply: Reply = field(default_factory=Reply)
    errors: Mapping[str, str] = field(default_factory=dict)
    form: Block | None = None


def submitted(view: Mapping[str, Any], person: Person, bot: Bot) -> Submitted:
    """Create what the form says. Raises `Duplicate` for a second delivery."""
    act = Act(person.id, f"view:{view['id']}")
    # Since the form was opened the bot may have been taken out of that channel.
    wish, channel = _wish_of(view), bot.room(view["private_metadata"])
    made, errors = create(wish, bot, person.zone, channel, act)
    if made is not None:
        return Submitted(Reply(_created(made, bot)))
    blocks = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if (_asks_whether_long(errors) and "long" not in blocks) or errors.keys() & {conflicts.FIELD} - blocks:
        return Submitted(form=form(wish, bot, channel, errors))
    return Submitted(errors={(name if name in blocks else "runbook"): text for name, text in errors.items()})


def _asks_whether_long(errors: Mapping[str, str]) -> bool:
    return any("so long" in text for text in errors.values())


def _wish_of(view: Mapping[str, Any]) -> Wish:
    params = {
        block.removeprefix("param:"): value_of(view, block)
        for block in view["state"]["values"]
        if block.startswith("param:") and value_of(view, block)
    }
    return Wish(
        value_of(view, "runbook"),
        value_of(view, "at"),
        value_of(view, "duration"),
        params,
        value_of(view, "long") == "yes",
        value_of(view, conflicts.FIELD).strip(),
    )
