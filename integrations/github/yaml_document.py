"""Where the keys and values of a small YAML file stand in its text.

Read by YAML 1.1 rules, because that is what Ruby's Psych, and so Jekyll, will read the file with.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
)

from bot.errors import Final

BOM = "\ufeff"


@dataclass(frozen=True)
class Pair:
    """One key of the top mapping and its value. `line` counts from 1; the others are offsets in characters.

    `start` and `end` hold the value with its anchor or tag; they are of no use for a value that spans a collection.
    """

    line: int
    key_end: int
    value: Event

    @property
    def start(self) -> int:
        return int(self.value.start_mark.index)

    @property
    def end(self) -> int:
        return int(self.value.end_mark.index)


@dataclass(frozen=True)
class Document:
    """A parsed file: its text without BOM, what the parser saw, and the pairs of the top mapping.

    A further pair would go to offset `end`, `indent` columns in; not so if the mapping is in braces (`flow`).
    """

    text: str
    events: list[Event]
    pairs: dict[str, Pair]
    indent: int
    end: int
    flow: bool

    def has_alias(self, anchor: str) -> bool:
        """Whether `*anchor` is used anywhere."""
        return any(isinstance(event, AliasEvent) and event.anchor == anchor for event in self.events)


def parse(content: bytes, file: str) -> Document:
    """Read `content`; an empty file is an empty mapping. Raises `Final`, with `file` and line, if it is no mapping."""
    text = _decode(content, file)
    events = _events(text, file)
    starts = [position for position, event in enumerate(events) if isinstance(event, DocumentStartEvent)]
    if len(starts) > 1:
        line = events[starts[1]].start_mark.line + 1
        raise Final(f"{file}, line {line}: a second document begins here (`---`). Expected one document in the file.")
    ends = [event for event in events if isinstance(event, DocumentEndEvent) and event.explicit]
    end = int(ends[0].start_mark.index) if ends else len(text)
    if not starts or _is_empty(events[starts[0] + 1]):
        return Document(text, events, {}, 0, end, flow=False)
    top, first = events[starts[0] + 1], events[starts[0] + 2]
    if not isinstance(top, MappingStartEvent):
        line = top.start_mark.line + 1
        raise Final(f"{file}, line {line}: expected keys and values, such as `enabled: false`, at the top.")
    pairs = dict(_pairs(iter(events[starts[0] + 2 :]), file))
    return Document(text, events, pairs, int(first.start_mark.column), end, flow=bool(top.flow_style))


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode().removeprefix(BOM)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Final(f"{file}, line {line}: this is not UTF-8 text. Save the file as UTF-8.") from None


def _events(text: str, file: str) -> list[Event]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    try:
        return list(yaml.parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}, line {mark.line + 1}, column {mark.column + 1}" if mark else file
        raise Final(f"{where}: this is not valid YAML ({error.problem or error.context}).") from None
    except YAMLError as error:
        raise Final(f"{file}: this is not valid YAML ({' '.join(str(error).split())}).") from None


def _is_empty(event: Event) -> bool:
    return isinstance(event, ScalarEvent) and event.value == "" and event.style is None


def _pairs(events: Iterator[Event], file: str) -> Iterator[tuple[str, Pair]]:
    lines: dict[str, int] = {}
    for key in events:
        if isinstance(key, MappingEndEvent):
            return
        _skip(key, events)
        value = next(events)
        _skip(value, events)
        if not isinstance(key, ScalarEvent):
            continue
        name, line = str(key.value), int(key.start_mark.line) + 1
        if name in lines:
            raise Final(
                f"{file}, line {line}: `{name}` stands here a second time (first in line {lines[name]}). "
                "Expected every key once."
            )
        lines[name] = line
        yield name, Pair(line, int(key.end_mark.index), value)


def _skip(start: Event, events: Iterator[Event]) -> None:
    """Go past the inside of a collection that `start` opens; a scalar or an alias has no inside."""
    depth = 1 if isinstance(start, CollectionStartEvent) else 0
    while depth:
        event = next(events)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
