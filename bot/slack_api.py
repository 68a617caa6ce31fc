"""Calls of Slack's Web API, each made once, and every way of failing told apart.

The SDK's own retries are switched off: it repeats a call whose connection broke, which can post a message twice.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.blocks import Message
from bot.errors import AnswerLost, Final, StepError, Temporary
from bot.http import Http, retry_after_s
from bot.slack_errors import code_of, verdict

_CONTENT = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
    }
)
_PAGE = 200
_ALT_CHARACTERS = 1000
_PACE_S = 1.3
HISTORY_A_SECOND = _PAGE / _PACE_S
"""How many messages of a history are read in a second, at the pace that Slack allows (`patient_history`)."""
_SLOWEST_RETRY_S = 120.0

Json = dict[str, Any]


class Refused(Final):
    """Slack said no, and nothing was done. `code` is its word for why; `of_content`: the message itself is at fault."""

    def __init__(self, method: str, code: str, details: str = "") -> None:
        super().__init__(f"Slack refused {method}: {code}{details}.")
        self.code = code
        self.of_content = code in _CONTENT


@dataclass(frozen=True)
class Identity:
    """Who the bot is in this workspace."""

    bot_id: str
    user_id: str
    team_id: str

    def wrote(self, message: Mapping[str, Any]) -> bool:
        """Whether `message` (from a channel's history) was posted by this bot."""
        return message.get("bot_id") == self.bot_id


class SlackApi:
    """The few calls that the channel needs, over a client of its own with the token of `client`. Thread-safe."""

    def __init__(self, client: WebClient, *, timeout_s: int = 15) -> None:
        self._client = WebClient(
            token=client.token,
            base_url=client.base_url,
            timeout=timeout_s,
            ssl=client.ssl,
            proxy=client.proxy,
            retry_handlers=[],
        )
        self._files = Http("", system="Slack", secrets=[client.token or ""], timeout_s=timeout_s)
        self._identity: Identity | None = None

    def identity(self) -> Identity:
        """Return who we are; asks Slack once. Raises as every call."""
        if self._identity is None:
            answer = self._call("auth.test", self._client.auth_test)
            self._identity = Identity(answer["bot_id"], answer["user_id"], answer["team_id"])
        return self._identity

    def post(self, channel: str, message: Message) -> str:
        """Post `message`, without previews of links, and return its `ts`.

        Raises `Temporary` (certainly not posted; `retry_after_s` after a 429), `Refused` (neither), or `AnswerLost`
        (look into the history before posting again).
        """
        answer = self._call(
            "chat.postMessage",
            self._client.chat_postMessage,
            channel=channel,
            text=message.text,
            blocks=list(message.blocks) or None,
            metadata=dict(message.metadata),
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(answer["ts"])

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Put `message` in the place of the one at `ts`; its metadata stays. Harmless to repeat. Raises as `post`."""
        self._update(channel, ts, message)

    def replace(self, channel: str, ts: str, message: Message) -> None:
        """Do what `update` does, and put the metadata of `message` in the place of those at `ts` as well."""
        self._update(channel, ts, message, metadata=dict(message.metadata))

    def _update(self, channel: str, ts: str, message: Message, **more: object) -> None:
        self._call(
            "chat.update",
            self._client.chat_update,
            channel=channel,
            ts=ts,
            text=message.text,
            blocks=list(message.blocks),
            **more,
        )

    def pin(self, channel: str, ts: str) -> None:
        """Pin a message; one that is pinned stays so. Raises as `post`."""
        try:
            self._call("pins.add", self._client.pins_add, channel=channel, timestamp=ts)
        except Refused as error:
            if error.code != "already_pinned":
                raise

    def upload(self, name: str, content: bytes, alt: str = "") -> str:
        """Bring a file to Slack without showing it yet, and return its id. Raises `Temporary` or `Refused`.

        `alt` says what a picture shows, for those who cannot see it.
        """
        try:
            ticket = self._call(
                "files.getUploadURLExternal",
                self._client.files_getUploadURLExternal,
                filename=name,
                length=len(content),
                alt_txt=alt[:_ALT_CHARACTERS] or None,
            )
        except AnswerLost as error:
            raise Temporary(str(error)) from None
        try:
            self._files.request("POST", ticket["upload_url"], content=content, repeatable=True)
        except StepError as error:
            raise UploadFailed(str(error)) from None
        return str(ticket["file_id"])

    def share(self, channel: str, file_id: str, name: str, comment: str) -> str:
        """Show an uploaded file in the channel; returns the message's `ts`, or "" where Slack does not say yet."""
        answer = self._call(
            "files.completeUploadExternal",
            self._client.files_completeUploadExternal,
            files=[{"id": file_id, "title": name}],
            channel_id=channel,
            initial_comment=comment,
        )
        shares = (answer.get("files") or [{}])[0].get("shares") or {}
        return next((str(one[0]["ts"]) for kind in shares.values() if (one := kind.get(channel))), "")

    def download(self, url: str) -> str:
        """Return the text of a file that the bot may read, by its `url_private`. Raises `StepError`.

        An external file has an address anywhere (https://docs.slack.dev/reference/objects/file-object), and the token
        is for Slack alone: those raise `Final`.
        """
        parts, base = urlsplit(url), urlsplit(self._client.base_url)
        is_slacks = parts.scheme == "https" and (parts.hostname or "").endswith((".slack.com", f".{base.hostname}"))
        if not is_slacks and parts.netloc != base.netloc:
            raise Final(f"A file at {parts.hostname} is not in Slack, so it was not read: that takes the bot's token.")
        return self._files.request("GET", url, headers={"Authorization": f"Bearer {self._client.token}"}).text

    def history(self, channel: str, oldest: str = "0", *, pages_a_call: int = _PAGE) -> Iterator[Json]:
        """Yield the messages after `oldest` (a `ts`), newest first, with all metadata; one page a request.

        Source: https://docs.slack.dev/reference/methods/conversations.history. Raises as `post`, but nothing it does
        can be lost: every failure that is not a refusal is `Temporary`.
        """
        cursor: str | None = None
        while True:
            try:
                page = self._call(
                    "conversations.history",
                    self._client.conversations_history,
                    channel=channel,
                    oldest=oldest,
                    cursor=cursor,
                    limit=pages_a_call,
                    include_all_metadata=True,
                )
            except AnswerLost as error:
                raise Temporary(str(error)) from None
            yield from page["messages"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    def patient_history(
        self, channel: str, oldest: str = "0", *, page: int = _PAGE, pause: Callable[[float], object] | None = None
    ) -> Iterator[Json]:
        """Yield what `history` does, but wait where Slack asks for it, and between pages so that it need not ask.

        `pause` waits that many seconds. Raises `Temporary` after failures for more than two minutes.
        """
        wait = pause or threading.Event().wait
        latest, failing_since = "", 0.0
        while True:
            try:
                for number, message in enumerate(self.history(channel, oldest, pages_a_call=page), 1):
                    # After a failure it begins anew; what was seen before is passed over.
                    if latest and moment(message["ts"]) >= moment(latest):
                        continue
                    latest, failing_since = str(message["ts"]), 0.0
                    yield message
                    if number % page == 0:
                        wait(_PACE_S)
            except Temporary as error:
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > _SLOWEST_RETRY_S:
                    raise
                wait(error.retry_after_s or _PACE_S)
            else:
                return

    def _call(self, name: str, method: Callable[..., Any], **arguments: Any) -> Json:
        try:
            return dict(method(**arguments).data)
        except SlackApiError as error:
            raise _told_apart(name, error) from None
        except URLError as error:
            if isinstance(error.reason, ConnectionRefusedError | socket.gaierror):
                raise Temporary(f"Slack cannot be reached ({error.reason}); nothing was sent.") from None
            raise AnswerLost(f"Slack was sent {name} and its answer was lost ({error.reason}).") from None
        except (OSError, HTTPException, json.JSONDecodeError) as error:
            reason = str(error) or type(error).__name__
            raise AnswerLost(f"Slack was sent {name} and its answer was lost ({reason}).") from None


class UploadFailed(Temporary):
    """Slack gave an address for a file, and the bytes could not be brought there."""


def _told_apart(name: str, error: SlackApiError) -> StepError:
    response = error.response
    status = int(getattr(response, "status_code", 0))
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    code, judged = code_of(error), verdict(error)
    if judged == "slower":
        headers = {str(key).lower(): value for key, value in dict(response.headers).items()}
        # The SDK gives a header as text or as a list of texts.
        after = headers.get("retry-after", "")
        asked = retry_after_s({"retry-after": str(after[0] if isinstance(after, list) and after else after)})
        return Temporary(f"Slack asks to call {name} more slowly.", retry_after_s=asked)
    if judged == "perhaps done":
        return AnswerLost(f"Slack was sent {name} and failed ({status}): it may or may not have been done.")
    notes = (data.get("response_metadata") or {}).get("messages") or []
    return Refused(name, code, f" ({'; '.join(map(str, notes[:3]))})" if notes else "")


def payload_of(message: Mapping[str, Any]) -> Json:
    """Return the metadata payload of a message from the history; empty if it has none."""
    return (message.get("metadata") or {}).get("event_payload") or {}


def moment(ts: str) -> tuple[int, int]:
    """Return a message's `ts` so that two of them compare in the channel's order."""
    seconds, _, rest = ts.partition(".")
    return int(seconds), int(rest or 0)
