"""The bot's own log while its disk is full: nothing raises, and the gap is told."""

import io

import structlog

from bot.own_log import Unfailing


class Disk(io.StringIO):
    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_costs_lines_and_not_the_thread_that_wrote_them() -> None:
    disk = Disk()
    log = structlog.wrap_logger(
        structlog.WriteLogger(Unfailing(disk)), processors=[structlog.processors.LogfmtRenderer()]
    )
    log.info("one")
    disk.full = True
    log.info("two")
    log.info("three")
    disk.full = False
    log.info("four")
    lines = disk.getvalue().splitlines()
    assert lines == ["event=one", "level=warning event=log_lines_dropped count=2", "event=four"]


def test_a_stream_that_was_closed_is_no_error_either() -> None:
    stream = io.StringIO()
    stream.close()
    assert Unfailing(stream).write("said to nobody\n") == 15
