"""What GitHub remembers besides the git objects: repositories, pull requests, checks, rules and who may do what."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.github.git import Git


@dataclass
class Protection:
    """Rules of one branch. `ruleset` says whether a ruleset (True) or classic branch protection holds them."""

    checks: list[str] = field(default_factory=list)
    reviews: int = 0
    strict: bool = False
    merge_queue: bool = False
    dismiss_stale_reviews: bool = True
    ruleset: bool = True


@dataclass
class Ci:
    """A check that starts by itself on every pushed commit and ends `after_s` later (None: when a test says so)."""

    name: str
    after_s: float | None = 0.0
    conclusion: str = "success"


@dataclass
class CheckRun:
    """One check run of one commit; completes by the clock at `completes_at` unless that is None."""

    id: int
    name: str
    sha: str
    started_at: datetime
    completes_at: datetime | None
    conclusion: str

    def done(self, now: datetime) -> bool:
        """Whether it has completed at `now`."""
        return self.completes_at is not None and now >= self.completes_at


@dataclass
class Status:
    """One commit status; the newest of each context counts."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    created_at: datetime
    by: str


@dataclass
class Review:
    """One review; `state` APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED, given for `commit`."""

    id: int
    by: str
    state: str
    body: str
    commit: str
    submitted_at: datetime


@dataclass
class Pull:
    """One pull request. `head_sha` follows the branch while it is open and stays after that."""

    id: int
    number: int
    title: str
    body: str | None
    by: str
    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    computed_for: tuple[str, str] | None = None  # (head, base) that `mergeable` is being computed for
    reads_since: int = 0  # how often it was read since


@dataclass
class Repository:
    """One repository: its git objects are real, the rest is here."""

    id: int
    owner: str
    name: str
    default_branch: str
    private: bool
    git: Git
    created_at: datetime
    pulls: dict[int, Pull] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    ci: list[Ci] = field(default_factory=list)
    check_runs: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    merge_methods: set[str] = field(default_factory=lambda: {"merge", "squash"})
    seen: set[str] = field(default_factory=set)  # the commits whose push was noticed
    base_races: int = 0  # so many merges to come meet a base branch that "was modified"

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


@dataclass
class Access:
    """What a token may do. `permissions`: name -> read or write; `repositories` None means all of them."""

    login: str
    permissions: dict[str, str]
    repositories: set[str] | None = None
    expires_at: datetime | None = None
    app_id: int | None = None
    limit: int = 5000
    used: int = 0
    window_ends: datetime | None = None

    def may(self, permission: str, level: str) -> bool:
        """Whether `permission` is held at `level` (write includes read)."""
        return self.permissions.get(permission) in ({"write"} if level == "write" else {"read", "write"})

    def spend(self, now: datetime) -> bool:
        """Count one request in the hour's window; False when there was none left."""
        if self.window_ends is None or now >= self.window_ends:
            self.window_ends, self.used = now + timedelta(hours=1), 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True


@dataclass
class App:
    """A GitHub App: tokens signed with the private key that belongs to `public_key` (PEM) are its own."""

    id: int
    slug: str
    client_id: str
    public_key: str


@dataclass
class Installation:
    """An app on an account, with what it was granted there."""

    id: int
    app: App
    account: str
    permissions: dict[str, str]
    repositories: set[str] | None
    created_at: datetime
