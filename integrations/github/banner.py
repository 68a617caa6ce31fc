"""The banner of the marketing sites: `enabled`, `text` and `url` in a data file of their theme, through a pull request.

Sites of the theme read `_data/banner_notification.yml` with Ruby's YAML; only its intended lines are changed.
"""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator

from bot.errors import Final
from bot.step import Context, OnFailure, Outcome, Plan, Standing, is_being_ended, step
from integrations.github.client import File, GitHub
from integrations.github.request import FilePath, FileRequest
from integrations.github.yaml_lines import Value, read_values, set_values

_KEYS = ("enabled", "text", "url")
_TEXT_CHARACTERS = 300
_TEMPLATE_MARKS = ("{{", "}}", "{%", "%}", "{#", "${", "<%")
_REORDERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROL, _SURROGATE, _LINE, _PARAGRAPH = "Cc", "Cs", "Zl", "Zp"


def _banner_text(text: str) -> str:
    if not text.strip():
        raise ValueError("the banner has no text")
    if any(unicodedata.category(character) in {_CONTROL, _SURROGATE, _LINE, _PARAGRAPH} for character in text):
        raise ValueError("the banner is one line: no line breaks, tabs or control characters")
    if any(character in _REORDERS for character in text):
        raise ValueError("the banner has invisible marks that turn the order of its letters round; leave them out")
    if len(text) > _TEXT_CHARACTERS:
        raise ValueError(f"the banner's text has {len(text)} characters; at most {_TEXT_CHARACTERS} fit into a banner")
    mark = next((mark for mark in _TEMPLATE_MARKS if mark in text), None)
    if mark:
        raise ValueError(f"the banner's text still has a template mark in it ({mark}): a value was not filled in")
    return text


def _banner_link(url: str) -> str:
    parts = urlsplit(url)
    absolute = parts.scheme in {"http", "https"} and bool(parts.hostname)
    if not (absolute or (url.startswith("/") and not parts.netloc)) or any(
        c.isspace() or ord(c) < ord(" ") for c in url
    ):
        raise ValueError(f"{url!r} is no link: expected https://… or a path of the site that begins with /")
    return _banner_text(url)


BannerText = Annotated[str, AfterValidator(_banner_text)]
BannerLink = Annotated[str, AfterValidator(_banner_link)]


class _Banner(FileRequest):
    """What the two steps share: the file, and how it is edited."""

    path: FilePath = "_data/banner_notification.yml"
    """The banner's data file, as a path inside the theme's repository."""

    def values(self) -> Mapping[str, Value]:
        """Return the keys to set."""
        raise NotImplementedError

    def file(self) -> str:
        return self.path

    def wanted(self, now: bytes | None) -> bytes | None:
        return set_values(self._there(now), self.values(), file=self._name)

    def facts_before(self, now: bytes | None) -> dict[str, Any]:
        return {"before": read_values(self._there(now), _KEYS, file=self._name)}

    @property
    def _name(self) -> str:
        return f"{self.path} in {self.repository}"

    def _there(self, now: bytes | None) -> bytes:
        if now is None:
            raise Final(
                f"{self._name} does not exist. Expected the banner's data file there: check `repository`, `path` and "
                "`base` in the runbook. A new file would be read by no site, so none was made."
            )
        return now


@step("banner.on")
class BannerOn(_Banner):
    """Put the banner up on the marketing sites: set text, link and `enabled: true` in the theme's data file.

    The plan shows the diff, and approving it approves the merge: the step opens the pull request, waits for checks
    and reviews, and merges. Undoing turns the file back to what it was, byte for byte if nobody has changed it since,
    else value by value. If the maintenance is aborted, a person is asked whether the banner comes down: it is wrong
    when nothing was begun, and right while the site is still down.
    """

    text: BannerText
    """What the banner says: one line, in plain text, with date, time and zone as readers need them."""
    url: BannerLink
    """Where the banner leads: an https address, or a path of the site."""

    on_failure: ClassVar[OnFailure] = "ask"
    surface: ClassVar[bool] = True
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True
    tells: ClassVar[Mapping[str, tuple[str, ...]]] = {"text": ("start", "length", "zone"), "url": ("link",)}

    def plan(self, ctx: Context) -> Plan:
        if self._is_coming_down(ctx):
            return Plan("Nothing to do: the banner is being taken down.", subject={"uses": self.uses, "down": True})
        return super().plan(ctx)

    def check(self, ctx: Context) -> Outcome | None:
        if self._is_coming_down(ctx):
            return Outcome("The banner is being taken down, or is down: nothing to bring up to date.")
        return super().check(ctx)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        if outcome.facts:
            super().verify(ctx, outcome)

    def _is_coming_down(self, ctx: Context) -> bool:
        return is_being_ended(ctx, "banner.off", "repository", "path", "base")

    def values(self) -> Mapping[str, Value]:
        return {"enabled": True, "text": self.text, "url": self.url}

    def heading(self) -> str:
        return f"Turn the banner on: {self.text}"

    def told(self) -> str:
        return f"Banner “{self.text}”"

    def facts_after(self) -> dict[str, Any]:
        return {"text": self.text, "url": self.url, "enabled": True}

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:
        with GitHub(ctx, self.repository) as github:
            file = github.file(self.path, str(outcome.facts.get("base") or self._base(github)))
        now = read_values(file.content, ("enabled", "text"), file=self._name) if file else {}
        is_ours = now.get("enabled") is True and now.get("text") == outcome.facts.get("text", self.text)
        return Standing(str(now["text"]), self.text) if is_ours else None

    def restored(self, github: GitHub, now: File | None, facts: Mapping[str, Any]) -> bytes | None:
        if self._as_written(github, now, facts):
            return super().restored(github, now, facts)
        before = {key: value for key, value in facts["before"].items() if value is not None}
        before["enabled"] = before.get("enabled") is True
        return set_values(self._there(now.content if now else None), before, file=self._name)


@step("banner.off")
class BannerOff(_Banner):
    """Take the banner down on the marketing sites: set `enabled: false` in the theme's data file.

    Text and link stay, so that the next banner is a small change. Done already if somebody else took it down.
    """

    on_failure: ClassVar[OnFailure] = "keep"

    def values(self) -> Mapping[str, Value]:
        return {"enabled": False}

    def heading(self) -> str:
        return "Turn the banner off"

    def told(self) -> str:
        return "No banner"

    def facts_after(self) -> dict[str, Any]:
        return {"enabled": False}
