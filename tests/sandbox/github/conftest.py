import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.github import GitHub
from sandbox.server import serving

REPO = "acme/theme"
PATH = "_data/banner_notification.yml"
TEXT = "enabled: false\ntext: Nothing planned\nurl: https://example.com/\n"


class Caller:
    """A caller with a token, over real HTTP."""

    def __init__(self, url: str, token: str = "a-token") -> None:
        self.url = f"{url}/repos/{REPO}"
        self.http = httpx.Client(base_url=self.url, timeout=30, headers={"authorization": f"Bearer {token}"})

    def __call__(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self.http.request(method, self.url + path, **({"json": body} if body else {}))

    def branch(self, name: str) -> str:
        sha = self("GET", "/git/ref/heads/master").json()["object"]["sha"]
        assert self("POST", "/git/refs", ref=f"refs/heads/{name}", sha=sha).status_code == 201
        return str(sha)

    def write(self, branch: str, text: str, path: str = PATH) -> httpx.Response:
        at = self.http.get(f"/contents/{path}", params={"ref": branch})
        known = {"sha": at.json()["sha"]} if at.status_code == 200 else {}
        content = base64.b64encode(text.encode()).decode()
        return self("PUT", f"/contents/{path}", message="Banner", content=content, branch=branch, **known)

    def propose(self, branch: str = "maint/2026/on", text: str = "enabled: true\n") -> dict[str, Any]:
        self.branch(branch)
        assert self.write(branch, text).status_code == 200
        answer = self("POST", "/pulls", title="Banner on", head=branch, base="master", body="For the maintenance")
        assert answer.status_code == 201, answer.text
        pull: dict[str, Any] = answer.json()
        return pull


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    github = GitHub(tmp_path / "github")
    github.add_token("a-token")
    github.create_repository(REPO, {PATH: TEXT, "README.md": "# Theme\n"})
    return github


@pytest.fixture
def url(github: GitHub) -> Iterator[str]:
    with serving(github.app) as server:
        yield server.url


@pytest.fixture
def call(url: str) -> Caller:
    return Caller(url)
