"""`github.change_log`: an entry in the change log of a product, as a file of its repository."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from bot.errors import Final
from bot.step import Context, OnFailure, step
from integrations.github.change_log_markdown import with_entry
from integrations.github.change_log_yaml import with_fields
from integrations.github.client import File, GitHub
from integrations.github.request import FilePath, FilledRequest
from integrations.github.yaml_document import BOM

_YAML_ENDINGS = (".yml", ".yaml")
_FIRST_CHARACTERS = 80


@step("github.change_log")
class ChangeLog(FilledRequest):
    """Add an entry to the change log in a GitHub repository through a pull request, and merge it.

    It goes first into the right list, marked with the ids of maintenance and step in a comment that readers do not see,
    so that it is there once, whoever rewords it later. Every other byte of the file stays as it is. If the maintenance
    is cancelled, the entry is taken out again.
    """

    path: FilePath = "CHANGELOG.md"
    """The change log, as a path inside the repository."""
    entry: str = Field(default="", max_length=5000)
    """In Markdown: the entry, without the dash before it."""
    fields: Mapping[str, str] = Field(default_factory=dict)
    """In a YAML data file: the keys and values of the entry, in order. Either this or `entry`."""
    under: str | None = Field(default=None, min_length=1)
    """The heading of the part that it belongs to, such as a version or a date (`Unreleased` where it is not given); in
    a YAML file the key of the list, if that is not the whole file. A missing heading is added on top."""
    section: str | None = Field(default=None, min_length=1)
    """The heading inside that part, such as `Changed` or `Security`; left out, `Changed` where the part has such
    headings."""
    format: Literal["markdown", "yaml"] | None = None
    """What the file is, where its name does not tell."""

    _mark: str = PrivateAttr(default="")

    on_failure: ClassVar[OnFailure] = "keep"
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = self.fields if self._is_yaml else self.entry.strip()
        if not given or (self.entry.strip() and self.fields):
            raise ValueError("give `entry` for a change log in Markdown, `fields` for one in YAML")
        return self

    def filled(self, ctx: Context) -> Self:
        step = self.model_copy()
        step._mark = f"maint {ctx.key}"
        return step

    def file(self) -> str:
        return self.path

    def heading(self) -> str:
        said = next(iter(self.fields.values())) if self._is_yaml else self.entry.strip().splitlines()[0]
        return f"Add to the change log: {said[:_FIRST_CHARACTERS]}"

    def wanted(self, now: bytes | None) -> bytes | None:
        if now is None:
            raise Final(f"{self._where} does not exist, so nothing can be added to it. Check `path` in the runbook.")
        try:
            text = now.decode()
        except UnicodeDecodeError:
            raise Final(f"{self._where} is not UTF-8 text. Save it as UTF-8.") from None
        if self._comment in text:
            return now
        return self._added(text).encode()

    def facts_after(self) -> dict[str, Any]:
        is_security = (self.section or self.fields.get("section", "")).casefold() == "security"
        said = self.entry.strip().splitlines()[0] if self.entry.strip() else ", ".join(self.fields.values())
        return {"security": said} if is_security else {}

    def restored(self, github: GitHub, now: File | None, facts: Mapping[str, Any]) -> bytes | None:
        if now is None or self._as_written(github, now, facts):
            return super().restored(github, now, facts)
        ours = self._own_lines(github, facts)
        if ours and now.content.count(ours) == 1:
            return now.content.replace(ours, b"")
        if self._comment.encode() not in now.content:
            return now.content
        raise Final(
            f"The entry in {self._where} was reworded since, so taking it out would undo that too. Nothing was "
            "changed. Take it out by hand, by a pull request."
        )

    def _own_lines(self, github: GitHub, facts: Mapping[str, Any]) -> bytes:
        """The lines of the entry as they were merged: all that was added up to the one with the mark, no headings."""
        written = github.file(self.path, str(facts["head_sha"])) if facts.get("head_sha") else None
        if written is None:
            return b""
        before = github.blob(str(facts["before_blob"])).splitlines(keepends=True)
        after = written.content.splitlines(keepends=True)
        first = next((n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(before))
        added = after[first : first + len(after) - len(before)]
        return b"".join(line for line in added if line.strip() and not line.startswith(b"#"))

    @property
    def _is_yaml(self) -> bool:
        return self.format == "yaml" or (self.format is None and self.path.lower().endswith(_YAML_ENDINGS))

    @property
    def _where(self) -> str:
        return f"{self.path} in {self.repository}"

    @property
    def _comment(self) -> str:
        return f"# {self._mark}" if self._is_yaml else f"<!-- {self._mark} -->"

    def _added(self, text: str) -> str:
        mark = BOM if text.startswith(BOM) else ""
        text = text.removeprefix(BOM)
        if self._is_yaml:
            return mark + with_fields(text, self.fields, self._comment, under=self.under, file=self._where)
        first, *rest = self.entry.strip().splitlines()
        entry = "\n".join([f"{first.rstrip()} {self._comment}", *rest])
        return mark + with_entry(text, entry, under=self.under or "Unreleased", section=self.section)
