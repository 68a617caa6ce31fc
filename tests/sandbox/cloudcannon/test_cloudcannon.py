"""The stand-in answers as CloudCannon's own description says, and publishes as people know it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.cloudcannon import CloudCannon, PlainBuilder
from sandbox.github import GitHub
from sandbox.jekyll.sources import BANNER_PATH, plain_lock, site_files, theme_files
from sandbox.server import serving
from tests.sandbox.contract import Contract

REPO = "acme/www"
REMOTE = "https://github.com/acme/theme.git"
ON = "enabled: true\ntext: Tonight\n"


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    github = GitHub(tmp_path / "github")
    github.create_repository("acme/theme", theme_files())
    lock = plain_lock(REMOTE, str(github.head("acme/theme")))
    git = github.create_repository(REPO, {**site_files("www", REMOTE), "Gemfile.lock": lock}).git
    git.update_ref("refs/heads/production", str(git.branch("master")))
    return github


@pytest.fixture
def cloud(tmp_path: Path, github: GitHub) -> Iterator[CloudCannon]:
    cloud = CloudCannon(github, tmp_path / "cloud", PlainBuilder(github))
    yield cloud
    cloud.stop()


class Caller:
    def __init__(self, url: str, cloud: CloudCannon, contract: Contract | None = None) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v0", headers={"X-API-KEY": cloud.key}, timeout=30)
        self.contract = contract

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        answer = self.http.request(method, path, json=body, params=params)
        if self.contract and not path.startswith("/orgs"):
            content = answer.json() if answer.content else None
            self.contract.check(method, answer.request.url.path, answer.status_code, content)
            if body is not None:
                self.contract.check_request(method, answer.request.url.path, body)
        return answer

    def until(self, path: str, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found: list[dict[str, Any]] = self("GET", path).json()
            if len([one for one in found if one["completed_at"]]) == count:
                return found
        raise AssertionError(f"{path}: {found}")


@pytest.fixture
def call(cloud: CloudCannon) -> Iterator[Caller]:
    with serving(cloud.app) as server:
        yield Caller(server.url, cloud)


def move(github: GitHub) -> str:
    on = github.commit("acme/theme", {BANNER_PATH: ON})
    return github.commit(REPO, {"Gemfile.lock": plain_lock(REMOTE, on)}, "Take the banner")


def test_every_answer_is_as_described(cloud: CloudCannon, github: GitHub, call: Caller) -> None:
    call.contract = contract = Contract("cloudcannon/bot-subset.patched.json")
    staging = cloud.add_site("www-staging", REPO, publish_branch="production")
    here = f"/sites/{staging.uuid}"
    move(github)
    for path in ("", "/syncs", "/builds", "/outputs", "/providers/branches", "/providers/pull-requests",
                 "/providers/branches/publish/compare"):  # fmt: skip
        assert call("GET", here + path).status_code == 200
    call("POST", f"{here}/providers/sync", {"type": "pull"})
    call("POST", f"{here}/builds")
    call.until(f"{here}/outputs", 3)  # as it was connected, as it was moved, as it was asked for
    call("DELETE", f"{here}/builds")
    number = call("POST", f"{here}/providers/pull-requests", {"title": "Banner", "body": "On"}).json()["number"]
    assert call("POST", f"{here}/providers/pull-requests", {"title": "x", "body": "y"}).status_code == 422
    call("GET", f"{here}/providers/pull-requests/{number}")
    assert call("PUT", f"{here}/providers/pull-requests/{number}/merge", {"type": "squash"}).status_code == 204
    assert call("PUT", f"{here}/providers/pull-requests/{number}/merge", {}).status_code == 422
    call("POST", f"{here}/providers/branches/publish", {"branch": "production"})
    call("PUT", f"{here}/publish", {"publish_mode": "pull_request"})
    assert call("POST", f"{here}/providers/branches/merge").status_code == 422
    call("PUT", f"{here}/publish", {"publish_mode": None, "destroy_on_publish": True})
    assert call("POST", f"{here}/providers/branches/merge").status_code == 204
    assert call("GET", here).status_code == 403
    call.http.headers["X-API-KEY"] = "wrong"
    assert call("GET", f"{here}/builds").status_code == 403
    assert len(contract.checked) > 20


def test_a_wrong_answer_would_be_found() -> None:
    contract = Contract("cloudcannon/bot-subset.patched.json")
    uuid = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(AssertionError, match="'name' is a required property"):
        contract.check("GET", f"/api/v0/sites/{uuid}/builds", 200, [{"uuid": uuid, "id": 1}])


def test_a_push_is_fetched_built_put_out_and_published(cloud: CloudCannon, github: GitHub, call: Caller) -> None:
    staging = cloud.add_site("www-staging", REPO, publish_branch="production")
    production = cloud.add_site("www", REPO, "production")
    call.until(f"/sites/{production.uuid}/outputs", 1)
    sha = move(github)
    assert call("GET", f"/sites/{staging.uuid}/syncs", after_identifier=sha).json()[0]["triggered_build"] is True
    call.until(f"/sites/{staging.uuid}/outputs", 2)
    compared = call("GET", f"/sites/{staging.uuid}/providers/branches/publish/compare").json()
    assert (compared["status"], compared["ahead_by"]) == ("ahead", 1)
    assert [file["filename"] for file in compared["files"]] == ["Gemfile.lock"]
    with serving(cloud.live) as live:
        assert "Tonight" in httpx.get(f"{live.url}/site/www-staging/").text
        assert "Tonight" not in httpx.get(f"{live.url}/site/www/").text
        assert call("POST", f"/sites/{staging.uuid}/providers/branches/merge").status_code == 200
        assert call("GET", f"/sites/{staging.uuid}/providers/branches/publish/compare").json()["ahead_by"] == 0
        call.until(f"/sites/{production.uuid}/outputs", 2)
        assert "Tonight" in httpx.get(f"{live.url}/site/www/").text
        for path in ("/site/www/../../secret", "/site/none/", "/site/www/none.html"):
            assert httpx.get(f"{live.url}{path}").status_code == 404
        assert 'href="/site/www/"' in httpx.get(live.url).text


def test_settings_that_sound_like_publishing_publish_nothing(cloud: CloudCannon, github: GitHub, call: Caller) -> None:
    staging = cloud.add_site("www-staging", REPO, publish_branch="production")
    before = github.head(REPO, "production")
    move(github)
    call("POST", f"/sites/{staging.uuid}/providers/branches/publish", {"branch": "production"})
    call("PUT", f"/sites/{staging.uuid}/publish", {"publish_mode": "merge"})
    assert github.head(REPO, "production") == before


def test_a_build_takes_its_time_and_may_fail(cloud: CloudCannon, github: GitHub, call: Caller) -> None:
    cloud.build_s = 3600
    site = cloud.add_site("www", REPO)
    (build,) = call("GET", f"/sites/{site.uuid}/builds").json()
    assert build["completed_at"] is None
    cloud.build_s = 0
    github.commit(REPO, {"Gemfile.lock": plain_lock(REMOTE, "f" * 40)})
    call("GET", f"/sites/{site.uuid}/syncs")
    cloud.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    found = call.until(f"/sites/{site.uuid}/builds", 2)
    assert sorted(one["successful"] for one in found) == [False, True]
    call.until(f"/sites/{site.uuid}/outputs", 1)
