"""`postgres.analyze`: planner statistics good enough to open the app with, in a fraction of a vacuum's time."""

from bot.step import step
from integrations.postgres.round import Round
from integrations.postgres.tables import Wanted


@step("postgres.analyze")
class Analyze(Round):
    """Make the planner statistics that are missing after an upgrade, so that the gate can open the app.

    Up to 17 pg_upgrade leaves all statistics behind, so every table is analyzed. From 18 on only what it has not
    carried over: tables without statistics, partitioned and inheritance parents, and tables with extended statistics.
    Always at the full statistics target, never in stages: with statistics carried over, stages would make them worse
    for a while (PostgreSQL manual, vacuumdb, `--analyze-in-stages`). A vacuum can follow while the app is open:
    `postgres.vacuum` with `analyze: false`.
    """

    estimate_s = 60.0

    everything: bool = False
    """Whether from 18 on tables that have statistics are analyzed all the same."""

    def wanted(self) -> Wanted:
        """Return what is done with each table."""
        return Wanted(carried_over=not self.everything)

    def verb(self) -> str:
        """Return what is done, in words that a number of tables can follow."""
        return "Analyze"
