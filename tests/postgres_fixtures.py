"""Real PostgreSQL clusters as fixtures, safe with several pytest workers.

Only tests that ask for one pay for it.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import sandbox.postgres
from sandbox.postgres.account import new_folder
from sandbox.postgres.binaries import PINS, binaries, cache_folder, locked, make_folder
from sandbox.postgres.cluster import Cluster, temporary_cluster
from sandbox.postgres.story import load_story
from tests.reflinks import mounted, shares_blocks

STORY_SCALE = 0.1
STORY_DATABASE = "app"


class ClusterFactory(Protocol):
    """Make a stopped cluster, removed with the test."""

    folder: Path  # belongs to the clusters' account; every cluster of the test is in it

    def __call__(self, major: int = 14, *, template: Cluster | None = None, **options: Any) -> Cluster:
        """Copy `template`, or create a cluster of `major` with the `options` of `Cluster.create`."""

    def share_blocks(self) -> bool:
        """Before the first cluster: see to it that their files can share blocks. False where that cannot be had."""


class _Factory:
    def __init__(self, folder: Path, removals: contextlib.ExitStack) -> None:
        self.folder = folder
        self._removals = removals
        self._made = 0

    def __call__(self, major: int = 14, *, template: Cluster | None = None, **options: Any) -> Cluster:
        root = self.folder / str(self._made)
        self._made += 1
        cluster = template.copy(root) if template else Cluster.create(root, major, **options)
        self._removals.callback(cluster.destroy)
        return cluster

    def share_blocks(self) -> bool:
        if shares_blocks(self.folder):
            return True
        return self._removals.enter_context(mounted(self.folder, self.folder.with_suffix(".xfs")))


@pytest.fixture
def cluster_factory() -> Iterator[ClusterFactory]:
    folder = new_folder()
    with contextlib.ExitStack() as removals:
        removals.callback(shutil.rmtree, folder)
        yield _Factory(folder, removals)


@pytest.fixture(scope="session")
def pg14_bin() -> Path:
    return binaries(14)


@pytest.fixture(scope="session")
def pg18_bin() -> Path:
    return binaries(18)


@pytest.fixture(scope="session")
def pg14_seeded_template() -> Cluster:
    """A stopped 14 cluster with the story, at a tenth, in database `app`: copy it, never start it.

    It is kept beside the fetched majors for all workers and later runs, and made anew when anything it comes from
    has changed.
    """
    sources = [*sorted(Path(sandbox.postgres.__file__).parent.glob("*.*")), PINS / "14.txt", Path(__file__)]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = cache_folder()
    template = folder / f"template-{digest}"
    make_folder(folder)
    with locked(folder / "template.lock"):
        if not template.exists():
            for outdated in folder.glob("template-*"):
                shutil.rmtree(outdated)
            _make_template(template)
    return Cluster(template)


def _make_template(template: Path) -> None:
    with temporary_cluster(14) as cluster:
        load_story(cluster.create_database(STORY_DATABASE), STORY_SCALE)
        cluster.stop()
        unfinished = template.with_name("template-unfinished")
        cluster.copy(unfinished)
        unfinished.rename(template)
