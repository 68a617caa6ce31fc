"""What an error of Slack's Web API means for the call that got it.

Source: the table of errors on the page of each method, https://docs.slack.dev/reference/methods, and "Rate limits".
"""

import re
from typing import Literal

from slack_sdk.errors import SlackApiError

_CODE = re.compile(r"[a-z0-9_]+")
_SLOWER = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_PERHAPS_DONE = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500

Verdict = Literal["slower", "perhaps done", "refused"]


def code_of(error: SlackApiError) -> str:
    """Return Slack's word for what is wrong; "" where the answer is none of the Web API's."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def verdict(error: SlackApiError) -> Verdict:
    """Return whether it may be called again later, may have been done in spite of it, or certainly was not."""
    status, code = int(getattr(error.response, "status_code", 0)), code_of(error)
    if status == _TOO_MANY_REQUESTS or code in _SLOWER:
        return "slower"
    if status >= _SERVER_ERROR or code in _PERHAPS_DONE or not _CODE.fullmatch(code):
        return "perhaps done"
    return "refused"
