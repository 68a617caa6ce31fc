"""The run card: one pinned message that always shows where the maintenance stands, with the buttons for it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.blocks import (
    MESSAGE_CHARACTERS,
    SECTION_CHARACTERS,
    Block,
    Message,
    actions,
    button,
    confirmation,
    context,
    header,
    section,
    size_characters,
)
from bot.estimates import Estimate
from bot.markup import announced, cut, duration, escape, inline, mention, mentions, when
from bot.questions import questions
from bot.state import State, rollback_of
from bot.step_lines import step_lines
from bot.turn_back import last_moment
from bot.waiting import waited_for, what_holds
from bot.way_back import way_back

CARD_EVENT = "maint_card"
CARD = "card"
_MOST_PROBLEMS = 3
_LINE_CHARACTERS = 300
_TOLD = frozenset({"header", "section"})

_WORDS = {
    "draft": "○ Draft",
    "scheduled": "◔ Scheduled",
    "in_progress": "▶ In progress",
    "verifying": "▶ Verifying",
    "completed": "✓ Completed",
    "cancelled": "✗ Cancelled",
    "aborted": "✗ Aborted",
    "rolled_back": "↩ Rolled back",
}


def card(
    state: State,
    progress: Mapping[str, Mapping[str, Any]],
    now: datetime,
    problems: Sequence[str] = (),
    forecast: str = "",
    *,
    estimates: Mapping[str, Estimate] | None = None,
) -> Message:
    """Return the run card of `state` at `now`.

    `progress` is what `bot.ledger.Progress.read` returns; `problems` are plain sentences about the channel itself;
    `forecast` is one line of mrkdwn; `estimates` are what is known of how long steps take, by their ids. Fits into one
    message for any number of steps.
    """
    above = [header(state.title), section("\n".join(_facts(state, forecast, now)))]
    waits = waited_for(state, now)
    if waits:
        above.append(section("*Waiting for*\n" + "\n".join(waits)))
    below = [*questions(state), *_problems([*_wrong(state), *problems]), *_whole(state, now), _foot(state)]
    room = MESSAGE_CHARACTERS - size_characters([*above, *below]) - 200
    steps = [section(text) for text in _paged(step_lines(state, progress, now, room, estimates), room)]
    payload = {"maintenance": state.id, "name": CARD}
    return Message(_text(state), [*above, *steps, *below], {"event_type": CARD_EVENT, "event_payload": payload})


def card_text(
    state: State,
    progress: Mapping[str, Mapping[str, Any]],
    now: datetime,
    problems: Sequence[str] = (),
    forecast: str = "",
    *,
    estimates: Mapping[str, Estimate] | None = None,
) -> str:
    """Return what the run card says, as one mrkdwn text without buttons: for `/maint status` and the Home."""
    whole = card(state, progress, now, problems, forecast, estimates=estimates)
    shown = [block for block in whole.blocks if block["type"] in _TOLD]
    return "\n".join(
        f"*{block['text']['text']}*" if block["type"] == "header" else str(block["text"]["text"]) for block in shown
    )


def _text(state: State) -> str:
    return f"{inline(state.title)}: {_status(state)}"


def _status(state: State) -> str:
    word = "↩ Rolling back" if state.rolling_back and not state.over else _WORDS.get(state.status, inline(state.status))
    return word + (" · ❙❙ paused" if state.paused else "")


def _facts(state: State, forecast: str, now: datetime) -> list[str]:
    lines = [
        f"*{_status(state)}* · asked for by {mention(state.requester)} · `{escape(state.id)}`",
        f"Coordinated by {mention(state.coordinator)}{_handing_over(state, now)}{_environment(state)}",
        f"Window: {when(state.window.start)} to {when(state.window.end)} your time · announced as "
        f"{escape(announced(state.window))}",
    ]
    if state.started_at is not None and state.ended_at is not None:
        took = duration((state.ended_at - state.started_at).total_seconds())
        lines.append(f"Took {took}, ended {when(state.ended_at)}.")
    if state.aborted_because is not None:
        lines.append(f"Aborted: {inline(state.aborted_because, _LINE_CHARACTERS)}")
    if state.rolled_back_because is not None:
        lines.append(f"Rolled back: {inline(state.rolled_back_because, _LINE_CHARACTERS)}")
    lines += [
        f"✗ *Opened on red:* {inline(state.specs[step].title)}, by {mentions(now.overridden_by)}: "
        f"{inline(now.error or '', _LINE_CHARACTERS)}"
        for step, now in state.steps.items()
        if now.overridden_by
    ]
    lines += [
        f"✗ *Glass broken* by {mention(glass.by)} for {inline(state.specs[glass.step].title)}: "
        f"{inline(glass.reason, _LINE_CHARACTERS)}"
        for glass in state.crew.glasses
    ]
    if state.paused:
        lines.append(f"Paused: {what_holds(state)}, and no further step starts until somebody presses Resume.")
    if forecast and not state.over:
        lines.append(f"Forecast: {forecast}")
    if not state.over and state.status != "aborted":
        lines.append(f"Way back: {inline(way_back(state, now).text, _LINE_CHARACTERS)}{_turn_back(state, now)}")
    return lines


def _handing_over(state: State, now: datetime) -> str:
    asked = state.crew.handovers[-1] if state.crew.handovers else None
    open_ = asked is not None and asked.answer is None and now < asked.expires_at and not state.over
    return f", who asks {mention(asked.to)} to take over" if asked is not None and open_ else ""


def _environment(state: State) -> str:
    return f" · {inline(state.crew.environment)}" if state.crew.environment else ""


def _turn_back(state: State, now: datetime) -> str:
    moment = last_moment(state, now)
    if moment is None:
        return ""
    left_s = (moment - now).total_seconds()
    if left_s <= 0:
        return f" · the last safe moment to turn back passed {when(moment)}"
    # Whole minutes, so that the card is not edited every second.
    return f" · last safe moment to turn back: {when(moment)}, in {duration(left_s // 60 * 60 + 60)}"


def _paged(lines: Sequence[str], room: int) -> list[str]:
    """The lines as few paragraphs, each within Slack's limit; what no message could hold is counted."""
    pages: list[str] = []
    used = 0
    for number, line in enumerate(lines):
        one = cut(line, SECTION_CHARACTERS)
        if used + len(one) > room:
            return [*pages, f"… and {len(lines) - number} more steps; `/maint status` has them all."]
        used += len(one) + 1
        if pages and len(pages[-1]) + 1 + len(one) <= SECTION_CHARACTERS:
            pages[-1] += f"\n{one}"
        else:
            pages.append(one)
    return pages


def _wrong(state: State) -> list[str]:
    if state.unread:
        return [
            "A newer version of the bot has gone on with this. The one that runs now does not understand its log "
            f"({state.unread}), and begins nothing: what you see here may be old. Start the newer version again."
        ]
    return [] if state.over else [f"{state.specs[step].title} {seen}" for step, seen in state.wrong.items()]


def _problems(problems: Sequence[str]) -> list[Block]:
    shown = [inline(problem, _LINE_CHARACTERS) for problem in problems[:_MOST_PROBLEMS]]
    return [section("*Needs attention*\n" + "\n".join(f"✗ {problem}" for problem in shown))] if shown else []


def _whole(state: State, now: datetime) -> list[Block]:
    if state.status in {"completed", "cancelled", "aborted", "rolled_back"}:
        return []
    value = (state.id, "", "")
    sure = confirmation(
        "Abort this maintenance?",
        "No further step starts, and what has to be taken down is taken down. This is for good. You are asked for the "
        "reason next.",
        "Abort",
    )
    back = button("Roll back…", "rollback", value)
    can_go_back = state.status not in {"draft", "scheduled"} and not state.taking_down and rollback_of(state) is None
    flag = button("Resume", "resume", value, style="primary") if state.paused else button("Pause", "pause", value)
    more = [back] if can_go_back and way_back(state, now).possible else []
    return [actions([flag, *more, button("Abort…", "abort", value, style="danger", confirm=sure)])]


def _foot(state: State) -> Block:
    return context(f"After log entry #{state.seq} · runbook `{escape(state.runbook)}`")
