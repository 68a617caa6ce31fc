"""Makes a rehearsal of a runbook: its steps that can work on a copy, and nothing else of it. Pure.

They are the same step classes with the same keys, except those that say where the database is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from bot.conflict_kinds import KINDS
from bot.errors import BadInput
from bot.runbook_check import named_params, needs_of, sample_names, with_problems
from bot.runbook_file import Source
from bot.runbook_model import RehearsalKeys, Runbook, RunbookStep, WindowDefaults
from bot.runbook_resolve import needs_without
from bot.step import REGISTRY, canonical

COPY, END = "rehearsal-copy", "rehearsal-end"
LONGEST = timedelta(hours=24)
"""The window of a rehearsal: nobody waits for its end, so nobody is asked about an overrun."""
NO_CONFLICTS = MappingProxyType(dict.fromkeys(KINDS, "off"))


@dataclass(frozen=True)
class Rehearsal:
    """The rehearsal of a runbook, as a runbook; `same` names by each of its steps the steps that do just that."""

    runbook: Runbook
    same: Mapping[str, tuple[str, ...]]


def rehearsal_of(runbook: Runbook) -> Rehearsal:
    """Return the rehearsal of `runbook`. Raises `BadInput` if it has none, or no step of it can work on a copy."""
    keys = runbook.rehearsal
    if keys is None:
        raise BadInput(
            f"{runbook.name} does not say how it is rehearsed: `rehearsal:` in the runbook names the step that makes a "
            "copy, such as postgres.clone."
        )
    changed = {step.id: with_ for step in runbook.steps if (with_ := _on_copy(step, keys)) is not None}
    if not changed:
        raise BadInput(f"{runbook.name} has no step that can work on a copy made by {keys.uses}.")
    same: dict[str, list[str]] = {}
    for step in runbook.steps:
        if step.id in changed:
            first = next((each for each in same if _alike(runbook, each, step.id, changed)), step.id)
            same.setdefault(first, []).append(step.id)
    left_out = {step.id for step in runbook.steps} - set(same)
    needs = needs_of(list(enumerate(runbook.steps)))
    steps = [
        _rehearsed(step, changed[step.id], needs_without(step.id, needs, left_out) or (COPY,))
        for step in runbook.steps
        if step.id in same
    ]
    ending = RunbookStep.model_validate(
        {
            "id": END,
            "title": "Remove the copy",
            "uses": REGISTRY[keys.uses].removed_by,
            "with": {"of": COPY},
            "needs": list(same),
            "approval": False,
        }
    )
    update = {
        "name": f"rehearse-{runbook.name}"[:63],
        "title": f"Rehearsal of {runbook.title}",
        "steps": (_copy_step(keys), *steps, ending),
        "on_change": (),
        "window": WindowDefaults(duration=LONGEST),
        "url": "",
        "impact": "",
        "public": False,
        "rehearsal": None,
    }
    return Rehearsal(runbook.model_copy(update=update), {step: tuple(ids) for step, ids in same.items()})


def about(runbook: Runbook, rehearsal: Rehearsal, resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the `created` entry of a rehearsal says of what it rehearses: `rehearses`, as `bot.rehearsed` reads.

    `resolved` is the payload of the `created` entry of the maintenance itself, with the same parameters.
    """
    there = {step["id"] for step in resolved["steps"]}
    said = json.dumps([dict(step.with_) for step in rehearsal.runbook.steps], default=str)
    return {
        "runbook": runbook.name,
        "params": {name: resolved["params"][name] for name in runbook.params if name in named_params(said)},
        "same": {step: [each for each in ids if each in there] for step, ids in rehearsal.same.items()},
        "path": [
            {name: step[name] for name in ("id", "needs", "estimate_s")}
            for step in resolved["steps"]
            if step["phase"] != "scheduled" and "until" not in step["with"]
        ],
    }


def rehearsable(runbook: Runbook) -> list[str]:
    """Return the ids of the steps that a rehearsal does too; none where the runbook has no rehearsal."""
    if runbook.rehearsal is None:
        return []
    return [step for ids in rehearsal_of(runbook).same.values() for step in ids]


def check_rehearsal(source: Source, runbook: Runbook) -> None:
    """Report what is wrong with the key `rehearsal` of a runbook that is right otherwise."""
    keys = runbook.rehearsal
    if keys is None:
        return
    cls = REGISTRY.get(keys.uses)
    if cls is None or not cls.removed_by:
        known = ", ".join(name for name, each in REGISTRY.items() if each.removed_by)
        source.report(("rehearsal", "uses"), f"expected a step type that makes a copy ({known}), found {keys.uses!r}")
        return
    unsure = frozenset(name for name, param in runbook.params.items() if param.default is None)
    for field, text in with_problems(cls, keys.with_, sample_names(runbook.params, {}), unsure):
        source.report(("rehearsal", "with", *field), text)
    try:
        rehearsal_of(runbook)
    except BadInput as error:
        source.report(("rehearsal",), str(error))


def _on_copy(step: RunbookStep, keys: RehearsalKeys) -> Mapping[str, Any] | None:
    return REGISTRY[step.uses].on_copy(step.with_, COPY, keys.with_)


def _alike(runbook: Runbook, one: str, other: str, changed: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether two steps do the very same on a copy: doing it once is enough."""
    steps = {step.id: step for step in runbook.steps}
    return (steps[one].uses, steps[one].if_) == (steps[other].uses, steps[other].if_) and canonical(
        dict(changed[one])
    ) == canonical(dict(changed[other]))


def _copy_step(keys: RehearsalKeys) -> RunbookStep:
    said: dict[str, Any] = {
        "id": COPY,
        "title": "Make a copy of the database",
        "uses": keys.uses,
        "with": dict(keys.with_),
        "needs": [],
        "phase": "in_progress",
    }
    step = RunbookStep.model_validate(said)
    return step if "approval" not in keys.model_fields_set else _with(step, approval=keys.approval)


def _rehearsed(step: RunbookStep, with_: Mapping[str, Any], needs: tuple[str, ...]) -> RunbookStep:
    """The step as it is rehearsed: at once, without asking, and with nothing that would be left behind."""
    return _with(
        step,
        with_=with_,
        needs=needs,
        approval=None,
        when=None,
        on_failure="keep",
        point_of_no_return=False,
        phase=None,
    )


def _with(step: RunbookStep, **changes: Any) -> RunbookStep:
    return step.model_copy(update=changes)
