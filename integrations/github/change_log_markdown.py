"""Put one entry into a change log in Markdown, as "Keep a Changelog" 1.1.0 lays it out; all else stays. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"( {0,3})([-*+])([ \t]+)\S")
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:")
_BRACKETS = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?")
_PART, _SUBPART = 2, 3


@dataclass(frozen=True)
class _Heading:
    line: int
    level: int
    text: str


def with_entry(text: str, entry: str, *, under: str, section: str | None) -> str:
    """Return `text` with `entry` as the first item of the list under the heading `under`, inside it under `section`.

    Headings that are not there are added: `under` before the first of its kind, since the newest stands first, and
    `section` at the end of its part. Without `section` the list follows `under` itself, or stands under `Changed` where
    the part has subheadings. Lines end as they do in `text`.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    headings = list(_headings(lines))
    part = next((one for one in headings if one.level == _PART and _names(one.text, under)), None)
    item = _item(entry, lines)
    if part is None:
        # One that does not end its last line goes on not ending it.
        title = f"### {section}\n\n" if section else ""
        return _inserted(lines, _before_parts(lines, headings), f"## {under}\n\n{title}{item}\n", end, apart=True)
    stop = _end(lines, headings, part)
    inside = [one for one in headings if one.level == _SUBPART and part.line < one.line < stop]
    wanted = section or ("Changed" if inside else None)
    if wanted is None:
        return _into(lines, part.line + 1, stop, item, end)
    place = next((one for one in inside if _names(one.text, wanted)), None)
    if place is None:
        return _inserted(lines, stop, f"### {wanted}\n\n{item}\n", end, apart=True)
    return _into(lines, place.line + 1, _end(lines, headings, place), item, end)


def _headings(lines: list[str]) -> Iterator[_Heading]:
    """Yield the headings that readers see: none inside a block of code or a comment."""
    fence, comment = "", False
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]) else fence
            continue
        if not comment and mark:
            fence = mark[1]
            continue
        found = None if comment else _HEADING.match(line.rstrip("\r\n"))
        if found:
            yield _Heading(number, len(found[1]), found[2])
        opened = line.rfind("<!--")
        comment = (comment or opened >= 0) and line.rfind("-->") <= opened


def _names(heading: str, wanted: str) -> bool:
    """Whether a heading is the wanted one: brackets and links do not count, nor a date behind the name."""
    one, other = (_BRACKETS.sub(r"\1", each).strip().casefold() for each in (heading, wanted))
    return one == other or one.startswith((f"{other} - ", f"{other} ("))


def _end(lines: list[str], headings: list[_Heading], of: _Heading) -> int:
    """The line behind the last one that belongs to a heading: blank lines and link definitions at the end do not."""
    stop = next((one.line for one in headings if one.line > of.line and one.level <= of.level), len(lines))
    while stop > of.line + 1 and (not lines[stop - 1].strip() or _DEFINITION.match(lines[stop - 1])):
        stop -= 1
    return stop


def _before_parts(lines: list[str], headings: list[_Heading]) -> int:
    first = next((one.line for one in headings if one.level == _PART), None)
    if first is not None:
        return first
    return _end(lines, headings, headings[0]) if headings else _end(lines, [], _Heading(-1, _PART, ""))


def _item(entry: str, lines: list[str]) -> str:
    """The entry as an item of a list, with the mark and the indentation that the file's own lists use."""
    used = next((found for line in lines if (found := _ITEM.match(line))), None)
    indent, mark, gap = used.groups() if used else ("", "-", " ")
    first, *rest = entry.strip().splitlines()
    inner = indent + " " * (len(mark) + len(gap))
    return "\n".join([f"{indent}{mark}{gap}{first.strip()}", *(f"{inner}{line}".rstrip() for line in rest)])


def _into(lines: list[str], start: int, stop: int, item: str, end: str) -> str:
    """Put the item before the first of the list between two lines, or where there is none, at their end."""
    at = next((number for number in range(start, stop) if _ITEM.match(lines[number])), None)
    if at is not None:
        return _inserted(lines, at, f"{item}\n", end)
    return _inserted(lines, stop, f"{item}\n", end, apart=True)


def _inserted(lines: list[str], at: int, block: str, end: str, *, apart: bool = False) -> str:
    """Return the text with `block` (ending its last line) before line `at`; `apart`: with blank lines around it."""
    before, after = "".join(lines[:at]), "".join(lines[at:])
    if apart and before.strip():
        gap = "" if before.endswith(("\n\n", "\r\n\r\n")) else "\n" if before.endswith("\n") else "\n\n"
        block = gap + block
    if apart and after and not after.startswith(("\n", "\r\n")):
        block += "\n"
    if not after and before and not before.endswith("\n"):
        block = block.removesuffix("\n")
    return before + block.replace("\n", end) + after
