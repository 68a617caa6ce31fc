"""Reads a YAML file into plain data, keeping the line and column of every key, so that every error can name them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.errors import BadInput

Key = tuple[str | int, ...]
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))
_MERGE = "<<"
_DEEPEST, _MOST = 30, 20_000  # an alias can stand for itself, or for ever more of itself


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file: where (`line` and `column` from 1), in which field, and what was expected."""

    file: str
    line: int
    column: int
    field: str
    text: str

    def __str__(self) -> str:
        """Return the problem as one line for people and editors: `file:line:column: field: text`."""
        return f"{self.file}:{self.line}:{self.column}: {f'{self.field}: ' if self.field else ''}{self.text}"


class RunbookErrors(BadInput):
    """Runbooks are wrong. `problems` has all that was found, in the order of the files; the message lists them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        head = "A mistake in a runbook" if count == 1 else f"{count} mistakes in the runbooks"
        super().__init__(f"{head}:\n" + "\n".join(map(str, self.problems)), field=self.problems[0].field)


@dataclass
class Source:
    """A file read: its plain data, where each key stands, and what was wrong with the YAML itself."""

    file: str
    data: Any = None
    places: dict[Key, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def report(self, key: Key, text: str) -> None:
        """Add a problem with the field `key`."""
        line, column = self._place(key)
        self.problems.append(Problem(self.file, line, column, field_name(key), text))

    def _place(self, key: Key) -> tuple[int, int]:
        """Where `key` stands, or the nearest thing around it that is in the file."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, (1, 1))


def field_name(key: Key) -> str:
    """Return a key path as people write it: `steps[2].with.database`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_source(path: Path) -> Source:
    """Read a YAML 1.2 file of mappings, lists and plain values. What is wrong is in `problems`; it never raises."""
    source = Source(str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        source.report((), f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return source
    yaml = YAML(typ="safe", pure=True)
    try:
        source.data = _Reader(source, yaml).value(yaml.compose(text), ())
    except MarkedYAMLError as error:
        source.problems.append(_not_yaml(source.file, error))
    except (YAMLError, ValueError, RecursionError) as error:
        source.report((), f"this is not YAML: {' '.join(str(error).split())}")
    return source


def _not_yaml(file: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = f"{error.problem or error.context}"
    if "\\t" in said:
        said = "a tab; YAML is indented with spaces"
    return Problem(file, line, column, "", f"this is not YAML: {said}")


class _Reader:
    """Turns composed nodes into plain data, noting places, duplicate keys and what is not plain data."""

    def __init__(self, source: Source, yaml: YAML) -> None:
        self._source = source
        self._yaml = yaml
        self._count = 0

    def value(self, node: Node | None, key: Key) -> Any:
        if node is None:
            return None
        self._source.places.setdefault(key, _place(node))
        self._count += 1
        if len(key) > _DEEPEST or self._count > _MOST:
            raise ValueError(f"{field_name(key[:3])} is nested too deep, or there is too much of it")
        if isinstance(node, MappingNode):
            return {**self._merged(node, key), **dict(self._pairs(node, key))}
        if isinstance(node, SequenceNode):
            return [self.value(each, (*key, number)) for number, each in enumerate(node.value)]
        return self._scalar(node, key)

    def _merged(self, node: MappingNode, key: Key) -> dict[str, Any]:
        """What `<<: *other` takes over from another mapping; YAML 1.2 has dropped it, and everybody still writes it."""
        found = next((value for name, value in node.value if name.value == _MERGE), None)
        if found is None or isinstance(found, MappingNode):
            return self.value(found, key) or {}
        self._source.report((*key, _MERGE), "takes over the keys of one mapping: <<: *name")
        return {}

    def _pairs(self, node: MappingNode, key: Key) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, ScalarNode):
                self._source.report(key, "has a list or a mapping for a key; keys are single words")
                continue
            name = str(name_node.value)
            place = _place(name_node)
            inner = (*key, name)
            if name in seen:
                problem = f"is written twice (first in line {seen[name]}); only one of them can count"
                self._source.problems.append(Problem(self._source.file, *place, field_name(inner), problem))
                continue
            seen[name] = place[0]
            if name == _MERGE:
                continue
            self._source.places[inner] = place
            yield name, self.value(value_node, inner)

    def _scalar(self, node: Node, key: Key) -> Any:
        tag = str(node.tag)
        if tag not in _PLAIN:
            self._source.report(key, f"has the tag {tag}; only plain values are understood")
            return None
        if tag.endswith(":timestamp"):
            return str(node.value)
        value = self._yaml.constructor.construct_object(node)
        if isinstance(value, float) and not math.isfinite(value):
            self._source.report(key, f"{node.value} is not a number to work with")
            return None
        return value


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
