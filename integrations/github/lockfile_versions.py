"""Versions and requirements of gems, compared as RubyGems does (`Gem::Version`, `Gem::Requirement`)."""

import re
from collections.abc import Callable, Iterable

_VERSION = re.compile(r"[0-9]+(\.[0-9A-Za-z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_REQUIREMENT = re.compile(r"\s*(=|!=|>=|<=|~>|>|<)?\s*(\S+)\s*")
Segment = int | str


def satisfies(version: str, requirement: str) -> bool:
    """Whether `version` meets every part of `requirement` (`>= 1, < 3`; "" is met by all).

    Raises `ValueError` if either is not written as RubyGems writes it.
    """
    return all(_meets(version, *_part(part)) for part in requirement.split(",") if part.strip())


def normal(parts: Iterable[str]) -> str:
    """Return requirements as a lock file writes them: none as "", several in descending order of their text."""
    told = [" ".join(_part(part)) for part in parts]
    return "" if told in ([], [">= 0"]) else ", ".join(sorted(told, reverse=True))


def _part(text: str) -> tuple[str, str]:
    found = _REQUIREMENT.fullmatch(text)
    if not found or not _VERSION.fullmatch(found[2]):
        raise ValueError(f"{text!r} is no requirement such as `~> 4.0`")
    return found[1] or "=", found[2]


def _meets(version: str, operator: str, wanted: str) -> bool:
    if operator == "~>":
        return _order(version, wanted) >= 0 and _order(_release(version), _bump(wanted)) < 0
    return _OPERATORS[operator](_order(version, wanted))


_OPERATORS: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
}


def _segments(version: str) -> list[Segment]:
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version")
    found = re.findall(r"[0-9]+|[A-Za-z]+", version.replace("-", ".pre."))
    return [int(each) if each.isdigit() else each for each in found]


def _canonical(version: str) -> list[Segment]:
    """The segments without the zeros that end the numbers before the first word, and those after it."""
    segments = _segments(version)
    word = next((at for at, each in enumerate(segments) if isinstance(each, str)), len(segments))
    return [*_trimmed(segments[:word]), *_trimmed(segments[word:])]


def _trimmed(segments: list[Segment]) -> list[Segment]:
    while segments and segments[-1] == 0:
        segments = segments[:-1]
    return segments


def _order(one: str, other: str) -> int:
    left, right = _canonical(one), _canonical(other)
    for at in range(max(len(left), len(right))):
        a, b = (each[at] if at < len(each) else 0 for each in (left, right))
        if a == b:
            continue
        if isinstance(a, str) and isinstance(b, str):
            return -1 if a < b else 1
        if isinstance(a, str) or isinstance(b, str):  # a word marks a prerelease, which comes before
            return -1 if isinstance(a, str) else 1
        return -1 if a < b else 1
    return 0


def _release(version: str) -> str:
    segments = _segments(version)
    if not any(isinstance(each, str) for each in segments):
        return version
    return ".".join(map(str, _numbers(segments)))


def _bump(version: str) -> str:
    numbers = _numbers(_segments(version))
    numbers = numbers[:-1] if len(numbers) > 1 else numbers
    return ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))


def _numbers(segments: list[Segment]) -> list[int]:
    """What is left when the last segment is dropped until no word is left (`Gem::Version#bump`, `#release`)."""
    while any(isinstance(each, str) for each in segments):
        segments = segments[:-1]
    return [each for each in segments if isinstance(each, int)]
