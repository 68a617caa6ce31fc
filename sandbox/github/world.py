"""The state of the stand-in, and the hands of everyone but the bot: people who push, review, merge, and set rules."""

import itertools
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.github import rules
from sandbox.github.git import NULL_SHA, Git
from sandbox.github.model import Access, App, CheckRun, Ci, Installation, Protection, Pull, Repository, Review

BOT_PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "read",
    "statuses": "write",
}


class World:
    """Repositories under `root`, tokens, apps, and what people do with them. Safe to use from any thread.

    `unknown_mergeable` is how many reads of a pull request answer `mergeable: null` after each change,
    as GitHub does while it computes the answer in the background.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        unknown_mergeable: int = 1,
    ) -> None:
        self.root = Path(root)
        self.clock = clock
        self.unknown_mergeable = unknown_mergeable
        self.lock = threading.RLock()
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, Access] = {}
        self.apps: list[App] = []
        self.installations: dict[int, Installation] = {}
        self.requests: list[dict[str, Any]] = []
        self._ids = itertools.count(1001)

    def next_id(self) -> int:
        """A number never given before."""
        return next(self._ids)

    def now(self) -> datetime:
        """The present, aware UTC."""
        return self.clock()

    # Who may do what

    def add_token(
        self,
        token: str,
        login: str = "maint-bot",
        *,
        permissions: Mapping[str, str] | None = None,
        repositories: set[str] | None = None,
        limit: int = 5000,
    ) -> str:
        """Register a personal access token for `login`; `limit` is its requests an hour. Returns the token."""
        self.tokens[token] = Access(login, dict(permissions or BOT_PERMISSIONS), repositories, limit=limit)
        return token

    def revoke(self, token: str) -> None:
        """Make a token worthless."""
        self.tokens.pop(token, None)

    def register_app(self, app_id: int, public_key: str, slug: str = "maint", client_id: str = "Iv1.maint") -> App:
        """Register a GitHub App by the public half (PEM) of its key."""
        app = App(app_id, slug, client_id, public_key)
        self.apps.append(app)
        return app

    def install(
        self,
        app: App,
        account: str,
        *,
        permissions: Mapping[str, str] | None = None,
        repositories: set[str] | None = None,
    ) -> Installation:
        """Install `app` on `account`, for all or the named repositories."""
        granted = dict(permissions or BOT_PERMISSIONS)
        installation = Installation(self.next_id(), app, account, granted, repositories, self.now())
        self.installations[installation.id] = installation
        return installation

    def issue_token(
        self, installation: Installation, permissions: dict[str, str], repositories: set[str] | None
    ) -> tuple[str, datetime]:
        """A new installation token and the time it ends, an hour from now."""
        ends = self.now() + timedelta(hours=1)
        token = f"ghs_{installation.app.id}_{secrets.token_urlsafe(48)}"
        login = f"{installation.app.slug}[bot]"
        self.tokens[token] = Access(login, permissions, repositories, ends, installation.app.id)
        return token, ends

    # Repositories

    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        default_branch: str = "master",
        private: bool = True,
    ) -> Repository:
        """Make `owner/name` with `files` (path -> content) as its first commit. Raises `FileExistsError` if taken."""
        owner, name = full_name.split("/")
        git = Git(self.root / owner / f"{name}.git")
        git.create(default_branch)
        with self.lock:
            repo = Repository(self.next_id(), owner, name, default_branch, private, git, self.now())
            self.repositories[full_name] = repo
            if files is not None:
                self.commit(full_name, files, "First commit")
        return repo

    def repo(self, full_name: str) -> Repository:
        """The repository of that name. Raises `KeyError`."""
        return self.repositories[full_name]

    def commit(
        self,
        full_name: str,
        files: Mapping[str, str | bytes | None],
        message: str = "Change by hand",
        *,
        branch: str | None = None,
        by: str = "ada",
    ) -> str:
        """A push by a person who may bypass the rules; None as content removes the file. Returns the new sha."""
        with self.lock:
            repo = self.repo(full_name)
            branch = branch or repo.default_branch
            old = repo.git.branch(branch)
            start = old or repo.git.branch(repo.default_branch)
            changes = [
                ("100644", None if text is None else repo.git.write_blob(_bytes(text)), path)
                for path, text in files.items()
            ]
            tree = repo.git.write_tree(start, changes)
            parents = [start] if start else []
            sha = repo.git.write_commit(tree, parents, message, author=by, email=f"{by}@example.com", at=self.now())
            repo.git.update_ref(f"refs/heads/{branch}", sha, old or NULL_SHA)
            self.refresh(repo)
            return sha

    def read(self, full_name: str, path: str, ref: str | None = None) -> str:
        """The text of a file at a branch or commit. Raises `FileNotFoundError`."""
        repo = self.repo(full_name)
        commit = repo.git.commitish(ref or repo.default_branch)
        entry = repo.git.entry(commit, path) if commit else None
        if entry is None:
            raise FileNotFoundError(f"{full_name}:{path} at {ref or repo.default_branch}")
        return repo.git.blob(entry.sha).decode()

    def head(self, full_name: str, branch: str | None = None) -> str | None:
        """The sha at the tip of a branch, or None when there is no such branch."""
        repo = self.repo(full_name)
        return repo.git.branch(branch or repo.default_branch)

    # Rules and checks

    def protect(
        self,
        full_name: str,
        branch: str | None = None,
        *,
        checks: list[str] | None = None,
        reviews: int = 0,
        strict: bool = False,
        merge_queue: bool = False,
        ruleset: bool = True,
    ) -> Protection:
        """Require pull requests on a branch, with these checks and so many approving reviews."""
        repo = self.repo(full_name)
        protection = Protection(checks or [], reviews, strict, merge_queue, ruleset=ruleset)
        repo.protections[branch or repo.default_branch] = protection
        return protection

    def unprotect(self, full_name: str, branch: str | None = None) -> None:
        """Drop the rules of a branch."""
        repo = self.repo(full_name)
        repo.protections.pop(branch or repo.default_branch, None)

    def run_ci(self, full_name: str, name: str, *, after_s: float | None = 0.0, conclusion: str = "success") -> None:
        """From now on a check run `name` starts on every pushed commit (`after_s` None: ends by `complete_check`)."""
        self.repo(full_name).ci.append(Ci(name, after_s, conclusion))

    def complete_check(self, full_name: str, ref: str, name: str, conclusion: str = "success") -> None:
        """End the check run `name` of a branch's tip or a commit. Raises `KeyError` when there is none."""
        with self.lock:
            repo = self.repo(full_name)
            self.refresh(repo)
            sha = repo.git.commitish(ref)
            runs = [run for run in repo.check_runs if run.sha == sha and run.name == name]
            if not runs:
                raise KeyError(f"no check run {name!r} at {ref!r}")
            runs[-1].completes_at, runs[-1].conclusion = self.now(), conclusion

    def disturb_merges(self, full_name: str, times: int = 1) -> None:
        """The next `times` merges meet a base branch that was just modified (GitHub's transient 405)."""
        self.repo(full_name).base_races += times

    # Pull requests, as people handle them in the browser

    def pull(self, full_name: str, number: int) -> Pull:
        """One pull request as it now is. Raises `KeyError`."""
        with self.lock:
            self.refresh(self.repo(full_name))
            return self.repo(full_name).pulls[number]

    def pulls(self, full_name: str) -> list[Pull]:
        """All pull requests, oldest first."""
        with self.lock:
            self.refresh(self.repo(full_name))
            return list(self.repo(full_name).pulls.values())

    def approve(self, full_name: str, number: int, by: str = "grace") -> Review:
        """An approving review by a person."""
        return self.review(full_name, number, "APPROVED", by=by)

    def request_changes(self, full_name: str, number: int, by: str = "grace", body: str = "Not yet.") -> Review:
        """A review by a person that asks for changes."""
        return self.review(full_name, number, "CHANGES_REQUESTED", by=by, body=body)

    def review(self, full_name: str, number: int, state: str, *, by: str, body: str = "") -> Review:
        """Add a review of the present head."""
        with self.lock:
            pull = self.pull(full_name, number)
            review = Review(self.next_id(), by, state, body, pull.head_sha, self.now())
            pull.reviews.append(review)
            return review

    def merge(self, full_name: str, number: int, by: str = "grace") -> str:
        """Merge in the browser. Returns the merge commit's sha; raises `Refusal` as the API would."""
        with self.lock:
            repo = self.repo(full_name)
            return rules.merge(repo, self.pull(full_name, number), by=by, now=self.now())

    def close(self, full_name: str, number: int) -> None:
        """Close without merging."""
        with self.lock:
            pull = self.pull(full_name, number)
            pull.state, pull.closed_at = "closed", self.now()

    def refresh(self, repo: Repository) -> None:
        """Take notice of branches that moved, whoever moved them: start checks, move or close pull requests."""
        heads = {ref.removeprefix("refs/heads/"): sha for ref, sha in repo.git.refs("refs/heads/").items()}
        for sha in set(heads.values()) - repo.seen:
            repo.seen.add(sha)
            for ci in repo.ci:
                ends = None if ci.after_s is None else self.now() + timedelta(seconds=ci.after_s)
                repo.check_runs.append(CheckRun(self.next_id(), ci.name, sha, self.now(), ends, ci.conclusion))
        for pull in repo.pulls.values():
            if pull.state == "open":
                rules.follow(repo, pull, heads.get(pull.head), self.now())


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
