"""What the workspace looks like before anybody speaks: who is there, which channels, which app, which limits."""

import dataclasses
from typing import Any

Json = dict[str, Any]

ALL_EVENTS = ("app_home_opened", "message.channels", "message.im", "reaction_added", "member_joined_channel")


@dataclasses.dataclass(frozen=True)
class Account:
    """One person. `zone` is an IANA name or "" (Slack may not know it); another `team` makes a Slack Connect guest."""

    id: str
    name: str
    real_name: str
    zone: str = "Etc/UTC"
    team: str = ""
    is_admin: bool = False
    deleted: bool = False
    colour: str = "4a6fa5"


@dataclasses.dataclass(frozen=True)
class Group:
    """A user group: `handle` without the @, `members` as user ids."""

    id: str
    handle: str
    name: str
    members: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Room:
    """A channel. `members` empty means everybody of this workspace; the app is a member if `has_app`."""

    id: str
    name: str
    topic: str = ""
    members: tuple[str, ...] = ()
    has_app: bool = True
    is_private: bool = False
    is_archived: bool = False
    is_shared: bool = False


@dataclasses.dataclass(frozen=True)
class App:
    """An installed app with its bot. `scopes` None grants every scope; `app_token` only where Socket Mode is on."""

    id: str
    bot_id: str
    user_id: str
    name: str
    bot_token: str = dataclasses.field(repr=False)
    app_token: str = dataclasses.field(default="", repr=False)
    signing_secret: str = dataclasses.field(default="", repr=False)
    scopes: frozenset[str] | None = None
    commands: tuple[str, ...] = ("/maint",)
    escape_commands: bool = True
    events: tuple[str, ...] = ALL_EVENTS


@dataclasses.dataclass(frozen=True)
class Limits:
    """Rate limits. `scale` multiplies every rate and burst: with 10 a test need not wait so long.

    Tiers are requests a minute for one method (https://docs.slack.dev/apis/web-api/rate-limits);
    `posts_per_s` is chat.postMessage in one channel, with `post_burst` let through at once.
    """

    enabled: bool = True
    scale: float = 1.0
    posts_per_s: float = 1.0
    post_burst: int = 5
    tiers: tuple[int, int, int, int] = (1, 20, 50, 100)
    special_per_min: int = 600


@dataclasses.dataclass(frozen=True)
class Timing:
    """How patient the workspace is, in seconds. Slack's own figures; tests may shorten them."""

    ack_s: float = 3.0
    trigger_s: float = 3.0
    response_url_s: float = 1800.0
    response_url_uses: int = 5
    event_retry_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0)
    socket_refresh_s: float = 4 * 3600.0
    socket_warning_s: float = 10.0


PEOPLE = (
    Account("U0ANA0001", "ana", "Ana Richter", "Europe/Berlin", colour="7a3e9d"),
    Account("U0BEN0001", "ben", "Ben Okafor", "Europe/London", colour="2b6cb0"),
    Account("U0CHLOE01", "chloe", "Chloe Tamahori", "Pacific/Auckland", is_admin=True, colour="b7412e"),
    Account("U0DEV0001", "dev", "Dev Patel", "Asia/Kolkata", colour="2f7d4f"),
    Account("U0GIL0001", "gil", "Gil Fournier", "America/Montreal", team="T0PARTNER", colour="8a6d1a"),
)

APP = App(
    "A0MAINT01",
    "B0MAINT01",
    "U0MAINTBT",
    "maint",
    bot_token="xoxb-sandbox-maint",
    app_token="xapp-sandbox-maint",
    signing_secret="sandbox-signing-secret",
)

STRANGER_APP = App("A0OTHER01", "B0OTHER01", "U0OTHERBT", "weatherbot", bot_token="xoxb-sandbox-other", commands=())


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole workspace. `apps[0]` is the app under test; a `request_url` delivers by HTTP, "" by Socket Mode."""

    team_id: str = "T0SANDBOX"
    team_name: str = "Sandbox Ltd"
    domain: str = "sandbox"
    people: tuple[Account, ...] = PEOPLE
    groups: tuple[Group, ...] = (
        Group("S0APPROVE", "maint-approvers", "Maintenance approvers", ("U0BEN0001", "U0CHLOE01")),
        Group("S0DBA0001", "dba", "Database administrators", ("U0CHLOE01",)),
    )
    rooms: tuple[Room, ...] = (
        Room("C0MAINT01", "maintenance", "Scheduled maintenance: what, when, and how far along"),
        Room("C0GENERAL", "general", "Everybody", has_app=False),
        Room("C0PARTNER", "partner", "Shared with Partner SARL", is_shared=True),
        Room("C0OLDNEWS", "old-news", is_archived=True),
    )
    apps: tuple[App, ...] = (APP, STRANGER_APP)
    request_url: str = ""
    limits: Limits = Limits()
    timing: Timing = Timing()

    @property
    def app(self) -> App:
        """The app under test."""
        return self.apps[0]
