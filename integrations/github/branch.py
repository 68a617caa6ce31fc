"""The branch of a step holds one commit with exactly the change that was planned, whatever happened to it before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.errors import Final, Temporary
from integrations.github.client import File, GitHub

MergeMethod = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True)
class Change:
    """One file on branch `base` that is to become `after` (None: removed), and how it is to be brought there.

    `before` is the file as it is now (None: there is none). `key` marks the commit as this step's own.
    """

    path: str
    base: str
    before: File | None
    after: bytes | None
    branch: str
    key: str
    title: str
    body: str
    merge_method: MergeMethod
    wait_s: float
    delete_branch: bool

    @property
    def message(self) -> str:
        """The commit's message; its last line marks it as ours."""
        return f"{self.title}\n\n{self._mark}"

    @property
    def _mark(self) -> str:
        return f"Maint-Step: {self.key}"

    def made(self, message: str) -> bool:
        """Whether a commit with this message is the step's own."""
        return message.rstrip().endswith(self._mark)


def hold(github: GitHub, change: Change, *, on_top: bool = False) -> str:
    """Make sure that the change's branch holds exactly the change, and return the sha at its tip.

    A branch that does so already, from an earlier run, is taken as it is, unless it is to stand on top of the base as
    that is now (`on_top`). One that does not is made anew. Raises `Final` if others have put commits on it.
    """
    base = github.branch(change.base)
    if base is None:
        raise Final(f"{github.repository} has no branch {change.base}. Check `base` in the runbook.")
    tip = github.branch(change.branch)
    if tip is None:
        made = _commit(github, change, base)
        if github.create_branch(change.branch, made):
            return made
        raise Temporary(f"Branch {change.branch} appeared in {github.repository} just now; looking at it again.")
    found = github.compare(base, tip)
    if _is_exactly(github, change, found, tip) and not (on_top and found["behind_by"]):
        return tip
    strangers = [one for one in found["commits"] if not change.made(str(one["commit"]["message"]))]
    if strangers:
        first = str(strangers[0]["commit"]["message"]).splitlines()[0]
        raise Final(
            f"Branch {change.branch} of {github.repository} has commits that are not maint's (“{first}”) and no longer "
            f"holds exactly the planned change. Nothing was merged. Delete the branch, then retry the step."
        )
    made = _commit(github, change, base)
    github.move_branch(change.branch, made)
    return made


def holds(github: GitHub, change: Change, tip: str) -> bool:
    """Whether commit `tip` differs from the base by exactly the change."""
    return _is_exactly(github, change, github.compare(change.base, tip), tip)


def _is_exactly(github: GitHub, change: Change, found: Mapping[str, Any], tip: str) -> bool:
    if [file["filename"] for file in found["files"]] != [change.path]:
        return False
    left = github.file(change.path, str(found["merge_base_commit"]["sha"]))
    there = github.file(change.path, tip)
    return (left and left.blob) == (change.before and change.before.blob) and (there and there.content) == change.after


def _commit(github: GitHub, change: Change, base: str) -> str:
    return github.commit(base, change.path, change.after, change.message)
