"""`maint check`: does this configuration work? Everything is tried, nothing changed, and each fault says its mend."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.anchor import heads_at
from bot.connections import CONNECTIONS, PAGERS, TARGETS, Target
from bot.database import Database
from bot.errors import BadInput, MaintError, StepError
from bot.radar_checks import radar_checks
from bot.runbook import Runbook, check_params, lint_all, load_all, needed_settings
from bot.settings import Settings, missing
from bot.step import REGISTRY, Setting
from bot.templates import render

MANIFEST = Path(__file__).resolve().parent.parent / "manifest.yml"


@dataclass(frozen=True)
class Looked:
    """One thing that was tried. `text` says what was found, and how to mend it if `ok` is false."""

    what: str
    ok: bool
    text: str
    warns: bool = False
    """It works, and should be looked at all the same."""

    @property
    def mark(self) -> str:
        """How it went, in five letters."""
        return "warn " if self.warns else "ok   " if self.ok else "WRONG"


def checkup(
    settings: Settings,
    environment: Mapping[str, str],
    client: WebClient,
    open_database: Callable[[Settings], Database],
) -> Iterator[Looked]:
    """Try the database, Slack, the runbooks and every outside system that they use; yield each as it is known."""
    yield _database(settings, open_database)
    yield from _slack(settings, client)
    yield from _anchor(settings)
    for what, look in radar_checks(settings, partial(_value_of, environment)):
        yield _tried(what, look)
    try:
        runbooks = load_all(settings.runbooks)
    except MaintError as error:
        yield Looked("runbooks", False, str(error))
        return
    yield Looked("runbooks", bool(runbooks), ", ".join(runbooks) or f"there is none in {settings.runbooks}")
    for problem in lint_all(settings.runbooks):
        yield Looked("text", True, str(problem), warns=True)
    yield from _settings(environment, runbooks.values())
    yield from _connections(environment, runbooks.values())


def _database(settings: Settings, open_database: Callable[[Settings], Database]) -> Looked:
    kind = "PostgreSQL" if settings.database_url is not None else f"SQLite in {settings.data_dir}"
    try:
        database = open_database(settings)
        rows = database.query("SELECT count(*) AS number FROM entries")
        database.close()
    except Exception as error:  # noqa: BLE001 - whatever a database driver raises, the person has to hear of it
        return Looked(
            "database", False, f"{kind} cannot be used: {type(error).__name__}. Look at its address and rights."
        )
    return Looked("database", True, f"{kind}, {rows[0]['number']} entries")


def _anchor(settings: Settings) -> Iterator[Looked]:
    if settings.anchor_git is None:
        return
    try:
        heads = heads_at(settings.anchor_git)
    except StepError as error:
        yield Looked("heads of the logs", False, f"{error} Look at MAINT_ANCHOR_GIT and what lets git in there.")
        return
    key = settings.anchor_key
    if key is None or not key.is_file():
        where = f"{key} is not a file" if key else "there is no key"
        yield Looked("heads of the logs", False, f"{where}, so nothing is signed. MAINT_ANCHOR_KEY names it.")
        return
    yield Looked("heads of the logs", True, f"{len(heads)} are kept in {settings.anchor_git}")


def _slack(settings: Settings, client: WebClient) -> Iterator[Looked]:
    try:
        who = client.auth_test()
    except SlackApiError as error:
        said = error.response["error"]
        yield Looked(
            "Slack bot token", False, f"Slack says {said}. Take the Bot User OAuth Token of the installed app."
        )
        return
    except (SlackClientError, OSError) as error:
        yield Looked("Slack", False, f"cannot be reached at {settings.slack_url} ({type(error).__name__}).")
        return
    yield Looked("Slack bot token", True, f"{who['user']} in {who['team']}")
    yield _scopes({str(name).lower(): value for name, value in who.headers.items()})
    if settings.slack_app_token is not None and settings.slack_mode == "socket":
        yield _asked(
            "Slack app token",
            partial(client.apps_connections_open, app_token=settings.slack_app_token.get_secret_value()),
            "Make an app-level token with the scope connections:write.",
        )
    channel = _channel(settings, client)
    yield channel
    if channel.ok and settings.escalate_to:
        yield _within_reach(settings, client)
    for group in (each for each in settings.approvers if each.startswith("S")):
        yield _asked(
            f"user group {group}",
            partial(client.usergroups_users_list, usergroup=group),
            "Look at the id in MAINT_APPROVERS, and at the scope usergroups:read.",
        )


def _scopes(headers: Mapping[str, str]) -> Looked:
    wanted = set(YAML(typ="safe").load(MANIFEST.read_text())["oauth_config"]["scopes"]["bot"])
    granted = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",") if scope.strip()}
    lacking = sorted(wanted - granted)
    if not granted:
        return Looked("Slack scopes", True, "Slack does not say which scopes the token has")
    if lacking:
        return Looked("Slack scopes", False, f"missing: {', '.join(lacking)}. Reinstall the app from manifest.yml.")
    return Looked("Slack scopes", True, ", ".join(sorted(wanted)))


def _channel(settings: Settings, client: WebClient) -> Looked:
    try:
        found = client.conversations_info(channel=settings.channel)["channel"]
    except SlackApiError as error:
        return Looked(
            "channel", False, f"{settings.channel}: {error.response['error']}. MAINT_CHANNEL takes an id (C…)."
        )
    except (SlackClientError, OSError) as error:
        return Looked("channel", False, f"Slack did not answer ({type(error).__name__}).")
    if found.get("is_archived"):
        return Looked("channel", False, f"#{found['name']} is archived.")
    if not found.get("is_member"):
        return Looked("channel", False, f"the bot is not in #{found['name']}: invite it there.")
    return Looked("channel", True, f"#{found['name']}")


def _within_reach(settings: Settings, client: WebClient) -> Looked:
    """Whether those who are asked when nobody answers are in the channel: Slack tells nobody else of a mention."""
    what = "those asked when nobody answers"
    try:
        people = [who for named in settings.escalate_to for who in _people(client, named)]
        pages = client.conversations_members(channel=settings.channel, limit=1000)
        there = {member for page in pages for member in page["members"]}
    except SlackApiError as error:
        return Looked(what, False, f"Slack says {error.response['error']}. Look at the ids in MAINT_ESCALATE_TO.")
    except (SlackClientError, OSError) as error:
        return Looked(what, False, f"Slack did not answer ({type(error).__name__}).")
    away = [who for who in dict.fromkeys(people) if who not in there]
    if away:
        told = f"{', '.join(away)} of MAINT_ESCALATE_TO: not in the channel, and Slack tells only those who are."
        return Looked(what, True, f"{told} Invite them.", warns=True)
    return Looked(what, bool(people), "in the channel" if people else "there is nobody in MAINT_ESCALATE_TO.")


def _people(client: WebClient, who: str) -> list[str]:
    return [str(each) for each in client.usergroups_users_list(usergroup=who)["users"]] if who[0] == "S" else [who]


def _asked(what: str, ask: Callable[[], object], mend: str) -> Looked:
    try:
        ask()
    except SlackApiError as error:
        return Looked(what, False, f"Slack says {error.response['error']}. {mend}")
    except (SlackClientError, OSError) as error:
        return Looked(what, False, f"Slack did not answer ({type(error).__name__}).")
    return Looked(what, True, "works")


def _settings(environment: Mapping[str, str], runbooks: Iterable[Runbook]) -> Iterator[Looked]:
    problems = missing(environment, needed_settings(runbooks))
    for problem in problems:
        yield Looked(problem.name, False, f"is not set; {problem.expected}")
    if not problems:
        yield Looked("settings of the steps", True, "all there")


def _connections(environment: Mapping[str, str], runbooks: Iterable[Runbook]) -> Iterator[Looked]:
    value_of = partial(_value_of, environment)
    # The bot adds the step that pages by itself, whatever the runbooks use.
    used = {setting.name for setting in needed_settings(runbooks)}
    used |= {setting.name for setting in PAGERS.values() if value_of(setting)}
    for each in CONNECTIONS.values():
        if not used.isdisjoint(setting.name for setting in each.settings):
            yield _tried(each.name, partial(each.look, value_of))
    for kind in TARGETS.values():
        for name in _named(kind, runbooks):
            yield _tried(f"{kind.kind} {name}", partial(kind.look, value_of, name))


def _value_of(environment: Mapping[str, str], setting: Setting) -> str | None:
    return environment.get(setting.name) or setting.default


def _tried(what: str, look: Callable[[], str]) -> Looked:
    try:
        return Looked(what, True, look())
    except MaintError as error:
        return Looked(what, False, str(error))


def _named(kind: Target, runbooks: Iterable[Runbook]) -> list[str]:
    """What the runbooks name under the field of `kind`, with the defaults of their parameters filled in."""
    own = {setting.name for setting in kind.settings}
    named: dict[str, None] = {}
    for runbook in runbooks:
        params, _ = check_params(runbook, {})
        for step in runbook.steps:
            if kind.field in step.with_ and not own.isdisjoint(each.name for each in REGISTRY[step.uses].settings):
                try:
                    named[str(render(step.with_[kind.field], {"params": params}))] = None
                except BadInput:
                    continue  # it depends on what is only known when a maintenance is planned
    return list(named)
