"""The contents API: one file, read and written by its blob's sha."""

import base64
import binascii
from typing import Any

from sandbox.github import shapes
from sandbox.github.call import Answer, Call, Endpoint, refuse_protected
from sandbox.github.errors import Refusal, missing, not_found
from sandbox.github.git import Entry, GitError


def _file(call: Call, entry: Entry, ref: str) -> dict[str, Any]:
    kind = {"tree": "dir", "commit": "submodule"}.get(entry.kind, "symlink" if entry.mode == "120000" else "file")
    store = "trees" if kind == "dir" else "blobs"
    here = f"{call.api}/contents/{entry.path}?ref={ref}"
    there = f"{call.api}/git/{store}/{entry.sha}"
    page = f"{call.url}/{call.repo.full_name}/blob/{ref}/{entry.path}"
    return {
        "type": kind,
        "name": entry.path.rsplit("/", 1)[-1],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size_bytes or 0,
        "url": here,
        "git_url": there,
        "html_url": page,
        "download_url": f"{call.url}/{call.repo.full_name}/raw/{ref}/{entry.path}" if kind == "file" else None,
        "_links": {"self": here, "git": there, "html": page},
    }


def get(call: Call) -> Answer:
    """`GET contents/{path}?ref=`: a file with base64 content, its raw bytes if so accepted, or a folder's list."""
    git, path = call.repo.git, call.params["path"].strip("/")
    ref = call.query.get("ref") or call.repo.default_branch
    commit = git.commitish(ref)
    if commit is None:
        raise Refusal(404, f"No commit found for the ref {ref}")
    entry = git.entry(commit, path) if path else None
    if path and entry is None:
        raise not_found()
    if entry is None or entry.kind == "tree":
        inside = git.entries(commit, f"{path}/" if path else "")
        return 200, [_file(call, item, ref) for item in inside]
    raw = git.blob(entry.sha)
    if "raw" in call.accept:
        return 200, raw
    return 200, _file(call, entry, ref) | {"encoding": "base64", "content": base64.encodebytes(raw).decode()}


def put(call: Call) -> Answer:
    """`PUT contents/{path}`: creates the file, or replaces the blob `sha` (409 when it is no longer that one)."""
    absent = missing(call.body, "message", "content")
    if absent:
        raise absent
    try:
        raw = base64.b64decode(str(call.body["content"]).replace("\n", ""), validate=True)
    except binascii.Error as error:
        raise Refusal(422, "content is not valid Base64") from error
    path, branch, old = _target(call, "Could not update file")
    entry = call.repo.git.entry(old, path)
    if entry and entry.kind == "tree":
        raise Refusal(422, f"{path} is a directory")
    _same_sha(call, entry, path)
    commit = _write(call, path, branch, old, raw)
    written = call.repo.git.entry(commit, path)
    shown = _file(call, written, branch) if written else None
    return (200 if entry else 201), {"content": shown, "commit": _commit(call, commit)}


def delete(call: Call) -> Answer:
    """`DELETE contents/{path}`: removes the blob `sha`."""
    absent = missing(call.body, "message", "sha")
    if absent:
        raise absent
    path, branch, old = _target(call, "Could not delete file")
    entry = call.repo.git.entry(old, path)
    if entry is None:
        raise not_found()
    _same_sha(call, entry, path)
    return 200, {"content": None, "commit": _commit(call, _write(call, path, branch, old, None))}


def _target(call: Call, deed: str) -> tuple[str, str, str]:
    """Path, branch and the branch's tip, once it is sure that a direct push there is allowed."""
    path, branch = call.params["path"].strip("/"), str(call.body.get("branch") or call.repo.default_branch)
    old = call.repo.git.branch(branch)
    if old is None:
        raise Refusal(404, f"Branch {branch} not found")
    refuse_protected(call, branch, 409, deed)
    return path, branch, old


def _same_sha(call: Call, entry: Entry | None, path: str) -> None:
    sha = call.body.get("sha")
    if entry and not sha:
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha and (entry is None or entry.sha != sha):
        raise Refusal(409, f"{path} does not match {sha}")


def _write(call: Call, path: str, branch: str, old: str, raw: bytes | None) -> str:
    git, author = call.repo.git, call.body.get("author") or {}
    blob = None if raw is None else git.write_blob(raw)
    tree = git.write_tree(old, [("100644", blob, path)])
    name = author.get("name") or call.access.login
    email = author.get("email") or f"{call.access.login}@users.noreply.example.com"
    commit = git.write_commit(tree, [old], str(call.body["message"]), author=name, email=email, at=call.now)
    try:
        git.update_ref(f"refs/heads/{branch}", commit, old)
    except GitError as error:
        raise Refusal(409, f"is at {git.branch(branch)} but expected {old}") from error
    return commit


def _commit(call: Call, sha: str) -> dict[str, Any]:
    return shapes.git_commit(call.url, call.repo, call.repo.git.commit(sha))


_HERE = "/repos/{owner}/{repo}/contents/{path:path}"
ENDPOINTS = [
    Endpoint("GET", _HERE, get, "contents"),
    Endpoint("PUT", _HERE, put, "contents", "write"),
    Endpoint("DELETE", _HERE, delete, "contents", "write"),
]
