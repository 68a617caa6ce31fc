"""Repositories, branches with their rules, commits and comparisons; and who the caller is."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.call import Answer, Call, Endpoint
from sandbox.github.errors import Refusal, not_found
from sandbox.github.model import Protection


def get_repo(call: Call) -> Answer:
    """`GET /repos/{owner}/{repo}`, with what the caller may do there."""
    push = call.access.may("contents", "write")
    rights = {"admin": call.access.may("administration", "write"), "push": push, "pull": True}
    return 200, shapes.repository(call.url, call.repo) | {"permissions": rights}


def get_branch(call: Call) -> Answer:
    """`GET branches/{branch}`."""
    name, repo = call.params["branch"], call.repo
    sha, here = repo.git.branch(name), f"{call.api}/branches/{name}"
    if sha is None:
        raise Refusal(404, "Branch not found")
    protection = repo.protections.get(name)
    checks = protection.checks if protection else []
    return 200, {
        "name": name,
        "commit": shapes.commit(call.url, repo, repo.git.commit(sha)),
        "_links": {"self": here, "html": f"{call.url}/{repo.full_name}/tree/{name}"},
        "protected": protection is not None,
        "protection": {
            "enabled": protection is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if checks else "off",
                "contexts": checks,
                "checks": [{"context": check, "app_id": None} for check in checks],
            },
        },
        "protection_url": f"{here}/protection",
    }


def get_rules(call: Call) -> Answer:
    """`GET rules/branches/{branch}`: what rulesets ask; classic protection does not show here."""
    protection = call.repo.protections.get(call.params["branch"])
    if protection is None or not protection.ruleset:
        return 200, []
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.repo.full_name, "ruleset_id": 1}
    return 200, [rule | source for rule in _rules(protection)]


def _rules(protection: Protection) -> list[dict[str, Any]]:
    review = {
        "required_approving_review_count": protection.reviews,
        "dismiss_stale_reviews_on_push": protection.dismiss_stale_reviews,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
        "allowed_merge_methods": ["merge", "squash"],
    }
    rules: list[dict[str, Any]] = [{"type": "pull_request", "parameters": review}]
    if protection.checks:
        checks = [{"context": check} for check in protection.checks]
        strict = {"strict_required_status_checks_policy": protection.strict}
        rules.append({"type": "required_status_checks", "parameters": {"required_status_checks": checks, **strict}})
    if protection.merge_queue:
        sizes = {"max_entries_to_build": 5, "max_entries_to_merge": 5, "min_entries_to_merge": 1}
        times = {"check_response_timeout_minutes": 60, "min_entries_to_merge_wait_minutes": 5}
        ways = {"grouping_strategy": "ALLGREEN", "merge_method": "MERGE"}
        rules.append({"type": "merge_queue", "parameters": {**sizes, **times, **ways}})
    return rules


def get_protection(call: Call) -> Answer:
    """`GET branches/{branch}/protection`: classic protection only, for administrators."""
    name = call.params["branch"]
    protection = call.repo.protections.get(name)
    if protection is None or protection.ruleset:
        raise Refusal(404, "Branch not protected")
    here = f"{call.api}/branches/{name}/protection"
    answer: dict[str, Any] = {"url": here, "enforce_admins": {"url": f"{here}/enforce_admins", "enabled": True}}
    if protection.checks:
        checks = [{"context": check, "app_id": None} for check in protection.checks]
        answer["required_status_checks"] = {
            "url": f"{here}/required_status_checks",
            "contexts_url": f"{here}/required_status_checks/contexts",
            "strict": protection.strict,
            "contexts": protection.checks,
            "checks": checks,
        }
    answer["required_pull_request_reviews"] = {
        "url": f"{here}/required_pull_request_reviews",
        "dismiss_stale_reviews": protection.dismiss_stale_reviews,
        "require_code_owner_reviews": False,
        "required_approving_review_count": protection.reviews,
    }
    return 200, answer


def get_commit(call: Call) -> Answer:
    """`GET commits/{ref}`."""
    sha = call.repo.git.commitish(call.params["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.params['ref']}")
    return 200, shapes.commit(call.url, call.repo, call.repo.git.commit(sha))


def compare(call: Call) -> Answer:
    """`GET compare/{base}...{head}`: commits and files since the merge base."""
    base_name, _, head_name = call.params["basehead"].partition("...")
    git, repo = call.repo.git, call.repo
    base, head = git.commitish(base_name), git.commitish(head_name) if head_name else None
    root = git.merge_base(base, head) if base and head else None
    if base is None or head is None or root is None:
        raise not_found()
    ahead, behind = git.count(f"{base}..{head}"), git.count(f"{head}..{base}")
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    here, page = f"{call.api}/compare/{call.params['basehead']}", f"{call.url}/{repo.full_name}/compare/{base}...{head}"
    commits = list(reversed(git.log(f"{base}..{head}"))) if ahead else []
    return 200, {
        "url": here,
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": shapes.commit(call.url, repo, git.commit(base)),
        "merge_base_commit": shapes.commit(call.url, repo, git.commit(root)),
        "status": status.get((ahead > 0, behind > 0), "diverged"),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": len(commits),
        "commits": [shapes.commit(call.url, repo, commit) for commit in commits],
        "files": [shapes.change(call.url, repo, head, change) for change in git.changes(root, head)],
    }


def get_user(call: Call) -> Answer:
    """`GET /user`: not for an app's installation."""
    if call.access.app_id is not None:
        raise Refusal(403, "Resource not accessible by integration")
    names = ["name", "company", "blog", "location", "email", "hireable", "bio"]
    counts = [
        "public_repos",
        "public_gists",
        "followers",
        "following",
        "private_gists",
        "total_private_repos",
        "owned_private_repos",
        "disk_usage",
        "collaborators",
    ]
    since = {"created_at": "2020-01-01T00:00:00Z", "updated_at": shapes.iso(call.now)}
    about = dict.fromkeys(names) | dict.fromkeys(counts, 0) | {"two_factor_authentication": True}
    return 200, shapes.user(call.url, call.access.login) | about | since


def get_rate_limit(call: Call) -> Answer:
    """`GET /rate_limit`: costs nothing."""
    access = call.access
    reset = int(access.window_ends.timestamp()) if access.window_ends else int(call.now.timestamp()) + 3600
    core = {"limit": access.limit, "remaining": access.limit - access.used, "reset": reset, "used": access.used}
    search = {"limit": 30, "remaining": 30, "reset": reset, "used": 0}
    return 200, {"resources": {"core": core, "search": search}, "rate": core}


_HERE = "/repos/{owner}/{repo}"
ENDPOINTS = [
    Endpoint("GET", _HERE, get_repo),
    Endpoint("GET", f"{_HERE}/branches/{{branch:path}}/protection", get_protection, "administration"),
    Endpoint("GET", f"{_HERE}/branches/{{branch:path}}", get_branch, "contents"),
    Endpoint("GET", f"{_HERE}/rules/branches/{{branch:path}}", get_rules),
    Endpoint("GET", f"{_HERE}/commits/{{ref:path}}", get_commit, "contents"),
    Endpoint("GET", f"{_HERE}/compare/{{basehead:path}}", compare, "contents"),
    Endpoint("GET", "/user", get_user, None),
    Endpoint("GET", "/rate_limit", get_rate_limit, None),
]
