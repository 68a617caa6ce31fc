"""Imports go one way: the contracts in .importlinter hold, and each of them can be broken."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("bot", "commands", "integrations", "sandbox")

VIOLATIONS = [
    ("bot/journal.py", "import bot.engine", "The one way through the house"),
    ("bot/engine.py", "import commands.verb", "The one way through the house"),
    ("bot/engine.py", "import bot.channel", "The one way through the house"),
    ("bot/channel.py", "import bot.engine", "The one way through the house"),
    ("bot/zones.py", "import bot.state", "The floors of the bot"),
    ("integrations/manual.py", "import bot.maintenances", "An integration sees"),
    ("integrations/manual.py", "import integrations.github", "Integrations do not know one another"),
    ("commands/verb.py", "import integrations.manual", "Commands, the engine and the channel"),
    ("bot/build.py", "import integrations", "Commands, the engine and the channel"),
    ("sandbox/server.py", "import bot.errors", "The sandbox stands for systems"),
    ("bot/http.py", "import sandbox.server", "Nothing of ours leans on the sandbox"),
    ("bot/engine.py", "import dbos", "DBOS only"),
    ("integrations/manual.py", "import httpx", "httpx only"),
    ("commands/verb.py", "from slack_bolt import App", "Bolt only"),
    ("integrations/manual.py", "import slack_sdk", "No integration talks to Slack"),
    ("bot/state.py", "import time", "The state is pure"),
    ("bot/decide.py", "import sqlite3", "The state is pure"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' sources alone, to be spoiled."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package, ignore=lambda path, names: _not_python(Path(path), names))
    shutil.copy(CHECKOUT / ".importlinter", folder)
    return folder


def _not_python(folder: Path, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".py") and not (folder / name).is_dir()}


def test_the_contracts_hold() -> None:
    linted = lint_imports(CHECKOUT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(("module", "line", "contract"), VIOLATIONS)
def test_a_contract_is_broken_by_what_it_forbids(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / module
    whole = path.read_text()
    path.write_text(f"{whole}\n{line}\n")
    try:
        linted = lint_imports(copy)
    finally:
        path.write_text(whole)
    broken = [told for told in linted.stdout.splitlines() if " BROKEN" in told]
    assert any(told.startswith(contract) for told in broken), linted.stdout + linted.stderr


@pytest.mark.parametrize("module", ["state", "evolve", "decide", "acts"])
def test_pure_modules_are_told_the_time(module: str) -> None:
    tree = ast.parse((CHECKOUT / "bot" / f"{module}.py").read_text())
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"now", "utcnow", "today"}


def test_a_start_loads_nothing_heavy_that_it_may_not_need() -> None:
    heavy = ("boto3", "holidays", "matplotlib", "numpy", "opentelemetry", "pandas", "prometheus_client")
    program = (
        "import sys, bot.app, commands, integrations; commands.load(); integrations.load(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
