"""The limiter against a server that counts: never over what is granted, and all of it used."""

import heapq
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.intercom.limiter import Limiter

WINDOW_S = 10.0


class Server:
    """Grants `limit` requests in each window of ten seconds, and tells in its headers as Intercom does."""

    def __init__(self, limit: int, taken_by_others: int = 0) -> None:
        self.limit, self.others = limit, taken_by_others
        self.granted: dict[int, int] = {}
        self.refused = 0

    def answer(self, now: float) -> tuple[bool, dict[str, str]]:
        number = int(now // WINDOW_S)
        used = self.granted.get(number, 0)
        allowed = used + self.others < self.limit
        if allowed:
            self.granted[number] = used = used + 1
        else:
            self.refused += 1
        return allowed, {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - used - self.others),
            "x-ratelimit-reset": str(int((number + 1) * WINDOW_S)),
        }


def simulate(server: Server, requests: int, workers: int, seed: int, skew_s: float = 0.0) -> float:
    """Send `requests` through a limiter on a clock of its own (`skew_s` ahead); return the seconds that it took."""
    chance = random.Random(seed)
    now, left, on_the_way = 1000.0, requests, 0
    limiter = Limiter(lambda: now + skew_s)
    events: list[tuple[float, int, str, tuple[bool, dict[str, str]] | None]] = []
    number = 0
    while left or events:
        while left and on_the_way < workers and limiter.try_take():
            left, on_the_way, number = left - 1, on_the_way + 1, number + 1
            heapq.heappush(events, (now + chance.uniform(0.01, 0.2), number, "arrives", None))
        if not events:
            now += 0.05
            continue
        now, number_, what, answer = heapq.heappop(events)
        if what == "arrives":
            back = now + chance.uniform(0.01, 0.2)
            heapq.heappush(events, (back, number_, "returns", server.answer(now)))
            continue
        on_the_way -= 1
        assert answer is not None
        allowed, headers = answer
        if allowed:
            limiter.learn(headers)
        else:
            limiter.refused(headers)
            left += 1
    return now - 1000.0


@settings(max_examples=60, deadline=None)
@given(limit=st.integers(1, 400), others=st.integers(0, 5), workers=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
def test_never_over_what_is_granted(limit: int, others: int, workers: int, seed: int) -> None:
    server = Server(limit + others, others)
    simulate(server, 3 * limit + 1, workers, seed)
    assert server.refused == 0
    assert sum(server.granted.values()) == 3 * limit + 1


def test_all_that_is_granted_is_used() -> None:
    server = Server(1667)
    simulate(server, 1667 * 5, 60, seed=1)
    whole = list(server.granted.values())[:-1]
    assert sum(whole) >= 0.98 * 1667 * len(whole)


def test_a_clock_that_is_ahead_costs_one_refusal_a_look_and_never_more() -> None:
    server = Server(100)
    took_s = simulate(server, 1000, 20, seed=2, skew_s=0.6)
    assert server.refused <= took_s / WINDOW_S * 4
    assert sum(server.granted.values()) == 1000


def test_without_a_limit_nothing_is_held_back() -> None:
    limiter = Limiter(lambda: 0.0)
    assert limiter.try_take()
    assert not limiter.try_take()
    limiter.learn({})
    assert all(limiter.try_take() for _ in range(1000))


def test_an_error_page_without_headers_lifts_no_limit() -> None:
    now = 5.0
    limiter = Limiter(lambda: now)
    assert limiter.try_take()
    limiter.learn({"x-ratelimit-remaining": "10", "x-ratelimit-reset": "10"})
    now = 11.0
    assert limiter.try_take()
    limiter.learn({})
    assert limiter.try_take()
    assert not limiter.try_take()


def test_a_refusal_names_when_to_go_on() -> None:
    now = 5.0
    limiter = Limiter(lambda: now)
    assert limiter.try_take()
    limiter.refused({"retry-after": "30"})
    now = 34.9
    assert not limiter.try_take()
    now = 35.0
    assert limiter.try_take()


def test_an_answer_that_never_came_counts_as_used() -> None:
    limiter = Limiter(lambda: 5.0)
    assert limiter.try_take()
    limiter.learn({"x-ratelimit-remaining": "2", "x-ratelimit-reset": "10"})
    assert limiter.try_take()
    limiter.lost()
    assert limiter.try_take()
    assert not limiter.try_take()


def test_what_could_not_be_sent_is_not_counted() -> None:
    limiter = Limiter(lambda: 5.0)
    assert limiter.try_take()
    limiter.learn({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "10"})
    for _ in range(3):
        assert limiter.try_take()
        limiter.unsent()


def test_waiting_ends_when_it_is_stopped() -> None:
    limiter = Limiter(lambda: 5.0)
    assert limiter.take(lambda: False)
    limiter.learn({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "10"})
    answers = iter([False, False, True])
    assert not limiter.take(lambda: next(answers))


def test_what_is_granted_is_spread_over_the_window_and_catches_up() -> None:
    now = 1000.0
    limiter = Limiter(lambda: now)
    server = Server(1000)

    def sent_at_once() -> int:
        sent = 0
        while limiter.try_take():
            limiter.learn(server.answer(now)[1])
            sent += 1
        return sent

    first = sent_at_once()
    assert first < 20
    now = 1002.0
    assert 200 < first + sent_at_once() < 300
    now = 1006.0
    assert 400 < sent_at_once() < 600, "what was not sent in time goes now"
    now = 1009.0
    sent_at_once()
    assert server.granted == {100: 1000}
    assert server.refused == 0


def test_many_that_wait_take_turns_and_all_end_when_it_is_stopped() -> None:
    limiter = Limiter()
    stopped = threading.Event()
    assert limiter.take(stopped.is_set)
    limiter.learn({"x-ratelimit-remaining": "100", "x-ratelimit-reset": str(int(time.time()) + 3600)})
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(limiter.take, stopped.is_set) for _ in range(20)]
        taken = [one.result(timeout=60) for one in itertools.islice(as_completed(waiting, timeout=60), 10)]
        assert taken == [True] * 10
        stopped.set()
        assert [one.result(timeout=60) for one in waiting].count(True) in (10, 11)
