"""Durable execution of step attempts: the only user of DBOS.

A workflow is one attempt of one step, and always the same tiny function, so that a new version of the bot can take up
what an old one began. DBOS runs the attempt again from its start after a crash; that this has one effect is the
step's doing (`bot.step`), and that its end is recorded once is the journal's.
"""

from collections.abc import Callable
from typing import Protocol

from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowStatus

VERSION = "1"
"""Pinned: by default it is a hash of the source. Raised where `_attempt` takes or does something else."""
_ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})

RunAttempt = Callable[[str, str, int, str], None]
"""`run(maintenance, step, attempt, what)`, `what` being `apply` or `undo`. It records how it ended."""

_run: RunAttempt | None = None


@DBOS.step(name="run")
def _step(maintenance: str, step: str, attempt: int, what: str) -> None:
    if _run is None:
        raise RuntimeError("an attempt was taken up before the engine was ready")
    _run(maintenance, step, attempt, what)


@DBOS.workflow(name="attempt", max_recovery_attempts=None)
def _attempt(maintenance: str, step: str, attempt: int, what: str) -> None:
    _step(maintenance, step, attempt, what)


class Durable(Protocol):
    """Runs attempts so that a crash does not lose them."""

    def ensure(self, maintenance: str, step: str, attempt: int, what: str) -> None:
        """See to it that this attempt is running somewhere, or will be taken up; starts it if it is not."""
        ...


class DbosDurable:
    """Attempts as DBOS workflows in the system database at `url` (`sqlite:///…` or `postgresql://…`).

    `executor` is this process's identity: unique among live processes, and on SQLite the same after a restart, so
    that DBOS takes up what the process before it left.
    """

    def __init__(self, url: str, executor: str, run: RunAttempt) -> None:
        self._executor = executor
        global _run  # noqa: PLW0603 - DBOS workflows are module functions, and one process has one engine
        _run = run
        config: DBOSConfig = {
            "name": "maint",
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": executor,
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        self._dbos = DBOS(config=config)

    def launch(self) -> None:
        """Connect and take up what this executor left. Raises whatever the database does; exit then, do not retry."""
        DBOS.launch()

    def ensure(self, maintenance: str, step: str, attempt: int, what: str) -> None:
        base = f"{maintenance}:{step}:{attempt}" if what == "apply" else f"{maintenance}:{step}:undo:{attempt}"
        workflow_id, run = base, 1
        # A workflow that ended without its end in the journal (the disk was full, say) is followed by another run.
        while (status := DBOS.get_workflow_status(workflow_id)) is not None:
            if status.status not in _ENDED and not self._is_stranded(status):
                return
            run += 1
            workflow_id = f"{base}:{run}"
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(_attempt, maintenance, step, attempt, what)

    def _is_stranded(self, status: WorkflowStatus) -> bool:
        """Whether it is of another version of the workflow, and of a process before us with our name: on SQLite."""
        return status.app_version != VERSION and status.executor_id == self._executor

    def close(self) -> None:
        """Stop taking up work."""
        DBOS.destroy()
