"""The payloads of interactions, field by field as Slack sends them."""

from sandbox.slack.config import Account, Json
from sandbox.slack.state import Channel, State
from sandbox.slack.surfaces import OpenView, Surfaces, with_state

TOKEN = "verification-token"


def _user(state: State, person: Account) -> Json:
    team = person.team or state.config.team_id
    return {"id": person.id, "username": person.name, "name": person.name, "team_id": team}


def _common(state: State, person: Account, kind: str) -> Json:
    return {
        "type": kind,
        "team": {"id": state.config.team_id, "domain": state.config.domain},
        "user": _user(state, person),
        "api_app_id": state.config.app.id,
        "token": TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def slash(surfaces: Surfaces, person: Account, channel: Channel, command: str, text: str) -> Json:
    """A slash command: strings only, for it is a form in HTTP."""
    config = surfaces.state.config
    return {
        "token": TOKEN,
        "team_id": config.team_id,
        "team_domain": config.domain,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.im_user else channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": config.app.id,
        "is_enterprise_install": "false",
        "response_url": surfaces.response_url("commands", channel, person.id),
        "trigger_id": surfaces.trigger(person.id, config.app),
    }


def block_action(surfaces: Surfaces, person: Account, action: Json) -> Json:
    """What every press has, wherever it was."""
    payload = _common(surfaces.state, person, "block_actions")
    payload["trigger_id"] = surfaces.trigger(person.id, surfaces.state.config.app)
    payload["actions"] = [action]
    return payload


def on_message(surfaces: Surfaces, person: Account, place: tuple[Channel, Json], action: Json, values: Json) -> Json:
    """A press in a message; `place` is its channel and the message itself."""
    channel, message = place
    payload = block_action(surfaces, person, action)
    ephemeral = bool(message.get("is_ephemeral"))
    shown = {key: value for key, value in message.items() if key not in {"to", "is_ephemeral"}}
    payload["container"] = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    payload["channel"] = {"id": channel.id, "name": "directmessage" if channel.im_user else channel.name}
    payload["state"] = {"values": values}
    payload["response_url"] = surfaces.response_url("actions", channel, person.id, message)
    if not ephemeral:
        payload["message"] = shown
    return payload


def on_view(surfaces: Surfaces, person: Account, held: OpenView, action: Json) -> Json:
    """A press in a modal or a home."""
    payload = block_action(surfaces, person, action)
    payload["container"] = {"type": "view", "view_id": held.view["id"]}
    payload["view"] = with_state(held)
    return payload


def submission(surfaces: Surfaces, person: Account, held: OpenView) -> Json:
    """A modal submitted."""
    payload = _common(surfaces.state, person, "view_submission")
    payload["trigger_id"] = surfaces.trigger(person.id, surfaces.state.config.app)
    payload["view"] = with_state(held)
    payload["response_urls"] = []
    return payload


def closed(surfaces: Surfaces, person: Account, held: OpenView, *, everything: bool) -> Json:
    """A modal closed."""
    payload = _common(surfaces.state, person, "view_closed")
    payload["view"] = with_state(held)
    payload["is_cleared"] = everything
    return payload


def home_opened(state: State, person: Account, home: OpenView | None) -> Json:
    """The event of a person opening the app's Home."""
    event: Json = {"type": "app_home_opened", "user": person.id, "channel": state.direct(person.id).id, "tab": "home"}
    event["event_ts"] = state.ts()
    if home is not None:
        event["view"] = with_state(home)
    return event
