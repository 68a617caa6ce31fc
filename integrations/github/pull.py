"""A pull request from its opening to its merge. Safe to begin again at any point: what is there is found."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import Final, Temporary
from bot.http import Response
from bot.step import Context
from integrations.github.branch import Change, hold, holds
from integrations.github.client import GitHub
from integrations.github.readiness import BEHIND, lacking, name_of
from integrations.github.refusals import is_rate_limit, message_of, refusal

_FIRST_WAIT_S, _LONGEST_WAIT_S, _GROWTH = 0.25, 15.0, 1.5
_REFUSED_FROM, _NOT_ALLOWED, _HEAD_MOVED = 300, 405, 409
_BASE_WAS_MODIFIED = "base branch was modified"


@dataclass(frozen=True)
class Merged:
    """A merged pull request; `sha` is the commit on the base branch, `head` the commit that was merged."""

    number: int
    url: str
    sha: str
    head: str

    @classmethod
    def of(cls, pull: Mapping[str, Any]) -> "Merged":
        """Read it from GitHub's answer."""
        return cls(int(pull["number"]), str(pull["html_url"]), str(pull["merge_commit_sha"]), str(pull["head"]["sha"]))


def find_or_open(github: GitHub, change: Change) -> Mapping[str, Any]:
    """Return the open pull request of the change's branch, opened now unless it is there."""
    try:
        found = _find(github, change) or github.open_pull(change.branch, change.base, change.title, change.body)
    except Temporary:
        # The answer may be all that was lost: look before telling anybody that it failed.
        found = _find(github, change)
        if found is None:
            raise
    if found is None:
        raise Temporary(f"The pull request from {change.branch} appeared just now; looking at it again.")
    if found["title"] != change.title:  # of an earlier plan, before the window moved, say
        github.retell(int(found["number"]), change.title, change.body)
    return found


def _find(github: GitHub, change: Change) -> Mapping[str, Any] | None:
    return next(iter(github.pulls(change.branch, change.base)), None)


class Landing:
    """The wait for an open pull request to become mergeable, and its merge while the head is `head`, the approved."""

    def __init__(self, ctx: Context, github: GitHub, change: Change, number: int, head: str) -> None:
        self._ctx = ctx
        self._github = github
        self._change = change
        self._number = number
        self._head = head
        self._began = time.monotonic()
        self._pause_s = _FIRST_WAIT_S

    def land(self) -> Merged:
        """Wait and merge. Raises `Final` when it cannot be, or was not within `wait_s`; `Stopped` between calls."""
        while True:
            self._ctx.raise_if_stopped()
            try:
                merged, waits_for = self._round()
            except Temporary as error:
                if (error.retry_after_s or 0.0) > self._change.wait_s:
                    raise
                self._pause(f"GitHub ({error})", error.retry_after_s or 0.0)
                continue
            if merged is not None:
                return merged
            self._pause(waits_for, 0.0)

    def _round(self) -> tuple[Merged | None, str]:
        """Look once, and merge if that may be; returns the merge, or in words what is waited for."""
        pull = self._github.pull(self._number)
        if pull["merged"]:
            return Merged.of(pull), ""
        if pull["state"] != "open":
            raise Final(
                f"{name_of(pull)} was closed without being merged. The change is not on {self._change.base}. Reopen "
                "it and retry the step, or skip the step."
            )
        self._head = self._approved_head(pull)
        waits_for = lacking(self._github, pull)
        if waits_for == BEHIND:
            self._head = hold(self._github, self._change, on_top=True)
        if waits_for:
            return None, waits_for
        self._refuse_changed_base()
        return self._merge(pull)

    def _approved_head(self, pull: Mapping[str, Any]) -> str:
        head = str(pull["head"]["sha"])
        # "Update branch" on GitHub's page adds a merge commit; what it merges is still exactly what was approved.
        if head != self._head and not holds(self._github, self._change, head):
            raise Final(
                f"{name_of(pull)} was changed after its approval: its head is {head[:10]}, approved was "
                f"{self._head[:10]}, and it now holds something else. Nothing was merged. Look at what was pushed; "
                "delete the branch and retry the step to begin anew."
            )
        return head

    def _refuse_changed_base(self) -> None:
        change = self._change
        now = self._github.file(change.path, change.base)
        if (now and now.blob) != (change.before and change.before.blob):
            raise Final(
                f"{change.path} was changed on {change.base} of {self._github.repository} since this step was "
                "planned. Nothing was merged. Retry the step: it plans the change anew."
            )

    def _merge(self, pull: Mapping[str, Any]) -> tuple[Merged | None, str]:
        change = self._change
        self._ctx.raise_if_stopped()
        title = f"{change.title} (#{self._number})"
        answer = self._github.merge(self._number, sha=self._head, method=change.merge_method, title=title)
        if answer.status < _REFUSED_FROM:
            return Merged(self._number, str(pull["html_url"]), str(answer.json["sha"]), self._head), ""
        return self._refused(answer)

    def _refused(self, answer: Response) -> tuple[Merged | None, str]:
        """Tell the refusals that pass by themselves from the final ones."""
        if is_rate_limit(answer):
            raise refusal(answer, f"merge pull request #{self._number}", self._github.repository)
        again = self._github.pull(self._number)
        if again["merged"]:
            return Merged.of(again), ""
        said = message_of(answer)
        if answer.status == _NOT_ALLOWED and _BASE_WAS_MODIFIED in said.lower():
            return None, "its base branch to come to rest"
        if answer.status == _HEAD_MOVED:
            return None, "its head to come to rest"
        if answer.status == _NOT_ALLOWED:
            raise Final(
                f"{name_of(again)} may not be merged: {said} This is a rule of {self._github.repository}, and waiting "
                "does not change it. Nothing was merged. Meet the rule or change it, then retry the step: it goes on "
                "with the same pull request.",
                status=answer.status,
            )
        raise refusal(answer, f"merge pull request #{self._number}", self._github.repository)

    def _pause(self, waits_for: str, at_least_s: float) -> None:
        waited_s = time.monotonic() - self._began
        if waited_s > self._change.wait_s:
            raise Final(
                f"Pull request #{self._number} of {self._github.repository} still waits for {waits_for} after "
                f"{waited_s / 60:.0f} minutes. Nothing was merged; it stays open. Once that is there, retry the step: "
                "it goes on with the same pull request."
            )
        self._ctx.progress(round(waited_s), None, "s", f"pull request #{self._number} waits for {waits_for}")
        self._ctx.sleep(max(self._pause_s, at_least_s))
        self._pause_s = min(_LONGEST_WAIT_S, self._pause_s * _GROWTH)
