"""The account at PagerDuty, for all that asks its REST API (version 2)."""

from urllib.parse import urlsplit

from bot.errors import Final
from bot.step import Setting

TOKEN = Setting(
    "MAINT_PAGERDUTY_TOKEN",
    help="A PagerDuty REST API key; for maintenance windows it has to be one that may write.",
    secret=True,
)
URL = Setting(
    "MAINT_PAGERDUTY_URL",
    help="PagerDuty's API: https://api.pagerduty.com, or https://api.eu.pagerduty.com.",
    default="https://api.pagerduty.com",
)

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def headers(token: str) -> dict[str, str]:
    """Return what every request to the API carries."""
    return {"Authorization": f"Token token={token}", "Accept": "application/vnd.pagerduty+json;version=2"}


def address(url: str) -> str:
    """Return `url`. Raises `Final` if the token could be read on the way there."""
    parts = urlsplit(url)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
        raise Final(f"{URL.name} is {url!r}: it has to begin with https://, or the token could be read on the way.")
    return url
