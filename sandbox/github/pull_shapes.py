"""GitHub's JSON for pull requests, their labels and reviews."""

from sandbox.github import shapes
from sandbox.github.model import Pull, Repository, Review
from sandbox.github.shapes import Json


def label(url: str, repo: Repository, name: str) -> Json:
    """One label."""
    return {
        "id": shapes.number_of(name),
        "node_id": shapes.node_id("Label", name),
        "url": f"{url}/repos/{repo.full_name}/labels/{name}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


def pull(url: str, repo: Repository, found: Pull) -> Json:
    """A pull request as lists show it."""
    api, page = f"{url}/repos/{repo.full_name}", f"{url}/{repo.full_name}/pull/{found.number}"
    here, issue = f"{api}/pulls/{found.number}", f"{api}/issues/{found.number}"
    links = {
        "self": here,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{here}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{here}/commits",
        "statuses": f"{api}/statuses/{found.head_sha}",
    }
    sides = {
        side: {
            "label": f"{repo.owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": shapes.user(url, repo.owner),
            "repo": shapes.repository(url, repo),
        }
        for side, ref, sha in (("head", found.head, found.head_sha), ("base", found.base, found.base_sha))
    }
    return {
        "id": found.id,
        "node_id": shapes.node_id("PullRequest", found.id),
        "url": here,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": link for name, link in links.items() if name not in {"self", "html"}},
        "_links": {name: {"href": link} for name, link in links.items()},
        "number": found.number,
        "state": found.state,
        "locked": False,
        "title": found.title,
        "body": found.body,
        "user": shapes.user(url, found.by),
        "labels": [label(url, repo, name) for name in found.labels],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [shapes.user(url, login) for login in found.reviewers],
        "requested_teams": [],
        "draft": found.draft,
        **{
            f"{what}_at": shapes.iso(getattr(found, f"{what}_at"))
            for what in ("created", "updated", "closed", "merged")
        },
        "merge_commit_sha": found.merge_sha,
        **sides,
        "author_association": "COLLABORATOR",
        "auto_merge": None,
    }


def pull_detail(url: str, repo: Repository, found: Pull, state: str, mergeable: bool | None) -> Json:
    """A single pull request, with the fields that lists do not have."""
    changes = repo.git.changes(repo.git.merge_base(found.base_sha, found.head_sha) or found.base_sha, found.head_sha)
    return pull(url, repo, found) | {
        "merged": found.merged_at is not None,
        "merged_by": shapes.user(url, found.merged_by) if found.merged_by else None,
        "mergeable": mergeable,
        "mergeable_state": state,
        "rebaseable": mergeable,
        "comments": len(found.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": repo.git.count(f"{found.base_sha}..{found.head_sha}"),
        "additions": sum(item.additions for item in changes),
        "deletions": sum(item.deletions for item in changes),
        "changed_files": len(changes),
    }


def review(url: str, repo: Repository, found: Pull, given: Review) -> Json:
    """One review."""
    page = f"{url}/{repo.full_name}/pull/{found.number}#pullrequestreview-{given.id}"
    api = f"{url}/repos/{repo.full_name}/pulls/{found.number}"
    return {
        "id": given.id,
        "node_id": shapes.node_id("Review", given.id),
        "user": shapes.user(url, given.by),
        "body": given.body,
        "state": given.state,
        "html_url": page,
        "pull_request_url": api,
        "_links": {"html": {"href": page}, "pull_request": {"href": api}},
        "submitted_at": shapes.iso(given.submitted_at),
        "commit_id": given.commit,
        "author_association": "COLLABORATOR",
    }
