"""Who works on a maintenance: its roles, who may do what in it, who coordinates it. Pure.

Roles are names for people and user groups: `coordinator`, `approver` and `communications`, which settings may fill, and
any others that a runbook makes up for itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.errors import BadInput
from bot.suggest import did_you_mean

BOT = "maint"
"""Who asks for what comes again by itself. Nobody is kept from approving it by having asked."""
ROLES = ("coordinator", "approver", "communications")
TELLING = frozenset({"move", "extend", "more-15", "more-30", "more-60", "try_on"})
"""Verbs that decide what people are told: for `communications` too."""
People = tuple[str, ...]


@dataclass(frozen=True)
class Handover:
    """One question to `to` (a Slack user id) whether they take over from `by`. Times are aware UTC."""

    number: int
    by: str
    to: str
    package: str
    asked_at: datetime
    expires_at: datetime
    answer: str | None = None
    """`accepted`, `declined`, `replaced` (somebody else was asked); None while nobody has answered."""
    answered_at: datetime | None = None


@dataclass(frozen=True)
class Glass:
    """`by` has broken the glass: the request `token` of `step` may be approved by `asker`, who asked for it."""

    step: str
    token: str
    by: str
    asker: str
    reason: str


@dataclass(frozen=True)
class Crew:
    """The people of one maintenance: ids of users, and in `roles` and `rights` of user groups too."""

    coordinator: str = ""
    """Who coordinates it now: whoever asked for it, until somebody takes it over."""
    roles: Mapping[str, People] = field(default_factory=dict)
    rights: Mapping[str, People] = field(default_factory=dict)
    """Who alone may use a verb in it, where its runbook says."""
    approvers: People = ()
    """Who approves where a step does not say, and so what is asked for on the way: a change, a rollback."""
    environment: str = ""
    people: int = 1
    """How many people at least have to approve anything in that environment."""
    handovers: tuple[Handover, ...] = ()
    """Who was asked to take over, oldest first; only the last may be open."""
    glasses: tuple[Glass, ...] = ()

    def glass(self, token: str) -> Glass | None:
        """Return what was broken for the request `token`, if anything."""
        return next((glass for glass in self.glasses if glass.token == token), None)


def crew_of(created: Mapping[str, Any], requester: str) -> Crew:
    """Return the crew that the payload of a `created` entry names."""
    environment = created.get("environment") or {}
    return Crew(
        coordinator=requester,
        roles={name: tuple(who) for name, who in created.get("roles", {}).items()},
        rights={verb: tuple(who) for verb, who in created.get("rights", {}).items()},
        approvers=tuple(created.get("approvers", ())),
        environment=environment.get("name", ""),
        people=environment.get("people", 1),
    )


def deciders(crew: Crew, verb: str, requester: str, approvers: Iterable[str]) -> People:
    """Return who may use `verb`, which decides how the maintenance of `requester` goes on (ids of people and groups).

    Whoever coordinates it, the coordinators, those who may approve in it, and for what people are told those of
    `communications`; unless its runbook says under `rights:` who alone may.
    """
    if verb in crew.rights:
        return crew.rights[verb]
    telling = crew.roles.get("communications", ()) if verb in TELLING else ()
    named = [requester, crew.coordinator, *approvers, *crew.roles.get("coordinator", ()), *telling]
    return tuple(dict.fromkeys(who for who in named if who and who != BOT))


def starters(rights: Mapping[str, Iterable[str]], roles: Mapping[str, Iterable[str]]) -> People:
    """Return who alone may start a maintenance: as `rights:` says, else coordinators and approvers once there are
    coordinators. Empty: every full member.
    """
    if "start" in rights:
        return people_of(rights["start"], roles)
    coordinators = tuple(roles.get("coordinator", ()))
    return tuple(dict.fromkeys([*coordinators, *roles.get("approver", ())])) if coordinators else ()


def roles_with(house: Mapping[str, People], runbook: Mapping[str, People]) -> dict[str, People]:
    """Return the roles that count for a runbook: its own in place of those of the `house`, which settings name."""
    return {**house, **runbook}


def people_of(named: Iterable[str], roles: Mapping[str, Iterable[str]]) -> People:
    """Return the ids behind `named`: names of roles, and ids of people and user groups, which stay as they are.

    Raises `BadInput` for a role that there is not, or that nobody is in.
    """
    found: dict[str, None] = {}
    for name in named:
        if name[:1].isupper():
            found[name] = None
            continue
        who = tuple(roles.get(name, ()))
        if name not in {*ROLES, *roles}:
            raise BadInput(f"There is no role {name!r}{did_you_mean(name, [*ROLES, *roles])}")
        if not who:
            raise BadInput(f"Nobody is {name}: name people or groups under `roles:` of the runbook or in the settings.")
        found.update(dict.fromkeys(who))
    return tuple(found)
