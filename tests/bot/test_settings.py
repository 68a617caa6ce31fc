from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.settings import Settings, SettingsErrors, load, missing, table
from bot.step import Setting

GOOD = {
    "MAINT_SLACK_BOT_TOKEN": "xoxb-1-s3cret",
    "MAINT_SLACK_APP_TOKEN": "xapp-1-s3cret",
    "MAINT_CHANNEL": "C0OPS",
}
TOKEN = Setting("MAINT_GITHUB_TOKEN", help="a token", secret=True)
URL = Setting("MAINT_GITHUB_URL", help="an address", default="https://api.github.com")


def problems(environ: dict[str, str], *known: Setting) -> dict[str, str]:
    with pytest.raises(SettingsErrors) as wrong:
        load(environ, known)
    return {problem.name: str(problem) for problem in wrong.value.problems}


def test_the_least_settings() -> None:
    settings = load(GOOD)
    assert settings.slack_bot_token.get_secret_value() == "xoxb-1-s3cret"
    assert (settings.slack_mode, settings.slack_url) == ("socket", "https://slack.com/api/")
    assert (settings.runbooks, settings.data_dir, settings.database_url) == (Path("runbooks"), Path("data"), None)
    assert settings.approvers == ()


def test_all_settings() -> None:
    settings = load(
        {
            "MAINT_SLACK_BOT_TOKEN": " xoxb-1 ",
            "MAINT_SLACK_MODE": "http",
            "MAINT_SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef",
            "MAINT_SLACK_URL": "http://127.0.0.1:9000/api",
            "MAINT_CHANNEL": "C0OPS",
            "MAINT_APPROVERS": "U0ANA, S0DBA U0BEN,",
            "MAINT_TEAM_ID": "T0ONE",
            "MAINT_RUNBOOKS": "/etc/maint",
            "MAINT_DATA_DIR": "/var/lib/maint",
            "MAINT_DATABASE_URL": "postgresql://maint:s3cret@db/maint",
            "MAINT_PORT": "8080",
            "MAINT_LOG_LEVEL": "DEBUG",
            "OTHER": "x",
        }
    )
    assert settings.approvers == ("U0ANA", "S0DBA", "U0BEN")
    assert settings.slack_url == "http://127.0.0.1:9000/api/"
    assert (settings.port, settings.log_level) == (8080, "debug")


def test_every_mistake_is_told_at_once_and_no_secret_with_it() -> None:
    found = problems(
        {
            "MAINT_SLACK_BOT_TOKEN": "xoxp-s3cret",
            "MAINT_SLACK_MODE": "sockets",
            "MAINT_DATABASE_URL": "mysql://u:s3cret@db/x",
            "MAINT_CHANEL": "C0OPS",
            "MAINT_PORT": "80a",
            "MAINT_APPROVERS": "@ana,U0BEN",
            "MAINT_GITHUB_TOKE": "s3cret",
        },
        TOKEN,
    )
    assert found == {
        "MAINT_CHANEL": "MAINT_CHANEL is set: there is no such setting; did you mean MAINT_CHANNEL?",
        "MAINT_GITHUB_TOKE": "MAINT_GITHUB_TOKE is set: there is no such setting; did you mean MAINT_GITHUB_TOKEN?",
        "MAINT_SLACK_BOT_TOKEN": "MAINT_SLACK_BOT_TOKEN is masked: expected a bot token, which begins with xoxb-",
        "MAINT_SLACK_MODE": "MAINT_SLACK_MODE is 'sockets': expected 'socket' or 'http'",
        "MAINT_CHANNEL": "MAINT_CHANNEL is not set: expected The channel in which maintenances are coordinated, by id.",
        "MAINT_APPROVERS": "MAINT_APPROVERS is '@ana,U0BEN': expected ids of people (U…, W…) or user groups (S…), "
        "with commas",
        "MAINT_DATABASE_URL": "MAINT_DATABASE_URL is masked: expected an address such as postgresql://…",
        "MAINT_PORT": "MAINT_PORT is '80a': expected a valid integer, unable to parse string as an integer",
    }


def test_no_settings_at_all_names_what_is_needed() -> None:
    assert list(problems({})) == ["MAINT_SLACK_APP_TOKEN", "MAINT_SLACK_BOT_TOKEN", "MAINT_CHANNEL"]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({**GOOD, "MAINT_PORT": "", "MAINT_TEAM_ID": " "}).port == 3000


def test_each_mode_needs_its_own_secret() -> None:
    assert list(problems({**GOOD, "MAINT_SLACK_MODE": "http"})) == ["MAINT_SLACK_SIGNING_SECRET"]
    without = {name: value for name, value in GOOD.items() if "APP" not in name}
    assert list(problems(without)) == ["MAINT_SLACK_APP_TOKEN"]


def test_settings_of_integrations_and_of_runbooks_are_nobodys_mistake() -> None:
    more = {"MAINT_GITHUB_TOKEN": "x", "MAINT_GITHUB_TOKEN_2": "x", "MAINT_REPLICA_DSN": "x"}
    assert load({**GOOD, **more}, [TOKEN, URL]).channel == "C0OPS"


def test_what_the_integrations_miss() -> None:
    assert [problem.name for problem in missing({}, [TOKEN, URL])] == ["MAINT_GITHUB_TOKEN"]
    assert missing({"MAINT_GITHUB_TOKEN": "x"}, [TOKEN, URL]) == []


def test_settings_are_frozen_and_show_no_secret() -> None:
    settings = load({**GOOD, "MAINT_DATABASE_URL": "postgresql://maint:s3cret@db/maint"})
    assert "s3cret" not in repr(settings) + str(settings)
    with pytest.raises(ValidationError):
        settings.__setattr__("port", 1)


def test_the_table_has_every_setting_once_with_help() -> None:
    rows = {row.name: row for row in table([TOKEN, URL])}
    assert len(rows) == len(Settings.model_fields) + 2
    assert all(row.help for row in rows.values())
    assert [name for name, row in rows.items() if row.secret] == list(_secrets())
    assert rows["MAINT_CHANNEL"].default is None
    assert rows["MAINT_PORT"].default == "3000"
    assert rows["MAINT_APPROVERS"].default == ""


def _secrets() -> Iterator[Any]:
    yield "MAINT_SLACK_BOT_TOKEN"
    yield "MAINT_SLACK_APP_TOKEN"
    yield "MAINT_SLACK_SIGNING_SECRET"
    yield "MAINT_FREEZE_CALENDARS"
    yield "MAINT_DATABASE_URL"
    yield "MAINT_METRICS_TOKEN"
    yield "MAINT_FEED_PUSH_TOKEN"
    yield "MAINT_GITHUB_TOKEN"


@pytest.mark.parametrize(
    "url",
    [
        "https://s3cret@github.com/a/b",
        "https://u:s3cret@github.com/a/b",
        "git+ssh://u:s3cret@h/x",
        "ssh://u:s3cret@h/x",
        "http://s3cret:@h/x",
    ],
)
def test_an_address_of_git_with_a_token_in_it_is_refused_and_not_repeated(url: str) -> None:
    told = problems({"MAINT_ANCHOR_GIT": url})["MAINT_ANCHOR_GIT"]
    assert "without a password or token" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("url", ["git@github.com:a/b.git", "ssh://git@h/x", "https://h/a@b.git", "/srv/heads.git"])
def test_an_address_of_git_without_one_is_taken(url: str) -> None:
    assert "MAINT_ANCHOR_GIT" not in problems({"MAINT_ANCHOR_GIT": url})
