"""What CloudCannon remembers: sites, and what was synced, built and put out for each."""

import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


def new_uuid() -> str:
    """A fresh identity."""
    return str(uuid.uuid4())


@dataclass
class Sync:
    """One fetch of the site's branch at `sha`; `ends_at` is when it is through."""

    id: int
    sha: str
    before: str | None
    created_at: datetime
    ends_at: datetime
    triggered_build: bool = False
    completed_at: datetime | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass
class Build:
    """One build of `sha`. `work` gives what it printed, or raises; it is not done before `ends_at` either."""

    id: int
    sha: str
    folder: Path
    work: "Future[str]"
    created_at: datetime
    ends_at: datetime
    completed_at: datetime | None = None
    successful: bool | None = None
    log: str = ""
    cancelled: bool = False
    uuid: str = field(default_factory=new_uuid)


@dataclass
class Output:
    """One handing over of a build to the hosting."""

    id: int
    build: Build
    created_at: datetime
    ends_at: datetime
    completed_at: datetime | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass
class Pull:
    """A request to merge the site's branch into its publish branch."""

    number: int
    title: str
    body: str
    head_sha: str
    base_sha: str
    created_at: datetime
    state: str = "open"
    merged_at: datetime | None = None


@dataclass
class Site:
    """A site that follows `branch` of `repository` (`owner/name`), and may publish to `publish_branch`."""

    id: int
    name: str
    repository: str
    branch: str
    created_at: datetime
    publish_branch: str | None = None
    publish_mode: str | None = None
    destroy_on_publish: bool = False
    building_locked: bool = False
    has_open_editing_session: bool = False
    deleted: bool = False
    synced: str | None = None
    last_published: datetime | None = None
    live: Path | None = None
    syncs: list[Sync] = field(default_factory=list)
    builds: list[Build] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    uuid: str = field(default_factory=new_uuid)
