"""The settings of the bot itself: frozen, read from the environment once, all mistakes reported at once."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from bot.conflict_kinds import levels_of
from bot.errors import BadInput
from bot.field_docs import description

PREFIX = "MAINT_"


class Known(Protocol):
    """A setting of an integration, as a step class declares it (`bot.step.Setting`)."""

    @property
    def name(self) -> str: ...
    @property
    def help(self) -> str: ...
    @property
    def secret(self) -> bool: ...
    @property
    def default(self) -> str | None: ...


@dataclass(frozen=True)
class Problem:
    """One setting that is missing or wrong. `found` is masked where the setting is secret, None where it is not set."""

    name: str
    found: str | None
    expected: str

    def __str__(self) -> str:
        """Return the problem as one line: name, what was found, what was expected."""
        found = "is not set" if self.found is None else f"is {self.found}"
        return f"{self.name} {found}: {self.expected}"


class SettingsErrors(BadInput):
    """Settings are missing or wrong. `problems` has them all; the message lists them, secrets masked."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The bot cannot start with these settings:\n{lines}", field=problems[0].name)


@dataclass(frozen=True)
class Row:
    """One line of the table of settings: `default` is None where the setting has to be given."""

    name: str
    help: str
    default: str | None
    secret: bool


def _checked(pattern: str, expected: str, *, secret: bool = False) -> AfterValidator:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if secret else value
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


def _ids(value: object) -> object:
    return [part for part in re.split(r"[\s,]+", value) if part] if isinstance(value, str) else value


def _slash(value: str) -> str:
    return value if value.endswith("/") else f"{value}/"


def _counts(value: object) -> object:
    """`production=2, staging=1` as a mapping; what is no number is left for the type to refuse."""
    if not isinstance(value, str):
        return value
    return dict(part.partition("=")[::2] for part in re.split(r"[\s,]+", value) if part)


def _levels(value: object) -> object:
    return levels_of(value) if isinstance(value, str) else value


def _pages(value: object) -> object:
    """`GitHub=https://www.githubstatus.com, …` as a mapping; what is no pair is left for the type to refuse."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in re.split(r"[,\n]+", value) if part.strip()]
    return {name.strip(): url.strip().rstrip("/") for name, _, url in pairs}


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("expected IANA names of time zones, such as Europe/Berlin, with commas")
    return value


BotToken = Annotated[SecretStr, _checked(r"xoxb-\S+", "a bot token, which begins with xoxb-", secret=True)]
AppToken = Annotated[SecretStr, _checked(r"xapp-\S+", "an app-level token, which begins with xapp-", secret=True)]
SigningSecret = Annotated[SecretStr, _checked(r"[0-9a-zA-Z]{16,}", "the signing secret from Slack's page", secret=True)]
Url = Annotated[
    str, _checked(r"https?://[^\s/]+\S*", "an address such as https://slack.com/api/"), AfterValidator(_slash)
]
ChannelId = Annotated[str, _checked(r"[CG][A-Z0-9]{2,}", "the id of a channel (C…), as its details in Slack show it")]
TeamId = Annotated[str, _checked(r"[TE][A-Z0-9]{2,}", "the id of a workspace, which begins with T")]
WhoId = Annotated[str, _checked(r"[UWS][A-Z0-9]{2,}", "ids of people (U…, W…) or user groups (S…), with commas")]
CountryCode = Annotated[str, _checked(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", "codes such as NZ or US-CA, with commas")]
ZoneName = Annotated[str, AfterValidator(_zone)]
CalendarUrl = Annotated[
    SecretStr,
    _checked(
        r"(https|webcal)://[^\s/]+\S*|http://(localhost|127\.0\.0\.1)(:\d+)?/\S*",
        "https addresses of iCalendar files, with commas",
        secret=True,
    ),
]
PageUrl = Annotated[str, _checked(r"https?://[^\s/]+\S*", "pairs such as GitHub=https://www.githubstatus.com")]
EmojiName = Annotated[
    str,
    _checked(r":?[a-z0-9_+'-]+:?", "the name of an emoji, such as memo"),
    AfterValidator(lambda name: name.strip(":")),
]
Schedule = Annotated[str, _checked(r"[a-z]+:\w+", "schedules such as pagerduty:PI7DH85, with commas")]
PeopleCount = Annotated[int, Field(ge=1, le=20)]
PushUrl = Annotated[
    str,
    _checked(r"(https://[^\s/]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/\S*)?", "an https address of a folder"),
    AfterValidator(_slash),
]
_USER = re.compile(r"//[^/\s]*@")
GitUrl = Annotated[
    str,
    _checked(
        # A user of http(s) may be a token, as GitHub takes one.
        r"(?!-)(?!https?://[^/]*@)(?![\w+.-]+://[^/]*:[^/]*@)\S+",
        "an address without a password or token in it, as `git clone` takes it",
    ),
]
DatabaseUrl = Annotated[SecretStr, _checked(r"postgres(ql)?://\S+", "an address such as postgresql://…", secret=True)]


class Settings(BaseModel):
    """The settings. A field `x` is read from the variable `MAINT_X`; an empty variable counts as not set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    slack_bot_token: BotToken
    """The bot token of the Slack app."""
    slack_mode: Literal["socket", "http"] = "socket"
    """How Slack reaches the bot: `socket` (needs no public address) or `http` (signed requests)."""
    slack_app_token: AppToken | None = None
    """The app-level token with `connections:write`; needed in socket mode."""
    slack_signing_secret: SigningSecret | None = None
    """The signing secret of the Slack app; needed in http mode."""
    slack_url: Url = "https://slack.com/api/"
    """Where the Slack Web API is."""
    channel: ChannelId
    """The channel in which maintenances are coordinated, by id."""
    approvers: Annotated[tuple[WhoId, ...], BeforeValidator(_ids)] = ()
    """Who may approve where a runbook does not say: ids of people and user groups, with commas."""
    coordinators: Annotated[tuple[WhoId, ...], BeforeValidator(_ids)] = ()
    """Who coordinates maintenances: ids of people and user groups, with commas. They decide how each goes on, and they
    and the approvers alone start one; where nobody is named, every full member may start one."""
    communications: Annotated[tuple[WhoId, ...], BeforeValidator(_ids)] = ()
    """Who may decide about what people are told (move, extend), and approve where a runbook says `by: communications`:
    ids of people and user groups, with commas."""
    environments: Annotated[Mapping[str, PeopleCount], BeforeValidator(_counts)] = Field(default_factory=dict)
    """How many people at least have to approve anything in an environment of runbooks, such as `production=2`."""
    conflicts: Annotated[Mapping[str, str], BeforeValidator(_levels)] = Field(default_factory=dict)
    """What kinds of conflict do where a runbook does not say, such as `notice=warn, overlap=off`."""
    zones: Annotated[tuple[ZoneName, ...], BeforeValidator(_ids)] = ()
    """Further zones in which people read a window, with commas: a change of their clocks within it is a conflict."""
    escalate_to: Annotated[tuple[WhoId, ...], BeforeValidator(_ids)] = ()
    """Who is asked as well when it will end late and nobody has answered: ids of people and user groups, with commas.
    """
    answer_s: int = Field(default=300, ge=30, le=86400)
    """After how many seconds without an answer the next ones are asked what now, and then those on call are paged."""
    freezes: Path | None = None
    """A YAML file of freezes: a list of `from`, `until` (ISO 8601 with offset) and `reason`."""
    freeze_calendars: Annotated[tuple[CalendarUrl, ...], BeforeValidator(_ids)] = ()
    """Addresses of iCalendar files whose events are freezes, with commas."""
    vendor_pages: Annotated[Mapping[str, PageUrl], BeforeValidator(_pages)] = Field(default_factory=dict)
    """Public Statuspage pages whose scheduled maintenances are conflicts, such as
    `GitHub=https://www.githubstatus.com, Intercom=https://www.intercomstatus.com`."""
    on_call: Annotated[tuple[Schedule, ...], BeforeValidator(_ids)] = ()
    """Schedules in which somebody has to be on call during maintenance, such as `pagerduty:PI7DH85` or
    `grafana:SBM7DV7BKFUYU`, with commas."""
    holidays: Annotated[tuple[CountryCode, ...], BeforeValidator(_ids)] = ()
    """Countries whose public holidays are conflicts, with commas: `NZ`, or with a part of it, `US-CA`."""
    busy_hours: str = ""
    """The busiest hours, such as `Mon-Fri 09:00-17:00 Europe/Berlin, Sat 10:00-12:00 UTC`."""
    note_emoji: EmojiName = "memo"
    """The emoji, by name, with which somebody marks a message in a maintenance's channel to have it in the log."""
    break_glass: Literal["on", "off"] = "off"
    """Whether, when nobody else decides, whoever asked may approve one request themselves (`/maint break-glass`)."""
    break_glass_after_s: int = Field(default=900, ge=1, le=86400)
    """After how many seconds of waiting, and once it has been asked again, that is possible."""
    team_id: TeamId | None = None
    """The only workspace whose people may use the bot; by default the one that the bot token belongs to."""
    runbooks: Path = Path("runbooks")
    """The folder with the runbooks."""
    data_dir: Path = Path("data")
    """The folder for the bot's own files: the database, unless it is elsewhere, and the logs of jobs."""
    database_url: DatabaseUrl | None = None
    """A PostgreSQL database for the journal, shared by several processes; by default a file in the data folder."""
    port: int = Field(default=3000, ge=1, le=65535)
    """The port that is listened on: for Slack in http mode, for the public feed, and for `/healthz` and `/metrics`."""
    metrics: Literal["on", "off"] = "off"
    """Whether numbers for Prometheus are served at `/metrics`; the port is listened on by every process then."""
    metrics_token: SecretStr | None = None
    """The token that `/metrics` asks for, as `Authorization: Bearer`; without it, whoever reaches the port may read."""
    feed: Literal["on", "off"] = "off"
    """Whether the public feed is served on the port, at `/feed/`, in socket mode too: to anybody who can reach it."""
    feed_push_url: PushUrl | None = None
    """A folder of a bucket or web server that the feed is put into (HTTP PUT) after each change."""
    feed_push_token: SecretStr | None = None
    """The token that the folder asks for, sent as `Authorization: Bearer`."""
    anchor_git: GitUrl | None = None
    """A git repository, as `git clone` takes it, that the heads of the logs are kept in, daily and at each end."""
    anchor_key: Path | None = None
    """The SSH key (its private file) that the commits there are signed with."""
    read_back_s: int = Field(default=300, ge=5, le=86400)
    """Every how many seconds what a maintenance has put up (a banner, a status page) is read back and compared."""
    keep_days: int | None = Field(default=None, ge=1, le=36500)
    """How many days after its end a maintenance's work folder and lists of recipients are kept. By default for good, as
    its journal always is."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the bot says on its own standard error."""
    takeover_s: int = Field(default=30, ge=5, le=3600)
    """Within how many seconds of the death of a process, with `MAINT_DATABASE_URL`, another takes its work over."""


def load(environ: Mapping[str, str], known: Iterable[Known] = ()) -> Settings:
    """Return the settings in `environ`; `known` are those of the integrations, which are nobody's mistake.

    Raises `SettingsErrors` with every setting that is missing, wrong, or misspelt.
    """
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
    problems = _unknown(given, known)
    values = {name: given[variable(name)].strip() for name in Settings.model_fields if variable(name) in given}
    if "log_level" in values:
        values["log_level"] = values["log_level"].lower()
    problems += _missing_for_mode(values.get("slack_mode", "socket"), values)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one for one in reversed(error.errors(include_url=False, include_context=False))}
        problems += [_problem(name, values.get(name), wrong[name]) for name in Settings.model_fields if name in wrong]
        raise SettingsErrors(problems) from None
    if problems:
        raise SettingsErrors(problems)
    return settings


def missing(environ: Mapping[str, str], needed: Iterable[Known]) -> list[Problem]:
    """Return the settings of integrations in `needed` that have neither a value nor a default."""
    return [
        Problem(setting.name, None, f"expected {setting.help}")
        for setting in needed
        if setting.default is None and not environ.get(setting.name)
    ]


def table(known: Iterable[Known] = ()) -> list[Row]:
    """Return all settings, those of the bot first, for `maint check` and the reference."""
    own = [
        Row(variable(name), description(Settings, name), _default(field.default), _is_secret(field.annotation))
        for name, field in Settings.model_fields.items()
    ]
    return own + [Row(each.name, each.help, each.default, each.secret) for each in known]


def variable(field: str) -> str:
    """Return the environment variable of a field of `Settings`."""
    return f"{PREFIX}{field.upper()}"


def _default(value: object) -> str | None:
    if value is PydanticUndefined:
        return None
    return "" if value in (None, (), {}) else str(value)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(each) for each in get_args(annotation))


def _unknown(given: Mapping[str, str], known: Iterable[Known]) -> list[Problem]:
    """What looks like a misspelling. Other names may be ones that a runbook gives to its own steps."""
    names = {variable(name) for name in Settings.model_fields} | {setting.name for setting in known}
    problems = []
    for name in sorted(given.keys() - names):
        near = difflib.get_close_matches(name, names - given.keys(), n=1, cutoff=0.85)
        if near:
            problems.append(Problem(name, "set", f"there is no such setting; did you mean {near[0]}?"))
    return problems


def _problem(name: str, found: str | None, error: Mapping[str, Any]) -> Problem:
    field = Settings.model_fields[name]
    if error["type"] == "missing":
        return Problem(variable(name), None, f"expected {description(Settings, name)}")
    text = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")
    # What stands before the @ of an address may be a password, which is perhaps just why it is refused.
    shown = "masked" if _is_secret(field.annotation) else repr(found and _USER.sub("//•••@", found))
    return Problem(variable(name), shown, text)


def _missing_for_mode(mode: str, values: Mapping[str, str]) -> list[Problem]:
    needed = {"socket": "slack_app_token", "http": "slack_signing_secret"}.get(mode)
    if needed is None or needed in values:
        return []
    return [Problem(variable(needed), None, f"expected {description(Settings, needed)}")]
