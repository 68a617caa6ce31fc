"""Acme's three marketing sites: a theme as a gem in git, sites that lock it, and the CloudCannon that publishes them.

`www` is merged into its publish branch, `docs` gets there through pull requests, and `partners` is built from the push.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.cloudcannon import CloudCannon, JekyllBuilder, PlainBuilder
from sandbox.cloudcannon.model import Site
from sandbox.github import GitHub
from sandbox.jekyll import Jekyll
from sandbox.jekyll.sources import plain_lock, site_files, theme_files

THEME = "acme/theme"
NAMES = ("www", "docs", "partners")
_PUBLISH = "production"


class Marketing:
    """The sites `names`, with repositories in `forge`, which answers at `forge_url`; `jekyll`: built by real Jekyll."""

    def __init__(
        self, forge: GitHub, forge_url: str, folder: Path, *, names: Sequence[str] = NAMES, jekyll: bool = False
    ) -> None:
        self._forge, self._remote, self.names = forge, f"{forge_url}/{THEME}.git", tuple(names)
        builder = JekyllBuilder(folder / "builds") if jekyll else PlainBuilder(forge)
        self.cloud = CloudCannon(forge, folder / "cloud", builder)
        self._staging: dict[str, Site] = {}
        self._production: dict[str, Site] = {}
        forge.create_repository(THEME, theme_files())
        lock_of = self._locked_by(Jekyll(folder / "locks")) if jekyll else self._plainly_locked
        for number, name in enumerate(self.names):
            self._found(number, name, lock_of)
        self._go_live()
        # From here on a build takes a moment, so that it can be seen on the card.
        self.cloud.sync_s, self.cloud.build_s, self.cloud.output_s = 0.3, 1.5, 0.3

    def _go_live(self) -> None:
        """Return once every site shows its first build, as it did long before the story begins.

        Raises `RuntimeError` for one that cannot be built.
        """
        while waiting := [site for site in self.cloud.sites.values() if site.live is None]:
            for site in waiting:
                self.cloud.refresh(site)
                failed = [build.log for build in site.builds if build.completed_at and not build.successful]
                if failed:
                    raise RuntimeError(f"{site.name} cannot be built: {failed[0]}")
            time.sleep(0.02)

    def _found(self, number: int, name: str, lock_of: Callable[[dict[str, str]], str]) -> None:
        files = site_files(name, self._remote, number=number)
        git = self._forge.create_repository(f"acme/{name}", {**files, "Gemfile.lock": lock_of(files)}).git
        if name == "partners":
            self._production[name] = self.cloud.add_site(name, f"acme/{name}")
            return
        git.update_ref(f"refs/heads/{_PUBLISH}", str(git.branch("master")))
        mode = "pull_request" if name == "docs" else None
        staging = self.cloud.add_site(f"{name}-staging", f"acme/{name}", publish_branch=_PUBLISH, publish_mode=mode)
        self._staging[name] = staging
        self._production[name] = self.cloud.add_site(name, f"acme/{name}", _PUBLISH)

    def _plainly_locked(self, _: dict[str, str]) -> str:
        return plain_lock(self._remote, str(self._forge.head(THEME)))

    def _locked_by(self, jekyll: Jekyll) -> Callable[[dict[str, str]], str]:
        locked: list[str] = []

        def lock_of(files: dict[str, str]) -> str:
            if not locked:  # the same for all, since it knows nothing of the site
                locked.append(jekyll.lock(files))
            return locked[0]

        return lock_of

    def records(self, live: str) -> list[dict[str, Any]]:
        """Return what a runbook says of the sites, whose pages are at `live`."""
        return [self._record(name, live) for name in self.names]

    def _record(self, name: str, live: str) -> dict[str, Any]:
        common = {"repository": f"acme/{name}", "live": f"{live}/site/{name}/"}
        production = self._production[name].uuid
        if name not in self._staging:
            return {**common, "cloudcannon": production, "publish": "push"}
        how = {"via": "pr", "publish": "pull_request"} if name == "docs" else {"via": "push", "publish": "merge"}
        return {**common, "cloudcannon": self._staging[name].uuid, "production": production, **how}

    def published(self, name: str) -> list[str]:
        """Return the front pages of a site that were built for visitors, oldest first."""
        builds = self._production[name].builds
        return [(build.folder / "index.html").read_text() for build in builds if build.successful]

    def stop(self) -> None:
        """Wait for builds to end."""
        self.cloud.stop()
