"""Change single values of a YAML file and nothing else: every other byte stays as it is.

The parser only says where a value stands; the text is then spliced, and parsed again to prove that the result differs
from the original in exactly the wanted values.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ruamel.yaml.events import CollectionStartEvent, Event, ScalarEvent

from bot.errors import Final
from integrations.github.yaml_document import BOM, Document, Pair, parse

Value = bool | str

_PROPERTIES = re.compile(r"(?:[&!]\S*\s*)*")
_COLON = re.compile(r"[ \t]*:")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NO_STRINGS = re.compile(r"(?i)(y|n|yes|no|on|off|true|false|null)")


def read_values(content: bytes, keys: Iterable[str], *, file: str) -> dict[str, Value | None]:
    """Return the present values of top-level `keys`: True or False for a plain boolean, else the text; None if absent.

    Raises `Final`, naming `file` and the line, if the content is not a YAML mapping in UTF-8.
    """
    pairs = parse(content, file).pairs
    return {key: _value_of(pairs[key].value) if key in pairs else None for key in keys}


def set_values(content: bytes, wanted: Mapping[str, Value], *, file: str) -> bytes:
    """Return `content` with the top-level keys in `wanted` set to their values, all other bytes untouched.

    A key that has the value already (for every YAML reader, Ruby's too) keeps its line as it is; a missing key is
    added at the end. Texts are written in double quotes. Raises `Final`, naming `file`, line and what was expected,
    if the file cannot be changed that way.
    """
    before = parse(content, file)
    text = before.text
    missing = {key: value for key, value in wanted.items() if key not in before.pairs}
    if missing:
        text = _append(before, missing, file)
    changed = {
        key: wanted[key] for key, pair in before.pairs.items() if key in wanted and not _says(pair.value, wanted[key])
    }
    for key in reversed(changed):  # from the end, so that the offsets before it stay right
        text = _splice(before, text, key, changed[key], file)
    _prove(before, text, changed, missing, file)
    return (BOM if content.startswith(BOM.encode()) else "").encode() + text.encode()


def quoted(text: str) -> str:
    """Return `text` as a double-quoted YAML scalar, which YAML 1.1 and 1.2 readers take for the same string."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def _written(value: Value) -> str:
    return quoted(value) if isinstance(value, str) else ("true" if value else "false")


def _value_of(event: Event) -> Value | None:
    if not isinstance(event, ScalarEvent):
        return None
    if event.style is None and event.value in _BOOLEANS:
        return _BOOLEANS[event.value]
    return str(event.value)


def _says(event: Event, wanted: Value) -> bool:
    """Whether every YAML reader takes the value for `wanted`. A doubt counts as no: then it is written anew."""
    if not isinstance(event, ScalarEvent) or event.tag is not None:
        return False
    if isinstance(wanted, bool):
        return event.style is None and _BOOLEANS.get(event.value) is wanted
    return event.value == wanted and (event.style is not None or _is_plain_string(wanted))


def _is_plain_string(text: str) -> bool:
    # What readers take for a number, a date or a symbol begins with something else than a letter.
    return text[:1].isalpha() and text.isascii() and not _NO_STRINGS.fullmatch(text)


def _splice(before: Document, text: str, key: str, value: Value, file: str) -> str:
    pair = before.pairs[key]
    where = f"{file}, line {pair.line}: `{key}`"
    _refuse_odd(before, pair, value, where)
    start, end, written = pair.start, pair.end, _written(value)
    if getattr(pair.value, "anchor", None) and isinstance(pair.value, ScalarEvent):
        properties = _PROPERTIES.match(text[start:end])
        start += properties.end() if properties else 0
    elif start == end:  # nothing is written there: the value goes right behind the colon
        colon = _COLON.match(text, pair.key_end)
        if colon is None:
            raise Final(f"{where} has no value. Expected `{key}: {written}`; write it so by hand once.")
        start = end = colon.end()
    gap = "" if text[start - 1].isspace() or start < end else " "
    return text[:start] + gap + written + text[end:]


def _refuse_odd(before: Document, pair: Pair, value: Value, where: str) -> None:
    """Raise `Final` for a value that cannot be replaced without touching more than itself."""
    event = pair.value
    if isinstance(event, CollectionStartEvent):
        raise Final(f"{where} holds a list or further keys. Expected one value, such as {_written(value)}")
    if not isinstance(event, ScalarEvent):
        return
    if event.style in {"|", ">"}:
        raise Final(
            f"{where} is written as a block of lines (`{event.style}`). Expected it on one line; "
            "write it so by hand once, and it can be changed from then on."
        )
    if event.tag is not None:
        raise Final(f"{where} has the tag {event.tag}. Expected a value without a tag.")
    if event.anchor and before.has_alias(event.anchor):
        raise Final(
            f"{where} is used elsewhere in the file (`*{event.anchor}`), which would change too. "
            "Expected a value that stands for itself."
        )


def _append(before: Document, missing: Mapping[str, Value], file: str) -> str:
    if before.flow:
        names = ", ".join(f"`{key}`" for key in missing)
        raise Final(f"{file}: {names} is missing. Expected one `key: value` on each line, not a mapping in braces.")
    text, rest = before.text[: before.end], before.text[before.end :]
    eol = "\r\n" if "\r\n" in before.text else "\n" if "\n" in before.text or "\r" not in before.text else "\r"
    lines = eol.join(" " * before.indent + f"{key}: {_written(value)}" for key, value in missing.items())
    if text and not text.endswith(("\n", "\r")):
        return text + eol + lines + rest
    return text + lines + eol + rest


def _prove(before: Document, text: str, changed: Mapping[str, Value], added: Mapping[str, Value], file: str) -> None:
    """Parse the result, and raise `Final` unless exactly the wanted values differ from the original."""
    unproven = Final(
        f"{file}: changing it line by line would have changed more than was meant, so it was left alone. "
        "Expected a simple file of `key: value` lines; tidy it up by hand once."
    )
    try:
        after = parse(text.encode(), file)
    except Final:
        raise unproven from None
    replaced = {before.pairs[key].value: value for key, value in changed.items()}
    expected = [_meaning(event, replaced.get(event)) for event in before.events]
    events = list(after.events)
    for key, value in added.items():
        pair = after.pairs.get(key)
        if pair is None or not _says(pair.value, value):
            raise unproven
        position = events.index(pair.value)
        del events[position - 1 : position + 1]
    was_empty = not before.pairs and len(after.pairs) == len(added)
    if not was_empty and [_meaning(event) for event in events] != expected:
        raise unproven


def _meaning(event: Event, instead: Value | None = None) -> tuple[Any, ...]:
    """What an event means, without where it stands; `instead` puts another value in its place."""
    parts = {name: getattr(event, name, None) for name in ("value", "anchor", "tag", "style", "flow_style")}
    kind = type(event).__name__
    if instead is not None:
        anchor = parts["anchor"] if isinstance(event, ScalarEvent) else None
        style = '"' if isinstance(instead, str) else None
        value = instead if isinstance(instead, str) else _written(instead)
        kind, parts = "ScalarEvent", {**dict.fromkeys(parts), "value": value, "anchor": anchor, "style": style}
    return (kind, *parts.values())
