"""The stand of `sites.update`: sites in git, and the hosting that builds and publishes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx

from integrations.github import site_wait
from sandbox.faults import Faults
from sandbox.github import GitHub
from sandbox.jekyll.sources import plain_lock
from sandbox.server import serving
from tests.integrations.sites.conftest import NAMES, REMOTE, TEXT, TOKEN, Houses, Town, build_repositories
from tests.stands.stand import Stand, stand


@stand("sites.update")
@contextmanager
def sites(folder: Path) -> Iterator[Stand]:
    """Two sites that are published in different ways, on a theme whose banner has just been merged."""
    build_repositories(GitHub(folder / "first"), REMOTE, lambda revision, _: plain_lock(REMOTE, revision))
    houses = Houses(folder / "houses", folder / "first")
    houses.show_banner()
    faults = Faults(houses)
    waited, site_wait._FIRST_S = site_wait._FIRST_S, 0.05
    try:
        with serving(faults) as server:
            town = Town(houses, server.url)

            def shown() -> object:
                return [TEXT in unescape(httpx.get(f"{server.url}/site/{name}/").text) for name in NAMES]

            def seen() -> object:
                repositories = [houses.github.repo(f"acme/{name}").git for name in NAMES]
                return (
                    shown(),
                    [len(git.log("master")) for git in repositories],
                    [len(site.builds) for site in houses.production.values()],
                )

            step = town.step(only=("www", "partners"))
            yield Stand({"sites": step}, town.settings, seen, shown, (TOKEN, houses.cloud.key), faults, most_faults=3)
    finally:
        site_wait._FIRST_S = waited
        houses.cloud.stop()
