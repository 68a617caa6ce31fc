"""chat.*: posting, editing, deleting. Sources: the reference page of each method under https://docs.slack.dev."""

import re
from typing import Any

from sandbox.slack.blocks import check_message_blocks
from sandbox.slack.config import App, Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.markup import stored
from sandbox.slack.methods import SPECIAL, Call, method
from sandbox.slack.state import Channel, State

LONGEST_TEXT = 40_000
LONGEST_EDIT = 4_000
MOST_ATTACHMENTS = 100
ATTACHMENT_KEYS = frozenset(
    {
        "color",
        "blocks",
        "fallback",
        "text",
        "title",
        "title_link",
        "pretext",
        "fields",
        "footer",
        "ts",
        "mrkdwn_in",
        "author_name",
        "image_url",
    }
)
UNFURL = "unfurl_links:bool unfurl_media:bool mrkdwn:bool"
LOOKS = "username icon_emoji icon_url parse link_names:bool as_user:bool"


def content(args: Json, *, longest: int = LONGEST_TEXT) -> Json:
    """The checked text, blocks and attachments of a message. Raises `RefusedError`."""
    made: Json = {}
    if "text" in args:
        if len(args["text"]) > longest:
            raise RefusedError("msg_too_long")
        made["text"] = stored(args["text"])
    if "blocks" in args:
        made["blocks"] = check_message_blocks(args["blocks"])
    if "attachments" in args:
        made["attachments"] = _attachments(args["attachments"])
    return made


def require_text(made: Json) -> None:
    """`no_text` unless there is something to read."""
    if not any(made.get(key) for key in ("text", "blocks", "attachments")):
        raise RefusedError("no_text")


def _attachments(value: Any) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise RefusedError("invalid_attachments")
    if len(value) > MOST_ATTACHMENTS:
        raise RefusedError("too_many_attachments")
    made = []
    for number, one in enumerate(value, 1):
        if unknown := set(one) - ATTACHMENT_KEYS:
            raise RefusedError(
                "invalid_attachments", [f"invalid additional property: {key}" for key in sorted(unknown)]
            )
        blocks = {"blocks": check_message_blocks(one["blocks"])} if "blocks" in one else {}
        made.append({"id": number, "fallback": "[no preview available]", **one, **blocks})
    return made


def metadata(value: Any) -> Json:
    """Checked message metadata: a named event and a flat payload. Raises `invalid_metadata_format`."""
    if not isinstance(value, dict) or set(value) != {"event_type", "event_payload"}:
        raise RefusedError("invalid_metadata_format")
    kind, payload = value["event_type"], value["event_payload"]
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z0-9_]+", kind) or not isinstance(payload, dict):
        raise RefusedError("invalid_metadata_format")
    for name, one in payload.items():
        items = one if isinstance(one, list) else [one]
        if not re.fullmatch(r"[a-z0-9_]+", name) or not all(isinstance(i, str | int | float | bool) for i in items):
            raise RefusedError("invalid_metadata_format", [f"invalid event_payload field: {name}"])
    return value


def signed_by(state: State, app: App) -> Json:
    """The fields that say which app a message is from."""
    profile = {"id": app.bot_id, "app_id": app.id, "name": app.name, "deleted": False, "updated": 0}
    profile |= {"icons": {}, "team_id": state.config.team_id}
    return {
        "type": "message",
        "user": app.user_id,
        "team": state.config.team_id,
        "bot_id": app.bot_id,
        "app_id": app.id,
        "bot_profile": profile,
        "text": "",
    }


@method(
    "chat.postMessage",
    tier=SPECIAL,
    scopes="chat:write",
    required="channel",
    optional=f"text blocks:json attachments:json metadata:json thread_ts reply_broadcast:bool {UNFURL} {LOOKS}",
    accepts_json=True,
)
def post_message(call: Call) -> Json:
    """Post as the app's bot; a user id as the channel opens the direct conversation."""
    channel = _target(call)
    if channel.is_archived:
        raise RefusedError("is_archived")
    made = content(call.args)
    require_text(made)
    if "metadata" in call.args and call.args["metadata"] != {}:
        made["metadata"] = metadata(call.args["metadata"])
    if "thread_ts" in call.args:
        if not any(message["ts"] == call.args["thread_ts"] for message in channel.messages):
            raise RefusedError("cannot_reply_to_message")
        made["thread_ts"] = call.args["thread_ts"]
        if call.args.get("reply_broadcast"):
            made["subtype"] = "thread_broadcast"
    message = call.state.add(channel, {**signed_by(call.state, call.app), **made})
    return {"channel": channel.id, "ts": message["ts"], "message": dict(message)}


def _target(call: Call) -> Channel:
    if call.args["channel"] in call.state.people:
        return call.state.direct(call.args["channel"], call.app)
    channel = call.channel()
    public = call.app.scopes is not None and "chat:write.public" in call.app.scopes and not channel.is_private
    return channel if public else call.joined()


@method(
    "chat.update",
    tier=3,
    scopes="chat:write",
    required="channel ts",
    optional="text blocks:json attachments:json metadata:json as_user:bool parse link_names:bool reply_broadcast:bool",
    accepts_json=True,
)
def update(call: Call) -> Json:
    """Edit a message of one's own. Text alone takes the blocks away; metadata stays unless sent."""
    channel = call.channel()
    message = channel.find(call.args["ts"])
    if message.get("bot_id") != call.app.bot_id or message.get("subtype") in {"tombstone", "pinned_item"}:
        raise RefusedError("cant_update_message")
    made = content(call.args, longest=LONGEST_EDIT)
    new = {**message, **made}
    if "blocks" not in made and "text" in made:
        new.pop("blocks", None)
        new["edited"] = {"user": call.app.user_id, "ts": call.state.ts()}
    require_text(made)
    if "metadata" in call.args:
        new.pop("metadata", None)
        if call.args["metadata"] != {}:
            new["metadata"] = metadata(call.args["metadata"])
    call.state.replace(channel, message, new)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": dict(message)}


@method("chat.delete", tier=3, scopes="chat:write", required="channel ts", optional="as_user:bool", accepts_json=True)
def delete(call: Call) -> Json:
    """Delete a message of one's own."""
    channel = call.channel()
    message = channel.find(call.args["ts"])
    if message.get("bot_id") != call.app.bot_id:
        raise RefusedError("cant_delete_message")
    call.state.remove(channel, message)
    return {"channel": channel.id, "ts": call.args["ts"]}


@method(
    "chat.postEphemeral",
    tier=4,
    scopes="chat:write",
    required="channel user",
    optional=f"text blocks:json attachments:json metadata:json thread_ts {LOOKS}",
    accepts_json=True,
)
def post_ephemeral(call: Call) -> Json:
    """Show a message to one member of a channel; it is in no history."""
    channel = call.joined()
    if channel.is_archived:
        raise RefusedError("is_archived")
    if call.args["user"] not in channel.members:
        raise RefusedError("user_not_in_channel")
    made = content(call.args)
    require_text(made)
    message = call.state.whisper(channel, call.args["user"], {**signed_by(call.state, call.app), **made})
    return {"message_ts": message["ts"]}


@method("chat.getPermalink", tier=SPECIAL, required="channel message_ts")
def get_permalink(call: Call) -> Json:
    """The address of a message: in this workspace, the page scrolled to it."""
    channel = call.channel()
    message = channel.find(call.args["message_ts"])
    return {"channel": channel.id, "permalink": permalink(call.state, channel, message)}


def permalink(state: State, channel: Channel, message: Json) -> str:
    """The address of a message."""
    return f"{state.base_url}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
