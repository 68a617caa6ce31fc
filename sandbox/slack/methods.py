"""The Web API methods: how each is declared, and what a call of one carries."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.slack.config import App, Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.state import Channel, State
from sandbox.slack.surfaces import Surfaces

SPECIAL = 5
ALWAYS_ACCEPTED = {"token", "team_id"}  # Bolt sends its team with every call


@dataclasses.dataclass
class Call:
    """One call: who asks, and the arguments in their types. An argument that was not sent is not there."""

    state: State
    surfaces: Surfaces
    app: App
    args: Json

    def channel(self, key: str = "channel") -> Channel:
        """The channel asked for, by id (or by #name, as chat.postMessage allows). Private ones only to members."""
        wanted = self.args[key]
        channel = self.state.channels.get(wanted) or self.state.channel_named(wanted)
        hidden = channel and (channel.is_private or channel.im_user) and self.app.user_id not in channel.members
        if channel is None or hidden:
            raise RefusedError("channel_not_found")
        return channel

    def joined(self, key: str = "channel") -> Channel:
        """As `channel`, and the app's bot must be in it: else `not_in_channel`."""
        channel = self.channel(key)
        if self.app.user_id not in channel.members:
            raise RefusedError("not_in_channel")
        return channel


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of the Web API: its tier (1 to 4, `SPECIAL`), the scopes one of which is needed, its arguments."""

    name: str
    run: Callable[[Call], Json]
    tier: int
    scopes: tuple[str, ...]
    required: Mapping[str, str]
    optional: Mapping[str, str]
    accepts_json: bool
    app_token: bool


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    tier: int,
    scopes: str = "",
    required: str = "",
    optional: str = "",
    accepts_json: bool = False,
    app_token: bool = False,
) -> Callable[[Callable[[Call], Json]], Callable[[Call], Json]]:
    """Declare a method. Arguments, parted by blanks: `name` (a string), `name:int`, `name:bool`, `name:json`."""

    def declare(run: Callable[[Call], Json]) -> Callable[[Call], Json]:
        METHODS[name] = Method(
            name, run, tier, tuple(scopes.split()), _kinds(required), _kinds(optional), accepts_json, app_token
        )
        return run

    return declare


def _kinds(text: str) -> dict[str, str]:
    return {name: kind or "str" for name, _, kind in (word.partition(":") for word in text.split())}


def typed(chosen: Method, raw: Json) -> Json:
    """The arguments of a call in their types. Raises `invalid_arguments` naming each that is missing, wrong or unknown.

    Slack lets unknown arguments pass unseen; here they are refused, so that a misspelt one does not go unnoticed.
    """
    kinds = {**chosen.required, **chosen.optional}
    faults = [f"missing required field: {name}" for name in chosen.required if raw.get(name) in (None, "")]
    args: Json = {}
    for name, value in raw.items():
        if name in ALWAYS_ACCEPTED or value is None:
            continue
        if name not in kinds:
            faults.append(f"unknown argument: {name}")
            continue
        try:
            args[name] = _CONVERT[kinds[name]](value)
        except (TypeError, ValueError):
            if kinds[name] == "json" and name in {"blocks", "metadata"}:
                raise RefusedError(f"invalid_{name}_format") from None
            faults.append(f"must be of type {kinds[name]}: {name}")
    if faults:
        raise RefusedError("invalid_arguments", faults)
    return args


def _string(value: Any) -> str:
    if isinstance(value, dict | list | bool):
        raise TypeError("not a string")
    return str(value)


def _boolean(value: Any) -> bool:
    word = str(value).lower()
    if word not in {"true", "1", "false", "0"}:
        raise ValueError(f"not a boolean: {value}")
    return word in {"true", "1"}


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("not an integer")
    return int(value)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_CONVERT: dict[str, Callable[[Any], Any]] = {"str": _string, "bool": _boolean, "int": _integer, "json": _json}


def page(items: list[Any], cursor: str, limit: int) -> tuple[list[Any], str]:
    """One page of `items` from `cursor` ("" for the first) and the cursor of the next ("" at the end)."""
    start = 0
    if cursor:
        if not cursor.startswith("next:") or not cursor.removeprefix("next:").isdigit():
            raise RefusedError("invalid_cursor")
        start = int(cursor.removeprefix("next:"))
    if limit < 1 or limit > 1000:
        raise RefusedError("invalid_limit")
    end = start + limit
    return items[start:end], f"next:{end}" if end < len(items) else ""
