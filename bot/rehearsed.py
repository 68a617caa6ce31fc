"""What came of a rehearsal: the measured times, the window that they ask for, findings and gate. Pure.

The window is the longest way through the steps of the window, with measured times where there are, and the runbook's
estimates elsewhere, and a margin of a quarter, at least 15 minutes, rounded up to five minutes. Where the copy was not
of the live database's size, measured times are scaled by the bytes of the two.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from bot.entry import instant
from bot.markup import cut, duration
from bot.state import State
from bot.step_spec import StepSpec

_MARGIN, _LEAST_MARGIN_S, _ROUND_S = 0.25, 900.0, 300.0
_WHY_CHARACTERS = 300
_KILO, _UNITS = 1024.0, ("bytes", "kB", "MB", "GB")


def result_of(state: State) -> dict[str, Any] | None:
    """Return the payload of an `estimated` entry with what the rehearsal `state` has shown.

    None while it goes on, where it was stopped before it showed anything, and for what is no rehearsal.
    """
    if state.rehearses is None:
        return None
    same: Mapping[str, Sequence[str]] = state.rehearses["same"]
    steps = [state.specs[step] for step in same if step in state.specs]
    failed = next((spec for spec in steps if _has_failed(state, spec)), None)
    done = [spec for spec in steps if state.steps[spec.id].status == "succeeded"]
    if failed is None and len(done) < len(steps):
        return None
    copy: Mapping[str, Any] = next(
        (step.outcome["copy"] for step in state.steps.values() if "copy" in step.outcome), {}
    )
    size_bytes, live_bytes = float(copy.get("bytes") or 0), float(copy.get("live_bytes") or 0)
    scale = live_bytes / size_bytes if size_bytes and live_bytes else 1.0
    measured = {spec.id: _took_s(state, spec) for spec in done}
    takes_s = {step: round(took_s * scale, 1) for one, took_s in measured.items() for step in same[one]}
    at = max(ended for spec in (*done, *filter(None, (failed,))) if (ended := state.steps[spec.id].ended_at))
    work = [{"id": spec.id, "needs": spec.needs, "estimate_s": 0.0} for spec in steps if not spec.ahead]
    told: dict[str, Any] = {
        "id": state.id,
        "at": at.isoformat(),
        "green": failed is None,
        "why": "" if failed is None else cut(f"{failed.title}: {state.steps[failed.id].error}", _WHY_CHARACTERS),
        "took_s": round(_longest_s(work, measured), 1),
        "bytes": size_bytes,
        "live_bytes": live_bytes,
        "findings": _findings(state, done),
        "gates": [spec.title for spec in done if spec.gate and not spec.ahead],
        "window_s": window_s(state.rehearses["path"], takes_s) if failed is None else None,
    }
    told["source"] = source_of(told, state.window.zone)
    return {"source": "rehearsal", "takes_s": takes_s, "rehearsal": told}


def window_s(path: Sequence[Mapping[str, Any]], takes_s: Mapping[str, float]) -> float:
    """Return the length in seconds that a window should have (the rule is above).

    `path` are the steps of the window: `id`, `needs`, and the runbook's `estimate_s`.
    """
    longest_s = _longest_s(path, takes_s)
    return ceil((longest_s + max(longest_s * _MARGIN, _LEAST_MARGIN_S)) / _ROUND_S) * _ROUND_S


def rehearsal_line(state: State) -> str:
    """Return for people (plain text) how `state` was rehearsed, or that it was not; "" where it cannot be."""
    if not state.rehearsable:
        return ""
    if not state.rehearsed:
        return "⚠ Not rehearsed: the times are not measured; /maint rehearse does that, on a copy."
    return line_of(state.rehearsed, state.window.zone)


def line_of(told: Mapping[str, Any], zone: str) -> str:
    """Return what came of a rehearsal (`rehearsal` in `result_of`) as one line of plain text."""
    on = f"Rehearsed on {day(told, zone)}"
    if not told["green"]:
        return f"✗ {on}, and it FAILED. {told['why']}"
    findings = len(told["findings"])
    gate = ", gate green" if told["gates"] else ", without a gate"
    return f"✓ {on}: {duration(told['took_s'])}{gate}, {findings} finding{'' if findings == 1 else 's'}"


def lines_of(told: Mapping[str, Any]) -> list[str]:
    """Return what else there is to say of it: size, window, findings."""
    lines = []
    if told["bytes"]:
        scaled = round(told["live_bytes"] / told["bytes"], 2)
        same = (
            ""
            if scaled == 1
            else f"; the live database has {size(told['live_bytes'])}, so times are scaled by {scaled:g}"
        )
        lines.append(f"The copy had {size(told['bytes'])}{same}.")
    return [*lines, *filter(None, [window_line(told)]), *(f"Finding: {finding}" for finding in told["findings"])]


def window_line(told: Mapping[str, Any]) -> str:
    """Return which window it asks for, and by which rule; "" where it failed, or there was none."""
    if not told or not told["window_s"]:
        return ""
    long = duration(told["window_s"])
    return f"A window of {long} should do: the longest way through its steps, and a quarter more, at least 15 min."


def source_of(told: Mapping[str, Any], zone: str) -> str:
    """Return what an estimate from it names as its source, such as `the rehearsal of Tue 24 Nov, 412 GB in 38 min`."""
    of = f"{size(told['bytes'])} in " if told["bytes"] else ""
    return f"the rehearsal of {day(told, zone)}, {of}{duration(told['took_s'])}"


def day(told: Mapping[str, Any], zone: str) -> str:
    """Return the day on which it ended, on the clocks of `zone`: `Tue 24 Nov`."""
    at: datetime = instant(told["at"]).astimezone(ZoneInfo(zone))
    return f"{at:%a} {at.day} {at:%b}"


def size(size_bytes: float) -> str:
    """Return a size as PostgreSQL counts it: `412 GB`, `1.4 TB`."""
    for unit in _UNITS:
        if size_bytes < _KILO:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= _KILO
    return f"{size_bytes:.1f} TB"


def _has_failed(state: State, spec: StepSpec) -> bool:
    """Whether it failed by itself, not because somebody stopped the rehearsal."""
    step = state.steps[spec.id]
    if step.status not in {"failed", "unknown", "skipped"} or step.ended_at is None or step.retry_at is not None:
        return False
    if state.cancelled_because is not None or state.rolled_back_because is not None:
        return False
    return state.aborted_because is None or (state.ended_at is not None and step.ended_at < state.ended_at)


def _took_s(state: State, spec: StepSpec) -> float:
    step = state.steps[spec.id]
    return (step.ended_at - step.attempt_at).total_seconds() if step.ended_at and step.attempt_at else 0.0


def _longest_s(path: Sequence[Mapping[str, Any]], takes_s: Mapping[str, float]) -> float:
    """The longest way through the steps, each with what it takes, or its estimate where that is not known."""
    ends: dict[str, float] = {}
    steps = {step["id"]: step for step in path}

    def end_s(name: str) -> float:
        if name not in ends:
            ends[name] = 0.0
            begins = max([0.0, *(end_s(need) for need in steps[name]["needs"] if need in steps)])
            ends[name] = begins + takes_s.get(name, float(steps[name]["estimate_s"]))
        return ends[name]

    return max([0.0, *(end_s(name) for name in steps)])


def _findings(state: State, done: Sequence[StepSpec]) -> list[str]:
    """What the looks ahead have found and people should decide about; a mere note is none."""
    found = (each for spec in done for each in state.steps[spec.id].outcome.get("findings", ()))
    return [f"{each['what']}. {each['mend']}" for each in found if each["severity"] != "note"]
