"""Runbooks: read from YAML files, wholly checked, with file, line, column and field in every error."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.crew import ROLES
from bot.errors import BadInput
from bot.lint import lint, warnings
from bot.rehearsal import check_rehearsal
from bot.runbook_check import check_steps, check_texts, described
from bot.runbook_file import Key, Problem, RunbookErrors, Source, field_name, read_source
from bot.runbook_model import Param, Runbook, RunbookStep
from bot.runbook_resolve import ParamErrors, check_params, is_left_out, maintenance_id, resolve
from bot.step import REGISTRY, Setting
from bot.suggest import did_you_mean

__all__ = [
    "Param", "ParamErrors", "Problem", "Runbook", "RunbookErrors", "RunbookStep", "Shelf", "check_params", "lint_all",
    "load",
    "load_all", "maintenance_id", "needed_settings", "resolve",
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
_PLACEHOLDER = RunbookStep(id="unread", uses="unread")


def load(path: Path) -> Runbook:
    """Return the runbook in the file `path`. Raises `RunbookErrors` with everything that is wrong in it.

    The step types it may use are those registered in `bot.step.REGISTRY` by then.
    """
    source, runbook = _read(path)
    if source.problems or runbook is None:
        raise RunbookErrors(source.problems)
    return runbook


def load_all(folder: Path) -> dict[str, Runbook]:
    """Return the runbooks in the `*.yml` and `*.yaml` files of `folder`, by name.

    Raises `RunbookErrors` with everything that is wrong in any of them, `BadInput` if there is no such folder.
    """
    found, problems = _read_all(folder)
    if problems:
        raise RunbookErrors(problems)
    return found


def _read_all(folder: Path) -> tuple[dict[str, Runbook], list[Problem]]:
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder} with runbooks in it. MAINT_RUNBOOKS names it.")
    found: dict[str, tuple[Path, Runbook]] = {}
    problems: list[Problem] = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        source, runbook = _read(path)
        if runbook is not None and runbook.name in found:
            source.report(("name",), f"{runbook.name} is also the name of the runbook in {found[runbook.name][0]}")
        elif runbook is not None and not source.problems:
            found[runbook.name] = path, runbook
        problems += source.problems
    return {name: runbook for name, (_, runbook) in found.items()}, problems


def lint_all(folder: Path) -> list[Problem]:
    """Return what the texts for customers do not say in the runbooks of `folder`; those with mistakes are left out."""
    found = ((path, _read(path)) for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]))
    return [
        problem
        for path, (source, runbook) in found
        if runbook is not None and not source.problems
        for problem in warnings(path, runbook)
    ]


class Shelf:
    """The runbooks of a folder, read again only when a file has changed: a command must not wait for YAML.

    A file with mistakes keeps nobody from using the others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._runbooks: dict[str, Runbook] = {}
        self._problems: list[Problem] = []

    def all(self) -> Mapping[str, Runbook]:
        """Return the runbooks without mistakes, by name. Raises `RunbookErrors` if there are only others."""
        self._look()
        if self._problems and not self._runbooks:
            raise RunbookErrors(self._problems)
        return self._runbooks

    def mistakes(self) -> str:
        """Return what is wrong in the runbooks that cannot be used, for people; "" if nothing is."""
        self._look()
        return str(RunbookErrors(self._problems)) if self._problems else ""

    def _look(self) -> None:
        seen = tuple(
            (path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(self._folder.glob("*.y*ml"))
        )
        if seen != self._seen or not seen:
            self._runbooks, self._problems = _read_all(self._folder)
            self._seen = seen


def needed_settings(runbooks: Iterable[Runbook]) -> list[Setting]:
    """Return the settings that the steps of `runbooks` read, each once, in the order of the files.

    Without those of steps that are left out unless somebody gives a parameter.
    """
    used = {
        step.uses: None
        for runbook in runbooks
        for step in (*runbook.steps, *runbook.on_change)
        if not _usually_left_out(runbook, step)
    }
    return list({setting.name: setting for uses in used for setting in REGISTRY[uses].settings}.values())


def _usually_left_out(runbook: Runbook, step: RunbookStep) -> bool:
    params, _ = check_params(runbook, {})
    try:
        return is_left_out(step, params)
    except BadInput:
        return False  # that depends on a parameter without a default


def _read(path: Path) -> tuple[Source, Runbook | None]:
    source = read_source(path)
    data = source.data
    if not isinstance(data, dict):
        if not source.problems:
            source.report((), "expected a runbook: keys such as name, title and steps")
        return source, None
    raw_params, raw_steps = data.get("params"), data.get("steps")
    params = {
        name: _part(source, Param, raw, ("params", name)) or Param()
        for name, raw in (raw_params.items() if isinstance(raw_params, dict) else ())
    }
    steps = _steps(source, raw_steps, "steps")
    notices = _steps(source, data.get("on_change"), "on_change")
    _check_params(source, params)
    check_texts(source, params, data)
    check_steps(source, steps, params, _ids(raw_steps))
    check_steps(source, notices, params, _ids(data.get("on_change")), at="on_change")
    whole: dict[str, Any] = dict(data)
    if isinstance(raw_params, dict):
        whole["params"] = params
    if raw_steps and isinstance(raw_steps, list):
        whole["steps"] = [step for _, step in steps] or [_PLACEHOLDER]
    if isinstance(data.get("on_change"), list):
        whole["on_change"] = [step for _, step in notices]
    runbook = _part(source, Runbook, whole, ())
    if runbook is not None and runbook.lint == "strict" and not source.problems:
        for key, text in lint(runbook):
            source.report(key, text)
    if runbook is not None and not source.problems:
        _check_roles(source, runbook)
        _check_recur(source, runbook)
    if runbook is not None and not source.problems:
        check_rehearsal(source, runbook)
    return source, runbook


def _part(source: Source, model: type[M], raw: object, key: Key) -> M | None:
    """Read one part of a runbook, or report everything that is wrong with it."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            source.report((*key, *one["loc"]), described(one, model))
        return None


def _steps(source: Source, raw_steps: object, at: str) -> list[tuple[int, RunbookStep]]:
    return [
        (number, step)
        for number, raw in enumerate(raw_steps if isinstance(raw_steps, list) else ())
        if (step := _step(source, raw, (at, number))) is not None
    ]


def _step(source: Source, raw: object, key: Key) -> RunbookStep | None:
    """Read a step; of one with mistakes, what can be read, so that the rest of it is judged too."""
    step = _part(source, RunbookStep, raw, key)
    if step is not None or not isinstance(raw, dict):
        return step
    good = {"id": "-".join(map(str, key)), **{name: raw[name] for name in raw if not _wrong(source, (*key, name))}}
    try:
        return RunbookStep.model_validate(good)
    except ValidationError:
        return None


def _wrong(source: Source, key: Key) -> bool:
    name = field_name(key)
    return any(re.match(rf"{re.escape(name)}(?![\w-])", problem.field) for problem in source.problems)


def _check_params(source: Source, params: Mapping[str, Param]) -> None:
    for name, param in params.items():
        if not name.isidentifier():
            source.report(("params", name), "the name of a parameter is one word of letters, digits and _")
        if name == "override":
            source.report(("params", name), "override=REASON overrides conflicts in `/maint start`; take another name")
        if param.default is not None:
            try:
                param.read(param.default)
            except BadInput as error:
                source.report(("params", name, "default"), str(error))


def _check_recur(source: Source, runbook: Runbook) -> None:
    """What comes by itself has nobody to ask for a parameter."""
    if runbook.recur is not None:
        for name, text in check_params(runbook, runbook.recur.params)[1].items():
            source.report(("recur", "params", name), f"{name} {text}")


def _check_roles(source: Source, runbook: Runbook) -> None:
    """A role that only settings can fill may be empty here, and is refused when a maintenance is planned."""
    named: list[tuple[Key, tuple[str, ...]]] = [
        (("steps", number, "approval", "by"), step.approval.by)
        for number, step in enumerate(runbook.steps)
        if step.approval is not None
    ]
    named += [(("rights", verb), who) for verb, who in runbook.rights.items()]
    known = [*ROLES, *runbook.roles]
    for key, names in named:
        for name in names:
            if name not in known and not name[:1].isupper():
                source.report(key, f"there is no role {name!r}{did_you_mean(name, known)}")


def _ids(raw_steps: object) -> list[str]:
    steps = raw_steps if isinstance(raw_steps, list) else []
    return [str(step["id"]) for step in steps if isinstance(step, dict) and "id" in step]
