"""Shows a reply to the one person who asked: a modal, files in a direct message, words that only they see."""

from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from commands.verb import Reply

_OK = 200
_TIMEOUT_S = 10
Json = dict[str, Any]

log = structlog.get_logger()


def answer(request: Json, client: WebClient, reply: Reply) -> None:
    """Show `reply` to the person of `request` (the payload that Slack sent) alone. Never raises for Slack's sake."""
    user = request.get("user_id") or request["user"]["id"]
    try:
        if reply.modal is not None:
            _open(request, client, user, reply.modal)
        if reply.files:
            uploads = [{"filename": name, "content": text, "title": name} for name, text in reply.files.items()]
            comment = reply.text.split("\n")[0]
            client.files_upload_v2(channel=_direct(client, user), file_uploads=uploads, initial_comment=comment)
        if reply.text:
            more = "\nThe file is in your messages from me." if reply.files else ""
            _tell(request, client, user, reply.text + more)
    except (SlackClientError, OSError) as error:
        # The person sees nothing, but what they did is in the journal, and the channel will say so.
        log.warning("answer_not_shown", user=user, error=type(error).__name__)


def _open(request: Json, client: WebClient, user: str, view: Mapping[str, Any]) -> None:
    """Open a modal. Slack takes one within three seconds, for one delivery, and within its limits."""
    try:
        client.views_open(trigger_id=request["trigger_id"], view=dict(view))
    except SlackApiError as error:
        code = str(error.response.get("error"))
        log.warning("modal_not_opened", user=user, error=code)
        if code != "exchanged_trigger_id":  # that is the second delivery of one request: the form is open
            _tell(request, client, user, f":warning: Slack did not open the form ({code}). Please try again.")


def _tell(request: Json, client: WebClient, user: str, text: str) -> None:
    """By the response URL, which works where the bot is no member; else in the channel; else as a direct message."""
    url = request.get("response_url")
    if url:
        # A repeated answer would be shown twice: the SDK's retries are left out.
        hook = WebhookClient(url, timeout=_TIMEOUT_S, ssl=client.ssl, proxy=client.proxy, retry_handlers=[])
        if hook.send(text=text, response_type="ephemeral", replace_original=False).status_code == _OK:
            return
    channel = request.get("channel_id") or request.get("channel", {}).get("id")
    try:
        if channel:
            client.chat_postEphemeral(channel=channel, user=user, text=text)
            return
    except SlackApiError as error:
        log.info("not_answered_in_channel", channel=channel, error=error.response.get("error"))
    client.chat_postMessage(channel=_direct(client, user), text=text, unfurl_links=False, unfurl_media=False)


def _direct(client: WebClient, user: str) -> str:
    """The direct messages between the bot and `user`."""
    return str(client.conversations_open(users=user)["channel"]["id"])
