"""Loads sqlite_utils without the packages that it only knows the types of.

It looks for numpy and pandas when it is imported. Where they are installed (numpy is, for the pictures, which a process
of their own draws) that would cost every process of the bot 14 MB and a third of its start.
"""

import sys

_UNUSED = [name for name in ("numpy", "pandas") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # None makes an import fail, as if there were none

import sqlite_utils  # noqa: E402 - what it may find has to be settled before

for _name in _UNUSED:
    del sys.modules[_name]

__all__ = ["sqlite_utils"]
