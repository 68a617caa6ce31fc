"""What an interaction opens: triggers, response URLs, modals and homes, and how long each lives."""

import dataclasses
import secrets

from sandbox.slack.blocks import all_blocks, elements_of, options_of
from sandbox.slack.config import App, Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.state import Channel, State

DEEPEST_STACK = 3


@dataclasses.dataclass
class Trigger:
    """Permission to open one modal for one person."""

    user_id: str
    app: App
    expires: float
    used: bool = False


@dataclasses.dataclass
class ResponseUrl:
    """Permission to answer one interaction in one channel; `source` is the message it came from, if any."""

    app: App
    channel: Channel
    user_id: str
    expires: float
    uses_left: int
    source: Json | None = None


@dataclasses.dataclass
class OpenView:
    """A view on somebody's screen: what the app sent, what the person has filled in, what was wrong with it."""

    view: Json
    app: App
    user_id: str
    values: dict[str, dict[str, Json]] = dataclasses.field(default_factory=dict)
    errors: dict[str, str] = dataclasses.field(default_factory=dict)


class Surfaces:
    """All that is open in the workspace."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.stacks: dict[str, list[OpenView]] = {}
        self.homes: dict[str, OpenView] = {}
        self.tickets: dict[str, App] = {}
        self._chosen: dict[tuple[str, str], dict[str, dict[str, Json]]] = {}

    def trigger(self, user_id: str, app: App) -> str:
        """A new trigger_id, good once and for `timing.trigger_s`."""
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user_id, app, self.state.now() + self.state.config.timing.trigger_s)
        return trigger_id

    def redeem(self, trigger_id: str, app: App) -> Trigger:
        """Use a trigger. Raises `invalid_trigger_id`, `exchanged_trigger_id` or `expired_trigger_id`."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None or trigger.app is not app:
            raise RefusedError("invalid_trigger_id")
        if trigger.used:
            raise RefusedError("exchanged_trigger_id")
        if self.state.now() > trigger.expires:
            raise RefusedError("expired_trigger_id")
        trigger.used = True
        return trigger

    def response_url(self, kind: str, channel: Channel, user_id: str, source: Json | None = None) -> str:
        """A new response_url for an interaction (`commands` or `actions`) with the app under test."""
        timing, key = self.state.config.timing, secrets.token_urlsafe(18)
        self.response_urls[key] = ResponseUrl(
            self.state.config.app,
            channel,
            user_id,
            self.state.now() + timing.response_url_s,
            timing.response_url_uses,
            source,
        )
        return f"{self.state.base_url}/response/{kind}/{self.state.config.team_id}/{key}"

    def make(self, view: Json, app: App, user_id: str) -> OpenView:
        """A view as Slack completes it, with an id and the initial values."""
        config, view_id = self.state.config, self.state.new_id("V")
        empty = {"title": None, "submit": None, "close": None}
        flags = {"clear_on_close": False, "notify_on_close": False}
        texts = {"private_metadata": "", "callback_id": "", "external_id": ""}
        full = {**empty, **texts, **flags, **view}
        full |= {
            "id": view_id,
            "team_id": config.team_id,
            "app_id": app.id,
            "app_installed_team_id": config.team_id,
            "bot_id": app.bot_id,
            "hash": self._hash(),
            "root_view_id": view_id,
            "previous_view_id": None,
            "state": {"values": {}},
        }
        return OpenView(full, app, user_id, initial_values(view["blocks"]))

    def open(self, view: Json, trigger: Trigger) -> OpenView:
        """Show a modal to the one who caused the trigger, in place of any other."""
        self._unique(view)
        made = self.make(view, trigger.app, trigger.user_id)
        self.stacks[trigger.user_id] = [made]
        self.state.changed()
        return made

    def push(self, view: Json, app: App, user_id: str) -> OpenView:
        """Lay a modal upon the one that is open. Raises `not_found` or `push_limit_reached`."""
        stack = self.stacks.get(user_id, [])
        if not stack:
            raise RefusedError("not_found")
        if len(stack) >= DEEPEST_STACK:
            raise RefusedError("push_limit_reached")
        self._unique(view)
        made = self.make(view, app, user_id)
        made.view["root_view_id"] = stack[0].view["id"]
        made.view["previous_view_id"] = stack[-1].view["id"]
        stack.append(made)
        self.state.changed()
        return made

    def update(self, held: OpenView, view: Json, expected_hash: str = "") -> OpenView:
        """Put new content in an open view; what the person typed in blocks that stay is kept."""
        if expected_hash and expected_hash != held.view["hash"]:
            raise RefusedError("hash_conflict")
        if view["type"] != held.view["type"]:
            raise RefusedError("invalid_arguments", ["the type of a view cannot be changed"])
        kept = {key: held.view[key] for key in ("id", "root_view_id", "previous_view_id")}
        fresh = self.make(view, held.app, held.user_id)
        for block_id, actions in fresh.values.items():
            for action_id in actions:
                typed = held.values.get(block_id, {}).get(action_id)
                if typed is not None:
                    actions[action_id] = typed
        held.view, held.values, held.errors = fresh.view | kept, fresh.values, {}
        self.state.changed()
        return held

    def publish(self, user_id: str, view: Json, app: App, expected_hash: str = "") -> OpenView:
        """Set the Home of `app` for one person."""
        held = self.homes.get(user_id)
        if held is not None:
            return self.update(held, view, expected_hash)
        self.homes[user_id] = self.make(view, app, user_id)
        self.state.changed()
        return self.homes[user_id]

    def find(self, view_id: str = "", external_id: str = "") -> OpenView:
        """An open view or a home by id, else `not_found`."""
        for held in [*(v for stack in self.stacks.values() for v in stack), *self.homes.values()]:
            if (view_id and held.view["id"] == view_id) or (external_id and held.view["external_id"] == external_id):
                return held
        raise RefusedError("not_found")

    def close(self, user_id: str, *, everything: bool = False) -> None:
        """Take the top modal, or all of them, off the screen."""
        stack = self.stacks.get(user_id, [])
        del stack[0 if everything else -1 :]
        self.state.changed()

    def message_values(self, user_id: str, message: Json) -> dict[str, dict[str, Json]]:
        """`state.values` of a message as one person has it: what it came with, and what they chose since."""
        key = (user_id, message["ts"])
        fresh = initial_values(all_blocks(message))
        for block_id, actions in self._chosen.get(key, {}).items():
            for action_id, value in actions.items():
                if fresh.get(block_id, {}).get(action_id, {}).get("type") == value["type"]:
                    fresh[block_id][action_id] = value
        if fresh:
            self._chosen[key] = fresh
        return fresh

    def _unique(self, view: Json) -> None:
        external_id = view.get("external_id")
        views = [held for stack in self.stacks.values() for held in stack]
        if external_id and any(held.view["external_id"] == external_id for held in views):
            raise RefusedError("duplicate_external_id")

    def _hash(self) -> str:
        return f"{int(self.state.now())}.{secrets.token_hex(4)}"


def with_state(held: OpenView) -> Json:
    """The view as it goes into a payload: with what the person has filled in."""
    return {**held.view, "state": {"values": held.values}}


RESULT_KEYS = {
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
}


def initial_values(blocks: list[Json]) -> dict[str, dict[str, Json]]:
    """`state.values` before anybody touches anything: block id, action id, value."""
    values: dict[str, dict[str, Json]] = {}
    for block, element in elements_of(blocks):
        if element["type"] in RESULT_KEYS:
            result, initial = RESULT_KEYS[element["type"]]
            several = result in {"selected_options", "selected_users"}
            value = element.get(initial, [] if several else None)
            values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], result: value}
    return values


def chosen(element: Json, value: object) -> Json:
    """What a person puts in an element, as `state.values` has it. Options go by their value or their text.

    Raises `ValueError` naming the options if there is no such option.
    """
    kind = element["type"]
    result, _ = RESULT_KEYS[kind]
    if result in {"selected_option", "selected_options"} and kind != "external_select":
        wanted = value if isinstance(value, list) else [] if value in (None, "") else [value]
        found = [_option(element, str(one)) for one in wanted]
        if result == "selected_options":
            return {"type": kind, result: found}
        return {"type": kind, result: found[0] if found else None}
    if kind == "datetimepicker":
        return {"type": kind, result: int(str(value)) if value not in (None, "") else None}
    return {"type": kind, result: value if value != "" else None}


def _option(element: Json, wanted: str) -> Json:
    for option in options_of(element):
        if wanted in (option["value"], option["text"]["text"]):
            return {"text": option["text"], "value": option["value"]}
    offered = ", ".join(option["text"]["text"] for option in options_of(element))
    raise ValueError(f"no option {wanted!r}; there are: {offered}")
