"""Every refusal that a careful caller must tell apart, with GitHub's own status and text."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandbox.github import GitHub
from tests.sandbox.github.conftest import PATH, REPO, Caller

BLOB = "0123456789012345678901234567890123456789"


def said(answer: httpx.Response) -> tuple[int, str]:
    """Status and message, with the first of the detailed errors if there are any."""
    body = answer.json()
    details = [error if isinstance(error, str) else error.get("message") for error in body.get("errors", [])]
    return answer.status_code, details[0] if details and details[0] else body["message"]


def test_refs(github: GitHub, call: Caller) -> None:
    sha = call.branch("maint/a/on")
    assert said(call("POST", "/git/refs", ref="refs/heads/maint/a/on", sha=sha)) == (422, "Reference already exists")
    assert said(call("POST", "/git/refs", ref="refs/heads/x", sha=BLOB)) == (422, "Object does not exist")
    assert said(call("POST", "/git/refs", ref="refs/heads/maint/a", sha=sha)) == (422, "Reference update failed")
    assert call("POST", "/git/refs", ref="master", sha=sha).status_code == 422
    assert said(call("POST", "/git/refs", ref="refs/heads/x")) == (422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    assert said(call("GET", "/git/ref/heads/maint/a")) == (404, "Not Found")
    assert said(call("DELETE", "/git/refs/heads/none")) == (422, "Reference does not exist")
    assert said(call("PATCH", "/git/refs/heads/none", sha=sha)) == (422, "Reference does not exist")
    newer = github.commit(REPO, {"README.md": "newer\n"})
    assert call("PATCH", "/git/refs/heads/maint/a/on", sha=newer).status_code == 200
    assert said(call("PATCH", "/git/refs/heads/maint/a/on", sha=sha)) == (422, "Update is not a fast forward")
    assert call("PATCH", "/git/refs/heads/maint/a/on", sha=sha, force=True).status_code == 200


def test_contents(github: GitHub, call: Caller) -> None:
    call.branch("work")
    old = call("GET", f"/contents/{PATH}").json()["sha"]
    assert call.write("work", "enabled: true\n").status_code == 200
    fields = {"message": "Banner", "content": "YQ==", "branch": "work"}
    stale = call("PUT", f"/contents/{PATH}", **fields, sha=old)
    assert said(stale) == (409, f"{PATH} does not match {old}")
    assert said(call("PUT", f"/contents/{PATH}", **fields)) == (422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    assert said(call("PUT", "/contents/new", **{**fields, "content": "not base64!"}))[0] == 422
    assert said(call("PUT", "/contents/new", content="YQ==")) == (
        422,
        'Invalid request.\n\n"message" wasn\'t supplied.',
    )
    assert said(call("PUT", "/contents/new", **{**fields, "branch": "none"})) == (404, "Branch none not found")
    assert call("PUT", "/contents/new", **fields).status_code == 201
    assert said(call("GET", "/contents/missing")) == (404, "Not Found")
    assert said(call("GET", "/contents/README.md?ref=none")) == (404, "No commit found for the ref none")
    assert github.read(REPO, "new", "work") == "a"


@pytest.mark.parametrize("ruleset", [True, False])
def test_a_protected_branch_takes_no_direct_push(github: GitHub, call: Caller, ruleset: bool) -> None:
    before = github.head(REPO)
    github.protect(REPO, ruleset=ruleset)
    status, text = said(call.write("master", "enabled: true\n"))
    assert status == 409
    assert "Changes must be made through a pull request." in text
    assert text.startswith("Repository rule violations found") is ruleset
    sha = call.branch("x")
    assert call("PATCH", "/git/refs/heads/master", sha=sha).status_code == 422
    assert github.head(REPO) == before


def test_opening_a_pull(call: Caller) -> None:
    call.propose("maint/a/on")
    fields = {"title": "Again", "base": "master"}
    again = call("POST", "/pulls", **fields, head="maint/a/on")
    assert said(again) == (422, "A pull request already exists for acme:maint/a/on.")
    assert said(call("POST", "/pulls", **fields, head="acme:maint/a/on"))[1].startswith("A pull request already")
    call.branch("empty")
    assert said(call("POST", "/pulls", **fields, head="empty")) == (422, "No commits between master and empty")
    assert call("POST", "/pulls", **fields, head="none").json()["errors"][0]["field"] == "head"
    assert call("POST", "/pulls", title="x", head="empty", base="none").json()["errors"][0]["field"] == "base"
    assert said(call("POST", "/pulls", title="x"))[1] == 'Invalid request.\n\n"head", "base" weren\'t supplied.'
    assert said(call("GET", "/pulls/99")) == (404, "Not Found")


def test_merging(github: GitHub, call: Caller) -> None:
    pull = call.propose("a", "enabled: true\n")
    merge = f"/pulls/{pull['number']}/merge"
    head = "Head branch was modified. Review and try the merge again."
    assert said(call("PUT", merge, sha=BLOB)) == (409, head)
    call.write("a", "enabled: true\ntext: more\n")
    assert said(call("PUT", merge, sha=pull["head"]["sha"])) == (409, head)
    github.disturb_merges(REPO)
    base = "Base branch was modified. Review and try the merge again."
    assert said(call("PUT", merge)) == (405, base)
    assert said(call("PUT", merge, merge_method="rebase")) == (405, "Rebase merges are not allowed on this repository.")
    assert call("GET", merge).status_code == 404
    assert call("PUT", merge).status_code == 200
    assert call("GET", merge).status_code == 204
    assert said(call("PUT", merge)) == (405, "Pull Request is not mergeable")


def test_a_real_conflict(github: GitHub, call: Caller) -> None:
    pull = call.propose("a", "enabled: true\n")
    github.commit(REPO, {PATH: "enabled: maybe\n"})
    assert said(call("PUT", f"/pulls/{pull['number']}/merge")) == (405, "Pull Request is not mergeable")
    call("GET", f"/pulls/{pull['number']}")
    shown = call("GET", f"/pulls/{pull['number']}").json()
    assert (shown["mergeable"], shown["mergeable_state"]) == (False, "dirty")


def test_strict_rules_and_the_merge_queue(github: GitHub, call: Caller) -> None:
    github.run_ci(REPO, "build")
    github.protect(REPO, checks=["build"], strict=True)
    pull = call.propose("a")
    github.commit(REPO, {"README.md": "moved on\n"})
    assert call("PUT", f"/pulls/{pull['number']}/merge").status_code == 405
    call("GET", f"/pulls/{pull['number']}")
    assert call("GET", f"/pulls/{pull['number']}").json()["mergeable_state"] == "behind"
    stale = call("PUT", f"/pulls/{pull['number']}/update-branch", expected_head_sha=BLOB)
    assert stale.status_code == 422
    assert call("PUT", f"/pulls/{pull['number']}/update-branch").status_code == 202
    assert call("PUT", f"/pulls/{pull['number']}/merge", sha=pull["head"]["sha"]).status_code == 409
    call("GET", f"/pulls/{pull['number']}")
    assert call("GET", f"/pulls/{pull['number']}").json()["mergeable_state"] == "clean"
    github.protect(REPO, merge_queue=True)
    status, text = said(call("PUT", f"/pulls/{pull['number']}/merge"))
    assert status == 405
    assert "merge queue" in text


def test_nobody_approves_their_own(call: Caller) -> None:
    number = call.propose()["number"]
    own = call("POST", f"/pulls/{number}/reviews", event="APPROVE")
    assert said(own) == (422, "Review Can not approve your own pull request")
    assert call("POST", f"/pulls/{number}/reviews", event="PRAISE").status_code == 422
    assert said(call("POST", f"/pulls/{number}/requested_reviewers", reviewers=["maint-bot"]))[0] == 422


def test_rights(github: GitHub, url: str) -> None:
    reader = {"metadata": "read", "contents": "read", "pull_requests": "read"}
    github.add_token("reads", permissions=reader)
    github.add_token("elsewhere", repositories={"acme/other"})
    assert said(Caller(url, "wrong")("GET", "")) == (401, "Bad credentials")
    assert said(httpx.get(f"{url}/user")) == (401, "Requires authentication")
    assert said(Caller(url, "elsewhere")("GET", "")) == (404, "Not Found")
    reads = Caller(url, "reads")
    assert reads("GET", "").json()["permissions"] == {"admin": False, "push": False, "pull": True}
    refused = reads("POST", "/git/refs", ref="refs/heads/x", sha=BLOB)
    assert said(refused) == (403, "Resource not accessible by personal access token")
    assert refused.headers["x-accepted-github-permissions"] == "contents=write"
    assert reads("GET", "/commits/master/check-runs").status_code == 403
    assert reads("GET", "/branches/master/protection").status_code == 403
    github.revoke("reads")
    assert said(reads("GET", "")) == (401, "Bad credentials")


def test_the_rate_limit(github: GitHub, url: str) -> None:
    now = [datetime(2026, 11, 25, 9, tzinfo=UTC)]
    github.clock = lambda: now[0]
    github.add_token("few", limit=2)
    few = Caller(url, "few")
    left = [few("GET", "").headers["x-ratelimit-remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = few("GET", "")
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
    assert refused.headers["x-ratelimit-reset"] == str(int((now[0] + timedelta(hours=1)).timestamp()))
    counted = httpx.get(f"{url}/rate_limit", headers={"authorization": "Bearer few"}).json()
    assert counted["rate"]["remaining"] == 0
    now[0] += timedelta(hours=1)
    assert few("GET", "").status_code == 200


def test_a_bad_body_and_an_unknown_path(url: str, call: Caller) -> None:
    assert said(call.http.post("/git/refs", content=b"{")) == (400, "Problems parsing JSON")
    assert said(call.http.post("/git/refs", content=b"[]")) == (400, "Body should be a JSON object")
    assert said(call("GET", "/nothing/here")) == (404, "Not Found")
    assert call("GET", "/contents/%2e%2e/outside").status_code in (404, 422)
    assert call("POST", "/git/trees", tree=["x"]).status_code == 422
    assert call("POST", "/git/trees", tree=[{"path": "../x", "mode": "100644", "content": ""}]).status_code == 422
    assert call("GET", "/pulls?per_page=many&page=0").json() == []


def test_faults_a_lost_answer_and_a_secondary_limit(github: GitHub, call: Caller) -> None:
    call.branch("lost")
    github.app.arm("drop_after", method="PUT", path="/contents/")
    with pytest.raises(httpx.TransportError):
        call.write("lost", "enabled: true\n")
    assert github.read(REPO, PATH, "lost") == "enabled: true\n"
    github.app.arm("status", status=403, headers={"retry-after": "60"}, body={"message": "secondary rate limit"})
    refused = call("GET", "")
    assert (refused.status_code, refused.headers["retry-after"]) == (403, "60")
    assert call("GET", "").status_code == 200
