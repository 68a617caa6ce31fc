"""Who somebody is to Slack: team, zone, guest or not, and the user groups they are in.

Cached for a minute, but hardly at all where it decides about an approval: whoever was taken out of the group a moment
ago has no say any more. Slack is asked about a group at most 20 times a minute
(https://docs.slack.dev/apis/web-api/rate-limits, tier 2 of `usergroups.users.list`), so a crowd that presses at once is
judged by one look, and by the last one where Slack will not be asked again yet.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import NotAllowed
from bot.slack_errors import code_of, verdict

_KEEP_S, _KEEP_FRESH_S = 60.0, 5.0
_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+))(?:\|@?([^<>\n]+))?>")
T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """A Slack user, by id. `zone` is an IANA name, `UTC` where the profile has none."""

    id: str
    team: str
    name: str
    zone: str
    is_bot: bool
    is_guest: bool
    is_deactivated: bool
    is_admin: bool = False
    """Whether they are an admin or owner of the workspace."""


class People:
    """Looks people and user groups up. Raises `NotAllowed` while Slack cannot be asked: no right is assumed.

    `fresh` asks for what is at most a few seconds old.
    """

    def __init__(self, client: WebClient, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._kept: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def person(self, user: str, *, fresh: bool = False) -> Person:
        """Return the person with this id (`users.info`). Raises `NotAllowed` if Slack knows nobody of that id."""

        def look() -> Person:
            found = self._client.users_info(user=user)["user"]
            return Person(
                id=user,
                team=found.get("team_id", ""),
                name=found.get("real_name") or found.get("name", user),
                zone=found.get("tz") or "UTC",
                is_bot=bool(found.get("is_bot")),
                is_guest=bool(
                    found.get("is_restricted") or found.get("is_ultra_restricted") or found.get("is_stranger")
                ),
                is_deactivated=bool(found.get("deleted")),
                is_admin=bool(found.get("is_admin") or found.get("is_owner")),
            )

        return self._cached(f"user:{user}", look, fresh=fresh)

    def members(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        """Return the user ids in a user group (`usergroups.users.list`)."""

        def look() -> frozenset[str]:
            return frozenset(self._client.usergroups_users_list(usergroup=group)["users"])

        return self._cached(f"group:{group}", look, fresh=fresh)

    def named(self, text: str) -> str:
        """Return `text` with its mentions of people and user groups as names, for where Slack shows words as they are.

        Source: https://docs.slack.dev/messaging/formatting-message-text. Whom Slack does not name keeps the id.
        """
        return _MENTION.sub(lambda found: f"@{found[3] or self._name(found[1] or found[2])}", text)

    def _name(self, who: str) -> str:
        try:
            if who.startswith("S"):
                return self._handles().get(who, who)
            return self.person(who).name
        except NotAllowed:
            return who

    def _handles(self) -> dict[str, str]:
        """The handles of the user groups, by id (`usergroups.list`)."""

        def look() -> dict[str, str]:
            found = self._client.usergroups_list(include_disabled=True)["usergroups"]
            return {str(group["id"]): str(group.get("handle") or group.get("name") or group["id"]) for group in found}

        return self._cached("handles", look)

    def team(self) -> str:
        """Return the id of our own workspace (`auth.test`)."""
        return self._cached("team", lambda: str(self._client.auth_test()["team_id"]))

    def we_are_in(self, channel: str) -> bool:
        """Whether the bot is a member of this channel (`conversations.info`).

        Raises `NotAllowed` where Slack does not tell: what was asked for here must not come to be somewhere else.
        """

        def look() -> bool:
            try:
                return bool(self._client.conversations_info(channel=channel)["channel"].get("is_member"))
            except SlackApiError as error:
                # A private channel without us, a direct message, a kind of conversation that we have no scope for.
                if verdict(error) == "refused":
                    return False
                raise

        try:
            return self._cached(f"channel:{channel}", look)
        except NotAllowed:
            raise NotAllowed(
                "Slack cannot be asked just now whether I am in this channel, so nothing was planned. Try again in a "
                "minute."
            ) from None

    def among(self, user: str, approvers: Iterable[str], *, fresh: bool = False) -> bool:
        """Whether `user` is one of `approvers`: user ids (`U…`, `W…`) and user-group ids (`S…`)."""
        return any(
            user in self.members(each, fresh=fresh) if each.startswith("S") else user == each for each in approvers
        )

    def _cached(self, key: str, look: Callable[[], T], *, fresh: bool = False) -> T:
        with self._lock:
            kept: tuple[float, T] | None = self._kept.get(key)
        age_s = self._clock_s() - kept[0] if kept is not None else _KEEP_S
        if kept is not None and age_s < (_KEEP_FRESH_S if fresh else _KEEP_S):
            return kept[1]
        try:
            seen = look()
        except SlackApiError as error:
            if kept is not None and age_s < _KEEP_S and verdict(error) == "slower":
                return kept[1]
            raise NotAllowed(f"Slack does not say who that is ({code_of(error)}), so nothing is done.") from None
        except (SlackClientError, OSError):
            raise NotAllowed(
                "Slack cannot be asked who you are just now, so nothing was done. Try again in a minute."
            ) from None
        with self._lock:
            self._kept[key] = (self._clock_s(), seen)
        return seen
