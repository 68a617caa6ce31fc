"""When a pull request may be merged, what GitHub says when it may not, and the merge itself.

Texts and statuses as GitHub's REST API answers them ("Merge a pull request"): callers must tell a 405 that passes by
itself ("Base branch was modified") from one that is policy, and they can do it by the text only.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sandbox.github.errors import Refusal
from sandbox.github.git import GitError
from sandbox.github.model import Protection, Pull, Repository

NOT_MERGEABLE = "Pull Request is not mergeable"
BASE_MODIFIED = "Base branch was modified. Review and try the merge again."
HEAD_MODIFIED = "Head branch was modified. Review and try the merge again."
NEEDS_PULL = "Changes must be made through a pull request."
RULESET = "Repository rule violations found"


def follow(repo: Repository, pull: Pull, sha: str | None, now: datetime) -> None:
    """Let an open pull request follow its branch to `sha` (None: the branch is gone, which closes it)."""
    if sha is None:
        pull.state, pull.closed_at, pull.updated_at = "closed", now, now
    elif sha != pull.head_sha:
        pull.head_sha, pull.updated_at = sha, now
        protection = repo.protections.get(pull.base)
        if protection and protection.dismiss_stale_reviews:
            for review in pull.reviews:
                if review.state == "APPROVED":
                    review.state = "DISMISSED"


def checks(repo: Repository, sha: str, now: datetime) -> dict[str, str]:
    """Each check run and status of a commit: name -> success, failure, in_progress or pending; the newest counts."""
    states = {}
    for run in repo.check_runs:
        if run.sha == sha:
            good = run.conclusion in {"success", "neutral", "skipped"}
            states[run.name] = ("success" if good else "failure") if run.done(now) else "in_progress"
    for status in repo.statuses:
        if status.sha == sha:
            states[status.context] = "failure" if status.state == "error" else status.state
    return states


def conflict_free(repo: Repository, pull: Pull) -> bool:
    """Whether git can merge the two branches by itself."""
    base = repo.git.branch(pull.base)
    return base is not None and repo.git.merge_tree(base, pull.head_sha) is not None


def behind(repo: Repository, pull: Pull) -> bool:
    """Whether the base branch has commits that the head lacks."""
    return repo.git.count(f"{pull.head_sha}..refs/heads/{pull.base}") > 0


def blockers(repo: Repository, pull: Pull, now: datetime) -> list[str]:
    """What the base branch's rules still lack, in GitHub's words; empty when they are met."""
    protection = repo.protections.get(pull.base)
    if protection is None:
        return []
    lacking = []
    if protection.merge_queue:
        lacking.append("Changes must be made through the merge queue")
    lacking += _review_blockers(pull, protection)
    lacking += _check_blockers(checks(repo, pull.head_sha, now), protection)
    if protection.strict and behind(repo, pull):
        lacking.append("This branch must not be behind the base branch")
    return lacking


def _review_blockers(pull: Pull, protection: Protection) -> list[str]:
    latest = {review.by: review.state for review in pull.reviews if review.state != "COMMENTED"}
    if "CHANGES_REQUESTED" in latest.values() and protection.reviews:
        return ["Changes have been requested."]
    approvals = sum(state == "APPROVED" for by, state in latest.items() if by != pull.by)
    if approvals >= protection.reviews:
        return []
    need = protection.reviews
    noun, verb = ("review", "is") if need == 1 else ("reviews", "are")
    return [f"At least {need} approving {noun} {verb} required by reviewers with write access."]


def _check_blockers(states: dict[str, str], protection: Protection) -> list[str]:
    words = {"in_progress": "in progress", "pending": "pending", "failure": "failing"}
    waiting = [(name, words.get(states.get(name, ""), "expected")) for name in protection.checks]
    waiting = [(name, word) for name, word in waiting if states.get(name) != "success"]
    if len(waiting) == 1:
        return [f'Required status check "{waiting[0][0]}" is {waiting[0][1]}.']
    by_word = defaultdict(list)
    for name, word in waiting:
        by_word[word].append(name)
    total = len(protection.checks)
    return [f"{len(names)} of {total} required status checks are {word}." for word, names in by_word.items()]


def policy_refusal(protection: Protection, lacking: list[str], status: int) -> Refusal:
    """The refusal that a ruleset or a classic protection gives for `lacking`."""
    if protection.ruleset:
        return Refusal(status, "\n\n".join([RULESET, *lacking, ""]))
    return Refusal(status, lacking[0])


def merge_state(repo: Repository, pull: Pull, now: datetime) -> str:
    """GitHub's `mergeable_state` of an open pull request."""
    if pull.draft:
        return "draft"
    if not conflict_free(repo, pull):
        return "dirty"
    protection = repo.protections.get(pull.base)
    if protection and protection.strict and behind(repo, pull):
        return "behind"
    if blockers(repo, pull, now):
        return "blocked"
    unsettled = set(checks(repo, pull.head_sha, now).values()) - {"success"}
    return "unstable" if unsettled else "clean"


def merge(repo: Repository, pull: Pull, *, by: str, now: datetime, **options: Any) -> str:
    """Merge; options `sha`, `merge_method`, `commit_title`, `commit_message`. Returns the new sha, raises `Refusal`."""
    method = options.get("merge_method") or "merge"
    if pull.state != "open":
        raise Refusal(405, NOT_MERGEABLE)
    if options.get("sha") and options["sha"] != pull.head_sha:
        raise Refusal(409, HEAD_MODIFIED)
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    if method not in {"merge", "squash", "rebase"}:
        raise Refusal(422, f"Invalid request.\n\n{method} is not a member of ['merge', 'squash', 'rebase'].")
    if method not in repo.merge_methods:
        word = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[method]
        raise Refusal(405, f"{word} are not allowed on this repository.")
    lacking = blockers(repo, pull, now)
    if lacking:
        raise policy_refusal(repo.protections[pull.base], lacking, 405)
    if repo.base_races > 0:
        repo.base_races -= 1
        raise Refusal(405, BASE_MODIFIED)
    sha, base = _merge(repo, pull, by, now, {**options, "merge_method": method})
    pull.state, pull.merge_sha, pull.base_sha = "closed", sha, base
    pull.closed_at = pull.merged_at = pull.updated_at = now
    pull.merged_by = by
    return sha


def _merge(repo: Repository, pull: Pull, by: str, now: datetime, options: dict[str, Any]) -> tuple[str, str]:
    """Write the merge; returns its sha and that of the base it was made on."""
    base = repo.git.branch(pull.base)
    tree = repo.git.merge_tree(base, pull.head_sha) if base else None
    if base is None or tree is None:
        raise Refusal(405, NOT_MERGEABLE)
    title = f"Merge pull request #{pull.number} from {repo.owner}/{pull.head}"
    text, parents = pull.title, [base, pull.head_sha]
    if options["merge_method"] == "squash":
        title, text, parents = f"{pull.title} (#{pull.number})", pull.body or "", [base]
    given = (options.get("commit_title"), options.get("commit_message"))
    title, text = given[0] or title, text if given[1] is None else given[1]
    message = f"{title}\n\n{text}".rstrip()
    sha = repo.git.write_commit(tree, parents, message, author=by, email=f"{by}@users.noreply.example.com", at=now)
    try:
        repo.git.update_ref(f"refs/heads/{pull.base}", sha, base)
    except GitError as error:  # somebody pushed in between: git's own compare-and-swap noticed
        raise Refusal(405, BASE_MODIFIED) from error
    return sha, base
