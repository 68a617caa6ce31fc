"""Move one gem of a Gemfile.lock to another revision or version, and touch nothing else.

What would make Bundler resolve anew is refused: then the site has to be updated by `bundle lock --update`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bot.errors import Final
from integrations.github.lockfile import Entry, Lock, Source, Spec, join, parse
from integrations.github.lockfile_versions import satisfies

_PINS = ("ref", "tag")
_SHA256 = "sha256="


@dataclass(frozen=True)
class GemSpec:
    """What a gem says of itself: its version, and its runtime dependencies (name to requirement as locks write it)."""

    version: str
    dependencies: Mapping[str, str]


@dataclass(frozen=True)
class Pin:
    """Where the lock takes a gem from: `remotes` has one address for git. `revision` and `branch` are git's, else "".

    `specs` are all gems that come from the same git repository, as the lock knows them.
    """

    kind: Literal["git", "gem"]
    remotes: tuple[str, ...]
    version: str
    revision: str
    branch: str
    specs: Mapping[str, GemSpec]


def pin_of(content: bytes, gem: str, *, file: str) -> Pin:
    """Return where the lock takes `gem` from. Raises `Final` if it does not, or in a way that cannot be moved."""
    lock = parse(content, file)
    source, spec = _find(lock, gem)
    ours = source.specs if source.kind == "GIT" else [spec]
    return Pin(
        kind="git" if source.kind == "GIT" else "gem",
        remotes=tuple(value for _, value in source.options.get("remote", [])),
        version=spec.entry.version,
        revision=source.option("revision"),
        branch=source.option("branch"),
        specs={each.name: _told(each) for each in ours},
    )


def to_revision(content: bytes, gem: str, revision: str, specs: Mapping[str, GemSpec], *, file: str) -> bytes:
    """Return the lock with the git source of `gem` at `revision`.

    `specs` says what the gems of that repository are at `revision`; one that is not named has not changed. Raises
    `Final` if the lock cannot be moved by changing their lines alone.
    """
    lock = parse(content, file)
    source, _ = _find(lock, gem)
    if source.kind != "GIT":
        raise Final(f"{lock.where(source.at)}: {gem} comes from a gem server, which has no revisions. Give `version`.")
    changed = {each.name: specs[each.name] for each in source.specs if specs.get(each.name, _told(each)) != _told(each)}
    _refuse_unmet(lock, changed, gem)
    edits: dict[int, list[str]] = {}
    at, now = source.options["revision"][-1]
    if now != revision:
        edits[at] = [lock.lines[at].text.removesuffix(now) + revision]
    for spec in source.specs:
        if spec.name in changed:
            edits |= _respec(lock, spec, changed[spec.name], None)
    return _proved(join(edits, lock), gem, lambda pin: pin.revision == revision, lock)


def to_version(content: bytes, gem: str, spec: GemSpec, sha256: str, *, file: str) -> bytes:
    """Return the lock with `gem`, which comes from a gem server, as `spec` says it is now.

    `sha256` (hex) is that of the `.gem` file; it is written where the lock keeps checksums. Raises `Final` if the
    lock cannot be moved by changing the gem's lines alone.
    """
    lock = parse(content, file)
    source, found = _find(lock, gem)
    if source.kind != "GEM":
        raise Final(f"{lock.where(source.at)}: {gem} comes from git. Give `revision`, not `version`.")
    if _told(found) == spec:
        return content
    _refuse_unmet(lock, {gem: spec}, gem)
    return _proved(join(_respec(lock, found, spec, sha256), lock), gem, lambda pin: pin.specs[gem] == spec, lock)


def _find(lock: Lock, gem: str) -> tuple[Source, Spec]:
    found = [(source, spec) for source, spec in lock.specs() if spec.name == gem]
    if not found:
        raise Final(_absent(lock, gem))
    source, spec = found[0]
    where = lock.where(spec.entry.at)
    if len(found) > 1:
        raise Final(
            f"{lock.where(found[1][1].entry.at)}: {gem} stands here a second time (first in line {spec.entry.at + 1}). "
            "Expected it once."
        )
    if not spec.entry.version:
        raise Final(f"{where}: expected `    {gem} (VERSION)`, found `{lock.lines[spec.entry.at].text}`.")
    if source.kind not in {"GIT", "GEM"}:
        raise Final(f"{where}: {gem} comes from a {source.kind} section. Expected it from GIT or GEM.")
    if source.kind == "GIT":
        _refuse_pinned(lock, source, gem)
    return source, spec


def _absent(lock: Lock, gem: str) -> str:
    """Say where the gem was expected, and where its name does stand, if it does."""
    for at, line in enumerate(lock.lines):
        if gem in line.text.replace("(", " ").replace("!", " ").split():
            return (
                f"{lock.where(at)}: {gem} is named here (`{line.text.strip()}`), but is not among the gems of a "
                f"source. Expected `    {gem} (VERSION)` below `  specs:`. Write the lock anew with Bundler, and retry."
            )
    known = ", ".join(f"{source.kind} at line {source.at + 1}" for source in lock.sources)
    return (
        f"{lock.file} does not hold the gem {gem}. Expected it below `  specs:` of a source ({known}). Check `gem` and "
        "`lock` in the runbook, or leave this site out."
    )


def _refuse_pinned(lock: Lock, source: Source, gem: str) -> None:
    for pin in _PINS:
        if pin in source.options:
            at, value = source.options[pin][-1]
            raise Final(
                f"{lock.where(at)}: {gem} is pinned by `{pin}: {value}`. Expected a branch or nothing, since the "
                f"Gemfile has the same pin. Change it in the Gemfile, and run `bundle lock --update {gem}`."
            )
    if "revision" not in source.options:
        raise Final(f"{lock.where(source.at)}: expected a line `  revision: …` in the git source of {gem}.")


def _told(spec: Spec) -> GemSpec:
    return GemSpec(spec.entry.version, {each.name: each.version for each in spec.dependencies})


def _respec(lock: Lock, spec: Spec, new: GemSpec, sha256: str | None) -> dict[int, list[str]]:
    _refuse_platforms(lock, spec)
    edits = _dependency_edits(lock, spec, new)
    if new.version != spec.entry.version:
        at = spec.entry.at
        head = f"    {spec.name} ({new.version})"
        edits[at] = [head, *edits.get(at, [head])[1:]]
        edits |= _checksum_edit(lock, spec, new.version, sha256)
    return edits


def _dependency_edits(lock: Lock, spec: Spec, new: GemSpec) -> dict[int, list[str]]:
    """Change, drop and add the lines of dependencies, each in its place by name."""
    edits: dict[int, list[str]] = {}
    before: dict[int, list[str]] = {}
    for name, requirement in sorted(new.dependencies.items(), key=lambda each: f"{each[0]} ("):
        line = f"      {name} ({requirement})" if requirement else f"      {name}"
        there = next((each for each in spec.dependencies if each.name == name), None)
        if there is None:
            earlier = [each.at for each in spec.dependencies if f"{each.name} (" < f"{name} ("]
            before.setdefault(earlier[-1] if earlier else spec.entry.at, []).append(line)
        elif there.version != requirement:
            edits[there.at] = [line]
    edits |= {each.at: [] for each in spec.dependencies if each.name not in new.dependencies}
    for at, lines in before.items():
        edits[at] = [*edits.get(at, [lock.lines[at].text]), *lines]
    return edits


def _checksum_edit(lock: Lock, spec: Spec, version: str, sha256: str | None) -> dict[int, list[str]]:
    if lock.checksums is None:
        return {}
    entry = next((each for each in lock.checksums if each.name == spec.name), None)
    if entry is None:
        raise Final(
            f"{lock.file} has a section CHECKSUMS without {spec.name}. Expected a line `  {spec.name} "
            f"({spec.entry.version})` there; `bundle lock --update {spec.name}` writes it."
        )
    sums = f" {_SHA256}{sha256}" if entry.sums and sha256 else ""
    return {entry.at: [f"  {spec.name} ({version}){sums}"]}


def _refuse_platforms(lock: Lock, spec: Spec) -> None:
    if spec.entry.platform:
        raise Final(
            f"{lock.where(spec.entry.at)}: {spec.name} is locked for the platform {spec.entry.platform} only. Expected "
            "a gem for every platform, as themes are."
        )


def _refuse_unmet(lock: Lock, changed: Mapping[str, GemSpec], gem: str) -> None:
    """Raise `Final` where Bundler would have to resolve anew: something is missing, or no longer allowed."""
    repair = f"Nothing was changed. Run `bundle lock --update {gem}` in the site, push that, and retry."
    held = {spec.name: spec.entry for _, spec in lock.specs()}
    versions = {name: entry.version for name, entry in held.items()} | {
        name: new.version for name, new in changed.items()
    }
    for name, new in changed.items():
        for needed, requirement in new.dependencies.items():
            if needed == "bundler":
                continue
            if needed not in held:
                raise Final(
                    f"{name} {new.version} depends on {needed}, which {lock.file} does not hold: the site's build "
                    f"would fail. {repair}"
                )
            if not _allowed(versions[needed], requirement, lock, held[needed]):
                raise Final(
                    f"{name} {new.version} needs {needed} {requirement}, and {lock.where(held[needed].at)} holds "
                    f"{versions[needed]}. {repair}"
                )
    for asker, entry in _asking(lock, changed):
        if not _allowed(versions[entry.name], entry.version, lock, entry):
            raise Final(
                f"{lock.where(entry.at)}: {asker} wants {entry.name} {entry.version}, which {versions[entry.name]} is "
                f"not. Change that first. {repair}"
            )


def _asking(lock: Lock, changed: Mapping[str, GemSpec]) -> list[tuple[str, Entry]]:
    """Return who asks for the changed gems (the Gemfile, or gems that do not change), with the line that says so."""
    asking = [("the Gemfile", each) for each in lock.dependencies if each.name in changed]
    unchanged = [spec for _, spec in lock.specs() if spec.name not in changed]
    return asking + [(spec.name, each) for spec in unchanged for each in spec.dependencies if each.name in changed]


def _allowed(version: str, requirement: str, lock: Lock, entry: Entry) -> bool:
    try:
        return satisfies(version, requirement)
    except ValueError as error:
        raise Final(f"{lock.where(entry.at)}: {error}. Write the lock anew with Bundler, then retry.") from None


def _proved(after: bytes, gem: str, is_right: Callable[[Pin], bool], lock: Lock) -> bytes:
    """Read the result again. Raises `Final` unless it says what was meant."""
    if not is_right(pin_of(after, gem, file=lock.file)):
        raise Final(
            f"{lock.file}: changing the lines of {gem} did not come out as meant, so nothing was changed. "
            f"Run `bundle lock --update {gem}` in the site instead."
        )
    return after
