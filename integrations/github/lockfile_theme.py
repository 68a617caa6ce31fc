"""What the theme's gems are at a revision or version: the version and dependencies that a lock file has to name."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from bot.errors import Final
from bot.http import Http
from integrations.github.client import GitHub
from integrations.github.lockfile_gemspec import Unreadable, files_read, read
from integrations.github.lockfile_move import GemSpec, Pin
from integrations.github.lockfile_versions import normal

_NOT_FOUND = 404


def specs_at(theme: GitHub, pin: Pin, revision: str) -> Mapping[str, GemSpec]:
    """Return what the gems of `pin` are at `revision` of the theme's repository; those unchanged are left out.

    Raises `Final` if that cannot be told for certain: then only Bundler itself can move the lock.
    """
    found: dict[str, GemSpec] = {}
    for gem, locked in pin.specs.items():
        before, after = _sources(theme, gem, pin.revision), _sources(theme, gem, revision)
        if not after:
            raise Final(
                f"{theme.repository} has no {gem}.gemspec at {revision[:10]}. Expected it at the top or in the folder "
                f"{gem}/. Nothing was changed."
            )
        if before == after:
            continue
        found[gem] = _told(gem, after, revision)
        if before and _told(gem, before, pin.revision) != locked:
            raise _doubt(gem, "what it says at the revision that is locked is not what the lock says", revision)
    return found


def _sources(theme: GitHub, gem: str, revision: str) -> dict[str, str]:
    """Return the gemspec (first) and the files that it reads, by path; empty if there is no gemspec."""
    for path in (f"{gem}.gemspec", f"{gem}/{gem}.gemspec"):
        gemspec = _text(theme, path, revision)
        if gemspec is not None:
            folder = path.rpartition("/")[0]
            texts = {name: _text(theme, f"{folder}/{name}".lstrip("/"), revision) for name in files_read(gemspec)}
            return {path: gemspec, **{name: text for name, text in texts.items() if text is not None}}
    return {}


def _text(theme: GitHub, path: str, revision: str) -> str | None:
    try:
        file = theme.file(path, revision)
    except Final as error:
        if error.status is not None:
            raise
        return None  # a folder of that name, say
    return file.content.decode(errors="replace") if file else None


def _told(gem: str, sources: Mapping[str, str], revision: str) -> GemSpec:
    gemspec, *_ = sources.values()
    try:
        name, spec = read(gemspec, sources)
    except Unreadable as error:
        raise _doubt(gem, str(error), revision) from None
    if name != gem:
        raise _doubt(gem, f"it is that of {name}", revision)
    return spec


def _doubt(gem: str, why: str, revision: str) -> Final:
    return Final(
        f"The gemspec of {gem} has changed up to {revision[:10]}, and maint cannot tell what it depends on now: {why}. "
        "A new dependency would break the site's build, so nothing was changed. Run "
        f"`bundle lock --update {gem}` in the site, push that, and retry."
    )


def spec_of_version(remotes: Sequence[str], gem: str, version: str) -> tuple[GemSpec, str]:
    """Return what `gem` says of itself in `version`, and the SHA-256 (hex) of its file, as its gem server has it.

    Read from the servers' compact index (`/info/GEM`: a line for each version). Raises `Final` if none of them has the
    version; what `Http` raises if one does not answer.
    """
    for remote in remotes:
        with Http(remote.rstrip("/"), system="The gem server") as http:
            listing = http.request("GET", f"/info/{quote(gem)}", accept={_NOT_FOUND})
        for line in listing.text.splitlines() if listing.status != _NOT_FOUND else ():
            number, _, rest = line.partition(" ")
            if number == version:
                dependencies, _, extras = rest.partition("|")
                sums = dict(part.partition(":")[::2] for part in extras.split(","))
                return GemSpec(version, dict(_listed(dependencies))), sums.get("checksum", "")
    raise Final(
        f"No gem server of the lock has {gem} {version} for every platform. Nothing was changed. Check `version` in "
        "the runbook, and whether it is released."
    )


def _listed(dependencies: str) -> list[tuple[str, str]]:
    parts = [part.partition(":") for part in dependencies.split(",") if part]
    return [(name, normal(wanted.split("&"))) for name, _, wanted in parts]
