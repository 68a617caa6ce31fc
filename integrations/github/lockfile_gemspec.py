"""Read a `.gemspec` without running it: name, version and runtime dependencies, where they are written out plainly.

A gemspec is a Ruby program, and maint runs nobody's programs. So only plain statements are taken; anything that could
mean more than it says is refused, and the caller falls back on whether the files have changed at all.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from integrations.github.lockfile_move import GemSpec
from integrations.github.lockfile_versions import normal

_TEXT = r"""(?:"([^"\\#]*)"|'([^'\\]*)')(?:\.freeze)?"""
_NAME = re.compile(rf"^(\s*)\w+\.name\s*=\s*{_TEXT}\s*$", re.MULTILINE)
_VERSION = re.compile(r"\.version\s*=\s*(.+?)\s*$", re.MULTILINE)
_CONSTANT = re.compile(r"[A-Z]\w*(?:::[A-Z]\w*)*::([A-Z]\w*)|([A-Z]\w*)")
_READ = re.compile(rf"""(?:::)?(?:File|IO)\.read\(.*?{_TEXT}.*?\)(?:\.(?:strip|chomp))*""")
_ADD = re.compile(r"^(.*)\.add_(?:runtime_)?dependency\b(.*)$", re.MULTILINE)
_ARGUMENTS = re.compile(rf"\s*\(?\s*{_TEXT}\s*((?:,\s*\[?\s*{_TEXT}\s*\]?\s*)*)\)?\s*$")
_COMMENT = re.compile(r"""^((?:[^#"']|"[^"]*"|'[^']*')*)#.*$""", re.MULTILINE)
_READING = re.compile(
    r"\b(?:require|require_relative|load|read|readlines|open|expand_path|join|eval)\b.*$", re.MULTILINE
)
_PATH = re.compile(r"""["']([\w./-]+)["']""")


class Unreadable(Exception):
    """The gemspec does not say it plainly; the text says what was not understood."""


def files_read(gemspec: str) -> list[str]:
    """Return the paths of files in the repository that the gemspec may take something from, such as its version.

    Some of them may not exist: `require "acme/version"` may mean several places.
    """
    named = [name for line in _READING.findall(_bare(gemspec)) for name in _PATH.findall(line)]
    paths = [_inside(name) for name in named]
    places = [place for path in paths for place in (path, f"{path}.rb", f"lib/{path}", f"lib/{path}.rb") if path]
    return list(dict.fromkeys(places))


def read(gemspec: str, files: Mapping[str, str]) -> tuple[str, GemSpec]:
    """Return the gem's name, and what it says of itself. `files` (path to text) are those that it reads.

    Raises `Unreadable`.
    """
    text = _bare(gemspec)
    name = _NAME.search(text)
    if not name:
        raise Unreadable('no plain `spec.name = "…"`')
    spec = GemSpec(_version(text, files), dict(_dependencies(text, name[1].lstrip("\n"))))
    return _either(name.groups()[1:]), spec


def _bare(text: str) -> str:
    """The text without comments."""
    return _COMMENT.sub(r"\1", text)


def _inside(path: str) -> str:
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts)


def _either(groups: Iterable[str | Any]) -> str:
    return next((str(group) for group in groups if group is not None), "")


def _version(text: str, files: Mapping[str, str]) -> str:
    written = _VERSION.search(text)
    if not written:
        raise Unreadable("no plain `spec.version = …`")
    plain = re.fullmatch(_TEXT, written[1])
    if plain:
        return _either(plain.groups())
    read_from = _READ.fullmatch(written[1])
    if read_from:
        path = _inside(_either(read_from.groups()))
        if path in files:
            return files[path].strip()
    constant = _CONSTANT.fullmatch(written[1])
    if constant:
        return _constant(_either(constant.groups()), [text, *files.values()])
    raise Unreadable(f"the version is worked out ({written[1]})")


def _constant(name: str, texts: Iterable[str]) -> str:
    written = [re.findall(rf"^\s*{name}\s*=\s*{_TEXT}\s*$", _bare(text), re.MULTILINE) for text in texts]
    found = {one or other for pairs in written for one, other in pairs}
    if len(found) != 1:
        raise Unreadable(f"the constant {name} is set in {len(found)} ways")
    return str(found.pop())


def _dependencies(text: str, margin: str) -> Iterable[tuple[str, str]]:
    """Yield name and requirement of each. What is not at the margin of `name` is inside a condition or a loop."""
    seen: dict[str, list[str]] = {}
    for lead, rest in _ADD.findall(text):
        arguments = _ARGUMENTS.fullmatch(rest)
        if not arguments or not re.fullmatch(rf"{margin}\w+", lead):
            raise Unreadable(
                f"a dependency is not written out plainly (`{lead.strip()}.add_dependency{rest.rstrip()}`)"
            )
        wanted = [one or other for one, other in re.findall(_TEXT, arguments[3] or "")]
        seen.setdefault(_either(arguments.groups()[:2]), []).extend(wanted)
    for name, wanted in seen.items():
        try:
            yield name, normal([part for each in wanted for part in each.split(",")])
        except ValueError as error:
            raise Unreadable(str(error)) from None
