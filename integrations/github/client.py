"""GitHub's REST API, as far as a change through a pull request needs it. One object speaks of one repository."""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from urllib.parse import quote

from bot.errors import Final, Temporary
from bot.http import Http, Response
from bot.step import Setting
from integrations.github.auth import FOREVER, HEADERS, Token, api_url, token_for
from integrations.github.refusals import message_of, redacted, refusal

_OK, _CREATED, _NOT_FOUND, _UNAUTHORIZED, _UNPROCESSABLE = 200, 201, 404, 401, 422
_REFUSALS = range(300, 500)
_PAGE = 100
_PAGES_AT_MOST = 10
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_FILE_MODES = {"100644", "100755"}


@dataclass(frozen=True)
class File:
    """A file at one commit: its git blob sha and its bytes."""

    blob: str
    content: bytes


class HasSettings(Protocol):
    """Where settings are read: a step's context, or `maint check`."""

    def setting(self, setting: Setting) -> str:
        """Return the value of a setting."""
        ...


class GitHub:
    """A client of `repository` (`owner/name`). Use it in a `with` block.

    Every method raises `Temporary` if certainly nothing was done or the call may be made again, `Final` if GitHub
    refuses. All writes here are safe to make twice: the objects of git are named by what is in them, and GitHub takes
    only one ref of a name, one open pull request of a branch, and one merge of a pull request.
    """

    def __init__(self, ctx: HasSettings, repository: str) -> None:
        if not _REPOSITORY.fullmatch(repository):
            raise Final(f"{repository!r} is not the name of a repository. Expected owner/name, such as acme/theme.")
        self.repository = repository
        self.owner = repository.split("/", 1)[0]
        self._setting = ctx.setting
        self._url = api_url(ctx.setting)
        self._token = token_for(ctx.setting, repository)
        self._http = self._open(self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __repr__(self) -> str:
        return f"GitHub({self.repository})"

    def about(self) -> Mapping[str, Any]:
        """Return the repository: `default_branch`, `archived`, `allow_merge_commit` and the like."""
        return self._mapping("GET", "", "read the repository")

    def branch(self, name: str) -> str | None:
        """Return the sha at the tip of a branch, or None if there is no such branch."""
        answer = self._call("GET", f"/git/ref/heads/{quote(name)}", f"read branch {name}", accept={_NOT_FOUND})
        return str(answer.json["object"]["sha"]) if answer.status == _OK else None

    def file(self, path: str, ref: str) -> File | None:
        """Return the file at `path` as of `ref` (a sha or branch), or None if it is absent. Raises `Final` for others.

        Files above 1 MB come without content from this call, and are refused: they are not for editing by maint.
        """
        answer = self._call("GET", f"/contents/{quote(path)}", f"read {path}", params={"ref": ref}, accept={_NOT_FOUND})
        if answer.status == _NOT_FOUND:
            return None
        found = answer.json
        if not isinstance(found, Mapping) or found.get("type") != "file" or found.get("encoding") != "base64":
            raise Final(f"{path} in {self.repository} is not a file of at most 1 MB. Check the path in the runbook.")
        try:
            return File(str(found["sha"]), base64.b64decode(found["content"]))
        except binascii.Error:
            raise Temporary(f"GitHub's answer for {path} in {self.repository} was damaged.") from None

    def blob(self, sha: str) -> bytes:
        """Return the bytes that git calls `sha`: a file as it was once, whatever it is now."""
        return base64.b64decode(self._mapping("GET", f"/git/blobs/{sha}", "read what the file was before")["content"])

    def commit(self, parent: str, path: str, content: bytes | None, message: str) -> str:
        """Make a commit on `parent` in which only `path` differs (None removes it), and return its sha.

        No branch moves: until one does, nobody sees the commit.
        """
        tree = str(self._mapping("GET", f"/git/commits/{parent}", "read the base commit")["tree"]["sha"])
        entry = {"path": path, "mode": self._mode(tree, path), "type": "blob", "sha": None}
        if content is not None:
            encoded = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
            entry["sha"] = str(self._mapping("POST", "/git/blobs", f"write {path}", json=encoded)["sha"])
        made = self._mapping("POST", "/git/trees", f"write {path}", json={"base_tree": tree, "tree": [entry]})
        body = {"message": message, "tree": made["sha"], "parents": [parent]}
        return str(self._mapping("POST", "/git/commits", f"commit {path}", json=body)["sha"])

    def create_branch(self, name: str, sha: str) -> bool:
        """Create a branch at `sha`; False if it exists already."""
        body = {"ref": f"refs/heads/{name}", "sha": sha}
        doing = f"create branch {name}"
        answer = self._call("POST", "/git/refs", doing, json=body, accept={_UNPROCESSABLE})
        if answer.status == _CREATED:
            return True
        if "already exists" in message_of(answer):
            return False
        raise refusal(answer, doing, self.repository)

    def move_branch(self, name: str, sha: str) -> None:
        """Move a branch of ours to `sha`, also where that is no fast forward."""
        body = {"sha": sha, "force": True}
        self._call("PATCH", f"/git/refs/heads/{quote(name)}", f"move branch {name}", json=body)

    def delete_branch(self, name: str) -> None:
        """Delete a branch; one that is gone already is fine."""
        accept = {_UNPROCESSABLE, _NOT_FOUND}
        self._call("DELETE", f"/git/refs/heads/{quote(name)}", f"delete branch {name}", accept=accept)

    def compare(self, base: str, head: str) -> Mapping[str, Any]:
        """Return how `head` differs from where it left `base`: `ahead_by`, `behind_by`, `commits`, `files`."""
        return self._mapping("GET", f"/compare/{quote(base)}...{quote(head)}", "compare our branch with its base")

    def pulls(self, head: str, base: str, state: str = "open") -> list[Mapping[str, Any]]:
        """Return the pull requests from branch `head` of this repository into `base`, newest first."""
        params = {"head": f"{self.owner}:{head}", "base": base, "state": state}
        return list(self._pages("/pulls", "look for our pull request", **params))

    def open_pull(self, head: str, base: str, title: str, body: str) -> Mapping[str, Any] | None:
        """Open a pull request and return it; None if one is open already. Raises `Final` if nothing is to merge."""
        wanted = {"head": head, "base": base, "title": title, "body": body}
        doing = "open the pull request"
        answer = self._call("POST", "/pulls", doing, json=wanted, accept={_UNPROCESSABLE})
        if answer.status == _CREATED:
            opened: Mapping[str, Any] = answer.json
            return opened
        if "already exists" in message_of(answer):
            return None
        raise refusal(answer, doing, self.repository)

    def close_pull(self, number: int) -> None:
        """Close a pull request without merging it."""
        self._call("PATCH", f"/pulls/{number}", f"close pull request #{number}", json={"state": "closed"})

    def retell(self, number: int, title: str, body: str) -> None:
        """Give a pull request another title and text."""
        self._call("PATCH", f"/pulls/{number}", f"retitle pull request #{number}", json={"title": title, "body": body})

    def pull(self, number: int) -> Mapping[str, Any]:
        """Return one pull request: `state`, `merged`, `head.sha`, `mergeable`, `mergeable_state` and the like."""
        return self._mapping("GET", f"/pulls/{number}", f"read pull request #{number}")

    def merge(self, number: int, *, sha: str, method: str, title: str) -> Response:
        """Merge while the head is still `sha`; returns the answer, which may be a refusal (403, 405, 409, 422)."""
        body = {"sha": sha, "merge_method": method, "commit_title": title}
        refusals = set(_REFUSALS) - {_UNAUTHORIZED, _NOT_FOUND}
        return self._call("PUT", f"/pulls/{number}/merge", f"merge pull request #{number}", json=body, accept=refusals)

    def reviews(self, number: int) -> Iterator[Mapping[str, Any]]:
        """Yield the reviews of a pull request, oldest first."""
        return self._pages(f"/pulls/{number}/reviews", f"read the reviews of #{number}")

    def check_runs(self, sha: str) -> Iterator[Mapping[str, Any]]:
        """Yield the check runs of a commit: `name`, `status`, `conclusion`, `html_url`."""
        return self._pages(f"/commits/{sha}/check-runs", "read the checks", "check_runs")

    def statuses(self, sha: str) -> Iterator[Mapping[str, Any]]:
        """Yield the newest status of each context of a commit: `context`, `state`, `target_url`."""
        return self._pages(f"/commits/{sha}/status", "read the commit statuses", "statuses")

    def rules(self, branch: str) -> Iterator[Mapping[str, Any]]:
        """Yield the rules that rulesets put on a branch: `type`, `parameters`."""
        return self._pages(f"/rules/branches/{quote(branch)}", f"read the rules of {branch}")

    def branch_protection(self, branch: str) -> Mapping[str, Any]:
        """Return a branch with its classic protection, as far as a writer sees it."""
        return self._mapping("GET", f"/branches/{quote(branch)}", f"read the protection of {branch}")

    def _mode(self, tree: str, path: str) -> str:
        """Return the mode of a file in a tree, so that a commit keeps it; a plain file's if there is none yet."""
        mode = ""
        for name in path.split("/"):
            entries = self._mapping("GET", f"/git/trees/{tree}", f"look for {path}")["tree"]
            entry = {str(entry["path"]): entry for entry in entries}.get(name)
            if entry is None:
                return "100644"
            tree, mode = str(entry["sha"]), str(entry["mode"])
        if mode not in _FILE_MODES:
            raise Final(f"{path} in {self.repository} is a link or a folder (mode {mode}), not a plain file.")
        return mode

    def _mapping(self, method: str, path: str, doing: str, *, json: Any = None) -> Mapping[str, Any]:
        answer = self._call(method, path, doing, json=json)
        if not isinstance(answer.json, Mapping):
            raise Temporary(f"GitHub's answer to our attempt to {doing} ({self.repository}) was not what it promises.")
        return answer.json

    def _pages(self, path: str, doing: str, inside: str = "", **params: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _PAGES_AT_MOST + 1):
            answer = self._call("GET", path, doing, params={**params, "per_page": _PAGE, "page": page})
            items = answer.json
            if inside:
                items = items.get(inside) if isinstance(items, Mapping) else None
            if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
                raise Temporary(f"GitHub's answer to our attempt to {doing} ({self.repository}) is no list of things.")
            yield from items
            if len(items) < _PAGE:
                return

    def _call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        """Make one call. Returns a success or a status in `accept`; raises what `refusal` makes of every other."""
        token = token_for(self._setting, self.repository)
        if token != self._token:
            self._renew(token)
        answer = self._send(method, path, json, params)
        if answer.status == _UNAUTHORIZED and self._token.until != FOREVER:
            self._renew(token_for(self._setting, self.repository, anew=True))
            answer = self._send(method, path, json, params)
        if answer.status < _REFUSALS.start or answer.status in accept:
            return answer
        raise refusal(answer, doing, self.repository)

    def _send(self, method: str, path: str, json: Any, params: Mapping[str, str | int] | None) -> Response:
        url = f"/repos/{self.repository}{path}"
        answer = self._http.request(method, url, json=json, params=params, accept=_REFUSALS, repeatable=True)
        return redacted(answer, self._token.value)

    def _renew(self, token: Token) -> None:
        self._http.close()
        self._token, self._http = token, self._open(token)

    def _open(self, token: Token) -> Http:
        headers = {**HEADERS, "Authorization": f"Bearer {token.value}"}
        return Http(self._url, system="GitHub", headers=headers, secrets=[token.value], connections=4)
