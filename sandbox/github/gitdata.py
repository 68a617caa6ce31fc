"""The Git data API: refs, trees, commits, blobs."""

import base64
import binascii
import re
from typing import Any

from sandbox.github import shapes
from sandbox.github.call import SHA, Answer, Call, Endpoint, refuse_protected
from sandbox.github.errors import Refusal, missing, not_found
from sandbox.github.git import NULL_SHA, GitError

MODES = {"100644", "100755", "120000"}


def _ref(call: Call, ref: str, sha: str) -> dict[str, Any]:
    return {
        "ref": ref,
        "node_id": shapes.node_id("Ref", ref),
        "url": f"{call.api}/git/{ref}",
        "object": {"type": "commit", "sha": sha, "url": f"{call.api}/git/commits/{sha}"},
    }


def get_ref(call: Call) -> Answer:
    """`GET git/ref/{ref}`: exactly that one ref."""
    ref = f"refs/{call.params['ref']}"
    sha = call.repo.git.refs(ref).get(ref)
    if sha is None:
        raise not_found()
    return 200, _ref(call, ref, sha)


def matching_refs(call: Call) -> Answer:
    """`GET git/matching-refs/{ref}`: every ref that starts so."""
    found = call.repo.git.refs(f"refs/{call.params['ref']}")
    return 200, [_ref(call, ref, sha) for ref, sha in sorted(found.items())]


def create_ref(call: Call) -> Answer:
    """`POST git/refs`: 422 when it exists already or the object does not."""
    absent = missing(call.body, "ref", "sha")
    if absent:
        raise absent
    ref, sha = str(call.body["ref"]), str(call.body["sha"])
    if not re.fullmatch(r"refs/[^/]+/.+", ref):
        raise Refusal(422, "Reference name must start with 'refs/' and have at least two slashes")
    git = call.repo.git
    if git.refs(ref).get(ref):
        raise Refusal(422, "Reference already exists")
    if not SHA.fullmatch(sha) or git.resolve(sha) is None:
        raise Refusal(422, "Object does not exist")
    try:
        git.update_ref(ref, sha, NULL_SHA)
    except GitError as error:  # a bad name, or a folder where a file should be
        raise Refusal(422, "Reference update failed") from error
    return 201, _ref(call, ref, sha)


def update_ref(call: Call) -> Answer:
    """`PATCH git/refs/{ref}`: fast forward only, unless forced."""
    absent = missing(call.body, "sha")
    if absent:
        raise absent
    ref, sha, git = f"refs/{call.params['ref']}", str(call.body["sha"]), call.repo.git
    old = git.refs(ref).get(ref)
    if old is None:
        raise Refusal(422, "Reference does not exist")
    if not SHA.fullmatch(sha) or git.resolve(sha) is None:
        raise Refusal(422, "Object does not exist")
    refuse_protected(call, ref.removeprefix("refs/heads/"), 422, "Could not update reference")
    if not call.body.get("force") and git.merge_base(old, sha) != old:
        raise Refusal(422, "Update is not a fast forward")
    git.update_ref(ref, sha, old)
    return 200, _ref(call, ref, sha)


def delete_ref(call: Call) -> Answer:
    """`DELETE git/refs/{ref}`: open pull requests from it are closed."""
    ref = f"refs/{call.params['ref']}"
    if call.repo.git.refs(ref).get(ref) is None:
        raise Refusal(422, "Reference does not exist")
    refuse_protected(call, ref.removeprefix("refs/heads/"), 422, "Cannot delete this branch")
    call.repo.git.delete_ref(ref)
    return 204, None


def _tree(call: Call, sha: str, *, recursive: bool = False) -> dict[str, Any]:
    api, entries = f"{call.api}/git", []
    for entry in call.repo.git.entries(sha, recursive=recursive):
        kind = "trees" if entry.kind == "tree" else "blobs"
        facts = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
        size = {} if entry.size_bytes is None else {"size": entry.size_bytes}
        entries.append({**facts, **size, "url": f"{api}/{kind}/{entry.sha}"})
    return {"sha": sha, "url": f"{api}/trees/{sha}", "tree": entries, "truncated": False}


def get_tree(call: Call) -> Answer:
    """`GET git/trees/{sha}`: of a tree, commit or branch."""
    name, git = call.params["sha"], call.repo.git
    sha = git.resolve(f"refs/heads/{name}", "tree") or git.resolve(name, "tree")
    if sha is None:
        raise not_found()
    return 200, _tree(call, sha, recursive="recursive" in call.query)


def create_tree(call: Call) -> Answer:
    """`POST git/trees`: entries by `sha` or `content`; `sha: null` removes the path from `base_tree`."""
    absent = missing(call.body, "tree")
    if absent:
        raise absent
    if not isinstance(call.body["tree"], list) or not all(isinstance(entry, dict) for entry in call.body["tree"]):
        raise Refusal(422, "Invalid tree info")
    git, base = call.repo.git, call.body.get("base_tree")
    start = git.resolve(str(base), "tree") if base else None
    if base and start is None:
        raise Refusal(404, "Not Found")
    changes = [_tree_change(call, entry) for entry in call.body["tree"]]
    return 201, _tree(call, git.write_tree(start, changes))


def _tree_change(call: Call, entry: dict[str, Any]) -> tuple[str, str | None, str]:
    path, mode, git = str(entry.get("path", "")), str(entry.get("mode", "")), call.repo.git
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise Refusal(422, "tree.path contains a malformed path component")
    if mode not in MODES:
        raise Refusal(422, f"Must supply a valid tree.mode (one of {', '.join(sorted(MODES))} here)")
    if "content" in entry:
        return mode, git.write_blob(str(entry["content"]).encode()), path
    if "sha" not in entry:
        raise Refusal(422, "Must supply either tree.sha or tree.content")
    if entry["sha"] is not None and git.resolve(str(entry["sha"]), "blob") is None:
        raise Refusal(422, f"tree.sha {entry['sha']} is not a valid blob")
    return mode, entry["sha"], path


def create_commit(call: Call) -> Answer:
    """`POST git/commits`: an object only; no branch moves."""
    absent = missing(call.body, "message", "tree")
    if absent:
        raise absent
    git, tree = call.repo.git, str(call.body["tree"])
    parents = [str(parent) for parent in call.body.get("parents", [])]
    if git.resolve(tree, "tree") is None:
        raise Refusal(422, "Tree SHA does not exist")
    if any(git.resolve(parent) is None for parent in parents):
        raise Refusal(422, "Parent SHA does not exist or is not a commit object")
    author = call.body.get("author") or {}
    name = author.get("name") or call.access.login
    email = author.get("email") or f"{call.access.login}@users.noreply.example.com"
    sha = git.write_commit(tree, parents, str(call.body["message"]), author=name, email=email, at=call.now)
    return 201, shapes.git_commit(call.url, call.repo, git.commit(sha))


def get_commit(call: Call) -> Answer:
    """`GET git/commits/{sha}`."""
    sha = call.repo.git.resolve(call.params["sha"]) if SHA.fullmatch(call.params["sha"]) else None
    if sha is None:
        raise not_found()
    return 200, shapes.git_commit(call.url, call.repo, call.repo.git.commit(sha))


def create_blob(call: Call) -> Answer:
    """`POST git/blobs`: `encoding` utf-8 (the default) or base64."""
    absent = missing(call.body, "content")
    if absent:
        raise absent
    content = str(call.body["content"])
    try:
        raw = base64.b64decode(content) if call.body.get("encoding") == "base64" else content.encode()
    except binascii.Error as error:
        raise Refusal(422, "content is not valid Base64") from error
    sha = call.repo.git.write_blob(raw)
    return 201, {"sha": sha, "url": f"{call.api}/git/blobs/{sha}"}


def get_blob(call: Call) -> Answer:
    """`GET git/blobs/{sha}`: base64, as contents do."""
    sha = call.params["sha"]
    if not SHA.fullmatch(sha) or call.repo.git.resolve(sha, "blob") is None:
        raise not_found()
    raw = call.repo.git.blob(sha)
    return 200, {
        "sha": sha,
        "node_id": shapes.node_id("Blob", sha),
        "size": len(raw),
        "url": f"{call.api}/git/blobs/{sha}",
        "content": base64.encodebytes(raw).decode(),
        "encoding": "base64",
    }


_HERE = "/repos/{owner}/{repo}/git"
ENDPOINTS = [
    Endpoint("GET", f"{_HERE}/ref/{{ref:path}}", get_ref, "contents"),
    Endpoint("GET", f"{_HERE}/matching-refs/{{ref:path}}", matching_refs, "contents"),
    Endpoint("POST", f"{_HERE}/refs", create_ref, "contents", "write"),
    Endpoint("PATCH", f"{_HERE}/refs/{{ref:path}}", update_ref, "contents", "write"),
    Endpoint("DELETE", f"{_HERE}/refs/{{ref:path}}", delete_ref, "contents", "write"),
    Endpoint("POST", f"{_HERE}/trees", create_tree, "contents", "write"),
    Endpoint("GET", f"{_HERE}/trees/{{sha:path}}", get_tree, "contents"),
    Endpoint("POST", f"{_HERE}/commits", create_commit, "contents", "write"),
    Endpoint("GET", f"{_HERE}/commits/{{sha}}", get_commit, "contents"),
    Endpoint("POST", f"{_HERE}/blobs", create_blob, "contents", "write"),
    Endpoint("GET", f"{_HERE}/blobs/{{sha}}", get_blob, "contents"),
]
