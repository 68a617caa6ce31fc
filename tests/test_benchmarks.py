"""The benchmarks are run by hand; what puts their figures together is tested here."""

import pytest

from benchmarks.all import PAGE, QUICK, Figure, figures_of, table, written
from benchmarks.bot import GOALS, MORE, PARTS
from benchmarks.bots.entries import entries
from bot.evolve import fold
from bot.journal import GENESIS, entry_hash

OUTPUT = """\
2 cores, load 0.4 before
10,000 entries folded in 32 ms of a processor
fold-10k-ms 32.44 50
crash-violations 0 0
start-ms 1400 1500 and more
"""


def test_figures_are_the_lines_of_a_name_a_value_and_a_goal() -> None:
    assert figures_of("bot", OUTPUT) == [
        Figure("bot", "fold-10k-ms", "32.44", "50"),
        Figure("bot", "crash-violations", "0", "0"),
    ]


def test_the_table_takes_the_place_of_the_one_before() -> None:
    page = PAGE.read_text()
    once = written(page, table([Figure("bot", "start-ms", "1", "2")], "2 cores"))
    again = written(once, table([Figure("bot", "start-ms", "3", "4")], "2 cores"))
    assert "| bot | start-ms | 1 | 2 |" in once
    assert "| bot | start-ms | 1 | 2 |" not in again
    assert written(again, table([Figure("bot", "start-ms", "1", "2")], "2 cores")) == once
    with pytest.raises(ValueError, match="no place"):
        written("# Benchmarks\n", "")


def test_the_reference_tells_every_figure_with_a_goal() -> None:
    assert [name for name in {**GOALS, **MORE} if f"`{name}`" not in PAGE.read_text()] == []


def test_every_benchmark_is_among_all() -> None:
    there = {path.stem for path in PAGE.parents[2].glob("benchmarks/[a-z]*.py")} - {"all", "simulated_year"}
    assert there <= QUICK.keys()
    assert PARTS.keys() == {"start", "journal", "ack", "lag", "verify", "scale"}


def test_the_long_journals_are_true_ones() -> None:
    told = list(entries("long", 200, ended=True))
    prev = GENESIS
    for number, entry in enumerate(told, 1):
        assert (entry.seq, entry.prev_hash, entry.hash) == (number, prev, entry_hash(entry))
        prev = entry.hash
    state = fold(told)
    assert state is not None
    assert (state.status, state.over) == ("completed", True)
