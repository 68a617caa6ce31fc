"""Generated parts about runbooks: their keys, their templates, and the step types."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from bot.durations import duration_words
from bot.runbook_model import Param, Policy, Recur, Runbook, RunbookStep, StepApproval, StepRetry, WindowDefaults
from bot.step import Step, Window
from bot.templates import render, variables
from docs.generate import shipped
from docs.generate.tables import doc, fields, models_in, table

_MODELS: dict[str, type[BaseModel]] = {
    "The runbook itself": Runbook,
    "Param: each of `params`": Param,
    "WindowDefaults: under `window`": WindowDefaults,
    "Recur: under `recur`": Recur,
    "Policy: under `policy`": Policy,
    "RunbookStep: each of `steps`": RunbookStep,
    "StepApproval: under `approval` of a step": StepApproval,
    "StepRetry: under `retry` of a step": StepRetry,
}
_EXAMPLES = (
    "{{ title }}",
    "{{ maintenance }}",
    "{{ url }}",
    "{{ impact }}",
    "{{ params.from }}",
    "{{ params['from'] }}",
    "{{ outcomes['upgrade'].to }}",
    "{{ outcomes.upgrade.to }}",
    "{{ window.start }}",
    "{{ window.end }}",
    "{{ window.zone }}",
    "{{ window.duration }}",
    "{{ window.duration | duration }}",
    "{{ window.start | announced }}",
    "{{ window.start | local }}",
    "{{ window.start | local('Europe/Berlin') }}",
    "{{ window.start | utc }}",
    "{{ window.start | day }}",
    "{{ window.start | day('%d %B') }}",
    "{{ params.missing_ok or 'a default' }}",
)


def runbook_keys() -> str:
    """Every key of a runbook, by the part that it stands in."""
    return "\n\n".join(f"### {title}\n\n{doc(model)}\n\n{fields(model)}" for title, model in _MODELS.items())


def templates() -> str:
    """What templates give, for a sample maintenance."""
    start = datetime(2026, 12, 1, 4, tzinfo=UTC)
    names = variables(
        maintenance="2026-12-01-postgres-upgrade",
        title="Postgres 14 to 18",
        window=Window(start, start + timedelta(hours=2), "Pacific/Auckland"),
        params={"from": "14", "url": "https://example.com/maintenance/", "missing_ok": ""},
        outcomes={"upgrade": {"to": 18}},
        impact="The shop cannot be used.",
    )
    return table(("template", "gives"), [(f"`{text}`", str(render(text, names))) for text in _EXAMPLES])


def step_list() -> str:
    """All step types in one table."""
    rows = [
        (
            f"[`{uses}`](#{_anchor(uses)})",
            doc(cls).split("\n\n")[0],
            "gate" if cls.gate else "by hand" if cls.by_hand else "",
        )
        for uses, cls in shipped.steps().items()
    ]
    return table(("`uses:`", "what it does", ""), rows)


def steps() -> str:
    """Each step type: what it does, how it behaves, its keys under `with:`."""
    return "\n\n".join(_step(uses, cls) for uses, cls in shipped.steps().items())


def _anchor(uses: str) -> str:
    return uses.replace(".", "").lower()


def _step(uses: str, cls: type[Step]) -> str:
    parts = [f"## `{uses}`", doc(cls), _behaviour(cls)]
    parts.append(fields(cls) if cls.model_fields else "It has no keys under `with:`.")
    parts += [f"*{model.__name__}*: {doc(model)}\n\n{fields(model)}" for model in models_in(cls)]
    return "\n\n".join(parts)


def _behaviour(cls: type[Step]) -> str:
    retry = cls.retry
    again = (
        f"A failure that may pass is tried again: {retry.attempts} attempts in all, {_span(retry.wait_s)} before the "
        f"second, then twice as long each time, at most {_span(retry.longest_wait_s)}."
    )
    lines = [
        f"Estimate {_span(cls.estimate_s)}; called overdue after {_span(cls.timeout_s)}.",
        "Done by a person, so nothing is tried again by itself." if cls.by_hand else again,
        f"Where the runbook does not say, approval is {'asked for' if cls.approval else 'not asked for'}.",
        _undo(cls),
    ]
    if cls.gate:
        lines.append("A gate: it only looks, cannot be skipped, and nothing that needs it starts before it is green.")
    if cls.settings:
        lines.append(f"Settings: {', '.join(f'`{setting.name}`' for setting in cls.settings)}.")
    return "\n".join(f"- {line}" for line in lines)


def _undo(cls: type[Step]) -> str:
    if not cls.reversible:
        return "It cannot be undone by the bot."
    return f"It can be undone. Where the runbook does not say, an abort means `{cls.on_failure}`."


def _span(seconds: float) -> str:
    return duration_words(timedelta(seconds=seconds))
