"""`python -m bot`, and `maint`: loads everything, then obeys the command line."""

import ctypes
import gc
import sys

_M_ARENA_MAX = -8  # malloc.h of glibc; mallopt(3)


def run() -> None:
    """Run the command line; an error of ours is told without a trace."""
    _share_memory()
    # Nothing that is loaded is garbage: looking for some took a fifth of the start, and would take long pauses later.
    gc.disable()
    import click  # noqa: PLC0415 - all imports are to happen behind the line above

    import integrations  # noqa: PLC0415
    from bot.command_line import main  # noqa: PLC0415
    from bot.errors import MaintError  # noqa: PLC0415

    integrations.load()
    gc.freeze()
    gc.enable()
    try:
        main(standalone_mode=True)
    except MaintError as error:
        click.echo(f"maint: {error}", err=True)
        sys.exit(1)


def _share_memory() -> None:
    """Let the threads share two heaps: by default each has one of its own, which keeps what it has freed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # with another C library there is none, and none of these heaps either
        mallopt(_M_ARENA_MAX, 2)


if __name__ == "__main__":
    run()
