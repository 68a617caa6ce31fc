"""An Atlassian Statuspage page on loopback.

statuspage = Statuspage()
api = statuspage.add_component("API")
with serving(statuspage.app) as server:
    ...  # the API at server.url + "/v1" (`OAuth statuspage-key`), the page at server.url
statuspage.summary()
"""

from typing import Any

from starlette.applications import Starlette

from sandbox.faults import Faults
from sandbox.statuspage import api
from sandbox.statuspage.page import KEY, PAGE_ID, Component, Incident, Notification, StatusPage
from sandbox.statuspage.public import Public

__all__ = ["KEY", "PAGE_ID", "Component", "Incident", "Notification", "StatusPage", "Statuspage"]


class Statuspage(StatusPage):
    """A `StatusPage` with its front: `app` is what a `Server` serves, and where faults are armed.

    `limit` requests of a key are granted in any `window_s` seconds (None: all), more are answered with `refusal`.
    """

    def __init__(
        self,
        *arguments: Any,
        key: str = KEY,
        limit: int | None = 60,
        window_s: float = 60.0,
        refusal: int = 420,
        **options: Any,
    ) -> None:
        """The other arguments are those of `StatusPage`."""
        super().__init__(*arguments, **options)
        self.keys = {key}
        self.rate = api.Rate(limit, window_s, refusal)
        self.app = Faults(Starlette(routes=[*api.routes(self, self.keys, self.rate), *Public(self).routes()]))
