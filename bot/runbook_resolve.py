"""Makes a maintenance of a runbook: parameters read, defaults taken from the step types, titles filled in. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from bot.crew import people_of, roles_with
from bot.errors import BadInput
from bot.runbook_check import SampleOutcomes, needs_of, with_problems
from bot.runbook_model import Runbook, RunbookStep, StepApproval, due_of
from bot.step import REGISTRY, Step, Window
from bot.suggest import did_you_mean
from bot.templates import holds, render, variables, without_window


class ParamErrors(BadInput):
    """Parameters are missing or wrong. `problems` says what, by parameter, so that a modal can show it at the field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"`{name}`: {text}" for name, text in self.problems.items()]
        super().__init__("\n".join(lines), field=next(iter(self.problems)))


def check_params(runbook: Runbook, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of all parameters, read as their types, and what is wrong, by parameter.

    `given` has texts as people typed them; an empty one counts as not given. `url` is a parameter of every runbook.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in given:
        if name not in runbook.params and name != "url":
            problems[name] = f"is no parameter of this runbook{did_you_mean(name, [*runbook.params, 'url'])}"
    for name, param in runbook.params.items():
        said = given.get(name)
        try:
            if said not in (None, ""):
                values[name] = param.read(said)
            elif param.needed:
                problems[name] = f"has to be given. {param.help}".strip()
            else:
                values[name] = "" if param.default is None else param.read(param.default)
        except BadInput as error:
            problems[name] = str(error)
    if given.get("url"):
        values["url"] = str(given["url"])
    return values, problems


def resolve(
    runbook: Runbook,
    *,
    params: Mapping[str, Any],
    window: Window,
    requester: str,
    channel: str,
    approvers: Sequence[str],
    title: str | None = None,
    levels: Mapping[str, str] = MappingProxyType({}),
    roles: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    environments: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the payload of the `created` entry of a maintenance made from `runbook`, as `bot.state` reads it.

    `params` are as people typed them; `approvers` (ids) are those where the runbook names none; `title` replaces the
    runbook's; `levels` of conflicts (by kind) are those where the runbook names none; `roles` (ids by role) likewise;
    `environments` says how many people approve at least, by environment. Raises `ParamErrors`, or `BadInput` if nobody
    could approve or a step refuses what it would be given.
    """
    values, problems = check_params(runbook, params)
    if problems:
        raise ParamErrors(problems)
    # The id is only taken when the entry is written; what is stored below does not depend on it.
    maintenance = maintenance_id(runbook.name, window.start, window.zone, ())
    names = variables(maintenance=maintenance, title=title or "", window=window, params=values, outcomes={})
    if not values.get("url"):
        values["url"] = str(render(runbook.url, names))
    title = title or str(render(runbook.title, names))
    impact = str(render(runbook.impact, without_window(names)))
    runbook, needs, phases = _chosen(runbook, values)
    names = variables(
        maintenance=maintenance,
        title=title,
        window=window,
        params=values,
        outcomes=SampleOutcomes(list(needs)),
        impact=impact,
    )
    _check_with(runbook, names)
    named = roles_with({**({"approver": tuple(approvers)} if approvers else {}), **roles}, runbook.roles)
    people = environments.get(runbook.environment, 1)
    steps = _Steps(runbook, requester, named, people, names)
    return {
        "title": title,
        "runbook": runbook.name,
        "impact": impact,
        "public": runbook.public,
        "radar": _radar(runbook, levels),
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat(), "zone": window.zone},
        "channel": channel,
        "params": values,
        "steps": steps.all(needs, phases),
        "on_change": steps.on_change(),
        "approvers": list(steps.approvers),
        "roles": {name: list(who) for name, who in named.items()},
        "rights": {verb: list(people_of(who, named)) for verb, who in runbook.rights.items()},
        **({"environment": {"name": runbook.environment, "people": people}} if runbook.environment else {}),
    }


def is_left_out(step: RunbookStep, params: Mapping[str, Any]) -> bool:
    """Return whether the step's `if` leaves it out with these parameters. Raises `BadInput` if that cannot be told."""
    return not holds(step.if_, {"params": params})


def _chosen(runbook: Runbook, params: Mapping[str, Any]) -> tuple[Runbook, dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the runbook with the steps that these parameters choose, what each of them needs, and its phase.

    Phases are told of the whole runbook: what comes after a step that is left out does not begin earlier for it.
    """
    phases: dict[str, str] = {}
    phase = "scheduled"
    for step in runbook.steps:
        phase = phases[step.id] = step.phase or phase_of(step, REGISTRY[step.uses], phase)
    left_out = {step.id for step in (*runbook.steps, *runbook.on_change) if is_left_out(step, params)}
    needs = needs_of(list(enumerate(runbook.steps)))
    kept = {step.id: needs_without(step.id, needs, left_out) for step in runbook.steps if step.id not in left_out}
    chosen = {
        part: tuple(step for step in getattr(runbook, part) if step.id not in left_out)
        for part in ("steps", "on_change")
    }
    return runbook.model_copy(update=chosen), kept, phases


def needs_without(step: str, needs: Mapping[str, tuple[str, ...]], left_out: Collection[str]) -> tuple[str, ...]:
    """Return what `step` needs, in place of each step that is left out what that one needs."""
    found: dict[str, None] = {}
    for need in needs[step]:
        found.update(dict.fromkeys(needs_without(need, needs, left_out) if need in left_out else (need,)))
    return tuple(found)


def _radar(runbook: Runbook, levels: Mapping[str, str]) -> dict[str, Any]:
    lengths = {"notice_s": runbook.window.notice, "margin_s": runbook.window.margin}
    return {
        "levels": {**levels, **runbook.policy.conflicts},
        **{name: length.total_seconds() for name, length in lengths.items() if length is not None},
    }


def _check_with(runbook: Runbook, names: Mapping[str, Any]) -> None:
    found = [
        f"{step.id}: {'.'.join(map(str, key))}: {text}"
        for step in runbook.steps
        for key, text in with_problems(REGISTRY[step.uses], step.with_, names)
    ]
    if found:
        raise BadInput("With these values the steps could not be done:\n" + "\n".join(found))


class _Steps:
    """The steps of a runbook as a `created` entry stores them."""

    def __init__(
        self,
        runbook: Runbook,
        requester: str,
        roles: Mapping[str, tuple[str, ...]],
        people: int,
        names: Mapping[str, Any],
    ) -> None:
        self._runbook = runbook
        self._requester = requester
        self._roles = roles
        self._people = people
        self._names = names

    def all(self, needs: Mapping[str, Sequence[str]], phases: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            {**self._raw(step, REGISTRY[step.uses]), "needs": list(needs[step.id]), "phase": phases[step.id]}
            for step in self._runbook.steps
        ]

    def on_change(self) -> list[dict[str, Any]]:
        """The steps that tell of a change; that change's approval is theirs too."""
        return [
            {**self._raw(step, REGISTRY[step.uses]), "needs": [], "phase": "scheduled", "approval": None}
            for step in self._runbook.on_change
        ]

    def _raw(self, step: RunbookStep, cls: type[Step]) -> dict[str, Any]:
        retry = step.retry
        wait = retry.wait if retry else None
        longest = retry.longest_wait if retry else None
        return {
            "id": step.id,
            "uses": step.uses,
            "with": dict(step.with_),
            "title": str(render(step.title or step.id, self._names)),
            "approval": self._approval(step, cls),
            **self._approved_with(step),
            "estimate_s": step.estimate.total_seconds() if step.estimate else cls.estimate_s,
            "timeout_s": step.timeout.total_seconds() if step.timeout else cls.timeout_s,
            "retry": {
                "attempts": (retry and retry.attempts) or cls.retry.attempts,
                "wait_s": wait.total_seconds() if wait else cls.retry.wait_s,
                "longest_wait_s": longest.total_seconds() if longest else cls.retry.longest_wait_s,
            },
            "on_failure": step.on_failure or cls.on_failure,
            "due": list(due_of(step.when)) if step.when else None,
            "gate": cls.gate,
            "by_hand": cls.by_hand,
            "reversible": cls.can_undo(step.with_),
            "pausable": cls.pausable,
            "try_on": cls.try_on_words,
            "surface": cls.surface,
            "opens": cls.opens if step.opens is None else step.opens,
            "ahead": cls.ahead,
            "point_of_no_return": (
                cls.point_of_no_return if step.point_of_no_return is None else step.point_of_no_return
            ),
        }

    def _approved_with(self, step: RunbookStep) -> dict[str, str]:
        """The announcement that a notice is approved with; where that is left out, the notice asks for itself."""
        with_ = step.approval.with_ if step.approval is not None else None
        return {"approved_with": with_} if with_ and with_ in {each.id for each in self._runbook.steps} else {}

    def _approval(self, step: RunbookStep, cls: type[Step]) -> dict[str, Any] | None:
        asked = step.approval
        if "approval" not in step.model_fields_set and cls.asks(step.with_):
            asked = StepApproval()
        if asked is None:
            return None
        policy = self._runbook.policy
        by = people_of(asked.by, self._roles)
        approvers = list(dict.fromkeys([*asked.from_, *by]) or self.approvers)
        count = max(asked.count or policy.count, self._people)
        self._must_be_possible(step.id, approvers, count)
        return {
            "count": count,
            "approvers": approvers,
            "expires_s": (asked.expires or policy.expires).total_seconds(),
            "requester_may": policy.requester_may_approve,
            "escalate_to": list(asked.escalate_to or policy.escalate_to),
        }

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approves where a step does not say: ids of people and user groups."""
        return tuple(self._runbook.policy.approvers or self._roles.get("approver", ()))

    def _must_be_possible(self, step: str, approvers: Sequence[str], count: int) -> None:
        """A group may have enough people in it; a list of people can be counted."""
        if not approvers:
            raise BadInput(
                f"{step} needs an approval, and nobody may give it: name people or groups in MAINT_APPROVERS or in "
                f"`policy: approvers:` of {self._runbook.name}."
            )
        people = set(approvers) - (set() if self._runbook.policy.requester_may_approve else {self._requester})
        if len(people) < count and not any(each.startswith("S") for each in approvers):
            raise BadInput(
                f"{step} has to be approved by {count}, and only {len(people)} may, since whoever asks may not approve "
                "their own. Name more approvers, or let somebody else start it."
            )


def phase_of(step: RunbookStep, cls: type[Step], before: str) -> str:
    """Return the state that a maintenance is in from `step` on, where the runbook does not say.

    A gate verifies; what is due in the window is in progress; all else goes on in the state it finds, `before`.
    """
    if cls.gate and not cls.ahead:
        return "verifying"
    if step.when is not None and before == "scheduled":
        anchor, offset_s = due_of(step.when)
        if anchor == "end" or offset_s >= 0:
            return "in_progress"
    return before


def maintenance_id(name: str, start: datetime, zone: str, taken: Collection[str]) -> str:
    """Return an id such as `2026-11-25-postgres-upgrade`: the day of `start` in `zone`, with `-2` where it is taken."""
    plain = f"{start.astimezone(ZoneInfo(zone)):%Y-%m-%d}-{name}"
    number = 1
    made = plain
    while made in taken:
        number += 1
        made = f"{plain}-{number}"
    return made
