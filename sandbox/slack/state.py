"""What the workspace remembers: people, channels, messages, files. Touched only from the server's event loop."""

import asyncio
import collections
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator

from sandbox.slack.config import Account, App, Config, Json, Room
from sandbox.slack.errors import RefusedError

SLACKBOT = "USLACKBOT"
KEPT_VERSIONS = 20


@dataclasses.dataclass
class Channel:
    """A channel or a direct conversation (`im_user` set). `messages` are in order of ts; ephemerals have a `to`."""

    id: str
    name: str
    members: set[str]
    created: int
    topic: str = ""
    im_user: str = ""
    app_id: str = ""
    is_private: bool = False
    is_archived: bool = False
    is_shared: bool = False
    messages: list[Json] = dataclasses.field(default_factory=list)
    ephemerals: list[Json] = dataclasses.field(default_factory=list)
    pins: list[Json] = dataclasses.field(default_factory=list)

    def find(self, ts: str) -> Json:
        """The message at `ts`, else `message_not_found`."""
        for message in reversed(self.messages):
            if message["ts"] == ts:
                return message
        raise RefusedError("message_not_found")


@dataclasses.dataclass
class StoredFile:
    """An upload: announced, then filled with `content`, then shared (`info` is Slack's file object)."""

    id: str
    name: str
    size_bytes: int
    app: App
    content: bytes | None = None
    info: Json | None = None
    alt: str = ""


class State:
    """The memory. `changed()` after every visible change wakes those who watch; `emit` hands events to the app."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.base_url = "http://127.0.0.1"
        self.revision = 0
        self.people: dict[str, Account] = {person.id: person for person in config.people}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, StoredFile] = {}
        self.versions: dict[tuple[str, str], collections.deque[Json]] = {}
        self.emit: Callable[[str, Json], None] = _unheard
        self._wake: asyncio.Event | None = None
        self._last_us = 0
        self._numbers = itertools.count(1)
        for room in config.rooms:
            self.channels[room.id] = self._channel(room)

    def _channel(self, room: Room) -> Channel:
        own = {p.id for p in self.config.people if (not p.team and not p.deleted) or room.is_shared}
        members = set(room.members) or own
        if room.has_app:
            members |= {app.user_id for app in self.config.apps}
        return Channel(
            room.id,
            room.name,
            members,
            int(self.now()),
            topic=room.topic,
            is_private=room.is_private,
            is_archived=room.is_archived,
            is_shared=room.is_shared,
        )

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def ts(self) -> str:
        """A new message time: unique and rising, as Slack's ids of messages are."""
        self._last_us = max(int(self.now() * 1_000_000), self._last_us + 1)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        """A new id such as `F0000000A1`."""
        return f"{letter}{next(self._numbers):09X}"

    def changed(self) -> None:
        """Something that a person can see has changed."""
        self.revision += 1
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    async def wait_beyond(self, revision: int, timeout_s: float) -> None:
        """Return once the revision is past `revision`, or after `timeout_s`."""
        if self.revision > revision:
            return
        if self._wake is None:
            self._wake = asyncio.Event()
        try:
            await asyncio.wait_for(self._wake.wait(), timeout_s)
        except TimeoutError:
            return

    def channel(self, channel_id: str) -> Channel:
        """The channel of that id, else `channel_not_found`."""
        if channel_id not in self.channels:
            raise RefusedError("channel_not_found")
        return self.channels[channel_id]

    def channel_named(self, name: str) -> Channel | None:
        """The channel called `name` (with or without #), or of that id."""
        wanted = name.removeprefix("#")
        return next((c for c in self.channels.values() if wanted in (c.id, c.name) and not c.im_user), None)

    def direct(self, user_id: str, app: App | None = None) -> Channel:
        """The direct conversation of a person with an app (the one under test if not said); opened if need be."""
        app = app or self.config.app
        for channel in self.channels.values():
            if channel.im_user == user_id and channel.app_id == app.id:
                return channel
        channel = Channel(
            self.new_id("D"), app.name, {user_id, app.user_id}, int(self.now()), im_user=user_id, app_id=app.id
        )
        self.channels[channel.id] = channel
        return channel

    def app_by(self, **fields: str) -> App | None:
        """The installed app whose field (`bot_token`, `app_token`, `user_id`, ...) has that value."""
        return next((a for a in self.config.apps if all(getattr(a, k) == v for k, v in fields.items())), None)

    def messages(self) -> Iterator[tuple[Channel, Json]]:
        """Every message in every channel."""
        for channel in self.channels.values():
            for message in channel.messages:
                yield channel, message

    def add(self, channel: Channel, message: Json) -> Json:
        """Append a message to a channel (its `ts` is made here) and tell everybody."""
        message["ts"] = self.ts()
        message.setdefault("type", "message")
        parent = message.get("thread_ts")
        if parent:
            _count_reply(channel.find(parent), message)
        channel.messages.append(message)
        self.emit(_message_kind(channel), self._message_event(channel, message))
        self.changed()
        return message

    def whisper(self, channel: Channel, to: str, message: Json) -> Json:
        """Show a message to one person only."""
        message |= {"type": "message", "ts": self.ts(), "is_ephemeral": True, "to": to}
        channel.ephemerals.append(message)
        self.changed()
        return message

    def notice(self, channel: Channel, to: str, text: str) -> Json:
        """A message of Slack itself to one person: how errors of an app show."""
        return self.whisper(channel, to, {"user": SLACKBOT, "text": text, "is_notice": True})

    def replace(self, channel: Channel, message: Json, new: Json) -> None:
        """Put `new` in the place of `message`, remembering the blocks it had."""
        kept = self.versions.setdefault((channel.id, message["ts"]), collections.deque[Json](maxlen=KEPT_VERSIONS))
        before = dict(message)
        kept.append(before)
        message.clear()
        message.update(new)
        self.emit(
            _message_kind(channel),
            {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "message": dict(new),
                "previous_message": before,
                "channel": channel.id,
                **_now_twice(self.ts()),
            },
        )
        self.changed()

    def remove(self, channel: Channel, message: Json) -> None:
        """Delete a message: nothing stays of it, or a tombstone if it has replies."""
        before = dict(message)
        if message.get("reply_count"):
            tombstone = {k: message[k] for k in ("type", "ts", "thread_ts", "reply_count") if k in message}
            message.clear()
            message.update(
                tombstone
                | {"subtype": "tombstone", "user": SLACKBOT, "text": "This message was deleted.", "hidden": True}
            )
        else:
            channel.messages.remove(message)
        channel.pins[:] = [pin for pin in channel.pins if pin["ts"] != before["ts"]]
        self.emit(
            _message_kind(channel),
            {
                "type": "message",
                "subtype": "message_deleted",
                "hidden": True,
                "deleted_ts": before["ts"],
                "previous_message": before,
                "channel": channel.id,
                **_now_twice(self.ts()),
            },
        )
        self.changed()

    def _message_event(self, channel: Channel, message: Json) -> Json:
        event = dict(message) | {"channel": channel.id, "event_ts": message["ts"]}
        event["channel_type"] = "im" if channel.im_user else "group" if channel.is_private else "channel"
        return event


def _now_twice(ts: str) -> Json:
    return {"ts": ts, "event_ts": ts}


def _unheard(kind: str, event: Json) -> None:
    """Where events go before anybody listens."""


def _message_kind(channel: Channel) -> str:
    if channel.im_user:
        return "message.im"
    return "message.groups" if channel.is_private else "message.channels"


def _count_reply(parent: Json, reply: Json) -> None:
    users = parent.setdefault("reply_users", [])
    if reply["user"] not in users:
        users.append(reply["user"])
    parent["thread_ts"] = parent["ts"]
    parent["reply_count"] = parent.get("reply_count", 0) + 1
    parent["reply_users_count"] = len(users)
    parent["latest_reply"] = reply["ts"]
