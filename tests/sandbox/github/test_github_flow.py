"""The bot's whole way: branch, file, pull request, checks, reviews, merge, and a clone that sees it."""

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from sandbox.github import GitHub
from tests.sandbox.github.conftest import PATH, REPO, TEXT, Caller


def clone(source: str, into: Path) -> Path:
    subprocess.run(["git", "clone", "-q", source, str(into)], check=True, capture_output=True)
    return into


def test_a_merged_change_is_in_a_clone_by_path_and_by_http(
    github: GitHub, call: Caller, url: str, tmp_path: Path
) -> None:
    pull = call.propose(text="enabled: true\ntext: Tonight\n")
    merged = call("PUT", f"/pulls/{pull['number']}/merge", sha=pull["head"]["sha"])
    assert merged.status_code == 200
    assert merged.json()["merged"] is True
    for place, source in (("a", str(github.root / f"{REPO}.git")), ("b", f"{url}/{REPO}.git")):
        copy = clone(source, tmp_path / place)
        assert (copy / PATH).read_text() == "enabled: true\ntext: Tonight\n"
        tip = subprocess.run(["git", "-C", copy, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        assert tip.stdout.strip() == merged.json()["sha"] == github.head(REPO)


def test_squash_makes_one_parent_and_merge_makes_two(github: GitHub, call: Caller) -> None:
    one = call.propose("a", "enabled: true\n")
    sha = call("PUT", f"/pulls/{one['number']}/merge", merge_method="squash", commit_title="One").json()["sha"]
    assert len(call("GET", f"/git/commits/{sha}").json()["parents"]) == 1
    assert call("GET", f"/git/commits/{sha}").json()["message"].startswith("One")
    two = call.propose("b", "enabled: false\n")
    sha = call("PUT", f"/pulls/{two['number']}/merge").json()["sha"]
    assert len(call("GET", f"/git/commits/{sha}").json()["parents"]) == 2


def test_contents_come_as_base64_and_raw(call: Caller) -> None:
    answer = call("GET", f"/contents/{PATH}").json()
    assert base64.b64decode(answer["content"]).decode() == TEXT
    raw = call.http.get(f"/contents/{PATH}", headers={"accept": "application/vnd.github.raw+json"})
    assert raw.text == TEXT
    assert [item["name"] for item in call("GET", "/contents/_data").json()] == ["banner_notification.yml"]


def test_several_files_in_one_commit_by_the_git_data_api(github: GitHub, call: Caller) -> None:
    base = call.branch("both")
    blob = call("POST", "/git/blobs", content="two\n").json()["sha"]
    tree = call(
        "POST",
        "/git/trees",
        base_tree=call("GET", f"/git/commits/{base}").json()["tree"]["sha"],
        tree=[
            {"path": "a/one.txt", "mode": "100644", "type": "blob", "content": "one\n"},
            {"path": "two.txt", "mode": "100644", "type": "blob", "sha": blob},
            {"path": "README.md", "mode": "100644", "type": "blob", "sha": None},
        ],
    ).json()["sha"]
    commit = call("POST", "/git/commits", message="Both", tree=tree, parents=[base]).json()["sha"]
    assert call("PATCH", "/git/refs/heads/both", sha=commit).status_code == 200
    assert github.read(REPO, "a/one.txt", "both") == "one\n"
    paths = [item["path"] for item in call("GET", f"/git/trees/{commit}?recursive=1").json()["tree"]]
    assert paths == ["_data", PATH, "a", "a/one.txt", "two.txt"]
    compared = call("GET", "/compare/master...both").json()
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("ahead", 1, 0)
    assert {item["filename"]: item["status"] for item in compared["files"]} == {
        "README.md": "removed", "a/one.txt": "added", "two.txt": "added",
    }  # fmt: skip


def test_pulls_are_found_by_head_and_state(call: Caller) -> None:
    pull = call.propose("maint/x/on")
    for query, found in (
        ("head=acme:maint/x/on", [1]),
        ("head=acme:other", []),
        ("state=closed", []),
        ("state=all&head=acme:maint/x/on", [1]),
        ("base=other", []),
    ):
        assert [item["number"] for item in call("GET", f"/pulls?{query}").json()] == found
    assert call("PATCH", f"/pulls/{pull['number']}", state="closed").json()["state"] == "closed"
    assert call("GET", "/pulls").json() == []


def test_mergeable_is_unknown_at_first(github: GitHub, call: Caller) -> None:
    pull = call.propose()
    assert (pull["mergeable"], pull["mergeable_state"]) == (None, "unknown")
    again = call("GET", f"/pulls/{pull['number']}").json()
    assert (again["mergeable"], again["mergeable_state"]) == (True, "clean")
    github.commit(REPO, {"README.md": "moved\n"})
    assert call("GET", f"/pulls/{pull['number']}").json()["mergeable"] is None


def test_a_check_ends_by_the_clock_and_another_on_command(github: GitHub, call: Caller) -> None:
    now = [datetime(2026, 11, 25, 9, tzinfo=UTC)]
    github.clock = lambda: now[0]
    github.run_ci(REPO, "build", after_s=60)
    github.run_ci(REPO, "links", after_s=None)
    github.protect(REPO, checks=["build", "links"])
    pull = call.propose()
    sha = pull["head"]["sha"]

    def states() -> dict[str, str | None]:
        runs = call("GET", f"/commits/{sha}/check-runs").json()["check_runs"]
        return {run["name"]: run["conclusion"] for run in runs}

    assert states() == {"build": None, "links": None}
    refused = call("PUT", f"/pulls/{pull['number']}/merge")
    assert refused.status_code == 405
    assert "2 of 2 required status checks are in progress." in refused.json()["message"]
    now[0] += timedelta(seconds=60)
    assert states() == {"build": "success", "links": None}
    assert call("GET", f"/pulls/{pull['number']}").json()["mergeable_state"] == "blocked"
    refused = call("PUT", f"/pulls/{pull['number']}/merge")
    assert 'Required status check "links" is in progress.' in refused.json()["message"]
    github.complete_check(REPO, "maint/2026/on", "links", "failure")
    assert (
        'Required status check "links" is failing.' in call("PUT", f"/pulls/{pull['number']}/merge").json()["message"]
    )
    github.complete_check(REPO, "maint/2026/on", "links")
    assert call("PUT", f"/pulls/{pull['number']}/merge").status_code == 200


def test_statuses_combine_and_none_at_all_is_pending(call: Caller) -> None:
    sha = call.propose()["head"]["sha"]
    assert call("GET", f"/commits/{sha}/status").json()["state"] == "pending"
    call("POST", f"/statuses/{sha}", state="pending", context="ci/a")
    call("POST", f"/statuses/{sha}", state="success", context="ci/a")
    assert call("GET", f"/commits/{sha}/status").json()["state"] == "success"
    call("POST", f"/statuses/{sha}", state="error", context="ci/b")
    combined = call("GET", f"/commits/{sha}/status").json()
    assert (combined["state"], combined["total_count"]) == ("failure", 2)


def test_reviews_count_people_and_go_stale_with_a_push(github: GitHub, call: Caller) -> None:
    github.protect(REPO, reviews=1)
    number = call.propose()["number"]
    refused = call("PUT", f"/pulls/{number}/merge")
    assert "At least 1 approving review is required by reviewers with write access." in refused.json()["message"]
    github.approve(REPO, number)
    call.write("maint/2026/on", "enabled: true\ntext: later\n")
    assert [item["state"] for item in call("GET", f"/pulls/{number}/reviews").json()] == ["DISMISSED"]
    github.request_changes(REPO, number, by="linus")
    assert "Changes have been requested." in call("PUT", f"/pulls/{number}/merge").json()["message"]
    github.approve(REPO, number, by="linus")
    assert call("PUT", f"/pulls/{number}/merge").status_code == 200


def test_rules_show_what_is_required(github: GitHub, call: Caller) -> None:
    assert call("GET", "/rules/branches/master").json() == []
    github.protect(REPO, checks=["build"], reviews=2, merge_queue=True)
    rules = {rule["type"]: rule.get("parameters") for rule in call("GET", "/rules/branches/master").json()}
    assert set(rules) == {"pull_request", "required_status_checks", "merge_queue"}
    assert rules["pull_request"]["required_approving_review_count"] == 2
    assert rules["required_status_checks"]["required_status_checks"] == [{"context": "build"}]
    github.protect(REPO, checks=["build"], reviews=2, ruleset=False)
    assert call("GET", "/rules/branches/master").json() == []


def test_deleting_the_branch_closes_the_pull(github: GitHub, call: Caller) -> None:
    number = call.propose("gone")["number"]
    assert call("DELETE", "/git/refs/heads/gone").status_code == 204
    assert github.pull(REPO, number).state == "closed"


def test_served_under_the_enterprise_prefix_too(url: str) -> None:
    answer = httpx.get(f"{url}/api/v3/repos/{REPO}", headers={"authorization": "token a-token"})
    assert answer.json()["url"] == f"{url}/api/v3/repos/{REPO}"


def test_what_was_asked_is_kept_without_the_token(github: GitHub, call: Caller) -> None:
    call("GET", "/git/ref/heads/none")
    assert github.requests[-1] == {
        "method": "GET", "path": f"/repos/{REPO}/git/ref/heads/none", "query": {}, "body": {},
        "by": "maint-bot", "status": 404,
    }  # fmt: skip
    assert "a-token" not in str(github.requests)
