"""What an answer of GitHub other than success means, and what the person reading it can do.

Source: "Rate limits for the REST API" and "Troubleshooting the REST API" on docs.github.com.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace

from bot.errors import Final, StepError, Temporary
from bot.http import Response, retry_after_s

_EPOCH = re.compile(r"[0-9]{1,12}")
_LONGEST_LIMIT_S = 86_400.0
SECONDARY_LIMIT_WAIT_S = 60.0
"""How long to hold still after a secondary rate limit that names no time."""

_LIMIT_WORDS = ("rate limit", "abuse detection")
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_REDIRECTS = range(300, 400)


def message_of(response: Response) -> str:
    """Return GitHub's own words: its `message` and those in `errors`, on one line."""
    if not isinstance(response.json, Mapping):
        return " ".join(response.text.split())[:300] or "(no text)"
    said = [str(response.json.get("message", ""))]
    errors = response.json.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            named = " ".join(str(error[part]) for part in ("resource", "field", "code") if part in error)
            said.append(str(error.get("message") or named))
        else:
            said.append(str(error))
    return " ".join(" ".join(said).split()) or "(no text)"


def redacted(response: Response, secret: str) -> Response:
    """Return the answer with `secret` cut out wherever it stands (by value: the form of tokens changes)."""
    if secret not in response.text:
        return response
    text = response.text.replace(secret, "•••")
    return replace(response, text=text, json=None if response.json is None else json.loads(text))


def is_rate_limit(response: Response) -> bool:
    """Whether a 403 or 429 asks for patience rather than for permission."""
    if response.status == _TOO_MANY:
        return True
    headers = response.headers
    return response.status == _FORBIDDEN and (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or any(word in message_of(response).lower() for word in _LIMIT_WORDS)
    )


def wait_s(headers: Mapping[str, str]) -> float:
    """Return how long a rate limit lasts: `retry-after`, else until `x-ratelimit-reset` if none remain, else 60 s."""
    asked = retry_after_s(headers)
    if asked is not None:
        return asked
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and _EPOCH.fullmatch(reset):
        return min(max(1.0, int(reset) - time.time()), _LONGEST_LIMIT_S)
    return SECONDARY_LIMIT_WAIT_S


def refusal(response: Response, doing: str, repository: str) -> StepError:
    """Return the error for a refused call. `doing` is what was tried ("read the file …"); nothing of it was done."""
    said = f"GitHub answered {response.status} to our attempt to {doing} ({repository}): {message_of(response)}"
    if is_rate_limit(response):
        seconds = wait_s(response.headers)
        return Temporary(f"{said} This is a rate limit; it ends in about {seconds:.0f} s.", retry_after_s=seconds)
    return Final(f"{said} {_advice(response)}".strip(), status=response.status)


def _advice(response: Response) -> str:
    if response.status == _UNAUTHORIZED:
        return "The token is wrong, expired or revoked: put a valid one into the settings, restart, and retry the step."
    if response.status == _NOT_FOUND:
        return "Either it does not exist (check the names in the runbook), or the token may not see this repository."
    if response.status in _REDIRECTS:
        return "The repository was renamed or moved: write its new name into the runbook."
    if response.status != _FORBIDDEN:
        return ""
    if "x-github-sso" in response.headers:
        return "The organisation wants single sign-on: authorise the token for it on GitHub, then retry the step."
    needs = response.headers.get("x-accepted-github-permissions")
    needed = f" It needs {needs}." if needs else ""
    return f"The token lacks a permission.{needed} Grant it on GitHub, then retry the step."
