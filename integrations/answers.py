"""Reads what an outside system answered: one field of a JSON document, and whether an answer is the expected one.

No integration of its own: the steps that speak to any system by HTTP (`http`, `app.off`, `app.on`, `probe`) share it.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no web address; it has to begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("an address must not carry a user or password; name the setting that holds the token instead")
    return url


Url = Annotated[str, AfterValidator(_web_address)]
"""An absolute http or https address without credentials."""


def origin(url: str) -> str:
    """Return scheme, host and port of an absolute URL, such as `https://example.com:8443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def host(url: str) -> str:
    """Return host and port of an absolute URL, as error texts name a system."""
    return urlsplit(url).netloc


def field_of(document: Any, path: str) -> Any:
    """Return the value at `path` in parsed JSON: keys and list positions joined by dots, such as `jobs.0.state`.

    Raises `LookupError`, saying at which part the path leaves the document.
    """
    value = document
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise LookupError(f"the answer has no field {path!r} (nothing at {part!r})")
    return value
