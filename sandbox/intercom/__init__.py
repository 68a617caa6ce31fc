"""An Intercom workspace on loopback.

intercom = Intercom(contacts=100_000)
with serving(intercom.app) as server:
    ...  # the API at server.url (bearer `intercom-token`), a page of who got what at server.url
intercom.summary()
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.intercom import api, news
from sandbox.intercom.contacts import EVERYONE, Contact, Mix
from sandbox.intercom.workspace import ADMIN_ID, Workspace

__all__ = ["ADMIN_ID", "EVERYONE", "Contact", "Intercom", "Mix", "Workspace"]

SHOWN = 60
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(["html"])
)


def _lines(body: str) -> str:
    """The text of an HTML body, its paragraphs and breaks as lines."""
    return "\n".join(Markup(line).striptags() for line in re.split(r"<br\s*/?>|</p>\s*<p>", body))  # noqa: S704 - stripped of tags, then escaped by the page


_templates.filters["lines"] = _lines


class Intercom(Workspace):
    """A `Workspace` with its front: `app` is what a `Server` serves, and where faults are armed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes what `Workspace` takes."""
        super().__init__(*arguments, **options)
        pages = [Route("/", self._page), Route("/summary.json", self._summary), Route("/rate.json", self._rate)]
        self.app = Faults(Starlette(routes=[*api.routes(self), *news.routes(self), *pages]))

    async def _summary(self, request: Request) -> Response:  # noqa: ARG002 - the shape that Starlette calls
        return JSONResponse(self.summary())

    async def _rate(self, request: Request) -> Response:  # noqa: ARG002 - the shape that Starlette calls
        return JSONResponse(self.rate())

    async def _page(self, request: Request) -> Response:  # noqa: ARG002
        latest = [
            {
                "name": self.contacts[message.contact].name,
                "email": self.contacts[message.contact].email,
                "text": self.texts[message.text],
                "at": message.at,
                "times": (self.contacts[message.contact].received or []).count(message.text),
            }
            for message in reversed(self.messages[-SHOWN:])
        ]
        facts = {"people": len(self.contacts), "news": list(self.news.values()), "latest": latest}
        return HTMLResponse(_templates.get_template("workspace.html").render(**self.summary(), **facts))
