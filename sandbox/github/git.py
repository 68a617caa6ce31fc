"""A real bare git repository, driven through the git command line: every commit made here can be cloned by anyone."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

NULL_SHA = "0" * 40


class GitError(Exception):
    """git refused; the text is git's own."""


@dataclass(frozen=True)
class Entry:
    """One line of a tree: `mode` in octal, `kind` blob, tree or commit, `size_bytes` of a blob (else None)."""

    mode: str
    kind: str
    sha: str
    size_bytes: int | None
    path: str


@dataclass(frozen=True)
class Commit:
    """One commit; times are aware UTC."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    authored_at: datetime
    message: str


@dataclass(frozen=True)
class Change:
    """One file of a diff, with its unified `patch` (hunks only)."""

    status: str
    path: str
    additions: int
    deletions: int
    patch: str


class Git:
    """One bare repository at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """Run git in this repository and return what it printed. Raises `GitError` when it fails."""
        # Nobody's own git configuration may change what the stand-in does.
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", **(env or {})}
        done = subprocess.run(
            ["git", f"--git-dir={self.path}", *arguments],  # noqa: S607 - whichever git the machine has
            input=stdin,
            capture_output=True,
            check=False,
            env=clean,
        )
        if done.returncode != 0:
            raise GitError(done.stderr.decode(errors="replace").strip() or f"git ended with {done.returncode}")
        return done.stdout

    def text(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """As `run`, decoded and without the last newline."""
        return self.run(*arguments, stdin=stdin, env=env).decode(errors="replace").removesuffix("\n")

    def create(self, default_branch: str) -> None:
        """Make the empty repository."""
        self.path.mkdir(parents=True)
        self.run("init", "-q", "--bare", f"--initial-branch={default_branch}", str(self.path))

    def resolve(self, revision: str, kind: str = "commit") -> str | None:
        """The sha that `revision` names, or None when there is no such `kind` of object."""
        if revision.startswith("-"):
            return None
        try:
            return self.text("rev-parse", "--verify", "--quiet", f"{revision}^{{{kind}}}")
        except GitError:
            return None

    def branch(self, name: str) -> str | None:
        """The sha at the tip of branch `name`, or None."""
        return self.resolve(f"refs/heads/{name}")

    def commitish(self, ref: str) -> str | None:
        """The commit that a branch, tag, full ref or sha names, or None."""
        return self.branch(ref) or self.resolve(ref)

    def refs(self, prefix: str) -> dict[str, str]:
        """Every ref that starts with `prefix`, with its sha."""
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        pairs = (line.split(" ") for line in lines)
        return {name: sha for name, sha in pairs if name.startswith(prefix)}

    def update_ref(self, ref: str, new: str, old: str | None = None) -> None:
        """Move `ref` to `new` if it is still at `old` (`NULL_SHA`: must not exist). Raises `GitError` otherwise."""
        self.run("update-ref", ref, new, *([old] if old else []))

    def delete_ref(self, ref: str) -> None:
        """Remove `ref`."""
        self.run("update-ref", "-d", ref)

    def entries(self, tree: str, path: str = "", *, recursive: bool = False) -> list[Entry]:
        """The entries of `tree`, or of the folder (or the one file) at `path` in it."""
        options = ["-r", "-t"] if recursive else []
        listing = self.run("ls-tree", "-z", "--long", *options, tree, *(["--", path] if path else []))
        found = []
        for line in listing.decode(errors="replace").split("\0")[:-1]:
            facts, name = line.split("\t", 1)
            mode, kind, sha, size = facts.split()
            found.append(Entry(mode, kind, sha, None if size == "-" else int(size), name))
        return found

    def entry(self, revision: str, path: str) -> Entry | None:
        """The entry at exactly `path` in `revision`, or None."""
        found = self.entries(revision, path.strip("/"))
        return found[0] if found else None

    def blob(self, sha: str) -> bytes:
        """The bytes of a blob."""
        return self.run("cat-file", "blob", sha)

    def write_blob(self, content: bytes) -> str:
        """Store `content`; returns its sha."""
        return self.text("hash-object", "-w", "--stdin", stdin=content)

    def write_tree(self, base: str | None, changes: Sequence[tuple[str, str | None, str]]) -> str:
        """The sha of a tree: `base` with `changes` (mode, blob sha or None to remove, path) put over it."""
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if base:
                self.run("read-tree", base, env=env)
            lines = "".join(f"{mode if sha else '0'} {sha or NULL_SHA}\t{path}\0" for mode, sha, path in changes)
            self.run("update-index", "-z", "--index-info", stdin=lines.encode(), env=env)
            return self.text("write-tree", env=env)

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str, *, author: str, email: str, at: datetime
    ) -> str:
        """Store a commit; returns its sha. No ref moves."""
        env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (
            ("NAME", author), ("EMAIL", email), ("DATE", f"{int(at.timestamp())} +0000"))}  # fmt: skip
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.text("commit-tree", tree, *flags, stdin=message.encode(), env=env)

    def commit(self, sha: str) -> Commit:
        """Read one commit."""
        return self.log(sha, "-1")[0]

    def log(self, *arguments: str) -> list[Commit]:
        """The commits that `git log` lists, newest first."""
        form = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%B%x00%x01"
        commits = []
        for record in self.run("log", form, *arguments, "--").decode(errors="replace").split("\0\x01")[:-1]:
            sha, tree, parents, name, email, at, message = record.lstrip("\n").split("\0")
            when = datetime.fromtimestamp(int(at), UTC)
            commits.append(Commit(sha, tree, tuple(parents.split()), name, email, when, message.rstrip("\n")))
        return commits

    def count(self, span: str) -> int:
        """How many commits `span` (`a..b`) holds."""
        return int(self.text("rev-list", "--count", span))

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, or None."""
        try:
            return self.text("merge-base", one, other)
        except GitError:
            return None

    def merge_tree(self, base: str, head: str) -> str | None:
        """The tree of a real merge of the two commits, or None when they conflict."""
        try:
            return self.text("merge-tree", "--write-tree", "--no-messages", base, head)
        except GitError:
            return None

    def changes(self, old: str, new: str) -> list[Change]:
        """What differs between two commits, file by file."""
        names = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
        found = []
        for line in self.text("diff", "--no-renames", "--name-status", old, new).splitlines():
            letter, path = line.split("\t", 1)
            patch = self.text("diff", "--no-renames", old, new, "--", path)
            hunks = patch[patch.index("@@") :] if "@@" in patch else ""
            body = hunks.splitlines()
            plus, minus = (sum(row.startswith(sign) for row in body) for sign in "+-")
            found.append(Change(names.get(letter[0], "changed"), path, plus, minus, hunks))
        return found
