"""A CloudCannon on loopback, over the git repositories of the stand-in GitHub.

    cloud = CloudCannon(github, folder, PlainBuilder(github))     # or JekyllBuilder(folder)
    staging = cloud.add_site("www staging", "acme/www", "master", publish_branch="production")
    production = cloud.add_site("www", "acme/www", "production")
    with serving(cloud.app) as api, serving(cloud.live) as live:
        ...  # REST at {api.url}/api/v0 with the key `cloud.key`; pages at {live.url}/site/www/

A site follows its branch: a new commit is synced, built and put out, each of which takes as long as asked for.
"""

from typing import Any

from starlette.applications import Starlette

from sandbox.cloudcannon import api, live
from sandbox.cloudcannon.builders import JekyllBuilder, PlainBuilder
from sandbox.cloudcannon.world import World
from sandbox.faults import Faults

__all__ = ["CloudCannon", "JekyllBuilder", "PlainBuilder", "World"]


class CloudCannon(World):
    """A `World` with its fronts: `app` is the API, `live` the hosting; each is where its faults are armed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes what `World` takes."""
        super().__init__(*arguments, **options)
        self.app = Faults(Starlette(routes=api.routes(self)))
        self.live = Faults(Starlette(routes=live.routes(self)))
