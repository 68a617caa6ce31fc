"""What the fields of a model mean, from the docstrings under them, read when somebody asks and not at each start.

Pydantic can do it while it builds the classes (`use_attribute_docstrings`), which took a fifth of the bot's start.
"""

import ast
import functools
import inspect
import textwrap
from itertools import pairwise

from pydantic import BaseModel


def description(model: type[BaseModel], field: str) -> str:
    """Return what a field means: its `Field(description=…)`, or the docstring under it there or in a base; or "".

    Raises `KeyError` if the model has no such field.
    """
    given = model.model_fields[field].description
    if given:
        return given
    return next((texts[field] for cls in model.__mro__ if field in (texts := _written_in(cls))), "")


@functools.cache
def _written_in(cls: type) -> dict[str, str]:
    if cls is BaseModel or not issubclass(cls, BaseModel):
        return {}
    (written,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    body = written.body if isinstance(written, ast.ClassDef) else []
    texts = {}
    for line, after in pairwise(body):
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            texts[line.target.id] = inspect.cleandoc(after.value.value)
    return texts
