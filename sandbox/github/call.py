"""One API request as the handlers see it, and what they answer with."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.github.errors import Refusal, not_found
from sandbox.github.model import Access, Protection, Repository
from sandbox.github.rules import NEEDS_PULL, RULESET
from sandbox.github.world import World

SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Call:
    """A request whose caller is known: `url` is the root for links, `body` the JSON object sent (or empty)."""

    world: World
    access: Access
    url: str
    params: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    accept: str
    bearer: str
    now: datetime

    @property
    def repo(self) -> Repository:
        """The repository named in the path. Raises a 404 when it is missing or the token does not reach it."""
        full_name = f"{self.params['owner']}/{self.params['repo']}"
        repo = self.world.repositories.get(full_name)
        hidden = self.access.repositories is not None and full_name not in self.access.repositories
        if repo is None or hidden or not self.access.may("metadata", "read"):
            raise not_found()
        return repo

    @property
    def api(self) -> str:
        """The API address of the repository named in the path."""
        return f"{self.url}/repos/{self.params['owner']}/{self.params['repo']}"

    def page(self, items: list[Any]) -> list[Any]:
        """The part of `items` that `per_page` (30, at most 100) and `page` ask for."""
        size = min(self._number("per_page", 30), 100)
        start = (self._number("page", 1) - 1) * size
        return items[start : start + size]

    def _number(self, name: str, usual: int) -> int:
        given = self.query.get(name, "")
        return max(int(given), 1) if given.isdigit() else usual


Answer = tuple[int, Any]
Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Endpoint:
    """A method and path, the permission it needs (name and level; None for the app's own), and its handler."""

    method: str
    path: str
    handler: Handler
    permission: str | None = "metadata"
    level: str = "read"


def protection_of(call: Call, branch: str) -> Protection | None:
    """The rules that a direct push to `branch` meets, or None."""
    return call.repo.protections.get(branch)


def refuse_protected(call: Call, branch: str, status: int, deed: str) -> None:
    """Raise GitHub's refusal of a direct push when `branch` takes pull requests only."""
    protection = protection_of(call, branch)
    if protection is None:
        return
    if protection.ruleset:
        raise Refusal(status, f"{RULESET}\n\n{NEEDS_PULL}\n\n")
    raise Refusal(status, f"{deed}: {NEEDS_PULL}")
