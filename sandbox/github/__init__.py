"""A GitHub on loopback, over real bare git repositories.

github = GitHub(folder)
github.add_token("a-token")
github.create_repository("acme/theme", {"_data/banner_notification.yml": "enabled: false\\n"})
with serving(github.app) as server:
    ...  # REST at server.url, pages at server.url, `git clone {server.url}/acme/theme.git`
"""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.github import api, clone
from sandbox.github.errors import Refusal
from sandbox.github.pages import Pages
from sandbox.github.world import BOT_PERMISSIONS, World

__all__ = ["BOT_PERMISSIONS", "GitHub", "Refusal", "World"]


class GitHub(World):
    """A `World` with its front: `app` is what a `Server` serves, and where faults are armed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes what `World` takes."""
        super().__init__(*arguments, **options)
        rest = [Route(f"{prefix}/{{rest:path}}", api.unknown) for prefix in ("/repos", "/app", "/api/v3")]
        pages = Pages(self)
        self.app = Faults(Starlette(routes=[*api.routes(self), *clone.routes(self), *rest, *pages.routes()]))
