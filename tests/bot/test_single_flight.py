"""What several ask for at once is done once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.single_flight import SingleFlight


class Key:
    """A key that counts how often it was looked for: whoever has done so waits for what is under way."""

    def __init__(self) -> None:
        self.looked_for = threading.Semaphore(0)

    def __hash__(self) -> int:
        self.looked_for.release()
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other


def test_those_who_ask_meanwhile_share_the_answer_and_the_next_asks_anew() -> None:
    flight: SingleFlight[int] = SingleFlight()
    begun, go, done, key = threading.Event(), threading.Event(), [], Key()

    def work() -> int:
        begun.set()
        assert go.wait(60)
        done.append(1)
        return len(done)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(flight.do, key, work)
        assert begun.wait(60)
        while key.looked_for.acquire(blocking=False):
            pass
        others = [pool.submit(flight.do, key, lambda: 99) for _ in range(6)]
        assert flight.do("another", lambda: 7) == 7
        assert all(key.looked_for.acquire(timeout=60) for _ in others)
        assert not any(other.done() for other in others)
        go.set()
        assert [each.result(60) for each in (first, *others)] == [1] * 7
    assert flight.do(key, work) == 2


def test_all_are_told_what_went_wrong_and_it_may_be_tried_again() -> None:
    flight: SingleFlight[float] = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flight.do("plan", lambda: 1 / 0)
    assert flight.do("plan", lambda: 1.0) == 1.0
