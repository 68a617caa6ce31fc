"""Markdown tables, and pydantic fields as rows of them."""

import inspect
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.durations import duration_words
from bot.field_docs import description

_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_FORMATS = {"duration": "length of time", "path": "path"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def doc(thing: object) -> str:
    """Return a docstring as paragraphs."""
    return inspect.getdoc(thing) or ""


def fields(model: type[BaseModel]) -> str:
    """Return the table of a model's keys, as they are written in YAML."""
    properties = model.model_json_schema()["properties"]
    rows = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        rows.append((f"`{key}`", kind_of(properties[key]), default_of(field), description(model, name)))
    return table(("key", "what it is", "default", "meaning"), rows)


def default_of(field: FieldInfo) -> str:
    """Return the default of a key; one that has to be given says so."""
    if field.is_required():
        return "**needed**"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return duration_words(value)
    if isinstance(value, PurePath):
        value = str(value)
    return f"`{json.dumps(value, default=str)}`" if value not in ("", (), {}, []) else ""


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return what a JSON schema allows, in words."""
    if "$ref" in schema:
        return f"keys of *{schema['$ref'].rsplit('/', 1)[-1]}*, below"
    if "anyOf" in schema:
        kinds = [kind_of(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_many(kind_of(schema.get('items', {})))}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"names and values ({kind_of(values) if isinstance(values, Mapping) else 'anything'})"
    return _FORMATS.get(schema.get("format", ""), _TYPES.get(schema.get("type", ""), "anything")) + _limits(schema)


def _many(kind: str) -> str:
    return {"text": "texts"}.get(kind, f"({kind})" if " or " in kind else kind)


def _limits(schema: Mapping[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    said = [f", {word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return "".join(said) + (f", matching `{schema['pattern']}`" if "pattern" in schema else "")


def models_in(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the models that the fields of `model` hold, at any depth, each once."""
    found: dict[str, type[BaseModel]] = {}
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            for each in (inner, *models_in(inner)):
                found.setdefault(each.__name__, each)
    return list(found.values())


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in getattr(annotation, "__args__", ()) for model in _models(each)]
