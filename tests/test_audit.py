"""The dependency audit is green only if every package was asked about: a skipped one is not."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
CLEAN: dict[str, Any] = {"name": "httpx", "version": "1.0", "vulns": []}
SKIPPED = {"name": "dbos", "skip_reason": "Dependency not found"}
FAULTY = {**CLEAN, "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": "bad"}]}


@pytest.mark.parametrize(
    ("packages", "status", "told"),
    [
        ([CLEAN], 0, "1 of 1 packages audited, 0 with known faults."),
        ([CLEAN, FAULTY], 1, "httpx 1.0: PYSEC-2026-1, mended in 1.1"),
        ([CLEAN, SKIPPED], 2, "does not answer for dbos: that is no green"),
        ([FAULTY, SKIPPED], 1, "PYSEC-2026-1"),
        ([], 2, "0 of 0"),
        (None, 2, "could not be asked: no way to the network"),
    ],
)
def test_what_was_not_asked_about_is_no_green(
    packages: list[dict[str, Any]] | None, status: int, told: str, tmp_path: Path
) -> None:
    """pip-audit itself is an outside program; in its place stands one that reports as it does."""
    program = tmp_path / "pip-audit"
    report = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    write = 'while [[ $1 != --output ]]; do shift; done\ncat > "$2" << "END"\n' + report + "\nEND\n"
    program.write_text(f"#!/usr/bin/env bash\n{write if report else 'echo no way to the network; exit 1'}\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [str(CHECKOUT / "script" / "audit")],
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, told in ran.stdout) == (status, True), ran.stdout + ran.stderr
