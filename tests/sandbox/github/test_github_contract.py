"""The stand-in's answers, and what it accepts, are what GitHub's own API description says."""

from typing import Any

import httpx
import pytest

from sandbox.github import GitHub
from tests.sandbox.contract import Contract
from tests.sandbox.github.conftest import PATH, REPO, Caller


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract("github/api.github.com.bot-subset.json")


@pytest.fixture
def held(call: Caller, contract: Contract) -> Caller:
    """A caller whose every answer is held to the description."""

    def check(answer: httpx.Response) -> None:
        answer.read()
        request = answer.request
        if "/statuses/" in request.url.path:  # not in the subset that we have
            return
        body: Any = answer.json() if answer.content else None
        contract.check(request.method, request.url.path, answer.status_code, body)

    call.http.event_hooks["response"].append(check)
    return call


def test_the_whole_way(github: GitHub, held: Caller, contract: Contract) -> None:
    github.run_ci(REPO, "build")
    github.add_token("a-token", permissions={**github.tokens["a-token"].permissions, "administration": "write"})
    github.protect(REPO, checks=["build"], reviews=1)
    pull = held.propose()
    number, sha = pull["number"], pull["head"]["sha"]
    held("POST", f"/statuses/{sha}", state="success", context="ci")
    held("POST", f"/pulls/{number}/reviews", event="COMMENT", body="Looks right", commit_id=sha)
    held("POST", f"/pulls/{number}/reviews", event="APPROVE")
    held("POST", f"/pulls/{number}/requested_reviewers", reviewers=["grace"])
    held("POST", f"/issues/{number}/labels", labels=["maintenance"])
    held("POST", f"/issues/{number}/comments", body="Hello")
    github.approve(REPO, number)
    for path in (
        "", "/contents/_data", f"/contents/{PATH}", "/contents/none", "/git/ref/heads/master", "/git/ref/heads/none",
        "/git/matching-refs/heads/", f"/git/commits/{sha}", f"/commits/{sha}", f"/commits/{sha}/status",
        f"/commits/{sha}/check-runs", "/compare/master...maint/2026/on", "/branches/master", "/branches/none",
        "/rules/branches/master", "/branches/master/protection", "/pulls", f"/pulls/{number}", "/pulls/99",
        f"/pulls/{number}/reviews", f"/pulls/{number}/requested_reviewers", f"/issues/{number}/comments",
        "/git/trees/master",
    ):  # fmt: skip
        held("GET", path)
    held("PUT", f"/pulls/{number}/update-branch", expected_head_sha="0" * 40)
    held("PUT", f"/pulls/{number}/update-branch")
    held("PUT", f"/pulls/{number}/merge", sha="0" * 40)
    held("PUT", f"/pulls/{number}/merge", sha=sha)
    held("PUT", f"/pulls/{number}/merge", sha=sha)
    held("GET", f"/pulls/{number}/merge")
    held("GET", f"/pulls/{number}")
    github.protect(REPO, checks=["build"], reviews=1, ruleset=False)
    held("GET", "/branches/master/protection")
    held("GET", "/rules/branches/master")
    assert len(contract.checked) > 30


def test_refusals_and_git_data(github: GitHub, held: Caller) -> None:
    base = held.branch("work")
    held("POST", "/git/refs", ref="refs/heads/work", sha=base)
    blob = held("POST", "/git/blobs", content="x").json()["sha"]
    held("GET", f"/git/blobs/{blob}")
    entry = {"path": "x", "mode": "100644", "type": "blob", "sha": blob}
    tree = held("POST", "/git/trees", base_tree=base, tree=[entry]).json()["sha"]
    commit = held("POST", "/git/commits", message="x", tree=tree, parents=[base]).json()["sha"]
    held("PATCH", "/git/refs/heads/work", sha=commit)
    held("PATCH", "/git/refs/heads/work", sha=base)
    held("PUT", f"/contents/{PATH}", message="x", content="YQ==", branch="work", sha=blob)
    held("POST", "/pulls", title="x", head="master", base="work")
    github.protect(REPO)
    held.write("master", "enabled: true\n")
    held("DELETE", "/git/refs/heads/work")


def test_who_and_how_much(url: str, contract: Contract) -> None:
    for path in ("/user", "/rate_limit"):
        answer = httpx.get(f"{url}{path}", headers={"authorization": "Bearer a-token"})
        contract.check("GET", path, answer.status_code, answer.json())
    refused = httpx.get(f"{url}/user")
    contract.check("GET", "/user", refused.status_code, refused.json())


def test_an_app(github: GitHub, url: str, contract: Contract) -> None:
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    app = github.register_app(77, key.public_key().public_bytes(*form).decode())
    installation = github.install(app, "acme")
    now = int(github.now().timestamp())
    token = jwt.encode({"iss": "77", "iat": now - 60, "exp": now + 540}, key, algorithm="RS256")
    # Not /app/installations: the description wants an account that is a user and an enterprise at the same time.
    for method, path in (
        ("GET", "/app"),
        ("GET", f"/repos/{REPO}/installation"),
        ("POST", f"/app/installations/{installation.id}/access_tokens"),
    ):
        answer = httpx.request(method, f"{url}{path}", headers={"authorization": f"Bearer {token}"})
        assert answer.is_success
        contract.check(method, path, answer.status_code, answer.json())


def test_a_wrong_answer_would_be_found(contract: Contract) -> None:
    with pytest.raises(AssertionError, match="'sha' is a required property"):
        contract.check("PUT", f"/repos/{REPO}/pulls/1/merge", 200, {"merged": True, "message": "merged"})
