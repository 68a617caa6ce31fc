"""Going on in spite of conflicts: a reason, a second person's approval bound to just these conflicts, and the record.

A maintenance that overrides is made with one more step in front, `maint.override`, which everything else needs: it
stays a draft, and nothing of it starts, before that step is approved. A change of the window has its approval anyway,
which then shows the conflicts and the reason. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.acts import needed_reason
from bot.errors import BadInput
from bot.radar import Conflict
from bot.state import State
from bot.window_steps import OVERRIDE

_QUOTED = re.compile(r"([\"'])(.*?)\1(?=\s|$)")
_GIVEN = re.compile(r"(?:^|\s)override=")


def split_override(words: str) -> tuple[str, str]:
    """Return `words` without `override=REASON`, and the reason: in quotes, or else all that follows.

    The reason is empty if none is given. Raises `BadInput` for one that is given and empty.
    """
    found = _GIVEN.search(words)
    if found is None:
        return words, ""
    rest = words[found.end() :].strip()
    quoted = _QUOTED.match(rest)
    reason, after = (quoted[2], rest[quoted.end() :]) if quoted else (rest, "")
    return " ".join([words[: found.start()], after.strip()]).strip(), needed_reason(reason)


def refusal(found: Sequence[Conflict]) -> str:
    """Return what to say where something blocks and no reason to override it was given; "" if nothing blocks."""
    blocking = [each.text for each in found if each.blocks]
    if not blocking:
        return ""
    return (
        "\n".join(blocking) + "\nChoose another time, or override it with a reason (`override=REASON`), which somebody "
        "else then has to approve."
    )


def overriding(
    payload: Mapping[str, Any], found: Sequence[Conflict], reason: str, requester: str, approvers: Sequence[str]
) -> dict[str, Any]:
    """Return the payload of a `created` entry with the conflicts that were `found`, and where one blocks, the override.

    `approvers` (ids) decide where no step of the runbook names any. Raises `BadInput` if nobody but the requester
    could approve it, or if something blocks and `reason` is empty.
    """
    kept = [each.plain for each in found]
    if not any(each.blocks for each in found):
        return {**payload, "conflicts": kept}
    policy = _policy(payload, requester, approvers)
    ids = {raw["id"] for raw in payload["steps"]}
    step = _step(_free("override", ids), {"reason": needed_reason(reason), "conflicts": kept}, policy)
    rest = [{**raw, "needs": raw["needs"] or [step["id"]]} for raw in payload["steps"]]
    return {**payload, "conflicts": kept, "steps": [step, *rest]}


def must_be_decided(state: State) -> None:
    """Raise `BadInput` while the override that a maintenance was made with is not approved."""
    for step, spec in state.specs.items():
        if spec.uses == OVERRIDE and state.steps[step].status != "succeeded":
            raise BadInput(
                f"{state.id} waits for the approval of {step}, and nothing of it is announced yet. Let that be decided "
                "first, or `/maint abort REASON` and plan it anew."
            )


def overridden(found: Sequence[Conflict], reason: str) -> dict[str, Any]:
    """Return what a step that changes the window keeps of the conflicts: all that were found, and the reason if any.

    Raises `BadInput` if something blocks and `reason` is empty.
    """
    told = refusal(found)
    if told and not reason:
        raise BadInput(told, field="override")
    kept = {"conflicts": [each.plain for each in found]} if found else {}
    return {**kept, "override": reason} if told else kept


def _policy(payload: Mapping[str, Any], requester: str, approvers: Sequence[str]) -> dict[str, Any]:
    """Those who decide the rest decide this, the requester never: an override is a second person's."""
    found = [raw["approval"] for raw in payload["steps"] if raw["approval"] is not None]
    general = list(payload.get("approvers", ()))
    first: dict[str, Any] = found[0] if found else {"expires_s": 3600.0}
    asked = next((each for each in found if each["approvers"] == general), first)
    asked = {**asked, "approvers": general or asked.get("approvers") or list(approvers)}
    if not set(asked["approvers"]) - {requester}:
        raise BadInput(
            "Overriding a conflict needs the approval of a second person, and nobody but you may give it: name people "
            "or groups in MAINT_APPROVERS or in the runbook's `policy: approvers:`.",
            field="override",
        )
    people = (payload.get("environment") or {}).get("people", 1)
    return {**asked, "count": people, "requester_may": False}


def _free(name: str, taken: set[str]) -> str:
    return next(
        made for number in range(1, len(taken) + 2) if (made := name + f"-{number}" * (number > 1)) not in taken
    )


def _step(id_: str, with_: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "uses": OVERRIDE,
        "with": with_,
        "needs": [],
        "title": "Go on in spite of conflicts",
        "approval": policy,
        "estimate_s": 1.0,
        "timeout_s": 60.0,
        "retry": {"attempts": 5, "wait_s": 5.0, "longest_wait_s": 300.0},
        "on_failure": "keep",
        # It stays a draft: the work that follows says that it is scheduled.
        "phase": "draft",
        "due": None,
        # Like a gate it cannot be skipped, and nobody can settle it by saying that it happened.
        "gate": True,
        "by_hand": False,
        "reversible": False,
        "surface": False,
    }
