from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from bot.spread import SAMPLES, Spread

times = st.floats(1.0, 100_000.0)
widths = st.floats(0.05, 1.5)


@given(times, widths)
def test_samples_lie_as_the_spread_says(median_s: float, width: float) -> None:
    spread = Spread(median_s, width)
    samples = sorted(spread.samples_s("upgrade"))
    assert len(samples) == SAMPLES
    assert abs(median(samples) / median_s - 1) < 0.02
    assert sum(sample < spread.low_s for sample in samples) == SAMPLES // 10
    assert sum(sample > spread.high_s for sample in samples) == SAMPLES // 10


@given(times, widths, st.floats(0.0, 200_000.0), st.floats(0.0, 200_000.0))
def test_what_has_passed_only_ever_lengthens(median_s: float, width: float, first_s: float, second_s: float) -> None:
    sooner, later = sorted((first_s, second_s))
    spread = Spread(median_s, width)
    for before, after in zip(spread.samples_s("a", sooner), spread.samples_s("a", later), strict=True):
        assert after >= before * (1 - 1e-9)
        assert after >= later


def test_two_steps_are_not_slow_together_and_one_name_gives_one_answer() -> None:
    spread = Spread(60, 0.5)
    assert spread.samples_s("a") == spread.samples_s("a")
    pairs = zip(spread.samples_s("a"), spread.samples_s("b"), strict=True)
    assert 0.1 < sum(a > 60 and b > 60 for a, b in pairs) / SAMPLES < 0.4


def test_runs_are_learned_from_the_more_the_more_there_are() -> None:
    thought = Spread(600, 0.4)
    once, often = thought.learned([3600]), thought.learned([3600] * 8)
    assert 600 < once.median_s < often.median_s < 3600
    assert once.median_s > 1800
    assert often.width < once.width
    assert thought.learned([]) == thought
    assert thought.learned([60, 6000, 60, 6000]).width > 1


def test_the_narrower_of_two_counts_more() -> None:
    both = Spread(600, 0.4).blended(Spread(1200, 0.1))
    assert 1100 < both.median_s < 1200
    assert both.width < 0.1
