"""The threads of a process: one that breaks ends it, one that ended early is named."""

import threading

from bot.threads import Threads


def test_a_thread_that_breaks_ends_the_process() -> None:
    stopping = threading.Event()
    threads = Threads(stopping)
    threads.start("engine", stopping.wait, needed=True)
    threads.start("feed", lambda: 1 / 0).join(60)
    assert stopping.is_set()
    assert threads.broke


def test_a_needed_thread_that_has_ended_is_named_until_the_process_stops() -> None:
    stopping = threading.Event()
    threads = Threads(stopping)
    threads.start("channel", stopping.wait, needed=True)
    threads.start("engine", lambda: None, needed=True).join(60)
    threads.start("socket", lambda: None).join(60)
    assert threads.fallen() == "engine has ended"
    stopping.set()
    assert threads.fallen() == ""
    assert not threads.broke
