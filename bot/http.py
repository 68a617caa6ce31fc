"""The one place that speaks HTTP to the outside: time-outs, Retry-After, errors told apart, secrets redacted."""

import email.utils
import functools
import json
import math
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from bot.errors import AnswerLost, Final, StepError, Temporary

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_EXCERPT_CHARACTERS = 500
_MOST_BYTES = 32 * 1024 * 1024
_WHOLE_TIMES = 4
"""An answer that drips in may take this many times as long, in all, as any one part of it may be waited for."""
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True)
class Response:
    """An answer that was read to its end. `json` is None where the body is not JSON; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any


@functools.cache
def _trusted() -> ssl.SSLContext:
    # Reading the certificates takes a tenth of a second, and they are the same for every system.
    return httpx.create_ssl_context()


class Http:
    """A client of one outside system. Thread-safe; close it, or use it in a `with` block.

    `system` is the name that errors use ("GitHub"). `secrets` are values cut out of every error and every
    answer: a system that repeats them must not get them into a message.
    Redirects are not followed: an answer from elsewhere is not an answer of this system. With a `base_url` nothing but
    that host is called, whatever address an answer names: the headers of the client may be secret.
    """

    def __init__(
        self,
        base_url: str,
        *,
        system: str,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        timeout_s: float = 15.0,
        connections: int = 20,
    ) -> None:
        self.system = system
        self._base = httpx.URL(base_url)
        self._timeout_s = timeout_s
        self._secrets = [secret for secret in secrets if secret]
        self._client = httpx.Client(
            base_url=base_url,
            headers={"User-Agent": "maint", **(headers or {})},
            timeout=timeout_s,
            verify=_trusted(),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Http({self.system})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # as httpx calls it
        params: Mapping[str, str | int | float | bool] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Collection[int] = (),
        repeatable: bool | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """Make one request, once, and return the answer.

        A status from 200 to 299, or in `accept`, is returned. `repeatable` says that a second call has no second
        effect (by default as HTTP defines the method, RFC 9110 section 9.2.2). Raises `Temporary` if certainly
        nothing was done (no connection, 429), or the call may be repeated and the server failed (5xx, no answer);
        `AnswerLost` for a server failure or lost answer of a call that may not be repeated; `Final` (with `status`)
        for every other answer, and for an address that is none. An answer of more than 32 MiB, or one that never ends,
        counts as none.
        """
        self._must_be_ours(path)
        again = method in _SAFE_TO_REPEAT if repeatable is None else repeatable
        options: dict[str, Any] = {} if timeout_s is None else {"timeout": timeout_s}
        whole_s = _WHOLE_TIMES * (timeout_s or self._timeout_s)
        try:
            with self._client.stream(
                method, path, json=json, params=params, headers=headers, content=content, **options
            ) as answer:
                read = self._clean(_read(answer, time.monotonic() + whole_s))
        except _NOT_SENT as error:
            raise Temporary(f"{self.system} cannot be reached ({self._clean(error)}); nothing was sent.") from None
        except httpx.HTTPError as error:
            reason = self._clean(error) or type(error).__name__
            if again:
                raise Temporary(
                    f"{self.system} did not answer {method} {self._clean(_bare(path))} ({reason})."
                ) from None
            raise AnswerLost(
                f"{self.system} was sent {method} {self._clean(_bare(path))} and its answer was lost ({reason}): "
                "it may or may not have been done."
            ) from None
        response = Response(answer.status_code, dict(answer.headers), read, _json(answer, read))
        if answer.is_success or answer.status_code in accept:
            return response
        raise self._failure(method, path, response, again)

    def _must_be_ours(self, path: str) -> None:
        try:
            to = httpx.URL(path)
        except httpx.InvalidURL as error:
            raise Final(f"{self.system} is to be called at an address that is none ({self._clean(error)}).") from None
        if self._base.host and to.is_absolute_url and _origin(to) != _origin(self._base):
            raise Final(f"{self.system} named an address at {to.host}, which is not its own. It was not called.")

    def _failure(self, method: str, path: str, response: Response, again: bool) -> StepError:
        said = f"{self.system} answered {response.status} to {method} {self._clean(_bare(path))}: "
        said += _excerpt(response.text)
        if response.status in {420, 429}:
            return Temporary(said, retry_after_s=retry_after_s(response.headers))
        if response.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            if again:
                return Temporary(said, retry_after_s=retry_after_s(response.headers))
            return AnswerLost(f"{said} It may or may not have been done.")
        return Final(said, status=response.status)

    def _clean(self, text: object) -> str:
        cleaned = str(text)
        for secret in self._secrets:
            cleaned = cleaned.replace(secret, "•••")
        return cleaned


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _read(answer: httpx.Response, deadline: float) -> str:
    """The text of an answer, read while it comes in: what never ends must not fill the memory, nor take for ever."""
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise httpx.ReadError(f"it has more than {_MOST_BYTES // 1024 // 1024} MiB")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("it did not come to its end")
    return b"".join(parts).decode(answer.encoding or "utf-8", errors="replace")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (number or date, RFC 9110 section 10.2.3), or None.

    At most a day: nobody's step is to wait for years because a server says so.
    """
    value = headers.get("retry-after", "")
    try:
        asked = float(value)
    except ValueError:
        try:
            asked = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(asked) else min(max(0.0, asked), _LONGEST_WAIT_S)


def _excerpt(text: str) -> str:
    return " ".join(text.split())[:_EXCERPT_CHARACTERS] or "(no text)"


def _json(answer: httpx.Response, text: str) -> Any:
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _bare(path: str) -> str:
    """Return a path or URL without its query, where tokens and addresses like to hide."""
    parts = urlsplit(path)
    return f"{parts.netloc}{parts.path}"
