"""`github.change`: any file of any repository, through a pull request."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.errors import Final
from bot.step import OnFailure, step
from integrations.github.request import FilePath, FileRequest


class Replacement(BaseModel):
    """One text that stands exactly once in the file, and what is put in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    find: str = Field(min_length=1)
    """The text to look for, byte for byte. It has to be there exactly once."""
    put: str
    """The text to put in its place."""


@step("github.change")
class GithubChange(FileRequest):
    """Change one file of a GitHub repository through a pull request, and merge it.

    The plan shows the diff; nothing is opened before it is approved. Retrying goes on with the same pull request.
    Undoing turns the file back to what it was, unless others have changed it since.
    """

    path: FilePath
    """The file, as a path inside the repository."""
    title: str = Field(min_length=1)
    """What the change is, in one line: the title of commit and pull request."""
    content: str | None = None
    """The whole file as it is to be. Either this or `replace`."""
    replace: tuple[Replacement, ...] = ()
    """What to replace in the file, in order. Either this or `content`."""

    on_failure: ClassVar[OnFailure] = "keep"
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.content is None) == (not self.replace):
            raise ValueError("give either `content` or `replace`")
        return self

    def file(self) -> str:
        return self.path

    def heading(self) -> str:
        return self.title

    def wanted(self, now: bytes | None) -> bytes | None:
        if self.content is not None:
            return self.content.encode()
        if now is None:
            raise Final(f"{self.path} is not in {self.repository}, so nothing can be replaced in it. Check the path.")
        for each in self.replace:
            now = _replaced(now, each, self.path)
        return now


def _replaced(now: bytes, each: Replacement, path: str) -> bytes:
    find, put = each.find.encode(), each.put.encode()
    inside_put = now.count(put) * put.count(find) if put else 0
    if now.count(find) == inside_put and (inside_put or put in now):
        return now  # replaced already
    if now.count(find) != 1:
        raise Final(f"{path}: {each.find!r} stands there {now.count(find)} times. Expected exactly once.")
    return now.replace(find, put)
