"""What would be done to one site, found out without changing anything."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from bot.errors import Final, StepError
from bot.step import Context
from integrations.github.lockfile_move import Pin
from integrations.github.site import Aim, Site
from integrations.github.site_banner import quarrel
from integrations.github.site_lock import SiteLock, SiteRepository
from integrations.github.site_theme import Theme

_FILES = 5


@dataclass(frozen=True)
class Stand:
    """Where a site's lock is: `at` its `revision` or `version` (empty if it cannot be read), or `is_there` already."""

    at: Mapping[str, str]
    is_there: bool


@dataclass(frozen=True)
class Planned:
    """One site: `lines` for people, and whether it is `refused`."""

    lines: tuple[str, ...]
    refused: bool = False


def stand(ctx: Context, theme: Theme, site: Site, aim: Aim) -> Stand:
    """Look where a site's lock is. Raises `Temporary` if it cannot be asked now."""
    with SiteRepository(ctx, site.repository) as repository:
        lock = SiteLock(site, aim, repository, theme)
        try:
            pin = lock.pin(lock.read(site.branch or str(repository.about()["default_branch"])).content)
            at = {"version": pin.version} if pin.kind == "gem" else {"revision": pin.revision}
            return Stand(at, lock.is_there(pin))
        except Final:
            return Stand({}, is_there=False)


def planned(ctx: Context, theme: Theme, site: Site, aim: Aim) -> Planned:
    """Say what would be done to a site. Raises `Temporary` if it cannot be asked now; what is wrong with it is told."""
    with SiteRepository(ctx, site.repository) as repository:
        lock = SiteLock(site, aim, repository, theme)
        try:
            return Planned(tuple(_look(repository, theme, lock, site, aim)))
        except Final as error:
            return Planned((f"✗ {site.called}: {error}",), refused=True)


def _look(repository: SiteRepository, theme: Theme, lock: SiteLock, site: Site, aim: Aim) -> list[str]:
    branch = site.branch or str(repository.about()["default_branch"])
    now = lock.read(branch).content
    pin = lock.pin(now)
    after = lock.wanted(now)
    found = quarrel(repository, branch, aim)
    if found:
        raise Final(found)
    if after == now:
        return [f"{site.called}: its lock file on {branch} names the theme already; its build and page are looked at"]
    ways = {"push": "pushed to", "pr": "through a pull request into"}
    head = f"{site.called}: {ways[site.via]} {branch} of {site.repository}{_published(site)}; then {site.live}"
    return [head, *_diff(now, after), *_along(theme, pin, aim)]


def _published(site: Site) -> str:
    if not site.cloudcannon:
        return ""
    ways = {
        "merge": "published by CloudCannon",
        "pull_request": "published by a pull request in CloudCannon",
        "push": "",
    }
    return f", {ways[site.publish]}, built" if ways[site.publish] else ", built by CloudCannon"


def _diff(before: bytes, after: bytes) -> list[str]:
    old, new = (text.decode(errors="replace").splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
    return [f"    {line}" for line in lines if not line.startswith("@@")]


def _along(theme: Theme, pin: Pin, aim: Aim) -> list[str]:
    """Say what else of the theme comes along: work that others may not have meant to publish yet."""
    if pin.kind == "gem":
        return []
    try:
        found = theme.compare(pin.revision, aim.revision)
    except StepError:
        return ["    what else of the theme comes along cannot be told"]
    files = [str(file["filename"]) for file in found["files"] if file["filename"] != aim.path]
    if not files:
        return []
    more = f" and {len(files) - _FILES} more" if files[_FILES:] else ""
    return [f"    with it come other changes of the theme: {', '.join(files[:_FILES])}{more}"]
