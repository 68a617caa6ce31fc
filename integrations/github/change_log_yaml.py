"""Put one entry first into a list in a YAML file, such as `_data/changelog.yml` of a site; all else stays. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.errors import Final
from integrations.github.yaml_lines import quoted

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def with_fields(text: str, fields: Mapping[str, str], comment: str, *, under: str | None, file: str) -> str:
    """Return `text` with a mapping of `fields` as the first item of the list: the file itself, or that of key `under`.

    `comment` goes behind the item's first line. Raises `Final`, naming `file`, if there is no such list of lines.
    """
    top = _composed(text, file)
    end = "\r\n" if "\r\n" in text else "\n"
    if top is None and under is None:
        return text + ("" if not text or text.endswith("\n") else end) + _item(fields, comment, 0, end)
    found = _list(top, under)
    if found is None or found.flow_style or not found.value:
        place = f"under `{under}`" if under else "at its top"
        raise Final(f"{file}: expected a list with a dash before each entry {place}, and an entry in it already.")
    at = text.rfind("\n", 0, int(found.start_mark.index)) + 1
    column = int(found.start_mark.column)
    if text[at : at + column].strip():
        raise Final(f"{file}, line {found.start_mark.line + 1}: expected the first entry on a line of its own.")
    after = text[:at] + _item(fields, comment, column, end) + text[at:]
    _prove(text, after, fields, under, file)
    return after


def _composed(text: str, file: str) -> Node | None:
    try:
        top: Node | None = _reader().compose(text)
    except YAMLError as error:
        raise Final(f"{file}: this is not valid YAML ({' '.join(str(error).split())[:200]}).") from None
    return top


def _reader() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # as Ruby, and so Jekyll, reads it
    return yaml


def _list(top: Node | None, under: str | None) -> SequenceNode | None:
    if under is not None and isinstance(top, MappingNode):
        values = {key.value: value for key, value in top.value if isinstance(key, ScalarNode)}
        top = values.get(under)
    elif under is not None:
        return None
    return top if isinstance(top, SequenceNode) else None


def _item(fields: Mapping[str, str], comment: str, column: int, end: str) -> str:
    odd = next((key for key in fields if not _KEY.fullmatch(key)), None)
    if odd is not None:
        raise Final(f"{odd!r} is no key for an entry of a change log: letters, digits, _ and - only.")
    margin = " " * column
    lines = [f"{key}: {_value(value)}" for key, value in fields.items()]
    lines[0] += f"  {comment}"
    return end.join([f"{margin}- {lines[0]}", *(f"{margin}  {line}" for line in lines[1:])]) + end


def _value(text: str) -> str:
    # A date in quotes would be a text for Ruby, which does not sort among dates.
    return text if _DATE.fullmatch(text) else quoted(text)


def _prove(before: str, after: str, fields: Mapping[str, str], under: str | None, file: str) -> None:
    """Read both, and raise `Final` unless the one is the other with the entry first."""
    was, now = (_reader().load(text) for text in (before, after))
    old, new = (found if under is None else found.pop(under) for found in (was, now))
    first: Mapping[str, Any] = new[0]
    same = {key: str(value) for key, value in first.items()} == dict(fields)
    if not same or new[1:] != old or (under is not None and was != now):
        raise Final(f"{file}: an entry put in front would have changed more than was meant, so it was left alone.")
