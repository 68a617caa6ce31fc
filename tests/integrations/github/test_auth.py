"""Signing in: a token, or an app's key that buys one for an hour; and what is said when neither works."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.connections import CONNECTIONS, TARGETS
from bot.context import StepContext
from bot.errors import Final, Temporary
from bot.step import Outcome
from integrations.github.auth import SETTINGS
from integrations.github.client import GitHub as Client
from sandbox.github import BOT_PERMISSIONS, GitHub
from tests.integrations.github.conftest import PATH, REPO, TEXT, TOKEN, banner_on

Contexts = Callable[..., StepContext]
Run = Callable[..., Outcome]
AS_APP = {"MAINT_GITHUB_TOKEN": "", "MAINT_GITHUB_APP_ID": "77"}
TOKENS = r"/access_tokens$"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def pem(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.fixture
def app(github: GitHub, key: rsa.RSAPrivateKey) -> Any:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    github.revoke(TOKEN)
    return github.register_app(77, public.decode())


@pytest.fixture
def installed(github: GitHub, app: Any) -> None:
    github.install(app, "acme")


def bought(github: GitHub) -> int:
    return sum(each["path"].endswith("/access_tokens") and each["status"] == 201 for each in github.requests)


def test_an_app_does_the_whole_way_with_one_token(github: GitHub, run: Run, app: Any, pem: str) -> None:
    github.install(app, "acme")
    outcome = run(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": pem})
    assert TEXT in github.read(REPO, PATH)
    assert github.pull(REPO, 1).by == "maint[bot]"
    assert bought(github) == 1
    asked = next(each for each in github.requests if each["path"].endswith("/access_tokens"))
    assert asked["body"] == {"repositories": ["theme"]}, "a token is narrowed to the repository"
    token = next(token for token in github.tokens if token.startswith("ghs_"))
    assert token not in repr(outcome)


@pytest.mark.parametrize("form", ["file", "one line"])
def test_the_key_may_be_a_file_or_stand_in_one_line(
    installed: None, context: Contexts, pem: str, tmp_path: Path, form: str
) -> None:
    (tmp_path / "app.pem").write_text(pem)
    value = str(tmp_path / "app.pem") if form == "file" else pem.replace("\n", "\\n")
    ctx = context(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": value})
    assert banner_on().plan(ctx).details


def test_a_token_is_renewed_before_it_ends(github: GitHub, context: Contexts, app: Any, pem: str) -> None:
    github.install(app, "acme")
    ctx = context(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": pem})
    issue = github.issue_token

    def short(*given: Any) -> tuple[str, Any]:
        token, ends = issue(*given)
        return token, ends - timedelta(minutes=56)

    github.issue_token = short  # type: ignore[method-assign] # the stand-in's clock: this hour has four minutes
    with Client(ctx, REPO) as client:
        github.issue_token = issue  # type: ignore[method-assign]
        client.about()
        client.about()
    assert bought(github) == 2


def test_a_token_that_was_revoked_early_is_bought_anew(github: GitHub, context: Contexts, app: Any, pem: str) -> None:
    github.install(app, "acme")
    ctx = context(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": pem})
    with Client(ctx, REPO) as client:
        client.about()
        for token in [token for token in github.tokens if token.startswith("ghs_")]:
            github.revoke(token)
        assert client.about()["full_name"] == REPO
    assert bought(github) == 2


def test_an_app_that_is_not_installed_is_told_so(github: GitHub, context: Contexts, app: Any, pem: str) -> None:
    ctx = context(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": pem})
    with pytest.raises(Final, match=r"find app 77's installation \(is the app installed here\?\) \(acme/theme\)"):
        banner_on().plan(ctx)


def test_a_key_of_another_app_is_told_so(github: GitHub, context: Contexts, app: Any) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    ctx = context(banner_on(), settings={**AS_APP, "MAINT_GITHUB_APP_KEY": other.decode()})
    with pytest.raises(Final, match="A JSON web token could not be decoded"):
        banner_on().plan(ctx)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"MAINT_GITHUB_TOKEN": ""}, "set MAINT_GITHUB_TOKEN, or both MAINT_GITHUB_APP_ID and MAINT_GITHUB_APP_KEY"),
        (AS_APP, "set MAINT_GITHUB_TOKEN, or both"),
        ({**AS_APP, "MAINT_GITHUB_APP_KEY": "/no/such/file"}, "neither a private key"),
        ({**AS_APP, "MAINT_GITHUB_APP_KEY": "-----BEGIN secret-----"}, "does not hold a private RSA key"),
        ({"MAINT_GITHUB_URL": "http://github.example.com"}, "Expected an https address"),
        ({"MAINT_GITHUB_URL": "github.com"}, "Expected an https address"),
    ],
)
def test_settings_that_cannot_work_are_named(context: Contexts, settings: dict[str, str], said: str) -> None:
    with pytest.raises(Final) as failed:
        banner_on().plan(context(banner_on(), settings=settings))
    assert said in str(failed.value)
    assert "secret" not in str(failed.value)


def test_a_wrong_token_is_told_without_showing_it(context: Contexts) -> None:
    ctx = context(banner_on(), settings={"MAINT_GITHUB_TOKEN": "github_pat_wrong"})
    with pytest.raises(Final, match="The token is wrong, expired or revoked") as failed:
        banner_on().plan(ctx)
    assert "github_pat_wrong" not in str(failed.value)


@pytest.mark.parametrize("status", [403, 500])
def test_a_token_that_github_repeats_is_cut_out_by_value(github: GitHub, context: Contexts, status: int) -> None:
    github.app.arm("status", status=status, body={"message": f"No access with {TOKEN}"})
    with pytest.raises((Final, Temporary), match="•••") as failed:
        banner_on().plan(context(banner_on()))
    assert TOKEN not in str(failed.value)


def test_a_missing_permission_names_what_is_needed(github: GitHub, context: Contexts) -> None:
    github.add_token(TOKEN, permissions={**BOT_PERMISSIONS, "contents": "read"})
    ctx = context(banner_on())
    with pytest.raises(Final, match=r"lacks a permission\. It needs contents=write") as failed:
        banner_on().apply(ctx)
    assert failed.value.status == 403


def test_checks_that_the_token_may_not_read_leave_the_verdict_to_github(github: GitHub, run: Run) -> None:
    allowed = {name: level for name, level in BOT_PERMISSIONS.items() if name not in {"checks", "statuses"}}
    github.add_token(TOKEN, permissions=allowed)
    github.protect(REPO, checks=["build"])
    github.run_ci(REPO, "build", after_s=0.5)
    assert run(banner_on()).facts["pr"] == 1


def test_a_repository_that_is_not_there_is_told(context: Contexts) -> None:
    step = banner_on(repository="acme/nothing")
    with pytest.raises(Final, match=r"acme/nothing.*the token may not see this repository"):
        step.plan(context(step))


def test_a_name_that_is_no_repository_is_told(context: Contexts) -> None:
    step = banner_on(repository="theme")
    with pytest.raises(Final, match="Expected owner/name"):
        step.plan(context(step))


def test_a_moved_repository_is_told(github: GitHub, context: Contexts) -> None:
    github.app.arm("status", status=301, headers={"location": "/repositories/1"}, body={"message": "Moved Permanently"})
    with pytest.raises(Final, match="was renamed or moved"):
        banner_on().plan(context(banner_on()))


def test_an_enterprise_server(github: GitHub, run: Run, url: str) -> None:
    run(banner_on(), settings={"MAINT_GITHUB_URL": f"{url}/api/v3/"})
    assert TEXT in github.read(REPO, PATH)
    assert all(each["path"].startswith("/api/v3/repos/acme/theme") for each in github.app.requests)


def test_every_setting_says_what_it_is_for_and_secrets_are_marked() -> None:
    assert all(setting.help for setting in SETTINGS)
    assert {setting.name for setting in SETTINGS if setting.secret} == {"MAINT_GITHUB_TOKEN", "MAINT_GITHUB_APP_KEY"}


@pytest.fixture
def look(context: Contexts) -> Callable[..., str]:
    """`look(settings)`: what `maint check` says of GitHub."""
    return lambda settings={}: CONNECTIONS["GitHub"].look(context(banner_on(), settings=settings).setting)


def test_check_says_that_the_token_is_good(look: Callable[..., str]) -> None:
    assert look() == "the token is accepted; 5000 of 5000 requests are left this hour"


def test_check_says_which_app_the_key_belongs_to(look: Callable[..., str], app: Any, pem: str) -> None:
    assert look({**AS_APP, "MAINT_GITHUB_APP_KEY": pem}) == "signed in as the app maint"


def test_check_says_what_is_wrong(look: Callable[..., str]) -> None:
    with pytest.raises(Final, match="wrong, expired or revoked"):
        look({"MAINT_GITHUB_TOKEN": "github_pat_wrong"})
    with pytest.raises(Final, match="Set MAINT_GITHUB_TOKEN, or both"):
        look({"MAINT_GITHUB_TOKEN": ""})


def test_check_says_of_each_repository_whether_it_is_there(context: Contexts) -> None:
    look = TARGETS["repository"].look
    setting = context(banner_on()).setting
    assert look(setting, REPO) == f"{REPO}, its default branch is master"
    with pytest.raises(Final, match="acme/nothing"):
        look(setting, "acme/nothing")
