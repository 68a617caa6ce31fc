"""Renders the templates of a runbook. What people type is only ever a value here, never template text."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import BadInput
from bot.state import State
from bot.step import Window
from bot.suggest import did_you_mean
from bot.window import banner_time, duration_words
from bot.window import local as local_text

_DASHED = re.compile(r"\boutcomes\.(\w+-[\w-]+)")


def variables(
    *,
    maintenance: str,
    title: str,
    window: Window,
    params: Mapping[str, Any],
    outcomes: Mapping[str, Mapping[str, Any]],
    impact: str = "",
) -> dict[str, Any]:
    """Return what templates may name; `maintenance` is its id, `outcomes` the facts of the steps that succeeded."""
    return {
        "maintenance": maintenance,
        "title": title,
        "url": params.get("url", ""),
        "impact": impact,
        "window": {
            "start": window.start,
            "end": window.end,
            "zone": window.zone,
            "duration": window.end - window.start,
        },
        "params": dict(params),
        "outcomes": outcomes,
    }


def variables_of(state: State) -> dict[str, Any]:
    """Return the variables for the steps of a maintenance as it stands."""
    return variables(
        maintenance=state.id,
        title=state.title,
        window=state.window,
        params=state.params,
        outcomes={name: step.outcome for name, step in state.steps.items() if step.status == "succeeded"},
        impact=state.impact,
    )


def without_window(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a text may name that is filled in once and has to stay true when the window changes."""
    return {name: value for name, value in names.items() if name not in {"window", "impact"}}


def render(value: Any, names: Mapping[str, Any]) -> Any:
    """Return `value` (any nesting of lists and mappings) with every text in it rendered.

    A text that is one `{{ expression }}` and nothing else gives a list or a mapping where the expression is one;
    everything else becomes text, which the step's fields then read as the type they are. Raises `BadInput` naming
    what is wrong with the template.
    """
    if isinstance(value, str):
        return _text(value, names)
    if isinstance(value, Mapping):
        return {key: render(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [render(each, names) for each in value]
    return value


def holds(condition: str, names: Mapping[str, Any]) -> bool:
    """Return whether the expression `condition` is true (neither false nor empty); an empty condition is.

    Raises `BadInput` naming what is wrong with it.
    """
    if not condition.strip():
        return True
    if "{{" in condition:
        raise BadInput(f"the condition “{condition}” is an expression by itself: write it without the braces")
    with _told("condition", condition):
        return not _ENVIRONMENT.compile_expression(f"not ({condition})", undefined_to_none=False)(**names)


def _text(text: str, names: Mapping[str, Any]) -> Any:
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    with _told("template", text):
        whole = text.strip()
        if whole.startswith("{{") and whole.endswith("}}") and whole.count("{{") == 1:
            found = _ENVIRONMENT.compile_expression(whole[2:-2], undefined_to_none=False)(**names)
            if isinstance(found, list | tuple | dict):
                return found
        return _ENVIRONMENT.from_string(text).render(**names)


@contextmanager
def _told(what: str, text: str) -> Iterator[None]:
    """Turn what the template engine raises about `text` into `BadInput` for whoever wrote it."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise BadInput(f"the {what} “{text}” is not well-formed: {error.message}") from None
    except TemplateError as error:
        dashed = _DASHED.search(text)
        hint = f" (a name with a dash is written in brackets: outcomes['{dashed[1]}'])" if dashed else ""
        raise BadInput(f"the {what} “{text}” cannot be filled in: {error.message}{hint}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise BadInput(f"the {what} “{text}” cannot be filled in: {error}") from None


class _Missing(StrictUndefined):
    """A name that is not there: an error that says which there are."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name, inside = str(self._undefined_name), self._undefined_obj
        known = map(str, inside) if isinstance(inside, Mapping) else ()
        return f"there is nothing called {name}{did_you_mean(name, known)}"


def _shown(value: Any) -> Any:
    """How a value looks inside a text: instants as ISO 8601 in UTC, lengths in words."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return duration_words(value) if isinstance(value, timedelta) else value


@pass_context
def _local(context: Context, at: datetime, zone: str | None = None) -> str:
    return local_text(at, zone or context["window"]["zone"])


def _utc(at: datetime) -> str:
    return local_text(at, "UTC")


@pass_context
def _announced(context: Context, at: datetime) -> str:
    """For readers who may come days before or hours after: with the date, never “today”."""
    return banner_time(at, None, context["window"]["zone"])


@pass_context
def _day(context: Context, at: datetime, form: str = "%Y-%m-%d") -> str:
    return at.astimezone(ZoneInfo(context["window"]["zone"])).strftime(form)


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=_Missing, autoescape=False, finalize=_shown)
_ENVIRONMENT.filters.update(local=_local, utc=_utc, announced=_announced, day=_day, duration=duration_words)
# No macro of ours is slow or large, and none of these is needed to fill in a text.
for _name in ("range", "lipsum", "cycler", "joiner", "namespace"):
    del _ENVIRONMENT.globals[_name]
