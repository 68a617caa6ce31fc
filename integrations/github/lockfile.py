"""What stands where in a Gemfile.lock, read by the rules of Bundler's own parser (`Bundler::LockfileParser`).

Only positions and words are taken out; nothing is written from them, so that what is not understood is not lost.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.errors import Final

SOURCES = ("GIT", "GEM", "PATH", "PLUGIN SOURCE")
_DEPENDENCIES, _CHECKSUMS = "DEPENDENCIES", "CHECKSUMS"
_CONFLICT = re.compile(r"<{7}|={7}|>{7}|\|{7}")
_OPTION = re.compile(r"  ([A-Za-z]+): (.*)")
_ENTRY = re.compile(
    r"(?P<indent> {6}| {4}| {2})(?! )(?P<name>\S.*?)(?: \((?P<version>[^-)]*)(?:-(?P<platform>.*))?\))?(?P<pinned>!)?"
)
_CHECKSUM = re.compile(r"  (?! )(?P<name>\S+) \((?P<version>[^-)]*)(?:-(?P<platform>[^)]*))?\)(?: (?P<sums>\S.*))?")
_OF_SPEC, _OF_DEPENDENCY = 4, 6


@dataclass(frozen=True)
class Line:
    """One line: `text` without its end, and `end`, which is empty for a last line that has none."""

    text: str
    end: str


@dataclass(frozen=True)
class Entry:
    """A line that names a gem. `at` is the line's index, `version` what stands in brackets ("" if nothing does)."""

    at: int
    name: str
    version: str
    platform: str = ""
    sums: str = ""


@dataclass
class Spec:
    """A gem that the lock holds: its line, and the lines of what it depends on."""

    entry: Entry
    dependencies: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The gem's name."""
        return self.entry.name


@dataclass
class Source:
    """Where gems come from. `options` maps each option (`remote`, `revision`) to its lines' indexes and values."""

    kind: str
    at: int
    options: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    specs: list[Spec] = field(default_factory=list)

    def option(self, name: str) -> str:
        """Return the (last) value of an option, or "" if it is not there."""
        return self.options[name][-1][1] if name in self.options else ""


@dataclass
class Lock:
    """A parsed lock file. `file` is how errors call it; `checksums` is None where there is no such section."""

    file: str
    lines: tuple[Line, ...]
    sources: list[Source] = field(default_factory=list)
    dependencies: list[Entry] = field(default_factory=list)
    checksums: list[Entry] | None = None

    def specs(self) -> Iterator[tuple[Source, Spec]]:
        """Yield every gem with its source, in the order of the file."""
        for source in self.sources:
            for spec in source.specs:
                yield source, spec

    def where(self, at: int) -> str:
        """Return file and line as errors name them."""
        return f"{self.file}, line {at + 1}"


def parse(content: bytes, file: str) -> Lock:
    """Read a lock file. Raises `Final`, naming `file`, the line and what was expected, if it is none."""
    lock = Lock(file, tuple(_lines(_decode(content, file))))
    _refuse_conflicts(lock)
    section = ""
    for at, line in enumerate(lock.lines):
        if line.text and not line.text[0].isspace():
            section = _begin(lock, at, line.text)
        elif section:
            _take(lock, section, at, line.text)
    if not lock.sources or not _begins(lock, _DEPENDENCIES):
        first = next((at for at, line in enumerate(lock.lines) if line.text.strip()), 0)
        raise Final(
            f"{lock.where(first)}: this is no Gemfile.lock that Bundler reads. Expected a section {', '.join(SOURCES)} "
            f"and a section {_DEPENDENCIES}, each name alone on its line."
        )
    return lock


def join(lines: Mapping[int, list[str]], lock: Lock) -> bytes:
    """Return the file with the lines at the given indexes replaced by any number of texts; all else as it was."""
    usual = max(("\n", "\r\n"), key=lambda end: sum(line.end == end for line in lock.lines))
    parts: list[str] = []
    for at, line in enumerate(lock.lines):
        parts += [part for text in lines.get(at, [line.text]) for part in (text, line.end or usual)]
    if lock.lines:
        parts[-1:] = [lock.lines[-1].end]
    return "".join(parts).encode()


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Final(
            f"{file}, line {line}: this is not UTF-8 text. Expected a Gemfile.lock as Bundler writes it."
        ) from None


def _lines(text: str) -> Iterator[Line]:
    parts = re.split(r"(\r?\n)", text)
    for start in range(0, len(parts) - 1, 2):
        yield Line(parts[start], parts[start + 1])
    if parts[-1]:
        yield Line(parts[-1], "")


def _refuse_conflicts(lock: Lock) -> None:
    for at, line in enumerate(lock.lines):
        if _CONFLICT.search(line.text):
            raise Final(
                f"{lock.where(at)}: a merge conflict was left here ({line.text.strip()[:40]}), and Bundler refuses the "
                "whole file. Expected a file without conflict marks; settle the conflict, then retry."
            )


def _begin(lock: Lock, at: int, text: str) -> str:
    """Begin the section that the line names; a name that Bundler does not know begins one that is left alone."""
    if text in SOURCES:
        lock.sources.append(Source(text, at))
    elif text == _CHECKSUMS:
        lock.checksums = lock.checksums or []
    return text


def _begins(lock: Lock, section: str) -> bool:
    return any(line.text == section for line in lock.lines)


def _take(lock: Lock, section: str, at: int, text: str) -> None:
    if section in SOURCES:
        _take_of_source(lock.sources[-1], at, text)
    elif section == _DEPENDENCIES:
        found = _ENTRY.fullmatch(text)
        if found and len(found["indent"]) == len("  "):
            lock.dependencies.append(_entry(at, found))
    elif section == _CHECKSUMS and lock.checksums is not None:
        found = _CHECKSUM.fullmatch(text)
        if found:
            lock.checksums.append(
                Entry(at, found["name"], found["version"], found["platform"] or "", found["sums"] or "")
            )


def _take_of_source(source: Source, at: int, text: str) -> None:
    option = _OPTION.fullmatch(text)
    if option:
        source.options.setdefault(option[1], []).append((at, option[2]))
        return
    found = _ENTRY.fullmatch(text)
    if not found:
        return
    if len(found["indent"]) == _OF_SPEC:
        source.specs.append(Spec(_entry(at, found)))
    elif len(found["indent"]) == _OF_DEPENDENCY and source.specs:
        source.specs[-1].dependencies.append(_entry(at, found))


def _entry(at: int, found: re.Match[str]) -> Entry:
    return Entry(at, found["name"], found["version"] or "", found["platform"] or "")
