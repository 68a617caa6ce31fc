"""Do the texts that customers read say what they have to, and does what stands behind a gate wait for it?

The texts are filled in twice and compared.

A text says when it begins if it reads differently for a window that begins at another time; likewise the length, the
zone, the impact and the link. So it does not matter in which words, or by which filter, it says so.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.errors import BadInput
from bot.runbook_check import SampleOutcomes, needs_of, sample_of
from bot.runbook_file import Key, Problem, read_source
from bot.runbook_model import Runbook, RunbookStep
from bot.runbook_resolve import phase_of
from bot.step import REGISTRY, Window
from bot.templates import render, variables

_START = datetime(2026, 1, 5, 22, tzinfo=UTC)
_WINDOW = Window(_START, _START + timedelta(hours=2), "Pacific/Auckland")
_MISSING = {
    "start": "when it begins: {{ window.start | announced }}",
    "length": "how long it takes or when it ends: {{ window.duration | duration }}",
    "zone": "the zone of its times: {{ window.start | announced }} names it",
    "impact": "what people will notice: {{ impact }}",
    "link": "where to read more: {{ url }}",
}


def lint(runbook: Runbook) -> Iterator[tuple[Key, str]]:
    """Yield what each text for customers does not say of the window, by the field's path in the runbook.

    Looked at are announcements (before anything is in progress) and the notices of `on_change`. And which steps stand
    behind a gate and do not wait for it.
    """
    yield from _past_a_gate(runbook)
    yield from _opened_by_taking_back(runbook)
    phase = "scheduled"
    for number, step in enumerate(runbook.steps):
        phase = step.phase or phase_of(step, REGISTRY[step.uses], phase)
        if phase == "scheduled":
            yield from _step(runbook, step, ("steps", number), ())
    for number, step in enumerate(runbook.on_change):
        # What people will notice has been told; the notice is about the time.
        yield from _step(runbook, step, ("on_change", number), ("impact",))


def _past_a_gate(runbook: Runbook) -> Iterator[tuple[Key, str]]:
    """Whoever writes a step behind a gate means it to wait, and `needs:` may say otherwise without a word."""
    needs = needs_of(list(enumerate(runbook.steps)))
    gates: list[str] = []
    for number, step in enumerate(runbook.steps):
        cls = REGISTRY[step.uses]
        passed = [gate for gate in gates if gate not in _all_needs(step.id, needs)]
        if passed and not cls.gate:  # a gate only looks
            yield (
                ("steps", number),
                f"{step.id} stands behind {' and '.join(passed)}, which proves that the work is good, and does not "
                "wait for it: name it in `needs`, or write the step above it",
            )
        if cls.gate and not cls.ahead:
            gates.append(step.id)


def _opened_by_taking_back(runbook: Runbook) -> Iterator[tuple[Key, str]]:
    """Only whoever writes the runbook knows what a program does: what may have taken the app off has to say so."""
    gates = [number for number, step in enumerate(runbook.steps) if _proves(step)]
    for number, step in enumerate(runbook.steps):
        cls = REGISTRY[step.uses]
        undone = cls.can_undo(step.with_)
        if step.opens and not undone:
            yield (
                ("steps", number, "opens"),
                f"{step.id} cannot be taken back, so nothing is guarded: give it what takes it back (`undo_with`), or "
                "leave `opens` away",
            )
        if step.opens is None and cls.by_own_words and undone and gates and number < gates[-1]:
            yield (
                ("steps", number),
                f"{step.id} can be taken back before the gate is green: say `opens: true` if that lets users in "
                "(then a second person has to agree), else `opens: false`",
            )


def _proves(step: RunbookStep) -> bool:
    cls = REGISTRY[step.uses]
    return cls.gate and not cls.ahead


def _all_needs(step: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    left = [step]
    while left:
        new = set(needs.get(left.pop(), ())) - found
        found |= new
        left += new
    return found


def warnings(path: Path, runbook: Runbook) -> list[Problem]:
    """Return what `lint` finds in the runbook that was read from the file `path`, with line and column."""
    source = read_source(path)
    for key, text in lint(runbook):
        source.report(key, text)
    return source.problems


def _step(runbook: Runbook, step: RunbookStep, key: Key, told: tuple[str, ...]) -> Iterator[tuple[Key, str]]:
    for field, needs in REGISTRY[step.uses].tells.items():
        text = step.with_.get(field)
        if not isinstance(text, str):
            continue  # the step's own text, or none at all
        lacking = [each for each in needs if each not in told and not _says(runbook, text, each)]
        if lacking:
            yield (*key, "with", field), f"customers read this, and it does not say {_listed(lacking)}"


def _listed(lacking: list[str]) -> str:
    return "; nor ".join(_MISSING[each] for each in lacking)


def _says(runbook: Runbook, text: str, what: str) -> bool:
    try:
        usual, other = _filled(runbook, text, ""), _filled(runbook, text, what)
    except BadInput:
        return True  # reported as a template that cannot be filled in
    return usual != other or (what == "zone" and "UTC" in usual) or (what == "link" and "://" in usual)


def _filled(runbook: Runbook, text: str, other: str) -> Any:
    """The text for a sample window; what `other` names is different from usual."""
    start = _START + timedelta(days=1) * (other == "start")
    length = timedelta(hours=3 if other == "length" else 2)
    zone = "Asia/Kolkata" if other == "zone" else _WINDOW.zone
    link = "https://example.com/" + other * (other == "link")
    params: Mapping[str, Any] = {name: sample_of(param) for name, param in runbook.params.items()}
    names = variables(
        maintenance="2026-01-05-sample",
        title="sample",
        window=Window(start, start + length, zone),
        params={**params, "url": link},
        outcomes=SampleOutcomes([step.id for step in runbook.steps]),
        impact="other" if other == "impact" else "usual",
    )
    return render(text, {**names, "change": {"what": "moved", "reason": "sample"}})
