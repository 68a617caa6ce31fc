"""GitHub's JSON: how users, repositories, commits and files look in an answer.

`url` is the stand-in's own root: in every answer the links lead back to it, as a GitHub Enterprise Server's do.
"""

import base64
import zlib
from datetime import datetime
from typing import Any

from sandbox.github.git import Change, Commit
from sandbox.github.model import Repository

Json = dict[str, Any]

_REPO_LINKS = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]
_ZEROES = [
    "forks",
    "forks_count",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "size",
    "open_issues_count",
    "open_issues",
    "network_count",
    "subscribers_count",
]


def iso(at: datetime | None) -> str | None:
    """A time as GitHub writes it, or None."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def number_of(text: str) -> int:
    """A stable number for things that we keep by name."""
    return zlib.crc32(text.encode())


def node_id(kind: str, key: object) -> str:
    """An opaque id as the GraphQL side would give."""
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


def user(url: str, login: str) -> Json:
    """A simple user; a login that ends in `[bot]` is a bot."""
    api = f"{url}/users/{login}"
    names = ["followers", "subscriptions", "organizations", "repos", "received_events"]
    return {
        "login": login,
        "id": number_of(login),
        "node_id": node_id("User", login),
        "avatar_url": f"{url}/avatars/{login}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{url}/{login}",
        **{f"{name}_url": f"{api}/{name}" for name in names},
        **{f"{name}_url": f"{api}/{name}{{/rest}}" for name in ("following", "gists", "starred", "events")},
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def repository(url: str, repo: Repository) -> Json:
    """A full repository."""
    api = f"{url}/repos/{repo.full_name}"
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": user(url, repo.owner),
        "private": repo.private,
        "html_url": f"{url}/{repo.full_name}",
        "description": None,
        "fork": False,
        "url": api,
        **{f"{name}_url": f"{api}/{name}" for name in _REPO_LINKS},
        **{f"{kind}_url": f"{url}/{repo.full_name}.git" for kind in ("clone", "git", "ssh", "svn")},
        **dict.fromkeys(_ZEROES, 0),
        **dict.fromkeys(["mirror_url", "homepage", "language", "license"]),
        **{
            f"has_{part}": part == "issues"
            for part in ["issues", "projects", "wiki", "pages", "downloads", "discussions"]
        },
        "archived": False,
        "disabled": False,
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
        "allow_merge_commit": "merge" in repo.merge_methods,
        "allow_squash_merge": "squash" in repo.merge_methods,
        "allow_rebase_merge": "rebase" in repo.merge_methods,
        **{f"{what}_at": iso(repo.created_at) for what in ("created", "updated", "pushed")},
    }


def _person(commit: Commit) -> Json:
    return {"name": commit.author, "email": commit.email, "date": iso(commit.authored_at)}


def git_commit(url: str, repo: Repository, commit: Commit) -> Json:
    """A commit as the Git data API shows it."""
    api, page = f"{url}/repos/{repo.full_name}/git", f"{url}/{repo.full_name}"
    verification = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha),
        "url": f"{api}/commits/{commit.sha}",
        "html_url": f"{page}/commit/{commit.sha}",
        "author": _person(commit),
        "committer": _person(commit),
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": f"{api}/trees/{commit.tree}"},
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{page}/commit/{sha}"} for sha in commit.parents
        ],
        "verification": verification,
    }


def commit(url: str, repo: Repository, found: Commit) -> Json:
    """A commit as the commits API shows it."""
    inner = git_commit(url, repo, found)
    api = f"{url}/repos/{repo.full_name}/commits/{found.sha}"
    return {
        "sha": found.sha,
        "node_id": inner["node_id"],
        "url": api,
        "html_url": inner["html_url"],
        "comments_url": f"{api}/comments",
        "commit": {key: inner[key] for key in ("url", "author", "committer", "message", "tree", "verification")}
        | {"comment_count": 0},
        "author": user(url, found.author),
        "committer": user(url, found.author),
        "parents": inner["parents"],
    }


def change(url: str, repo: Repository, sha: str, found: Change) -> Json:
    """One file of a comparison."""
    page = f"{url}/{repo.full_name}"
    return {
        "sha": None,
        "filename": found.path,
        "status": found.status,
        "additions": found.additions,
        "deletions": found.deletions,
        "changes": found.additions + found.deletions,
        "blob_url": f"{page}/blob/{sha}/{found.path}",
        "raw_url": f"{page}/raw/{sha}/{found.path}",
        "contents_url": f"{url}/repos/{repo.full_name}/contents/{found.path}?ref={sha}",
        "patch": found.patch,
    }
