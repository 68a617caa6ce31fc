"""auth, users, user groups, team, and the door to Socket Mode."""

import datetime
import secrets

from sandbox.slack.config import Account, App, Group, Json
from sandbox.slack.errors import RefusedError
from sandbox.slack.markup import zone_of
from sandbox.slack.methods import SPECIAL, Call, method, page
from sandbox.slack.state import State

STARTED = 1_700_000_000


def user(state: State, person: Account) -> Json:
    """Slack's user object; a person without a known zone has no `tz` fields."""
    shown = _user(person.id, person.team or state.config.team_id, person.name, person.real_name)
    shown |= {"deleted": person.deleted, "is_admin": person.is_admin, "is_stranger": bool(person.team)}
    shown |= {"color": person.colour}
    if person.zone:
        moment = datetime.datetime.now(zone_of(person))
        offset = moment.utcoffset() or datetime.timedelta()
        shown |= {"tz": person.zone, "tz_label": moment.tzname() or "", "tz_offset": int(offset.total_seconds())}
    return shown


def bot_user(state: State, app: App) -> Json:
    """The user object of an app's bot."""
    shown = _user(app.user_id, state.config.team_id, app.name, app.name)
    shown["profile"] |= {"bot_id": app.bot_id, "api_app_id": app.id, "always_active": True}
    return shown | {"is_bot": True, "tz": "Etc/UTC", "tz_label": "UTC", "tz_offset": 0}


def _user(user_id: str, team_id: str, name: str, real_name: str) -> Json:
    return {
        "id": user_id,
        "team_id": team_id,
        "name": name,
        "real_name": real_name,
        "deleted": False,
        "is_bot": False,
        "is_app_user": False,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "updated": STARTED,
        "profile": {
            "real_name": real_name,
            "real_name_normalized": real_name,
            "display_name": name,
            "display_name_normalized": name,
            "status_text": "",
            "status_emoji": "",
            "team": team_id,
        },
    }


def everybody(state: State) -> list[Json]:
    """All user objects: people, then bots."""
    return [user(state, p) for p in state.people.values()] + [bot_user(state, a) for a in state.config.apps]


@method("auth.test", tier=SPECIAL, accepts_json=True)
def auth_test(call: Call) -> Json:
    """Who the token belongs to."""
    config = call.state.config
    return {
        "url": f"https://{config.domain}.slack.com/",
        "team": config.team_name,
        "user": call.app.name,
        "team_id": config.team_id,
        "user_id": call.app.user_id,
        "bot_id": call.app.bot_id,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", tier=3, accepts_json=True, app_token=True)
def connections_open(call: Call) -> Json:
    """An address for one WebSocket, good for a short time and once."""
    ticket = secrets.token_urlsafe(24)
    call.surfaces.tickets[ticket] = call.app
    host = call.state.base_url.removeprefix("http://")
    return {"url": f"ws://{host}/link/?ticket={ticket}&app_id={call.app.id}"}


@method("users.info", tier=4, scopes="users:read", required="user", optional="include_locale:bool")
def users_info(call: Call) -> Json:
    """One person or bot."""
    for one in everybody(call.state):
        if one["id"] == call.args["user"]:
            return {"user": one | ({"locale": "en-GB"} if call.args.get("include_locale") else {})}
    raise RefusedError("user_not_found")


@method("users.list", tier=2, scopes="users:read", optional="cursor limit:int include_locale:bool team_id")
def users_list(call: Call) -> Json:
    """Everybody."""
    items, cursor = page(everybody(call.state), call.args.get("cursor", ""), call.args.get("limit", 1000))
    return {"members": items, "cache_ts": int(call.state.now()), "response_metadata": {"next_cursor": cursor}}


@method(
    "usergroups.list",
    tier=2,
    scopes="usergroups:read",
    optional="include_count:bool include_disabled:bool include_users:bool team_id",
)
def usergroups_list(call: Call) -> Json:
    """The user groups; their members and counts only if asked for."""
    return {"usergroups": [_group(call, group) for group in call.state.config.groups]}


def _group(call: Call, group: Group) -> Json:
    shown: Json = {
        "id": group.id,
        "team_id": call.state.config.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": STARTED,
        "date_update": STARTED,
        "date_delete": 0,
        "auto_type": None,
        "created_by": "USLACKBOT",
        "updated_by": "USLACKBOT",
        "deleted_by": None,
        "prefs": {"channels": [], "groups": []},
    }
    if call.args.get("include_users"):
        shown["users"] = list(group.members)
    if call.args.get("include_count"):
        shown["user_count"] = len(group.members)
    return shown


@method(
    "usergroups.users.list",
    tier=2,
    scopes="usergroups:read",
    required="usergroup",
    optional="include_disabled:bool team_id",
)
def usergroups_users_list(call: Call) -> Json:
    """Who is in a user group."""
    for group in call.state.config.groups:
        if group.id == call.args["usergroup"]:
            return {"users": list(group.members)}
    raise RefusedError("no_such_subteam")


@method("team.info", tier=3, scopes="team:read", optional="team domain", accepts_json=True)
def team_info(call: Call) -> Json:
    """The workspace."""
    config = call.state.config
    if call.args.get("team", config.team_id) != config.team_id:
        raise RefusedError("team_not_found")
    team = {"id": config.team_id, "name": config.team_name, "domain": config.domain, "email_domain": ""}
    return {"team": {**team, "url": f"https://{config.domain}.slack.com/", "icon": {"image_default": True}}}
