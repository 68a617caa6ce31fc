"""pins.* and reactions.*."""

import re

from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.methods import Call, method
from sandbox.slack.methods_channels import outward
from sandbox.slack.methods_chat import permalink, signed_by
from sandbox.slack.state import Channel, State

MOST_PINS = 100


def _pinnable(call: Call) -> tuple[Channel, Json]:
    channel = call.joined()
    if "timestamp" not in call.args:
        raise RefusedError("no_item_specified")
    if not re.fullmatch(r"\d+\.\d{6}", call.args["timestamp"]):
        raise RefusedError("bad_timestamp")
    return channel, channel.find(call.args["timestamp"])


@method("pins.add", tier=2, scopes="pins:write", required="channel", optional="timestamp", accepts_json=True)
def add(call: Call) -> Json:
    """Pin a message; Slack writes a line about it into the channel."""
    channel, message = _pinnable(call)
    if any(pin["ts"] == message["ts"] for pin in channel.pins):
        raise RefusedError("already_pinned")
    if len(channel.pins) >= MOST_PINS:
        raise RefusedError("too_many_pins")
    channel.pins.append({"ts": message["ts"], "created": int(call.state.now()), "created_by": call.app.user_id})
    message["pinned_to"] = [channel.id]
    text = f"<@{call.app.user_id}> pinned a message to this channel."
    call.state.add(
        channel, {**signed_by(call.state, call.app), "subtype": "pinned_item", "text": text, "item_type": "C"}
    )
    return {}


@method("pins.remove", tier=2, scopes="pins:write", required="channel", optional="timestamp", accepts_json=True)
def remove(call: Call) -> Json:
    """Unpin a message."""
    channel, message = _pinnable(call)
    if not any(pin["ts"] == message["ts"] for pin in channel.pins):
        raise RefusedError("no_pin")
    channel.pins[:] = [pin for pin in channel.pins if pin["ts"] != message["ts"]]
    message.pop("pinned_to", None)
    call.state.changed()
    return {}


@method("pins.list", tier=2, scopes="pins:read", required="channel")
def list_(call: Call) -> Json:
    """The pinned messages, the latest pin first."""
    channel = call.channel()
    items = []
    for pin in reversed(channel.pins):
        message = channel.find(pin["ts"])
        shown = outward(message, with_metadata=False) | {"permalink": permalink(call.state, channel, message)}
        item = {"type": "message", "created": pin["created"], "created_by": pin["created_by"]}
        items.append(item | {"channel": channel.id, "message": shown})
    return {"items": items}


@method("reactions.add", tier=3, scopes="reactions:write", required="channel name timestamp", accepts_json=True)
def react(call: Call) -> Json:
    """Add an emoji to a message."""
    channel = call.joined()
    add_reaction(call.state, channel, channel.find(call.args["timestamp"]), call.app.user_id, call.args["name"])
    return {}


def add_reaction(state: State, channel: Channel, message: Json, user_id: str, name: str) -> None:
    """Note the reaction of a person or a bot, with its event. Raises `invalid_name`, `already_reacted`."""
    if not re.fullmatch(r"[a-z0-9_+'-]+", name):
        raise RefusedError("invalid_name")
    reactions = message.setdefault("reactions", [])
    reaction = next((one for one in reactions if one["name"] == name), None)
    if reaction is None:
        reaction = {"name": name, "users": [], "count": 0}
        reactions.append(reaction)
    if user_id in reaction["users"]:
        raise RefusedError("already_reacted")
    reaction["users"].append(user_id)
    reaction["count"] += 1
    item = {"type": "message", "channel": channel.id, "ts": message["ts"]}
    event = {"type": "reaction_added", "user": user_id, "reaction": name, "item": item}
    state.emit("reaction_added", event | {"item_user": message["user"], "event_ts": state.ts()})
    state.changed()
