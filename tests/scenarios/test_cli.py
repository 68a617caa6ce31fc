"""The command line, as an operator uses it."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.database import SqliteDatabase
from sandbox.bot_process import ROOT, BotProcess
from sandbox.github import GitHub
from sandbox.server import serving
from sandbox.slack import Config, Workspace
from sandbox.slack.config import STRANGER_APP
from sandbox.slack.people import Slack
from tests.scenarios.house import WAIT_S, House, Room, planned, settings

LOOK = """\
name: look
title: Look at it
steps:
  - id: look
    uses: manual
    with: {text: Is it green?}
"""
SECRETS = ("xoxb-", "xapp-", "sandbox-signing-secret")


def maint(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `maint` with these arguments to its end."""
    inherited = BotProcess(environment, Path("unused")).environment
    argv = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a bot that would work, in a workspace of its own."""
    usual = Config()
    limited = dataclasses.replace(STRANGER_APP, scopes=frozenset({"chat:write", "channels:read", "usergroups:read"}))
    with serving(Workspace(dataclasses.replace(usual, apps=(usual.app, limited))).app) as server:
        made = settings(server.url, tmp_path)
        (tmp_path / "runbooks" / "look.yml").write_text(LOOK)
        yield made


def test_check_of_what_works(environment: dict[str, str]) -> None:
    # Two of the group are in the channel, one of another company is not, and would not hear of a mention there.
    done = maint({**environment, "MAINT_ESCALATE_TO": "S0APPROVE, U0GIL0001"}, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert "runbooks: look" in done.stdout
    assert "warn   those asked when nobody answers: U0GIL0001 of MAINT_ESCALATE_TO: not in the channel" in done.stdout
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def test_check_names_each_thing_that_is_wrong(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "runbooks" / "bad.yml").write_text(LOOK.replace("uses: manual", "uses: manuel"))
    done = maint({**environment, "MAINT_CHANNEL": "C0OLDNEWS", "MAINT_SLACK_APP_TOKEN": "xapp-wrong"}, "check")
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert any("channel" in line and "archived" in line for line in wrong)
    assert any("Slack app token" in line and "connections:write" in line for line in wrong)
    assert "bad.yml:" in done.stdout
    assert "manual" in done.stdout
    assert "xapp-wrong" not in done.stdout + done.stderr


def test_check_of_a_wrong_token(environment: dict[str, str]) -> None:
    done = maint({**environment, "MAINT_SLACK_BOT_TOKEN": "xoxb-wrong"}, "check")
    assert done.returncode == 1
    assert "Slack bot token: Slack says invalid_auth" in done.stdout
    assert "xoxb-wrong" not in done.stdout + done.stderr


def test_check_of_what_a_token_may_not_and_of_ids_that_there_are_not(environment: dict[str, str]) -> None:
    wrong = {"MAINT_SLACK_BOT_TOKEN": "xoxb-sandbox-other", "MAINT_CHANNEL": "C0NOWHERE", "MAINT_APPROVERS": "S0NOBODY"}
    done = maint({**environment, **wrong}, "check")
    assert done.returncode == 1
    missing = next(line for line in done.stdout.splitlines() if "Slack scopes" in line)
    assert "pins:write" in missing
    assert "chat:write" not in missing
    assert "manifest.yml" in missing
    assert "C0NOWHERE: channel_not_found" in done.stdout
    assert "user group S0NOBODY" in done.stdout


def test_check_while_slack_cannot_be_reached(environment: dict[str, str]) -> None:
    done = maint({**environment, "MAINT_SLACK_URL": "http://127.0.0.1:9/api/"}, "check")
    assert done.returncode == 1
    assert "WRONG  Slack: cannot be reached at http://127.0.0.1:9/api/" in done.stdout


def test_settings_that_are_missing_or_wrong_are_all_told_at_once(tmp_path: Path) -> None:
    environment = {
        "MAINT_SLACK_BOT_TOKEN": "not-a-token-but-secret",
        "MAINT_PORT": "http",
        "MAINT_CHANEL": "C0MAINT01",
        "MAINT_DATA_DIR": str(tmp_path),
    }
    done = maint(environment, "serve")
    assert done.returncode == 1
    told = done.stderr
    names = ("MAINT_SLACK_BOT_TOKEN", "MAINT_SLACK_APP_TOKEN", "MAINT_CHANNEL", "MAINT_PORT", "MAINT_CHANEL")
    assert [name for name in names if name not in told] == []
    assert "not-a-token-but-secret" not in done.stdout + told
    assert "Traceback" not in told


def test_two_processes_do_not_share_one_data_folder(room: Room) -> None:
    second = maint(room.house.environment, "serve")
    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert f"Another maint is running on {room.house.folder / 'data'}" in second.stderr


def test_the_log_and_the_verification_come_on_the_command_line_too(room: Room) -> None:
    made = room.plans(LOOK.partition("steps:\n")[2])
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint done look")
    room.channel.shows("The maintenance is completed")
    room.slack.wait("ana", room.name, "the end on the card", lambda _: "Completed" in room.channel.pinned()[0]["plain"])
    environment = room.house.environment
    assert "# Work in" in maint(environment, "log", made).stdout
    verified = maint(environment, "verify", made)
    assert verified.returncode == 0, verified.stdout
    assert "intact" in verified.stdout
    nowhere = maint(environment, "log", "nowhere")
    assert nowhere.returncode == 1
    assert "There is no maintenance called nowhere" in nowhere.stderr


def test_it_ends_when_it_is_told_to(environment: dict[str, str], tmp_path: Path) -> None:
    bot = BotProcess(environment, tmp_path / "bot.log")
    bot.start()
    slack = Slack(environment["MAINT_SLACK_URL"].removesuffix("/api/"), WAIT_S)
    slack.wait_for_app()
    ana = slack.person("ana")
    ana.says("/maint")
    ana.sees("/maint start opens a form to plan a maintenance.\nRunbooks: look.")
    ana.says("/maint start look at now")
    planned(ana, "Look at it")
    assert bot.stop() == 0, bot.log.read_text()
    assert "maint_is_stopping" in bot.log.read_text()


def test_no_secret_is_in_anything_that_was_written(room: Room, house: House) -> None:
    room.plans(LOOK.partition("steps:\n")[2])
    room.channel.shows("is now to be done by hand")
    room.ana.says("/maint done look")
    room.channel.shows("The maintenance is completed")
    app = Config().app
    secrets = [app.bot_token, app.app_token]
    shown = "\n".join(room.channel.texts())
    assert [secret for secret in secrets if secret in shown] == []
    written = {path: path.read_bytes() for path in house.files()}
    assert any(path.name == "bot.log" for path in written)
    found = {path.name for path, data in written.items() if any(secret.encode() in data for secret in secrets)}
    assert found == set()


def test_check_tries_the_repositories_that_runbooks_name(environment: dict[str, str], tmp_path: Path) -> None:
    banner = """\
name: banner
title: Banner
params: {theme: {default: acme/theme}}
steps:
  - {id: one, uses: banner.off, with: {repository: "{{ params.theme }}"}}
  - {id: two, uses: banner.off, with: {repository: acme/gone}}
"""
    (tmp_path / "runbooks" / "banner.yml").write_text(banner)
    github = GitHub(tmp_path / "github")
    github.add_token("a-token")
    github.create_repository("acme/theme", {"README.md": "# The theme\n"})
    with serving(github.app) as server:
        settings = {"MAINT_GITHUB_URL": server.url, "MAINT_GITHUB_TOKEN": "a-token"}
        done = maint({**environment, **settings}, "check")
    assert done.returncode == 1
    assert "ok     repository acme/theme: acme/theme, its default branch is master" in done.stdout
    (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert "repository acme/gone" in wrong


def test_a_copy_of_the_database(environment: dict[str, str], tmp_path: Path) -> None:
    SqliteDatabase(Path(environment["MAINT_DATA_DIR"]) / "maint.sqlite3").close()
    ended = maint(environment, "backup", str(tmp_path / "copy.sqlite3"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith("bytes, whole\n")
