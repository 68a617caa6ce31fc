"""The demo's first page: where to look at everything that the story touches."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"), autoescape=select_autoescape(["html"])
)

Places = Mapping[str, tuple[str, str]]
"""By name: the address, and what is to be seen there."""


def first_page(places: Places) -> Starlette:
    """Return an application whose only page links to `places`; it is read anew for each request."""

    async def page(_: Request) -> Response:
        return HTMLResponse(_templates.get_template("places.html").render(places=places))

    return Starlette(routes=[Route("/", page)])
