"""Generated parts for those who write steps: the classes that a step is made of and may use, from their docstrings."""

import dataclasses
import inspect
from collections.abc import Iterator

from bot.http import Http, Response
from bot.job import Job
from bot.step import Context, Ledger, Outcome, Plan, Retry, Setting, Step, Window
from docs.generate.tables import doc, table


def step_class() -> str:
    """What a step class may define."""
    rows = [
        (f"`{name}`", f"`{getattr(Step, name)!r}`")
        for name in Step.__annotations__
        if name in Step.__class_vars__ and name != "uses"
    ]
    return f"{table(('declared by the class', 'if it is not'), rows)}\n\n{_members(Step)}"


def step_values() -> str:
    """The small values that a step takes and returns."""
    return "\n\n".join(_section(cls) for cls in (Plan, Outcome, Retry, Window, Setting))


def step_context() -> str:
    """What a step may see and do."""
    plain = ", ".join(f"`{name}`" for name in Context.__annotations__)
    return f"Its plain attributes are {plain}.\n\n{_members(Context)}\n\n{_section(Ledger)}"


def step_clients() -> str:
    """What a step reaches the outside with."""
    return "\n\n".join(_section(cls) for cls in (Http, Response, Job))


def _section(cls: type) -> str:
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    fields = f"Fields: {', '.join(f'`{name}`' for name in names)}.\n\n" if names else ""
    return f"### `{cls.__name__}`\n\n{doc(cls)}\n\n{fields}{_members(cls)}".rstrip()


def _members(cls: type) -> str:
    rows = [(f"`{how}`", doc(member)) for how, member in _public(cls)]
    return table(("member", "what it does"), rows) if rows else ""


def _public(cls: type) -> Iterator[tuple[str, object]]:
    """How it is written, and the documented thing itself, of the members that the class defines."""
    for name, member in vars(cls).items():
        if name.startswith(("_", "model_")):
            continue
        if isinstance(member, property):
            yield name, member
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            yield f"{name}{_signature(function)}", function


def _signature(function: object) -> str:
    """The parameters by name, with their defaults; what comes back is in the docstring."""
    if not callable(function):
        raise TypeError(f"{function!r} is no function")
    parts: list[str] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        star = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        parts.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(parts)})"
