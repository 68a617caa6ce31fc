"""The pull requests API, with reviews, reviewers, labels and comments."""

from typing import Any

from sandbox.github import pull_shapes, rules, shapes
from sandbox.github.call import Answer, Call, Endpoint
from sandbox.github.errors import Refusal, invalid, missing, not_found
from sandbox.github.model import Pull, Review


def _pull(call: Call, name: str = "number") -> Pull:
    try:
        return call.repo.pulls[int(call.params[name])]
    except (KeyError, ValueError):
        raise not_found() from None


def list_pulls(call: Call) -> Answer:
    """`GET pulls`: filters `state` (open by default), `head` as `owner:branch`, `base`; newest first."""
    state, head, base = call.query.get("state", "open"), call.query.get("head"), call.query.get("base")
    owner, _, branch = (head or "").rpartition(":")
    found = [
        pull
        for pull in call.repo.pulls.values()
        if state in ("all", pull.state)
        # GitHub ignores a head without its owner: the list then is not filtered at all.
        and (not owner or (owner == call.repo.owner and branch == pull.head))
        and (base is None or base == pull.base)
    ]
    newest_first = call.query.get("direction", "desc") == "desc"
    found.sort(key=lambda pull: pull.number, reverse=newest_first)
    return 200, [pull_shapes.pull(call.url, call.repo, pull) for pull in call.page(found)]


def create(call: Call) -> Answer:
    """`POST pulls`: one open pull request for each head and base, and only if there is something to merge."""
    absent = missing(call.body, "head", "base") or missing(call.body, "title")
    if absent:
        raise absent
    repo, git = call.repo, call.repo.git
    head, base = str(call.body["head"]).removeprefix(f"{repo.owner}:"), str(call.body["base"])
    head_sha, base_sha = git.branch(head), git.branch(base)
    if base_sha is None:
        raise invalid("PullRequest", field="base", code="invalid")
    if head_sha is None:
        raise invalid("PullRequest", field="head", code="invalid")
    if any((pull.head, pull.base, pull.state) == (head, base, "open") for pull in repo.pulls.values()):
        raise invalid("PullRequest", message=f"A pull request already exists for {repo.owner}:{head}.")
    if git.count(f"{base_sha}..{head_sha}") == 0:
        raise invalid("PullRequest", message=f"No commits between {base} and {head}")
    number = len(repo.pulls) + 1
    pull = Pull(
        call.world.next_id(),
        number,
        str(call.body["title"]),
        call.body.get("body"),
        call.access.login,
        head,
        base,
        head_sha,
        base_sha,
        bool(call.body.get("draft")),
        call.now,
        call.now,
    )
    repo.pulls[number] = pull
    return 201, _detail(call, pull)


def get(call: Call) -> Answer:
    """`GET pulls/{number}`, or its diff when that is accepted."""
    pull = _pull(call)
    if "diff" in call.accept:
        return 200, call.repo.git.run("diff", f"{pull.base_sha}...{pull.head_sha}")
    return 200, _detail(call, pull)


def _detail(call: Call, pull: Pull) -> dict[str, Any]:
    """The answer, in which `mergeable` is null for the first reads after each change, as in the real service."""
    state, mergeable = "unknown", None
    if pull.state == "open":
        tips = (pull.head_sha, call.repo.git.branch(pull.base) or "")
        pull.base_sha = tips[1]
        if pull.computed_for != tips:
            pull.computed_for, pull.reads_since = tips, 0
        pull.reads_since += 1
        if pull.reads_since > call.world.unknown_mergeable:
            state = rules.merge_state(call.repo, pull, call.now)
            mergeable = state != "dirty"
    return pull_shapes.pull_detail(call.url, call.repo, pull, state, mergeable)


def update(call: Call) -> Answer:
    """`PATCH pulls/{number}`: title, body, base, state (a merged one stays closed)."""
    pull = _pull(call)
    state = call.body.get("state", pull.state)
    if state not in {"open", "closed"}:
        raise invalid("PullRequest", field="state", code="invalid")
    if state == "open" and (pull.merged_at or call.repo.git.branch(pull.head) is None):
        raise invalid("PullRequest", field="state", message="state cannot be changed.")
    pull.title, pull.body = str(call.body.get("title", pull.title)), call.body.get("body", pull.body)
    pull.base = str(call.body.get("base", pull.base))
    if state != pull.state:
        pull.state, pull.closed_at = state, None if state == "open" else call.now
    pull.updated_at = call.now
    return 200, _detail(call, pull)


def merged(call: Call) -> Answer:
    """`GET pulls/{number}/merge`: 204 if merged."""
    if _pull(call).merged_at is None:
        raise not_found()
    return 204, None


def merge(call: Call) -> Answer:
    """`PUT pulls/{number}/merge`."""
    pull = _pull(call)
    names = ("sha", "merge_method", "commit_title", "commit_message")
    options = {name: call.body.get(name) for name in names}
    sha = rules.merge(call.repo, pull, by=call.access.login, now=call.now, **options)
    return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def update_branch(call: Call) -> Answer:
    """`PUT pulls/{number}/update-branch`: merges the base into the head, which needs checks and reviews anew."""
    pull, git, expected = _pull(call), call.repo.git, call.body.get("expected_head_sha")
    if expected and expected != pull.head_sha:
        raise Refusal(422, "expected head sha didn't match current head ref.")
    base = git.branch(pull.base)
    tree = git.merge_tree(base, pull.head_sha) if base and pull.state == "open" else None
    if base is None or tree is None:
        raise Refusal(422, "merge conflict between base and head")
    if rules.behind(call.repo, pull):
        text, by = f"Merge branch '{pull.base}' into {pull.head}", call.access.login
        email = f"{by}@users.noreply.example.com"
        sha = git.write_commit(tree, [pull.head_sha, base], text, author=by, email=email, at=call.now)
        git.update_ref(f"refs/heads/{pull.head}", sha, pull.head_sha)
    return 202, {"message": "Updating pull request branch.", "url": f"{call.api}/pulls/{pull.number}"}


def list_reviews(call: Call) -> Answer:
    """`GET pulls/{number}/reviews`, oldest first."""
    pull = _pull(call)
    return 200, [pull_shapes.review(call.url, call.repo, pull, one) for one in call.page(pull.reviews)]


def create_review(call: Call) -> Answer:
    """`POST pulls/{number}/reviews`: nobody can approve their own."""
    pull, event = _pull(call), call.body.get("event")
    states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
    if event not in states:
        raise Refusal(422, "Unprocessable Entity", ["Event must be APPROVE, REQUEST_CHANGES or COMMENT"])
    if event != "COMMENT" and call.access.login == pull.by:
        deed = "approve" if event == "APPROVE" else "request changes on"
        raise Refusal(422, "Unprocessable Entity", [f"Review Can not {deed} your own pull request"])
    commit = str(call.body.get("commit_id") or pull.head_sha)
    body = str(call.body.get("body", ""))
    review = Review(call.world.next_id(), call.access.login, states[event], body, commit, call.now)
    pull.reviews.append(review)
    return 200, pull_shapes.review(call.url, call.repo, pull, review)


def get_reviewers(call: Call) -> Answer:
    """`GET pulls/{number}/requested_reviewers`."""
    return 200, {"users": [shapes.user(call.url, name) for name in _pull(call).reviewers], "teams": []}


def request_reviewers(call: Call) -> Answer:
    """`POST pulls/{number}/requested_reviewers`: never the author."""
    pull, names = _pull(call), [str(name) for name in call.body.get("reviewers", [])]
    if pull.by in names:
        raise Refusal(422, "Review cannot be requested from pull request author.")
    pull.reviewers += [name for name in names if name not in pull.reviewers]
    return 201, pull_shapes.pull(call.url, call.repo, pull)


def add_labels(call: Call) -> Answer:
    """`POST issues/{number}/labels`."""
    pull = _pull(call)
    pull.labels += [name for name in call.body.get("labels", []) if name not in pull.labels]
    return 200, [pull_shapes.label(call.url, call.repo, name) for name in pull.labels]


def list_comments(call: Call) -> Answer:
    """`GET issues/{number}/comments`, oldest first."""
    return 200, call.page(_pull(call).comments)


def add_comment(call: Call) -> Answer:
    """`POST issues/{number}/comments`."""
    absent = missing(call.body, "body")
    if absent:
        raise absent
    pull, number = _pull(call), call.world.next_id()
    comment = {
        "id": number,
        "node_id": shapes.node_id("Comment", number),
        "url": f"{call.api}/issues/comments/{number}",
        "html_url": f"{call.url}/{call.repo.full_name}/pull/{pull.number}#issuecomment-{number}",
        "issue_url": f"{call.api}/issues/{pull.number}",
        "body": str(call.body["body"]),
        "user": shapes.user(call.url, call.access.login),
        "created_at": shapes.iso(call.now),
        "updated_at": shapes.iso(call.now),
        "author_association": "COLLABORATOR",
    }
    pull.comments.append(comment)
    return 201, comment


_HERE = "/repos/{owner}/{repo}/pulls"
_ONE, _ISSUE = f"{_HERE}/{{number}}", "/repos/{owner}/{repo}/issues/{number}"
_READ, _WRITE = ("pull_requests", "read"), ("pull_requests", "write")
ENDPOINTS = [
    Endpoint("GET", _HERE, list_pulls, *_READ),
    Endpoint("POST", _HERE, create, *_WRITE),
    Endpoint("GET", _ONE, get, *_READ),
    Endpoint("PATCH", _ONE, update, *_WRITE),
    Endpoint("GET", f"{_ONE}/merge", merged, *_READ),
    Endpoint("PUT", f"{_ONE}/merge", merge, "contents", "write"),
    Endpoint("PUT", f"{_ONE}/update-branch", update_branch, *_WRITE),
    Endpoint("GET", f"{_ONE}/reviews", list_reviews, *_READ),
    Endpoint("POST", f"{_ONE}/reviews", create_review, *_WRITE),
    Endpoint("GET", f"{_ONE}/requested_reviewers", get_reviewers, *_READ),
    Endpoint("POST", f"{_ONE}/requested_reviewers", request_reviewers, *_WRITE),
    Endpoint("POST", f"{_ISSUE}/labels", add_labels, *_WRITE),
    Endpoint("GET", f"{_ISSUE}/comments", list_comments, *_READ),
    Endpoint("POST", f"{_ISSUE}/comments", add_comment, *_WRITE),
]
