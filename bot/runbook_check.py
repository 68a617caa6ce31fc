"""What a runbook's keys must agree on: ids, needs, step types and their keys, templates. Every problem is reported."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import BadInput
from bot.runbook_file import Key, Source
from bot.runbook_model import Param, RunbookStep, due_of
from bot.step import REGISTRY, Step, Window
from bot.suggest import did_you_mean
from bot.templates import holds, render, variables, without_window

Numbered = Sequence[tuple[int, RunbookStep]]
"""Steps with their place in the file; those that could not be read at all are missing."""

_SAMPLE_ID = "2026-01-05-sample"
_SAMPLE_START = datetime(2026, 1, 5, 22, tzinfo=UTC)
_EXPECTED = {
    "string_type": "expected a text",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "mapping_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
}
_SAMPLES: dict[str, Any] = {
    "text": "sample",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "list": ["sample"],
    "records": [],
}


def check_texts(source: Source, params: Mapping[str, Param], data: Mapping[str, Any], key: Key = ()) -> None:
    """Report what is wrong with the templates of `title`, `url` and `impact` in `data`, which is found at `key`."""
    names = sample_names(params, {})
    for name in ("title", "url", "impact"):
        if isinstance(data.get(name), str):
            try:
                render(data[name], without_window(names) if name == "impact" else names)
            except BadInput as error:
                source.report((*key, name), str(error))


def check_steps(
    source: Source, steps: Numbered, params: Mapping[str, Param], all_ids: Sequence[str], *, at: str = "steps"
) -> None:
    """Report all that is wrong with the steps found at `at`. `all_ids` has those of unreadable steps too."""
    needs = needs_of(steps)
    _check_ids(source, steps)
    _check_needs(source, steps, needs, all_ids)
    _check_approved_with(source, steps, needs, at)
    unsure = frozenset(name for name, param in params.items() if param.default is None)
    for number, step in steps:
        key: Key = (at, number)
        cls = None if step.uses.startswith("maint.") else REGISTRY.get(step.uses)
        if cls is None:
            source.report((*key, "uses"), f"there is no step type {step.uses!r}{did_you_mean(step.uses, REGISTRY)}")
            continue
        check_texts(source, params, {"title": step.title}, key)
        _check_condition(source, step, params, key)
        facts = SampleOutcomes(all_ids)
        names = sample_names(params, facts)
        if at == "on_change":
            names["change"] = {"what": "moved", "reason": "sample"}
        for field, text in with_problems(cls, step.with_, names, unsure | named_params(step.if_)):
            source.report((*key, "with", *field), text)
        for other in sorted(facts.asked - ancestors(step.id, needs)):
            source.report((*key, "with"), f"uses the outcome of {other}, so {other} has to be among what it needs")


def _check_condition(source: Source, step: RunbookStep, params: Mapping[str, Param], key: Key) -> None:
    try:
        holds(step.if_, {"params": {name: sample_of(param) for name, param in params.items()}})
    except BadInput as error:
        source.report((*key, "if"), str(error))


def sample_names(params: Mapping[str, Param], outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what templates may name, with values that these parameters could have."""
    return variables(
        maintenance=_SAMPLE_ID,
        title="sample",
        window=Window(_SAMPLE_START, _SAMPLE_START + timedelta(hours=2), "UTC"),
        params={"url": "https://example.com/", **{name: sample_of(param) for name, param in params.items()}},
        outcomes=outcomes,
        impact="sample",
    )


def needs_of(steps: Numbered) -> dict[str, tuple[str, ...]]:
    """Return what each step needs, by id: as written, or the step before it."""
    needs: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for _, step in steps:
        needs[step.id] = before if step.needs is None else step.needs
        before = (step.id,)
    return needs


def ancestors(step: str, needs: Mapping[str, Iterable[str]]) -> set[str]:
    """Return everything that is over when `step` starts."""
    found: set[str] = set()
    left = list(needs.get(step, ()))
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += needs.get(one, ())
    return found


def _check_ids(source: Source, steps: Numbered) -> None:
    seen: dict[str, int] = {}
    for number, step in steps:
        if step.id in seen:
            source.report(("steps", number, "id"), f"{step.id} is also the id of steps[{seen[step.id]}]")
        seen.setdefault(step.id, number)


def _check_needs(source: Source, steps: Numbered, needs: Mapping[str, tuple[str, ...]], all_ids: Sequence[str]) -> None:
    by_id = {step.id: step for _, step in steps}
    for number, step in steps:
        key: Key = ("steps", number)
        for need in step.needs or ():
            if need not in all_ids:
                source.report((*key, "needs"), f"there is no step {need!r}{did_you_mean(need, all_ids)}")
        for need in needs[step.id]:
            if need in by_id and _due_before(step, by_id[need]):
                source.report((*key, "when"), f"it is due before {need}, which it needs")
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1]
        number = next((number for number, step in steps if step.id in circle), 0)
        source.report(("steps", number, "needs"), f"nothing could ever start: {' needs '.join(reversed(circle))}")


def _check_approved_with(source: Source, steps: Numbered, needs: Mapping[str, tuple[str, ...]], at: str) -> None:
    """A notice that is approved with its announcement comes after it, and before the window."""
    by_id = {step.id: step for _, step in steps}
    for number, step in steps:
        announcement = step.approval.with_ if step.approval is not None else None
        if announcement is None:
            continue
        key: Key = (at, number, "approval", "with")
        other = by_id.get(announcement)
        if other is None or announcement not in ancestors(step.id, needs):
            source.report(key, f"{announcement} has to be a step that {step.id} needs")
        elif not _asks(other):
            source.report(key, f"{announcement} asks for no approval")
        due = due_of(step.when) if step.when is not None else None
        if due is None or due[0] != "start" or due[1] >= 0:
            source.report((at, number), f"{step.id} is approved ahead of time, so it has to say when: start - 1d")


def _asks(step: RunbookStep) -> bool:
    cls = REGISTRY.get(step.uses)
    if step.approval is not None:
        return step.approval.with_ is None
    return cls is not None and cls.asks(step.with_) and "approval" not in step.model_fields_set


def _due_before(step: RunbookStep, need: RunbookStep) -> bool:
    if step.when is None or need.when is None:
        return False
    (anchor, offset_s), (other, other_s) = due_of(step.when), due_of(need.when)
    return anchor == other and offset_s < other_s


def with_problems(
    cls: type[Step], raw: Mapping[str, Any], names: Mapping[str, Any], unsure: frozenset[str] = frozenset()
) -> list[tuple[Key, str]]:
    """Return what is wrong with the keys under `with`, filled in with `names`: the key's path and the text.

    A field whose template names an outcome or one of the parameters in `unsure` has no value yet that could be judged.
    """
    rendered: dict[str, Any] = {}
    problems: list[tuple[Key, str]] = []
    for key, value in raw.items():
        try:
            rendered[key] = render(value, names)
        except BadInput as error:
            problems.append(((key,), str(error)))
            rendered[key] = value
    broken = {key[0] for key, _ in problems} | {key for key, value in raw.items() if _is_unsure(value, unsure)}
    try:
        cls.model_validate(rendered)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            at = one["loc"]
            if not at or at[0] not in broken or one["type"] == "extra_forbidden":
                problems.append((at, described(one, cls)))
    return problems


def _is_unsure(value: Any, unsure: frozenset[str]) -> bool:
    if isinstance(value, str):
        return "{" in value and ("outcomes" in value or bool(named_params(value) & unsure))
    if isinstance(value, Mapping):
        return any(_is_unsure(each, unsure) for each in value.values())
    return isinstance(value, list) and any(_is_unsure(each, unsure) for each in value)


def named_params(text: str) -> frozenset[str]:
    """Return the parameters that a template or condition names."""
    return frozenset(re.findall(r"params(?:\.|\[['\"])(\w+)", text))


def sample_of(param: Param) -> Any:
    """Return a value that `param` could have: its default, its first choice, or one of its type."""
    if param.default is not None:
        return param.default
    return param.choices[0] if param.choices else _SAMPLES[param.type]


class _Fact(str):
    """A fact that is not known yet; whatever is asked of it is not known either."""

    __slots__ = ()

    def __getattr__(self, name: str) -> "_Fact":
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> "_Fact":
        return self


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> _Fact:
        return _Fact("1")


class SampleOutcomes(dict[str, Any]):
    """Outcomes of steps that have not run; `asked` is whose were looked at."""

    def __init__(self, steps: Iterable[str]) -> None:
        super().__init__((step, _Facts()) for step in steps)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        found = super().__getitem__(key)
        self.asked.add(key)
        return found


def described(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return pydantic's `error`, found while reading `model`, in words that say what was expected."""
    found, kind = error.get("input"), error["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = keys_of(model, error["loc"][:-1])
        return f"there is no such key{did_you_mean(str(error['loc'][-1]), known)}"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    expected = _EXPECTED.get(kind) or error["msg"].replace("Input should be", "expected")
    quote = f': put it in quotes, "{found}"' if kind == "string_type" and isinstance(found, bool | int | float) else ""
    return f"{expected}, found {_kind(found)}{quote}"


def keys_of(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys that are known at `path` inside `model`, as they are written in YAML."""
    inner: Any = model
    for part in path:
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            by_key = {field.alias or name: field.annotation for name, field in inner.model_fields.items()}
            inner = _model_in(by_key.get(str(part)))
    if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
        return []
    return [field.alias or name for name, field in inner.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The model inside an annotation such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return f"{str(value).lower()}"
        case str():
            return f"the text {value[:60]!r}"
        case list() | tuple():
            return "a list"
        case _:
            return "keys and values"
