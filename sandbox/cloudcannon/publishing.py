"""Publishing: how far a site's branch is ahead of its publish branch, and merging the one into the other."""

from datetime import datetime
from typing import Any

from sandbox.cloudcannon.errors import Refusal
from sandbox.cloudcannon.model import Pull, Site
from sandbox.cloudcannon.shapes import at_text
from sandbox.cloudcannon.world import World
from sandbox.github.git import Git


def branches_of(world: World, site: Site) -> tuple[Git, str, str]:
    """The repository, and the tips of the site's branch and its publish branch. Raises 422 if it has none."""
    git = world.git(site)
    head = git.branch(site.branch)
    base = git.branch(site.publish_branch) if site.publish_branch else None
    if head is None or base is None:
        raise Refusal(422, {"branch": ["No publish branch is set"]})
    return git, head, base


def comparison(world: World, site: Site) -> dict[str, Any]:
    """What publishing would bring: commits, and files since the branches parted."""
    git, head, base = branches_of(world, site)
    parted = git.merge_base(base, head) or base
    ahead, behind = git.count(f"{base}..{head}"), git.count(f"{head}..{base}")
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}.get(
        (ahead > 0, behind > 0), "diverged"
    )
    files = [
        {
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
        }
        for change in git.changes(parted, head)
    ]
    commits = [
        _commit(one.sha, one.message, one.author, one.email, one.authored_at) for one in git.log(f"{base}..{head}")
    ]
    return {
        "status": status,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": commits,
        "files": files,
    }


def _commit(sha: str, message: str, name: str, email: str, at: datetime) -> dict[str, Any]:
    person = {"name": name, "email": email, "date": at_text(at)}
    return {"sha": sha, "html_url": None, "commit": {"message": message, "author": person, "committer": person}}


def merge(world: World, site: Site, *, squash: bool = False) -> None:
    """Bring the site's branch onto its publish branch. Raises 422 if the two conflict."""
    git, head, base = branches_of(world, site)
    if not squash and git.merge_base(base, head) == base:
        tip = head
    else:
        tree = git.merge_tree(base, head)
        if tree is None:
            raise Refusal(422, {"base": ["Merge conflict"]})
        parents = [base] if squash else [base, head]
        email = "support@cloudcannon.example"
        tip = git.write_commit(tree, parents, f"Merge {site.branch}", author="CloudCannon", email=email, at=world.now())
    git.update_ref(f"refs/heads/{site.publish_branch}", tip, base)
    site.last_published = world.now()
    if site.destroy_on_publish:
        site.deleted = True


def open_pull(world: World, site: Site, title: str, body: str) -> Pull:
    """Ask for the merge. Raises 422 if that was asked already, or there is nothing to merge."""
    git, head, base = branches_of(world, site)
    if any(pull.state == "open" for pull in site.pulls):
        raise Refusal(422, {"base": ["A pull request already exists"]})
    if not git.count(f"{base}..{head}"):
        raise Refusal(422, {"base": ["No commits between the branches"]})
    pull = Pull(len(site.pulls) + 1, title, body, head, base, world.now())
    site.pulls.append(pull)
    return pull


def merge_pull(world: World, site: Site, pull: Pull, *, squash: bool) -> None:
    """Merge what was asked for. Raises 422 if it is closed."""
    if pull.state != "open":
        raise Refusal(422, {"base": ["Pull request is not open"]})
    pull.head_sha = branches_of(world, site)[1]
    merge(world, site, squash=squash)
    pull.state, pull.merged_at = "closed", world.now()
