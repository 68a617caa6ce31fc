"""The pages for people say what is so."""

import httpx

from sandbox.github import GitHub
from tests.sandbox.github.conftest import PATH, REPO, Caller


def test_the_way_from_the_list_to_a_merged_pull(github: GitHub, call: Caller, url: str) -> None:
    github.protect(REPO, reviews=1)
    call.propose(text="enabled: true\ntext: <b>Tonight</b>\n")
    home = httpx.get(url).text
    assert REPO in home
    assert "1 open pull request<" in home
    page = f"{url}/{REPO}/pull/1"
    shown = httpx.get(page).text
    assert "Banner on" in shown
    assert "+text: &lt;b&gt;Tonight&lt;/b&gt;" in shown
    refused = httpx.post(f"{page}/merge")
    assert (refused.status_code, "At least 1 approving review" in refused.text) == (409, True)
    assert "grace approved" in httpx.post(f"{page}/approve", follow_redirects=True).text
    assert "merged by grace" in httpx.post(f"{page}/merge", follow_redirects=True).text
    files = httpx.get(f"{url}/{REPO}").text
    assert PATH in files
    assert "Merge pull request #1" in files
    assert httpx.get(f"{url}/{REPO}/raw/master/{PATH}").text.startswith("enabled: true")
    assert "Merge pull request" in httpx.get(f"{url}/{REPO}/commit/{github.head(REPO)}").text


def test_what_is_not_there(url: str) -> None:
    for path in ("/acme/none", f"/{REPO}/pull/9", f"/{REPO}/blob/master/none", f"/{REPO}/commit/none"):
        answer = httpx.get(f"{url}{path}")
        assert (answer.status_code, "Not found" in answer.text) == (404, True)
