"""Every error that the bot raises on purpose; the docstring of a class says what it means for the maintenance.

MaintError
├── BadInput            a person's words, a file or a setting is wrong; nothing was changed
├── NotAllowed          this person may not do this
├── Conflict            somebody else wrote the next journal entry first; read again and decide again
└── StepError           a step did not succeed
    ├── Temporary       certain: nothing was done; the same call may be made again, after `retry_after_s` if set
    ├── Final           certain: refused; the same call would be refused again
    │   └── Red         a gate or preflight looked, and what it saw forbids going on
    ├── AnswerLost      sent, and the answer never came: it may or may not have been done
    ├── CannotTell      `check` asked the outside and it does not know either
    └── Stopped         the step was asked to stop (abort, or the bot is shutting down) and did so cleanly
"""

from collections.abc import Mapping

from bot.picture import Picture


class MaintError(Exception):
    """The root of the tree. `str(error)` is written for the person reading Slack: no secret, no traceback."""


class BadInput(MaintError):
    """Something a person wrote is wrong. `field` names what (a modal field, a runbook key, a setting), if known."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotAllowed(MaintError):
    """The person may not do this; the text says who may."""


class Conflict(MaintError):
    """The journal moved on between reading and writing. Nothing was written."""


class StepError(MaintError):
    """A step did not succeed. `files` (name to text) is the evidence shown beside the message: logs, reports.

    So are `pictures` (by name, ending in `.png`): what was measured is looked at most when it was not good.
    """

    def __init__(
        self, message: str, *, files: Mapping[str, str] | None = None, pictures: Mapping[str, Picture] | None = None
    ) -> None:
        super().__init__(message)
        self.files = dict(files or {})
        self.pictures = dict(pictures or {})


class Temporary(StepError):
    """Certainly not done, and worth another try: connection refused, rate limit, a server that is restarting."""

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, files: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, files=files)
        self.retry_after_s = retry_after_s


class Final(StepError):
    """Certainly not done, and trying again unchanged is useless. `status` is the HTTP status where there was one."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        files: Mapping[str, str] | None = None,
        pictures: Mapping[str, Picture] | None = None,
    ) -> None:
        super().__init__(message, files=files, pictures=pictures)
        self.status = status


class Red(Final):
    """A gate or a preflight that only looked, and found a reason not to go on."""


class AnswerLost(StepError):
    """We sent it and do not know what came of it. Never send again before `check` or a person has settled it."""


class CannotTell(StepError):
    """The outside was asked whether it is done, and the answer does not decide it. A person has to look."""


class Stopped(StepError):
    """The step noticed that it should stop, and left everything so that it can be taken up again."""
