"""Who may do what. Pure rules: the memberships of user groups are looked up before and passed in."""

from collections.abc import Collection
from typing import Protocol

LOOKING = frozenset({"help", "list", "log", "plan", "stats", "status", "surfaces", "verify"})
"""Verbs that change nothing: any member may, guests of our own workspace too."""
STARTING = frozenset(
    {
        "start",
        "rehearse",
        "note",
        "freeze",
        "preflight",
        "pause",
        "abort",
        "approve",
        "reject",
        "break-glass",
        "take-over",
        "not-now",
        "tick",
    }
)
"""Verbs for every full member: anybody may pull the cord. Who may approve is judged by `may_approve` besides."""
DECIDING = frozenset(
    {
        "move",
        "extend",
        "more-15",
        "more-30",
        "more-60",
        "go-on",
        "cancel",
        "rollback",
        "open-on-red",
        "resume",
        "retry",
        "skip",
        "done",
        "handover",
        "happened",
        "not_happened",
        "lift",
        "keep",
        "try_on",
        "take",
    }
)
"""Verbs that decide how it goes on: for whoever asked for it or coordinates it, coordinators, and approvers."""

APPROVING = frozenset({"approve", "break-glass", "lift"})
"""Verbs that let something happen: what Slack said of somebody a minute ago is not enough for them. To reject stops."""


class Who(Protocol):
    """A person, as Slack knows them."""

    @property
    def id(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def is_bot(self) -> bool: ...
    @property
    def is_guest(self) -> bool: ...
    @property
    def is_deactivated(self) -> bool: ...


class Admin(Protocol):
    """A person of whom it is known whether they are an admin of the workspace."""

    @property
    def is_admin(self) -> bool: ...


def may_use(verb: str, person: Who, team: str) -> str | None:
    """Return why `person` may not use `verb` at all in the workspace `team`, or None if they may."""
    if person.is_bot:
        return "Bots may not do this; a person has to."
    if person.is_deactivated:
        return "This account is deactivated, so nothing is done in its name."
    if person.team != team:
        return "Only people of the workspace that runs the maintenance may do this; ask one of them."
    if person.is_guest and verb not in LOOKING:
        return f"Guests may look (`/maint status`), and may not {_words(verb)}. Ask a full member of the workspace."
    return None


def may_decide(verb: str, requester: str, deciders: Collection[str], *, is_one: bool) -> str | None:
    """Return why somebody may not use `verb` on the maintenance of `requester`, or None if they may.

    `deciders` are the ids of the people and user groups that may (`bot.crew.deciders`); `is_one` is whether the person
    is one of them, groups looked up.
    """
    if verb not in DECIDING or is_one:
        return None
    others = [who for who in deciders if who != requester]
    named = [f"<@{requester}>, who asked for this maintenance,"] if requester in deciders else []
    return f"Only {' or '.join([*named, *([_named(others)] if others else [])])} may {_words(verb)}."


def may_start(starters: Collection[str], *, is_one: bool) -> str | None:
    """Return why somebody may not start a maintenance, or None if they may; without `starters` every member may."""
    return None if is_one or not starters else f"Only {_named(starters)} may start this maintenance; ask one of them."


def may_freeze(people: Collection[str], *, is_one: bool) -> str | None:
    """Return why somebody may not declare or lift a freeze, or None if they may; without `people` every member may."""
    return None if is_one or not people else f"Only {_named(people)} may declare or lift a freeze; ask one of them."


def may_approve(
    person: Who, requester: str, approvers: Collection[str], *, is_approver: bool, requester_may: bool = False
) -> str | None:
    """Return why `person` may not approve or reject, or None if they may; arguments as for `may_decide`.

    The requester is never an approver of their own, whatever else they are, unless the policy says so aloud.
    """
    if person.id == requester and not requester_may:
        others = [each for each in approvers if each != requester]
        return f"You asked for this maintenance, so somebody else has to decide: {_named(others)}."
    return None if is_approver else f"This has to be decided by {_named(approvers)}."


def may_break_glass(person: "Admin", approvers: Collection[str], *, is_approver: bool, allowed: bool) -> str | None:
    """Return why `person` may not break the glass, or None if they may; arguments as for `may_decide`.

    `allowed` is whether the settings allow it at all.
    """
    if not allowed:
        return (
            "Break-glass is turned off here (MAINT_BREAK_GLASS). Somebody else has to decide: "
            f"{_named(approvers) or 'nobody is named'}."
        )
    if is_approver or person.is_admin:
        return None
    return f"Only {_named(approvers)}, or an admin of the workspace, may break the glass."


def _named(ids: Collection[str]) -> str:
    """The ids as Slack shows them by name (https://docs.slack.dev/messaging/formatting-message-text)."""
    return " or ".join(f"<!subteam^{each}>" if each.startswith("S") else f"<@{each}>" for each in ids)


def _words(verb: str) -> str:
    if verb.startswith("more-"):
        return "extend it"
    words = {
        "happened": "settle a step",
        "not_happened": "settle a step",
        "done": "end a step",
        "go-on": "let it end late",
        "handover": "hand it over",
        "rollback": "roll it back",
        "open-on-red": "open it on red",
        "break-glass": "break the glass",
        "take-over": "take it over",
        "try_on": "try a step on",
        "take": "take this up",
    }
    return words.get(verb, f"{verb} it")
