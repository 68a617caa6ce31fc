"""How a site is built from a checkout of it: by real Jekyll, or by a few lines that know this one theme."""

import re
import threading
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, select_autoescape
from ruamel.yaml import YAML

from sandbox.github.world import World as GitHubWorld
from sandbox.jekyll import BuildFailed, Jekyll
from sandbox.jekyll.sources import BANNER_PATH, THEME

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"), autoescape=select_autoescape(["html"])
)
_PINNED = re.compile(
    rf"^GIT\n  remote: \S*?/([\w.-]+/[\w.-]+?)(?:\.git)?\n  revision: (\w+)\n(?:  \w+: .*\n)*  specs:\n    {THEME} \(",
    re.MULTILINE,
)


class Builder(Protocol):
    """Builds the checkout `source` into `destination`; returns what it printed. Raises `BuildFailed`."""

    def __call__(self, source: Path, destination: Path, site: str) -> str: ...


class JekyllBuilder:
    """Real Bundler with a frozen lock, and real Jekyll. What Bundler installs is kept in `home`, site by site."""

    def __init__(self, home: Path) -> None:
        """Raises `JekyllMissing`."""
        self._home = home
        Jekyll(home)
        self._locks: dict[str, threading.Lock] = {}

    def __call__(self, source: Path, destination: Path, site: str) -> str:
        with self._locks.setdefault(site, threading.Lock()):
            return Jekyll(self._home / site).build(source, destination)


class PlainBuilder:
    """No Ruby: reads which revision of the theme the lock names, and shows its banner as Jekyll and the theme would."""

    def __init__(self, github: GitHubWorld) -> None:
        self._github = github

    def __call__(self, source: Path, destination: Path, site: str) -> str:
        lock = (source / "Gemfile.lock").read_bytes().decode().replace("\r\n", "\n")
        found = _PINNED.search(lock)
        if not found:
            raise BuildFailed(f"The lock file holds no {THEME} from git.")
        git = self._github.repo(found[1]).git
        if git.resolve(found[2]) is None:
            raise BuildFailed(f"Revision {found[2]} does not exist in the repository {found[1]}.")
        entry = git.entry(found[2], BANNER_PATH)
        themes = git.blob(entry.sha).decode() if entry else ""
        own = source / BANNER_PATH
        # Key by key, as Jekyll merges a site's data over its theme's.
        banner = {**_data(themes), **(_data(own.read_text()) if own.exists() else {})}
        destination.mkdir(parents=True, exist_ok=True)
        config = source / "_config.yml"
        about = {"title": site, "colour": "#3b4cca", **(_data(config.read_text()) if config.exists() else {})}
        (destination / "index.html").write_text(_templates.get_template("site.html").render(banner=banner, **about))
        return f"Built {site} with {THEME} at {found[2]}.\n"


def _data(text: str) -> dict[str, Any]:
    return YAML(typ="safe").load(text) or {}
