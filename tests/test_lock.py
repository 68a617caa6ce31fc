"""The lock files: what pyproject.toml asks for, the same versions in both, all hashed, and no host in them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def project() -> Any:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock; a package may have several, for different platforms."""
    versions: dict[str, set[str]] = {}
    for line in (CHECKOUT / name).read_text().splitlines():
        if found := re.match(r"([a-zA-Z0-9._-]+)(?:\[.*\])?==([^ ;\\]+)", line):
            versions.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return versions


def wanted(lock: str) -> list[Requirement]:
    told = project()
    requirements = list(told["project"]["dependencies"])
    if lock == "requirements-dev.txt":
        requirements += told["project"]["optional-dependencies"]["sandbox"] + told["dependency-groups"]["dev"]
    return [Requirement(requirement) for requirement in requirements]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    versions = locked(lock)
    for requirement in wanted(lock):
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement} is not in {lock}: run script/lock"
        assert all(version in requirement.specifier for version in found), f"{requirement}, but {found} in {lock}"


@pytest.mark.parametrize("lock", [*LOCKS, "script/uv.txt"])
def test_a_lock_names_no_host_and_hashes_every_package(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|-f|--find-links|--trusted-host)\b", text, re.MULTILINE)
    packages = [block for block in re.split(r"\n(?=\S)", text) if "==" in block]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)


def test_the_bot_runs_on_the_versions_that_are_tested() -> None:
    run, tested = locked("requirements.txt"), locked("requirements-dev.txt")
    assert {name: versions for name, versions in run.items() if tested.get(name) != versions} == {}
