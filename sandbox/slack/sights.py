"""What one person sees: channels, messages (their own ephemerals among them), the open modal, the Home."""

from sandbox.slack.blocks import all_blocks, elements_of
from sandbox.slack.config import Account, Json
from sandbox.slack.markup import name_of, visible_text
from sandbox.slack.state import Channel, State
from sandbox.slack.surfaces import OpenView, Surfaces


def channels_of(state: State, person: Account) -> list[Channel]:
    """The channels a person is in."""
    return [channel for channel in state.channels.values() if person.id in channel.members]


def messages_for(channel: Channel, person: Account) -> list[Json]:
    """The messages of a channel as this person has them, in order."""
    own = [one for one in channel.ephemerals if one["to"] == person.id]
    return sorted([*channel.messages, *own], key=lambda message: [int(part) for part in message["ts"].split(".")])


def seen(surfaces: Surfaces, message: Json, person: Account) -> Json:
    """A message with what the screen makes of it: `author`, `plain` (all visible text), `buttons`, chosen `values`."""
    state = surfaces.state
    return {
        **message,
        "values": surfaces.message_values(person.id, message),
        "author": name_of(state, message["user"]),
        "plain": visible_text(state, message, person),
        "buttons": [e["text"]["text"] for _, e in elements_of(all_blocks(message)) if e["type"] == "button"],
    }


def view_seen(state: State, held: OpenView | None, person: Account) -> Json | None:
    """An open view with what was typed (`values`) and what was wrong (`errors`, by block id; "" for all of it)."""
    if held is None:
        return None
    view = held.view
    return {
        **view,
        "values": held.values,
        "errors": held.errors,
        "plain": visible_text(state, view, person),
        "buttons": [e["text"]["text"] for _, e in elements_of(view["blocks"]) if e["type"] == "button"],
    }


def sight(surfaces: Surfaces, person: Account, channel: Channel | None, limit: int) -> Json:
    """All that `person` sees with `channel` open; its last `limit` messages."""
    state = surfaces.state
    stack = surfaces.stacks.get(person.id, [])
    answer: Json = {
        "revision": state.revision,
        "person": person.id,
        "channels": [
            {
                "id": one.id,
                "name": one.name,
                "is_im": bool(one.im_user),
                "topic": one.topic,
                "is_archived": one.is_archived,
                "is_shared": one.is_shared,
                "latest": one.messages[-1]["ts"] if one.messages else "",
            }
            for one in channels_of(state, person)
        ],
        "modal": view_seen(state, stack[-1] if stack else None, person),
        "modal_depth": len(stack),
        "home": view_seen(state, surfaces.homes.get(person.id), person),
        "channel": None,
    }
    if channel is not None and person.id in channel.members:
        pinned = [seen(surfaces, channel.find(pin["ts"]), person) for pin in reversed(channel.pins)]
        shown = [seen(surfaces, message, person) for message in messages_for(channel, person)[-limit:]]
        answer["channel"] = {"id": channel.id, "name": channel.name, "messages": shown, "pins": pinned}
    return answer
