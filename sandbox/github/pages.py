"""Pages for people: the repositories, one repository's files and history, and a pull request with its diff.

The approve and merge buttons are for the demo: they act as a colleague would in the browser, without a login.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.github import rules
from sandbox.github.errors import Refusal
from sandbox.github.model import Pull, Repository
from sandbox.github.world import World

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


class Pages:
    """The HTML side of a `World`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        """Their routes; to come after the API's."""
        return [
            Route("/", self.home),
            Route("/{owner}/{repo}", self._in(self.repository)),
            Route("/{owner}/{repo}/blob/{ref}/{path:path}", self._in(self.blob)),
            Route("/{owner}/{repo}/raw/{ref}/{path:path}", self._in(self.raw)),
            Route("/{owner}/{repo}/commit/{sha}", self._in(self.commit)),
            Route("/{owner}/{repo}/pull/{number:int}", self._in(self.pull)),
            Route("/{owner}/{repo}/pull/{number:int}/approve", self._in(self.approve), methods=["POST"]),
            Route("/{owner}/{repo}/pull/{number:int}/merge", self._in(self.merge), methods=["POST"]),
        ]

    def _in(self, page: Callable[[Request, Repository], Response]) -> Callable[[Request], Response]:
        def show(request: Request) -> Response:
            name = f"{request.path_params['owner']}/{request.path_params['repo']}"
            repo = self.world.repositories.get(name)
            if repo is None:
                return _html("missing.html", 404, what=name)
            with self.world.lock:
                self.world.refresh(repo)
                return page(request, repo)

        return show

    def home(self, request: Request) -> Response:  # noqa: ARG002 - the shape that Starlette calls
        """All repositories with their open pull requests."""
        with self.world.lock:
            for repo in self.world.repositories.values():
                self.world.refresh(repo)
            return _html("home.html", repositories=list(self.world.repositories.values()))

    def repository(self, request: Request, repo: Repository) -> Response:  # noqa: ARG002
        """Pull requests, files and history of the default branch."""
        tip = repo.git.branch(repo.default_branch)
        files = [item for item in repo.git.entries(tip, recursive=True) if item.kind == "blob"] if tip else []
        commits = repo.git.log(tip, "-15") if tip else []
        pulls = sorted(repo.pulls.values(), key=lambda pull: -pull.number)
        return _html("repository.html", repo=repo, files=files, commits=commits, pulls=pulls)

    def blob(self, request: Request, repo: Repository) -> Response:
        """One file."""
        path, ref = request.path_params["path"], request.path_params["ref"]
        text = self._text(repo, ref, path)
        if text is None:
            return _html("missing.html", 404, what=path)
        return _html("blob.html", repo=repo, path=path, ref=ref, text=text)

    def raw(self, request: Request, repo: Repository) -> Response:
        """One file as it is."""
        text = self._text(repo, request.path_params["ref"], request.path_params["path"])
        return PlainTextResponse("404: Not Found", 404) if text is None else PlainTextResponse(text)

    def _text(self, repo: Repository, ref: str, path: str) -> str | None:
        try:
            return self.world.read(repo.full_name, path, ref)
        except FileNotFoundError:
            return None

    def commit(self, request: Request, repo: Repository) -> Response:
        """One commit with its diff."""
        sha = repo.git.resolve(request.path_params["sha"])
        if sha is None:
            return _html("missing.html", 404, what=request.path_params["sha"])
        commit = repo.git.commit(sha)
        changes = repo.git.changes(commit.parents[0], sha) if commit.parents else []
        return _html("commit.html", repo=repo, commit=commit, changes=changes)

    def pull(self, request: Request, repo: Repository, said: str = "") -> Response:
        """One pull request: state, checks, reviews, diff."""
        pull = repo.pulls.get(request.path_params["number"])
        if pull is None:
            return _html("missing.html", 404, what=f"pull request {request.path_params['number']}")
        return _html("pull.html", 409 if said else 200, repo=repo, pull=pull, said=said, **self._facts(repo, pull))

    def _facts(self, repo: Repository, pull: Pull) -> dict[str, Any]:
        now, base = self.world.now(), repo.git.merge_base(pull.base_sha, pull.head_sha)
        is_open = pull.state == "open"
        return {
            "state": rules.merge_state(repo, pull, now) if is_open else "merged" if pull.merged_at else "closed",
            "lacking": rules.blockers(repo, pull, now) if is_open else [],
            "checks": rules.checks(repo, pull.head_sha, now),
            "changes": repo.git.changes(base, pull.head_sha) if base else [],
        }

    def approve(self, request: Request, repo: Repository) -> Response:
        """The approve button."""
        number = request.path_params["number"]
        if number not in repo.pulls:
            return _html("missing.html", 404, what=f"pull request {number}")
        self.world.approve(repo.full_name, number)
        return RedirectResponse(f"/{repo.full_name}/pull/{number}", 303)

    def merge(self, request: Request, repo: Repository) -> Response:
        """The merge button."""
        number = request.path_params["number"]
        if number not in repo.pulls:
            return _html("missing.html", 404, what=f"pull request {number}")
        try:
            self.world.merge(repo.full_name, number)
        except Refusal as refusal:
            return self.pull(request, repo, str(refusal))
        return RedirectResponse(f"/{repo.full_name}/pull/{number}", 303)


def _html(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_pages.get_template(name).render(**values), status)
