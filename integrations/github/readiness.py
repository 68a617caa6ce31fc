"""What an open pull request still waits for, told from what will never come by waiting.

GitHub itself judges (`mergeable_state`); checks, reviews and rules are read only to say what is lacking.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.errors import Final
from integrations.github.client import GitHub

BEHIND = "the branch to be on top of its base"

_READY = {"clean", "unstable", "has_hooks"}
_GOOD = {"success", "neutral", "skipped"}
_NOT_READABLE = {403, 404}


def lacking(github: GitHub, pull: Mapping[str, Any]) -> str:
    """Return in words what the pull request waits for; empty when it may be merged now.

    `BEHIND` means that the branch has to be renewed first. Raises `Final` for what waiting does not mend: conflicts,
    a required check that failed, changes asked for.
    """
    if pull.get("draft"):
        return "somebody to take it out of draft"
    state = pull.get("mergeable_state")
    if pull.get("mergeable") is None or state == "unknown":
        return "GitHub to work out whether it can be merged"
    if pull["mergeable"] is False or state == "dirty":
        raise Final(
            f"{name_of(pull)} conflicts with {pull['base']['ref']}: the same lines were changed there. Nothing was "
            "merged. Retry the step to plan the change anew."
        )
    if state in _READY:
        return ""
    if state == "behind":
        return BEHIND
    return _blocked_by(github, pull)


def refuse_merge_queue(github: GitHub, base: str) -> None:
    """Raise `Final` if the base branch is merged into through a merge queue only, which the REST API cannot enter."""
    if any(rule.get("type") == "merge_queue" for rule in _readable(github.rules(base))):
        raise Final(
            f"{base} of {github.repository} takes merges through a merge queue only, which maint cannot use. Nothing "
            "was changed. Let maint's account bypass the queue, or make this step `manual`: a person merges."
        )


def name_of(pull: Mapping[str, Any]) -> str:
    """Return how people call the pull request: number and address."""
    return f"Pull request #{pull['number']} ({pull['html_url']})"


def _blocked_by(github: GitHub, pull: Mapping[str, Any]) -> str:
    rules = list(_readable(github.rules(pull["base"]["ref"])))
    waits = [*_checks_awaited(github, pull, rules), *_reviews_awaited(github, pull, rules)]
    return " and ".join(waits) or "a rule of its base branch that GitHub does not name"


def _checks_awaited(github: GitHub, pull: Mapping[str, Any], rules: list[Mapping[str, Any]]) -> list[str]:
    required = _required_checks(github, str(pull["base"]["ref"]), rules)
    if not required:
        return []
    states = _check_states(github, str(pull["head"]["sha"]))
    for name in required:
        state, url = states.get(name, ("", ""))
        if state == "failure":
            raise Final(
                f"{name_of(pull)} cannot be merged: the required check {name} failed ({url}). Nothing was merged. "
                "Mend it or run it again on GitHub, then retry the step: it goes on with the same pull request."
            )
    return [f"check {name}" for name in required if states.get(name, ("", ""))[0] != "success"]


def _required_checks(github: GitHub, base: str, rules: list[Mapping[str, Any]]) -> list[str]:
    asked = [
        str(check["context"])
        for rule in rules
        if rule.get("type") == "required_status_checks"
        for check in rule["parameters"]["required_status_checks"]
    ]
    classic = (github.branch_protection(base).get("protection") or {}).get("required_status_checks") or {}
    return list(dict.fromkeys([*asked, *classic.get("contexts", [])]))


def _check_states(github: GitHub, sha: str) -> dict[str, tuple[str, str]]:
    """Return of each check and status: `success`, `failure` or `pending`, and its address."""
    states: dict[str, tuple[str, str]] = {}
    for run in _readable(github.check_runs(sha)):
        done = run["status"] == "completed"
        state = ("success" if run["conclusion"] in _GOOD else "failure") if done else "pending"
        states[str(run["name"])] = (state, str(run.get("html_url") or ""))
    for status in _readable(github.statuses(sha)):
        state = "failure" if status["state"] == "error" else str(status["state"])
        states[str(status["context"])] = (state, str(status.get("target_url") or ""))
    return states


def _reviews_awaited(github: GitHub, pull: Mapping[str, Any], rules: list[Mapping[str, Any]]) -> list[str]:
    latest: dict[str, Mapping[str, Any]] = {}
    for review in github.reviews(int(pull["number"])):
        if review["state"] != "COMMENTED":
            latest[str((review.get("user") or {}).get("login"))] = review
    for reviewer, review in latest.items():
        if review["state"] == "CHANGES_REQUESTED":
            said = " ".join(str(review.get("body") or "").split())[:200]
            raise Final(
                f"{name_of(pull)} cannot be merged: {reviewer} asked for changes (“{said}”). Nothing was merged. "
                "Settle it on GitHub (a new review or a dismissal), then retry the step."
            )
    needed = max((_approvals(rule) for rule in rules), default=0)
    given = sum(review["state"] == "APPROVED" for review in latest.values())
    if given >= needed:
        return []
    return [f"{needed - given} approving review{'s' if needed - given > 1 else ''} on GitHub"]


def _approvals(rule: Mapping[str, Any]) -> int:
    if rule.get("type") != "pull_request":
        return 0
    return int((rule.get("parameters") or {}).get("required_approving_review_count") or 0)


def _readable(items: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the items, or nothing where the token may not read them: then GitHub's verdict has to do without words."""
    try:
        yield from items
    except Final as error:
        if error.status not in _NOT_READABLE:
            raise
