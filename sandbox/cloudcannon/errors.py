"""The one error of the stand-in."""

from typing import Any


class Refusal(Exception):
    """An answer with `status`: 422 has `errors` by field, every other one `error`."""

    def __init__(self, status: int, said: dict[str, list[str]] | str) -> None:
        super().__init__(str(said))
        self.status = status
        self.body: dict[str, Any] = {"error": said} if isinstance(said, str) else {"errors": said}
