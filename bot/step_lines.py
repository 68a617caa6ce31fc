"""The steps of a maintenance as lines of the run card: full while there is room, condensed where there is not. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.estimate_words import estimate_words
from bot.estimates import RUNBOOK, Estimate
from bot.markup import duration, inline, mention, outcome, when
from bot.progress_text import progress_line
from bot.state import State, StepState
from bot.step_spec import StepSpec, due_at

MARKS = {
    "pending": "○",
    "waiting": "◔",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "skipped": "⤼",
    "unknown": "?",
    "undone": "↩",
}
_SETTLED = frozenset({"succeeded", "skipped", "undone"})
_DETAIL_CHARACTERS = 160
_MOST_NAMED = 4

Line = tuple[str, str]
"""(status, text)"""


def step_lines(
    state: State,
    progress: Mapping[str, Mapping[str, Any]],
    now: datetime,
    room: int,
    estimates: Mapping[str, Estimate] | None = None,
) -> list[str]:
    """Return the lines, at most `room` characters in all where that is possible.

    Too long a list loses, in this order: details of settled steps, settled steps in the middle, pending steps at the
    end. What runs, waits, failed or is unknown always stands in full.
    """
    known = estimates or {}
    full = [_line(state, spec, progress.get(spec.id), now, known.get(spec.id)) for spec in state.specs.values()]
    if _length(full) <= room:
        return [text for _, text in full]
    brief = [
        (status, _brief(spec, state.steps[spec.id]) if status in _SETTLED else text)
        for (status, text), spec in zip(full, state.specs.values(), strict=True)
    ]
    if _length(brief) <= room:
        return [text for _, text in brief]
    names = [spec.id for spec in state.specs.values()]
    return _condensed(brief, names)


def _length(lines: Sequence[Line]) -> int:
    return sum(len(text) + 1 for _, text in lines)


def _condensed(lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """Runs of more than three settled steps, and of pending ones, become one line each."""
    out: list[str] = []
    start = 0
    while start < len(lines):
        group = _group(lines[start][0])
        end = start
        while end < len(lines) and _group(lines[end][0]) == group:
            end += 1
        run = [text for _, text in lines[start:end]]
        if group == "" or len(run) < _MOST_NAMED:
            out += run
        else:
            mark = "✓" if group == "settled" else "○"
            word = "are settled" if group == "settled" else "are to come"
            out.append(f"{mark} {len(run)} steps {word}: `{names[start]}` to `{names[end - 1]}`")
        start = end
    return out


def _group(status: str) -> str:
    return "settled" if status in _SETTLED else "pending" if status == "pending" else ""


def _brief(spec: StepSpec, step: StepState) -> str:
    return f"{MARKS[step.status]} {inline(spec.title, _DETAIL_CHARACTERS)}{_took(step)}"


def _line(
    state: State, spec: StepSpec, progress: Mapping[str, Any] | None, now: datetime, estimate: Estimate | None
) -> Line:
    step = state.steps[spec.id]
    base = f"{MARKS[step.status]} *{inline(spec.title, _DETAIL_CHARACTERS)}*"
    if step.status in {"pending", "waiting"}:
        return step.status, f"{base} · {_to_come(state, spec, estimate)}"
    if step.status == "running":
        return step.status, base + _running(state, spec, step, progress, now)
    if step.status in {"failed", "unknown"}:
        error = inline(step.error or "", _DETAIL_CHARACTERS)
        return step.status, f"{base}{_took(step)} · {error}"
    if step.overridden_by:
        return (
            "failed",
            f"✗ *{inline(spec.title, _DETAIL_CHARACTERS)}* · {inline(step.error or '', _DETAIL_CHARACTERS)}",
        )
    if step.status == "skipped":
        return step.status, f"{base} · skipped: {inline(step.error or '', _DETAIL_CHARACTERS)}"
    summary = outcome(step.summary or "", _DETAIL_CHARACTERS)
    return step.status, f"{base}{_took(step)}" + (f" · {summary}" if summary else "")


def _took(step: StepState) -> str:
    if step.attempt_at is None or step.ended_at is None:
        return ""
    took_s = (step.ended_at - step.attempt_at).total_seconds()
    told = [duration(took_s)] if took_s >= 1 else []
    told += [f"attempt {step.attempt}"] if step.attempt > 1 else []
    return f" · {', '.join(told)}" if told else ""


def _to_come(state: State, spec: StepSpec, known: Estimate | None) -> str:
    due = due_at(spec, state.window)
    estimate = "by hand" if spec.by_hand else _alongside(spec) or _about(spec, known)
    return estimate + (f" · not before {when(due)}" if due is not None else "")


def _about(spec: StepSpec, known: Estimate | None) -> str:
    """The estimate: a range and where it is from, once more is known than what the runbook says."""
    if known is None or known.source == RUNBOOK:
        return f"about {duration(spec.estimate_s)}"
    return f"{estimate_words(known)} ({known.source})"


def _alongside(spec: StepSpec) -> str:
    return f"until `{inline(spec.until)}` is done" if spec.until else ""


def _running(state: State, spec: StepSpec, step: StepState, progress: Mapping[str, Any] | None, now: datetime) -> str:
    if spec.by_hand:
        return " · to be done by hand"
    # Whole minutes, so that a card without news is not edited every second.
    elapsed_s = (now - step.attempt_at).total_seconds() // 60 * 60 if step.attempt_at else 0
    so_far = (
        f"{duration(elapsed_s)} so far" if spec.until else f"{duration(elapsed_s)} of about {duration(spec.estimate_s)}"
    )
    since = ", ".join(filter(None, [so_far if elapsed_s else "just started", _alongside(spec)]))
    tries = f", attempt {step.attempt}" if step.attempt > 1 else ""
    late = " · *longer than its time-out*" if step.overdue else ""
    line = progress_line(progress, step.attempt_at) if progress else ""
    if line and progress and progress.get("held") and state.paused:
        line = f"❙❙ paused by {mention(state.paused_by or '')} · {line}"
    return f" · {since}{tries}{late}" + (f"\n      {line}" if line else "")
