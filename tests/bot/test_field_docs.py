"""What a field means: its description, or the docstring under it, also one of a base."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from bot.field_docs import description


class Base(BaseModel):
    inherited: int = 1
    """Comes from
    above."""


class Model(Base):
    told: Annotated[int, Field(description="In the annotation.")] = 1
    under: int = 1
    """Under it."""
    silent: int = 1


def test_each_field_is_told_from_where_it_is_written() -> None:
    told = {name: description(Model, name) for name in Model.model_fields}
    assert told == {
        "inherited": "Comes from\nabove.",
        "told": "In the annotation.",
        "under": "Under it.",
        "silent": "",
    }


def test_there_is_no_such_field() -> None:
    with pytest.raises(KeyError):
        description(Model, "absent")
