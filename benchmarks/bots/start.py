"""How soon a new process listens, and how soon it has acknowledged the first command; and its memory at rest."""

import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from benchmarks.bots.place import bot, cpu_ms, free_port, median, rss_mb, served, slack

_REST_S = 3.0


def start(folder: Path, options: Namespace) -> dict[str, float]:
    """Return the time from the start of the process to `maint_is_up`, the median of all runs."""
    up, used, first, rest, peer, nothing = [], [], [], [], [], []
    for run in range(options.runs):
        with slack() as where:
            with bot(folder / f"start-{run}", where) as made:
                at = time.perf_counter()
                made.process.start()
                made.is_up()
                up.append((time.perf_counter() - at) * 1000)
                used.append(cpu_ms(made.process.pid))
                made.is_reached()
                assert where.person("ana").says("/maint help")["error"] == ""
                first.append((time.perf_counter() - at) * 1000)
                time.sleep(_REST_S)
                rest.append(rss_mb(made.process.pid))
            at = time.perf_counter()
            with served("benchmarks.bots.bare", "socket", where.url, str(free_port())):
                peer.append((time.perf_counter() - at) * 1000)
        at = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import dbos"], check=True)
        nothing.append((time.perf_counter() - at) * 1000)
    print(
        f"up after {median(up):.0f} ms ({median(used):.0f} ms of a processor), first command acknowledged after "
        f"{median(first):.0f} ms; a bare Bolt app is up after {median(peer):.0f} ms, and `import dbos` alone takes "
        f"{median(nothing):.0f} ms"
    )
    print(f"resident memory at rest {median(rest):.0f} MB")
    return {"start-ms": median(up), "rss-mb": median(rest)}
