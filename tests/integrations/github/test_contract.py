"""What we ask of GitHub is what its own API description lets one ask."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.errors import Final
from bot.step import Outcome
from sandbox.github import GitHub
from tests.integrations.github.conftest import FILE, PATH, REPO, banner_on
from tests.sandbox.contract import Contract

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract("github/api.github.com.bot-subset.json")


@pytest.fixture
def asked(github: GitHub, contract: Contract) -> Iterator[Callable[[], set[str]]]:
    """Call it to hold every request so far to the description; returns the operations that were used."""

    def check() -> set[str]:
        used = set()
        for each in github.requests:
            template = contract.template(each["method"], each["path"])
            operation = contract.spec["paths"][template][each["method"].lower()]
            assert set(each["query"]) <= _query_parameters(contract, template, operation), each
            if "requestBody" in operation:
                contract.check_request(each["method"], each["path"], each["body"])
                known = operation["requestBody"]["content"]["application/json"]["schema"].get("properties")
                assert known is None or set(each["body"]) <= set(known), each
            used.add(f"{each['method']} {template.removeprefix('/repos/{owner}/{repo}')}")
        return used

    yield check
    assert github.requests


def _query_parameters(contract: Contract, template: str, operation: dict[str, Any]) -> set[str]:
    declared = [*contract.spec["paths"][template].get("parameters", []), *operation.get("parameters", [])]
    resolved = [contract.spec["components"]["parameters"][each["$ref"].rsplit("/", 1)[1]] if "$ref" in each else each
                for each in declared]  # fmt: skip
    return {each["name"] for each in resolved if each["in"] == "query"}


def test_the_whole_way_with_every_kind_of_request(
    github: GitHub, run: Run, asked: Callable[[], set[str]], undo: Any, context: Any
) -> None:
    github.protect(REPO, checks=["build"], reviews=1)
    github.run_ci(REPO, "build", after_s=None)
    with pytest.raises(Final, match="still waits"):
        run(banner_on(wait_s=0.5))
    github.commit(REPO, {PATH: FILE + "more: true\n"})
    with pytest.raises(Final, match="still waits"):
        run(banner_on(wait_s=0.5), attempt=2)
    undo(banner_on(), context(banner_on(), attempt=3), Outcome(""))
    github.unprotect(REPO)
    ctx = context(banner_on(), attempt=4)
    undo(banner_on(), ctx, run(banner_on(), attempt=4))
    assert asked() == {
        "GET ",
        "GET /branches/{branch}",
        "GET /commits/{ref}/check-runs",
        "GET /commits/{ref}/status",
        "GET /compare/{basehead}",
        "GET /contents/{path}",
        "GET /git/blobs/{file_sha}",
        "GET /git/commits/{commit_sha}",
        "GET /git/ref/{ref}",
        "GET /git/trees/{tree_sha}",
        "GET /pulls",
        "GET /pulls/{pull_number}",
        "GET /pulls/{pull_number}/reviews",
        "GET /rules/branches/{branch}",
        "PATCH /git/refs/{ref}",
        "PATCH /pulls/{pull_number}",
        "POST /git/blobs",
        "POST /git/commits",
        "POST /git/refs",
        "POST /git/trees",
        "POST /pulls",
        "PUT /pulls/{pull_number}/merge",
        "DELETE /git/refs/{ref}",
    }


def test_the_headers_that_github_asks_for(github: GitHub, run: Run) -> None:
    seen: list[dict[bytes, bytes]] = []
    inner = github.app.app

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        await inner(scope, receive, send)

    github.app.app = look
    run(banner_on())
    for headers in seen:
        assert headers[b"accept"] == b"application/vnd.github+json"
        assert headers[b"x-github-api-version"] == b"2022-11-28"
        assert headers[b"user-agent"] == b"maint"
