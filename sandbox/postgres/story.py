"""The story's database: a shop that is fast with statistics and hopeless without, and the queries that show it."""

import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

SEED = Path(__file__).with_name("story_seed.sql")
QUERIES = Path(__file__).with_name("story_queries.sql")
_SMALLEST_SCALE = 0.05  # below it the customer whom the probe `latest_orders` asks for does not exist


@dataclass(frozen=True)
class StorySize:
    """How many rows each table of the story gets."""

    customers: int = 200_000
    orders: int = 3_000_000
    payments: int = 100_000
    refunds: int = 3_000

    @classmethod
    def scaled(cls, scale: float) -> "StorySize":
        """Return the sizes of a smaller (or larger) shop, 1.0 being the full story.

        Customers and orders follow `scale`, payments and refunds its square root: without statistics every payment is
        compared with every refund, so that disaster shrinks in proportion too and still shows at a tenth.
        Raises `ValueError` below 0.05.
        """
        if scale < _SMALLEST_SCALE:
            raise ValueError(f"the story cannot be told at a scale below {_SMALLEST_SCALE}: {scale}")
        full, root = cls(), math.sqrt(scale)
        return cls(
            customers=round(full.customers * scale),
            orders=round(full.orders * scale),
            payments=round(full.payments * root),
            refunds=round(full.refunds * root),
        )


def load_story(dsn: str, scale: float = 1.0) -> StorySize:
    """Create and fill the story's tables in the empty database `dsn`, analyzed; returns the rows of each table.

    Takes about 7 s at full scale. Raises `ValueError` below a scale of 0.05 and `psycopg.Error`.
    """
    size = StorySize.scaled(scale)
    with psycopg.connect(dsn) as connection:
        for table, rows in asdict(size).items():
            connection.execute("SELECT set_config(%s, %s, false)", (f"story.{table}", str(rows)))
        connection.execute(SEED.read_bytes())
    return size


def story_probes() -> dict[str, str]:
    """Return the story's probe queries by name: latest_orders, pending_orders, reconciliation, date_window."""
    _, *parts = re.split(r"^-- name: (\w+)\n", QUERIES.read_text(), flags=re.MULTILINE)
    return {
        name: re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip().rstrip(";")
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
