"""Commit statuses and check runs: two systems, and a caller must look at both."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.call import SHA, Answer, Call, Endpoint
from sandbox.github.errors import Refusal, missing
from sandbox.github.model import CheckRun, Status


def _sha(call: Call) -> str:
    ref = call.params["ref"].removeprefix("heads/")
    sha = call.repo.git.commitish(ref)
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {ref}")
    return sha


def _status(call: Call, status: Status) -> dict[str, Any]:
    return {
        "id": status.id,
        "node_id": shapes.node_id("Status", status.id),
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
        "avatar_url": f"{call.url}/avatars/{status.by}",
        "url": f"{call.api}/statuses/{status.sha}",
        "created_at": shapes.iso(status.created_at),
        "updated_at": shapes.iso(status.created_at),
    }


def combined(call: Call) -> Answer:
    """`GET commits/{ref}/status`: the newest of each context. Trap kept: with no status at all it is "pending"."""
    sha = _sha(call)
    newest = {status.context: status for status in call.repo.statuses if status.sha == sha}
    states = {status.state for status in newest.values()}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    return 200, {
        "state": state,
        "statuses": [_status(call, status) for status in newest.values()],
        "sha": sha,
        "total_count": len(newest),
        "repository": shapes.repository(call.url, call.repo),
        "commit_url": f"{call.api}/commits/{sha}",
        "url": f"{call.api}/commits/{sha}/status",
    }


def create_status(call: Call) -> Answer:
    """`POST statuses/{sha}`."""
    absent = missing(call.body, "state")
    if absent:
        raise absent
    state, sha = call.body["state"], call.params["sha"]
    if state not in {"error", "failure", "pending", "success"}:
        raise Refusal(422, "Validation Failed", [{"resource": "Status", "code": "invalid", "field": "state"}])
    if not SHA.fullmatch(sha) or call.repo.git.resolve(sha) is None:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    context, said = str(call.body.get("context") or "default"), call.body.get("description")
    target = call.body.get("target_url")
    status = Status(call.world.next_id(), sha, context, state, said, target, call.now, call.access.login)
    call.repo.statuses.append(status)
    return 201, _status(call, status) | {"creator": shapes.user(call.url, call.access.login)}


def _run(call: Call, run: CheckRun) -> dict[str, Any]:
    done, page = run.done(call.now), f"{call.url}/{call.repo.full_name}/runs/{run.id}"
    notes = f"{call.api}/check-runs/{run.id}/annotations"
    return {
        "id": run.id,
        "node_id": shapes.node_id("CheckRun", run.id),
        "name": run.name,
        "head_sha": run.sha,
        "external_id": "",
        "url": f"{call.api}/check-runs/{run.id}",
        "html_url": page,
        "details_url": page,
        "status": "completed" if done else "in_progress",
        "conclusion": run.conclusion if done else None,
        "started_at": shapes.iso(run.started_at),
        "completed_at": shapes.iso(run.completes_at) if done else None,
        "output": {
            "title": None,
            "summary": None,
            "text": None,
            "annotations_count": 0,
            "annotations_url": notes,
        },
        "check_suite": {"id": shapes.number_of(run.sha)},
        "app": None,
        "pull_requests": [],
    }


def list_runs(call: Call) -> Answer:
    """`GET commits/{ref}/check-runs`: the newest of each name; filters `check_name` and `status`."""
    sha, name, status = _sha(call), call.query.get("check_name"), call.query.get("status")
    newest = {run.name: run for run in call.repo.check_runs if run.sha == sha and name in (None, run.name)}
    runs = [_run(call, run) for run in newest.values()]
    runs = [run for run in runs if status in (None, run["status"])]
    return 200, {"total_count": len(runs), "check_runs": call.page(runs)}


_HERE = "/repos/{owner}/{repo}"
ENDPOINTS = [
    Endpoint("GET", f"{_HERE}/commits/{{ref:path}}/status", combined, "statuses"),
    Endpoint("GET", f"{_HERE}/commits/{{ref:path}}/check-runs", list_runs, "checks"),
    Endpoint("POST", f"{_HERE}/statuses/{{sha}}", create_status, "statuses", "write"),
]
