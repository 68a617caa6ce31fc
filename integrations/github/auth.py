"""How maint signs in to GitHub: a token, or an app's key that buys a token for an hour.

Source: "Generating a JSON Web Token (JWT) for a GitHub App" and "Authenticating as a GitHub App installation" on
docs.github.com.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import Final
from bot.http import Http
from bot.step import Setting
from integrations.github.refusals import redacted, refusal

TOKEN = Setting(
    "MAINT_GITHUB_TOKEN",
    help="A GitHub token with contents and pull requests: write, checks and commit statuses: read. "
    "Leave it out to use a GitHub App.",
    secret=True,
    default="",
)
APP_ID = Setting(
    "MAINT_GITHUB_APP_ID", help="The id of the GitHub App that maint is, if MAINT_GITHUB_TOKEN is not set.", default=""
)
APP_KEY = Setting(
    "MAINT_GITHUB_APP_KEY",
    help="The private key of that app: the PEM text itself or the path of the file that holds it.",
    secret=True,
    default="",
)
API_URL = Setting(
    "MAINT_GITHUB_URL",
    help="The address of GitHub's API; on an Enterprise Server https://HOST/api/v3.",
    default="https://api.github.com",
)
SETTINGS = (TOKEN, APP_ID, APP_KEY, API_URL)

Lookup = Callable[[Setting], str]
"""Looks a setting up; empty where it is not set."""

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

FOREVER = float("inf")

_RENEW_BEFORE_S = 300
_CLOCK_SKEW_S = 60
_JWT_LIFE_S = 540
_CREATED = 201
_REFUSALS = range(300, 500)


@dataclass(frozen=True, repr=False)
class Token:
    """A token and when it stops being of use (Unix seconds)."""

    value: str
    until: float


_bought: dict[tuple[str, str, str], Token] = {}
_buying = threading.Lock()


def api_url(value_of: Lookup) -> str:
    """Return the API's address. Raises `Final` if a token sent there could be read on the way."""
    url = value_of(API_URL).rstrip("/")
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise Final(f"{API_URL.name} is {url!r}. Expected an https address, such as {API_URL.default}.")
    return url


def token_for(value_of: Lookup, repository: str, *, anew: bool = False) -> Token:
    """Return a token that works on `repository` (`owner/name`) for five minutes or more.

    A token of an app is kept and shared until shortly before its end; `anew` buys another one all the same. Raises
    `Final` if the settings are missing or wrong, or the app is not installed there; `Temporary` if GitHub cannot be
    asked now.
    """
    fixed = value_of(TOKEN).strip()
    if fixed:
        return Token(fixed, FOREVER)
    app_id = value_of(APP_ID).strip()
    if not app_id or not value_of(APP_KEY).strip():
        raise Final(
            f"maint cannot sign in to GitHub: set {TOKEN.name}, or both {APP_ID.name} and {APP_KEY.name}. "
            "Nothing was changed. Restart after that, and retry the step."
        )
    name = (api_url(value_of), app_id, repository)
    with _buying:
        token = _bought.get(name)
        if anew or token is None or token.until - _RENEW_BEFORE_S < time.time():
            token = _bought[name] = _buy(value_of, app_id, repository)
        return token


def _buy(value_of: Lookup, app_id: str, repository: str) -> Token:
    signed = signed_as_app(value_of, app_id)
    headers = {**HEADERS, "Authorization": f"Bearer {signed}"}
    with Http(api_url(value_of), system="GitHub", headers=headers, secrets=[signed]) as http:
        found = http.request("GET", f"/repos/{repository}/installation", accept=_REFUSALS)
        found = redacted(found, signed)
        if not found.json or "id" not in found.json:
            raise refusal(found, f"find app {app_id}'s installation (is the app installed here?)", repository)
        bought = http.request(
            "POST",
            f"/app/installations/{int(found.json['id'])}/access_tokens",
            json={"repositories": [repository.split("/")[1]]},
            accept=_REFUSALS,
            repeatable=True,  # a spare token harms nobody, and ends by itself
        )
    if bought.status != _CREATED:
        raise refusal(redacted(bought, signed), f"get a token as app {app_id}", repository)
    return Token(str(bought.json["token"]), datetime.fromisoformat(bought.json["expires_at"]).timestamp())


def _private_key(value_of: Lookup) -> str:
    value = value_of(APP_KEY).strip().replace("\\n", "\n")
    if "-----BEGIN" in value:
        return value
    try:
        return Path(value).read_text()
    except (OSError, ValueError):
        raise Final(
            f"{APP_KEY.name} is neither a private key (PEM) nor the path of a file that can be read. "
            "Nothing was changed. Set it, restart, and retry the step."
        ) from None


def signed_as_app(value_of: Lookup, app_id: str) -> str:
    """Return a web token (JWT) that proves to be the app, for nine minutes. Raises `Final` if there is no such key."""
    import jwt  # noqa: PLC0415 - with the cryptography behind it, it is for those alone who use an app

    key, now = _private_key(value_of), int(time.time())
    claims = {"iss": app_id, "iat": now - _CLOCK_SKEW_S, "exp": now + _JWT_LIFE_S}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Final(
            f"{APP_KEY.name} does not hold a private RSA key in PEM form, as GitHub issues it for an app. "
            "Nothing was changed. Set it, restart, and retry the step."
        ) from None
