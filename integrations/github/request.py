"""What every step that changes one file through a pull request shares: its keys, its plan, and the way there."""

import difflib
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field

from bot.errors import Final, Stopped, Temporary
from bot.step import Context, Outcome, Plan, Setting, Step
from integrations.github.auth import SETTINGS
from integrations.github.branch import Change, MergeMethod, hold
from integrations.github.client import File, GitHub
from integrations.github.pull import Landing, Merged, find_or_open
from integrations.github.readiness import refuse_merge_queue
from integrations.github.story import body_of, one_line

_DIFF_LINES = 80
_METHOD_FLAGS = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}


def _inside(path: str) -> str:
    if not path or path.startswith("/") or any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError(f"{path!r} is no path inside a repository, such as _data/banner_notification.yml")
    return path


FilePath = Annotated[str, AfterValidator(_inside)]


class FileRequest(Step):
    """One file of a repository, brought to what is wanted by one commit and one pull request.

    A subclass gives its `path`, says what the file is to become (`wanted`), and how to call that (`heading`).
    """

    repository: str
    """The repository on GitHub, as `owner/name`."""
    base: str | None = None
    """The branch to merge into; left out, the repository's default branch."""
    merge_method: MergeMethod = "merge"
    """How to merge: `merge`, `squash` or `rebase`, as far as the repository allows it."""
    wait_s: float = Field(default=3600.0, gt=0)
    """How long to wait for required checks, reviews and mergeability, in seconds, before the step fails."""
    delete_branch: bool = True
    """Whether to delete the branch of the pull request after the merge."""

    targets: ClassVar[tuple[str, ...]] = ("repository",)
    estimate_s: ClassVar[float] = 120.0
    timeout_s: ClassVar[float] = 3900.0
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    def file(self) -> str:
        """Return the path of the file."""
        raise NotImplementedError

    def wanted(self, now: bytes | None) -> bytes | None:
        """Return what the file, now `now` (None: absent), is to become. Raises `Final` if it cannot."""
        raise NotImplementedError

    def heading(self) -> str:
        """Return the change in one line: the title of commit and pull request."""
        raise NotImplementedError

    def told(self) -> str:
        """Return the change in one line, for those who read the step's title right before it."""
        return self.heading()

    def facts_before(self, now: bytes | None) -> dict[str, Any]:  # noqa: ARG002 - subclasses read it
        """Return what to put on record about the file before the change."""
        return {}

    def facts_after(self) -> dict[str, Any]:
        """Return what else the outcome says."""
        return {}

    def plan(self, ctx: Context) -> Plan:
        with GitHub(ctx, self.repository) as github:
            base = self._base(github)
            refuse_merge_queue(github, base)
            before, after = self._look(github, base)
        subject = {
            "uses": self.uses,
            "repository": self.repository,
            "base": base,
            "path": self.file(),
            "before": _digest(_bytes(before)),
            "after": _digest(after),
            "merge_method": self.merge_method,
        }
        if after == _bytes(before):
            return Plan(f"Nothing to do: {self.file()} on {base} of {self.repository} is so already.", subject=subject)
        summary = f"{self.told()}: change {self.file()} on {base} of {self.repository} through a pull request"
        return Plan(summary, tuple(_diff(self.file(), _bytes(before), after)), subject)

    def check(self, ctx: Context) -> Outcome | None:
        with GitHub(ctx, self.repository) as github:
            base = self._base(github)
            before, after = self._look(github, base)
            return self._done(ctx, github, base) if after == _bytes(before) else None

    def apply(self, ctx: Context) -> Outcome:
        with GitHub(ctx, self.repository) as github:
            base = self._base(github)
            refuse_merge_queue(github, base)
            before, after = self._look(github, base)
            if after == _bytes(before):
                return self._done(ctx, github, base)
            change = self._change(ctx, base, before, after)
            facts = {"before_blob": before.blob if before else None, **self.facts_before(_bytes(before))}
            try:
                merged = _bring(ctx, github, change, facts)
            except Stopped:
                # Not for a restart, which takes it up again.
                if ctx.taken_back() is not None:
                    _withdraw(github, change.branch, base)
                raise
        return self._outcome(base, merged, facts)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        with GitHub(ctx, self.repository) as github:
            base = str(outcome.facts["base"])
            now, after = self._look(github, base)
        if after != _bytes(now):
            raise Temporary(f"{self.file()} on {base} of {self.repository} does not read as it should after the merge.")

    def restored(self, github: GitHub, now: File | None, facts: Mapping[str, Any]) -> bytes | None:
        """Return what `undo` is to make of the file, which is `now` there; `facts` are those of the outcome.

        Raises `Final` if others have changed it since.
        """
        if not self._as_written(github, now, facts):
            raise Final(
                f"{self.file()} of {self.repository} was changed by others since, so turning it back would undo their "
                "work too. Nothing was changed. Turn it back by hand, by a pull request."
            )
        return github.blob(str(facts["before_blob"])) if facts["before_blob"] else None

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        facts = outcome.facts
        with GitHub(ctx, self.repository) as github:
            base = self._base(github)
            _withdraw(github, branch_of(ctx), base)
            now = github.file(self.file(), base)
            if "before_blob" not in facts or (now and now.blob) == facts["before_blob"]:
                return Outcome(f"{self.file()} on {base} of {self.repository} is as it was before this step.")
            after = self.restored(github, now, facts)
            if after == _bytes(now):
                return Outcome(f"{self.file()} on {base} of {self.repository} is turned back already.")
            change = self._change(ctx, base, now, after, undo=True)
            merged = _bring(ctx, github, change, None)
        return Outcome(f"{change.title}: merged pull request #{merged.number} ({merged.url})")

    def _base(self, github: GitHub) -> str:
        """Return the base branch. Raises `Final` for what would stop the merge anyway: better while planning."""
        about = github.about()
        if about.get("archived"):
            raise Final(f"{self.repository} is archived on GitHub, so nothing can be changed in it.")
        if about.get(_METHOD_FLAGS[self.merge_method]) is False:
            allowed = [method for method, flag in _METHOD_FLAGS.items() if about.get(flag)]
            raise Final(
                f"{self.repository} does not allow merging by {self.merge_method}. Write `merge_method: "
                f"{' or '.join(allowed) or '(none is allowed)'}` into the runbook."
            )
        return self.base or str(about["default_branch"])

    def _look(self, github: GitHub, base: str) -> tuple[File | None, bytes | None]:
        now = github.file(self.file(), base)
        return now, self.wanted(now.content if now else None)

    def _change(
        self, ctx: Context, base: str, before: File | None, after: bytes | None, *, undo: bool = False
    ) -> Change:
        heading = f"Turn back: {self.heading()}" if undo else self.heading()
        return Change(
            path=self.file(),
            base=base,
            before=before,
            after=after,
            branch=branch_of(ctx) + ("-undo" if undo else ""),
            key=ctx.key + ("-undo" if undo else ""),
            title=one_line(heading),
            body=body_of(ctx, heading),
            merge_method=self.merge_method,
            wait_s=self.wait_s,
            delete_branch=self.delete_branch,
        )

    def _done(self, ctx: Context, github: GitHub, base: str) -> Outcome:
        """The outcome where the file is as it should be: by an earlier run of this step, or by others."""
        number = ctx.facts.get("pr")
        pull = github.pull(int(number)) if number else {"merged": False}
        if pull["merged"]:
            return self._outcome(base, Merged.of(pull), dict(ctx.facts))
        facts = {"repository": self.repository, "base": base, "path": self.file(), **self.facts_after()}
        return Outcome(
            f"{self.file()} on {base} of {self.repository} is so already; nothing was changed.",
            {**facts, "changed": False},
        )

    def _outcome(self, base: str, merged: Merged, facts: Mapping[str, Any]) -> Outcome:
        told = {
            "repository": self.repository,
            "base": base,
            "path": self.file(),
            "pr": merged.number,
            "pr_url": merged.url,
            "merge_sha": merged.sha,
            "head_sha": merged.head,
            "changed": True,
        }
        summary = f"{self.told()}: merged pull request #{merged.number} of {self.repository} ({merged.url})"
        return Outcome(summary, {**facts, **told, **self.facts_after()})

    def _as_written(self, github: GitHub, now: File | None, facts: Mapping[str, Any]) -> bool:
        """Whether the file is still as this step left it."""
        return "head_sha" in facts and now == github.file(self.file(), str(facts["head_sha"]))


class FilledRequest(FileRequest):
    """A request whose fields leave something to the maintenance.

    `FileRequest` asks only the step's own fields, so each of its methods runs on a copy in which all are filled in.
    """

    def filled(self, ctx: Context) -> Self:
        """Return the step with what its fields leave to the maintenance."""
        raise NotImplementedError

    def plan(self, ctx: Context) -> Plan:
        return FileRequest.plan(self.filled(ctx), ctx)

    def check(self, ctx: Context) -> Outcome | None:
        return FileRequest.check(self.filled(ctx), ctx)

    def apply(self, ctx: Context) -> Outcome:
        return FileRequest.apply(self.filled(ctx), ctx)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        FileRequest.verify(self.filled(ctx), ctx, outcome)

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        return FileRequest.undo(self.filled(ctx), ctx, outcome)


def branch_of(ctx: Context) -> str:
    """Return the branch of a step, the same in every attempt."""
    return f"maint/{ctx.maintenance}/{ctx.step}"


def _bring(ctx: Context, github: GitHub, change: Change, facts: Mapping[str, Any] | None) -> Merged:
    """Take a change from nothing, or from wherever an earlier run left it, to its merge."""
    head = hold(github, change)
    ctx.raise_if_stopped()
    pull = find_or_open(github, change)
    number, url = int(pull["number"]), str(pull["html_url"])
    recorded = {"pr": number, "pr_url": url, "head_sha": head, **facts} if facts is not None else {"undo_pr": number}
    if any(ctx.facts.get(name) != value for name, value in recorded.items()):
        ctx.record(f"Opened pull request #{number}: {url}", **recorded)
    merged = Landing(ctx, github, change, number, head).land()
    if change.delete_branch:
        _tidy(ctx, github, change, merged)
    return merged


def _tidy(ctx: Context, github: GitHub, change: Change, merged: Merged) -> None:
    """Delete the merged branch, unless somebody pushed to it since. What cannot be deleted harms nobody: say so."""
    try:
        if github.branch(change.branch) == merged.head:
            github.delete_branch(change.branch)
    except (Final, Temporary) as error:
        ctx.record(f"Merged, but branch {change.branch} could not be deleted ({error}). Delete it by hand some time.")


def _withdraw(github: GitHub, branch: str, base: str) -> None:
    """Close what an unfinished attempt left open, so that nobody merges it later."""
    for pull in github.pulls(branch, base):
        github.close_pull(int(pull["number"]))
        github.delete_branch(branch)


def _bytes(file: File | None) -> bytes | None:
    return file.content if file else None


def _digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def _diff(path: str, before: bytes | None, after: bytes | None) -> list[str]:
    old, new = ((text or b"").decode(errors="replace").splitlines() for text in (before, after))
    names = (path if before is not None else "/dev/null", path if after is not None else "/dev/null")
    lines = list(difflib.unified_diff(old, new, *names, lineterm="", n=2))
    if len(lines) > _DIFF_LINES:
        return [*lines[:_DIFF_LINES], f"… and {len(lines) - _DIFF_LINES} more lines"]
    return lines
