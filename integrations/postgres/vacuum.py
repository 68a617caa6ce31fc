"""`postgres.vacuum`: VACUUM and ANALYZE every table of every database, over several sessions, with progress."""

from pydantic import Field

from bot.step import step
from integrations.postgres.round import Round
from integrations.postgres.tables import Pass, Wanted

_VERBS = {"full": "Vacuum", "first": "Vacuum (without index clean-up and truncation)"}


@step("postgres.vacuum")
class Vacuum(Round):
    """Vacuum and analyze every table of every database, largest first, in several sessions.

    Without planner statistics a database just upgraded is unusably slow: `postgres.analyze` makes them in about a
    tenth of the time, so that the app can be opened before this step has ended. A table that fails does not stop the
    others; it is named at the end, and a retry does only what is left.
    """

    estimate_s = 300.0

    pass_: Pass = Field(default="full", alias="pass")
    """`full`; or `first`: without index clean-up and truncation, several times faster, after which a full one must
    follow."""
    analyze: bool = True
    """Whether each table is analyzed too; false where a `postgres.analyze` has just done it."""

    def wanted(self) -> Wanted:
        """Return what is done with each table."""
        return Wanted(vacuum=self.pass_, analyze=self.analyze)

    def verb(self) -> str:
        """Return what is done, in words that a number of tables can follow."""
        return _VERBS[self.pass_] + (" and analyze" if self.analyze else "")
