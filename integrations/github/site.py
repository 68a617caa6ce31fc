"""What `sites.update` is told of each marketing site, and what it is to bring all of them to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from integrations.github.request import FilePath
from integrations.github.yaml_lines import Value

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")


def _page_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError(f"{url!r} is no address of a page, such as https://www.example.com/")
    return url


def _repository(name: str) -> str:
    if not _REPOSITORY.fullmatch(name):
        raise ValueError(f"{name!r} is no repository on GitHub, such as acme/www")
    return name


PageAddress = Annotated[str, AfterValidator(_page_address)]
Repository = Annotated[str, AfterValidator(_repository)]
SiteId = Annotated[str, Field(pattern=_UUID)]


class Site(BaseModel):
    """One site: where its lock file is, how it is published, and where visitors see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: Repository
    """The site's repository on GitHub, as `owner/name`."""
    live: PageAddress
    """The address of a page of the live site that shows the banner. It must answer by itself, without a redirect."""
    name: str = ""
    """How the site is called in messages; left out, the repository's name without its owner."""
    branch: str | None = None
    """The branch that the lock file is changed on; left out, the repository's default branch."""
    lock: FilePath = "Gemfile.lock"
    """The lock file, as a path inside the repository."""
    via: Literal["push", "pr"] = "push"
    """How the change comes onto the branch: by a direct `push`, or through a pull request (`pr`)."""
    cloudcannon: SiteId | None = None
    """The id (UUID) of the CloudCannon site that follows `branch`. Left out, CloudCannon is not asked, and whatever
    publishes the branch is waited for."""
    publish: Literal["merge", "pull_request", "push"] = "merge"
    """How the CloudCannon site is published: by a `merge` into its publish branch, by a `pull_request` there, or by the
    `push` itself, where it has no publish branch."""
    production: SiteId | None = None
    """The id (UUID) of the CloudCannon site that is built from the publish branch. Left out, its build is not watched,
    and only the live page shows whether it is there."""

    @property
    def called(self) -> str:
        """The name for messages."""
        return self.name or self.repository.split("/")[1]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.production and (not self.cloudcannon or self.publish == "push"):
            raise ValueError("`production` needs `cloudcannon`, and a `publish` by merge or pull_request")
        return self


@dataclass(frozen=True)
class Aim:
    """What a site is to be brought to: the theme at `revision` (or `version`, from a gem server), and its page.

    `path` is the theme's banner file, and `banner` what it says at `revision`. With a `source`, the site is taken back
    from there, and only from there; without, one whose lock names a later revision is left at it.
    """

    theme: str
    gem: str
    branch: str
    path: str
    revision: str
    version: str
    shows: str | None
    hides: str | None
    source: str = ""
    banner: Mapping[str, Value | None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The theme at what, as messages say it."""
        return f"{self.gem} {self.version or self.revision[:10]}"
