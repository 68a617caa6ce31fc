"""conversations.*: reading channels, and who is in them."""

import re

from sandbox.slack.config import Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.methods import Call, method, page
from sandbox.slack.state import Channel, State

MOST_A_PAGE = 999
READ = "channels:read groups:read im:read mpim:read"
HISTORY = "channels:history groups:history im:history mpim:history"
RANGE = "cursor limit:int oldest latest inclusive:bool include_all_metadata:bool"


def conversation(state: State, channel: Channel, bot_user: str) -> Json:
    """Slack's conversation object."""
    if channel.im_user:
        return {
            "id": channel.id,
            "created": channel.created,
            "is_im": True,
            "is_org_shared": False,
            "user": channel.im_user,
            "is_open": True,
            "priority": 0,
        }
    team = state.config.team_id
    note = {"value": channel.topic, "creator": "", "last_set": 0}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "is_shared": channel.is_shared,
        "is_org_shared": False,
        "is_ext_shared": channel.is_shared,
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "is_member": bot_user in channel.members,
        "created": channel.created,
        "creator": next(iter(state.people), ""),
        "unlinked": 0,
        "context_team_id": team,
        "shared_team_ids": sorted({team} | {p.team for p in state.people.values() if p.team and channel.is_shared}),
        "topic": note,
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
    }


def outward(message: Json, *, with_metadata: bool) -> Json:
    """A message as history shows it: of the metadata only the type, unless all is asked for."""
    shown = dict(message)
    if "metadata" in shown and not with_metadata:
        shown["metadata"] = {"event_type": shown["metadata"]["event_type"]}
    return shown


def _ranged(messages: list[Json], args: Json) -> list[Json]:
    """Those between `oldest` and `latest`, the ends themselves only if `inclusive`."""
    for key in ("oldest", "latest"):
        if key in args and not re.fullmatch(r"\d+(\.\d+)?", args[key]):
            raise RefusedError(f"invalid_ts_{key}")
    oldest, latest = _moment(args.get("oldest", "0")), _moment(args.get("latest", "99999999999"))
    if args.get("inclusive"):
        return [m for m in messages if oldest <= _moment(m["ts"]) <= latest]
    return [m for m in messages if oldest < _moment(m["ts"]) < latest]


def _moment(ts: str) -> tuple[int, int]:
    seconds, _, rest = ts.partition(".")
    return int(seconds), int(rest.ljust(6, "0")[:6])


def _cursor_after(cursor: str) -> str:
    if not re.fullmatch(r"next_ts:\d+\.\d{6}", cursor):
        raise RefusedError("invalid_cursor")
    return cursor.removeprefix("next_ts:")


@method("conversations.history", tier=3, scopes=HISTORY, required="channel", optional=RANGE, accepts_json=True)
def history(call: Call) -> Json:
    """Messages, newest first; replies only where broadcast. The cursor is a place, so new messages shift nothing."""
    channel = call.joined()
    shown = [
        m for m in channel.messages if m.get("thread_ts", m["ts"]) == m["ts"] or m.get("subtype") == "thread_broadcast"
    ]
    shown = _ranged(list(reversed(shown)), call.args)
    if call.args.get("cursor"):
        start = _moment(_cursor_after(call.args["cursor"]))
        shown = [m for m in shown if _moment(m["ts"]) <= start]
    limit = max(1, min(call.args.get("limit", 100), MOST_A_PAGE))
    messages = [outward(m, with_metadata=bool(call.args.get("include_all_metadata"))) for m in shown[:limit]]
    answer: Json = {
        "messages": messages,
        "has_more": len(shown) > limit,
        "pin_count": len(channel.pins),
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if len(shown) > limit:
        answer["response_metadata"] = {"next_cursor": f"next_ts:{shown[limit]['ts']}"}
    for key in ("oldest", "latest"):
        if key in call.args:
            answer[key] = call.args[key]
    return answer


@method("conversations.replies", tier=3, scopes=HISTORY, required="channel ts", optional=RANGE, accepts_json=False)
def replies(call: Call) -> Json:
    """A thread: its parent, then the replies in order."""
    channel = call.joined()
    try:
        parent = channel.find(call.args["ts"])
    except RefusedError:
        raise RefusedError("thread_not_found") from None
    thread = [m for m in channel.messages if m.get("thread_ts") == parent["ts"] and m is not parent]
    items, next_cursor = page(
        [parent, *_ranged(thread, call.args)], call.args.get("cursor", ""), call.args.get("limit", 1000)
    )
    with_metadata = bool(call.args.get("include_all_metadata"))
    answer: Json = {
        "messages": [outward(m, with_metadata=with_metadata) for m in items],
        "has_more": bool(next_cursor),
    }
    if next_cursor:
        answer["response_metadata"] = {"next_cursor": next_cursor}
    return answer


@method(
    "conversations.info",
    tier=3,
    scopes=READ,
    required="channel",
    optional="include_locale:bool include_num_members:bool",
)
def info(call: Call) -> Json:
    """One channel, where the app has the scope of its kind (`im:read` for a direct message, and so on)."""
    channel = call.channel()
    needed = f"{'im' if channel.im_user else 'groups' if channel.is_private else 'channels'}:read"
    if call.app.scopes is not None and needed not in call.app.scopes:
        raise RefusedError("missing_scope", needed=needed, provided=",".join(sorted(call.app.scopes)))
    shown = conversation(call.state, channel, call.app.user_id)
    if call.args.get("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


@method("conversations.list", tier=2, scopes=READ, optional="cursor exclude_archived:bool limit:int team_id types")
def list_(call: Call) -> Json:
    """The channels the app can see, by kind."""
    types = set(call.args.get("types", "public_channel").replace(" ", "").split(","))
    if types - {"public_channel", "private_channel", "mpim", "im"}:
        raise RefusedError("invalid_types")
    shown = []
    for channel in call.state.channels.values():
        kind = "im" if channel.im_user else "private_channel" if channel.is_private else "public_channel"
        visible = kind == "public_channel" or call.app.user_id in channel.members
        if kind in types and visible and not (channel.is_archived and call.args.get("exclude_archived")):
            shown.append(conversation(call.state, channel, call.app.user_id))
    items, next_cursor = page(shown, call.args.get("cursor", ""), call.args.get("limit", 100))
    return {"channels": items, "response_metadata": {"next_cursor": next_cursor}}


@method("conversations.members", tier=4, scopes=READ, required="channel", optional="cursor limit:int")
def members(call: Call) -> Json:
    """Who is in a channel."""
    ids = sorted(call.channel().members)
    items, next_cursor = page(ids, call.args.get("cursor", ""), call.args.get("limit", 100))
    return {"members": items, "response_metadata": {"next_cursor": next_cursor}}


@method(
    "conversations.open",
    tier=3,
    scopes="im:write mpim:write channels:manage groups:write",
    optional="channel users return_im:bool prevent_creation:bool",
    accepts_json=True,
)
def open_(call: Call) -> Json:
    """The direct conversation with one person."""
    users = call.args.get("users", "").split(",") if call.args.get("users") else []
    if not users and "channel" in call.args:
        return {"channel": {"id": call.channel().id}, "already_open": True, "no_op": True}
    if not users:
        raise RefusedError("users_list_not_supplied")
    if len(users) > 1:
        raise RefusedError("method_not_supported_for_channel_type")
    person = call.state.people.get(users[0])
    if person is None:
        raise RefusedError("user_not_found")
    if person.deleted:
        raise RefusedError("user_disabled")
    before = len(call.state.channels)
    channel = call.state.direct(person.id, call.app)
    shown = conversation(call.state, channel, call.app.user_id) if call.args.get("return_im") else {"id": channel.id}
    if len(call.state.channels) == before:
        return {"channel": shown, "already_open": True, "no_op": True}
    return {"channel": shown}


@method("conversations.join", tier=3, scopes="channels:join", required="channel", accepts_json=True)
def join(call: Call) -> Json:
    """Go into a public channel."""
    channel = call.channel()
    if channel.is_archived:
        raise RefusedError("is_archived")
    if channel.is_private or channel.im_user:
        raise RefusedError("method_not_supported_for_channel_type")
    answer: Json = {}
    if call.app.user_id in channel.members:
        answer = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    else:
        enter(call.state, channel, call.app.user_id)
    return {"channel": conversation(call.state, channel, call.app.user_id), **answer}


def enter(state: State, channel: Channel, user_id: str, inviter: str = "") -> None:
    """Make somebody a member, with the line that Slack writes and the event."""
    channel.members.add(user_id)
    text = f"<@{user_id}> has joined the channel"
    state.add(channel, {"subtype": "channel_join", "user": user_id, "text": text, "team": state.config.team_id})
    event = {"type": "member_joined_channel", "user": user_id, "channel": channel.id, "channel_type": "C"}
    event |= {"team": state.config.team_id, "event_ts": state.ts()} | ({"inviter": inviter} if inviter else {})
    state.emit("member_joined_channel", event)


@method(
    "conversations.setTopic",
    tier=2,
    scopes="channels:manage channels:write.topic groups:write groups:write.topic",
    required="channel topic",
    accepts_json=True,
)
def set_topic(call: Call) -> Json:
    """Change the topic of a channel."""
    channel = call.joined()
    if channel.is_archived:
        raise RefusedError("is_archived")
    if len(call.args["topic"]) > 250:
        raise RefusedError("too_long")
    channel.topic = call.args["topic"]
    text = f"<@{call.app.user_id}> set the channel topic: {channel.topic}"
    call.state.add(
        channel, {"subtype": "channel_topic", "user": call.app.user_id, "text": text, "topic": channel.topic}
    )
    return {"channel": conversation(call.state, channel, call.app.user_id)}
