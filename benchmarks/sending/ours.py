"""Our step over a real journal and ledger, in a process that can be killed.

`python -m benchmarks.sending.ours DATABASE WORKDIR URL` ends with a line of JSON: resident memory in megabytes before
the first request and at its highest.
"""

import json
import sys
from pathlib import Path

from bot.attempt import perform
from integrations.intercom import Message
from tests.integrations.intercom.sender import context


def resident_mb(name: str) -> float:
    """Return `VmRSS` (now) or `VmHWM` (the highest so far) of this process, in megabytes (Linux, proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status has no {name}")


def main() -> None:
    """Send, or go on sending, and say what it took."""
    database, workdir, url = sys.argv[1:]
    # Everybody there is was seen within 30 days of the moment that the stand-in started.
    step = Message(body="Scheduled maintenance at 5 pm", active_within_days=31)
    ctx = context(Path(database), Path(workdir), url)
    before_mb = resident_mb("VmRSS")
    outcome = perform(step, ctx)
    print(json.dumps({"said": outcome.summary, "before_mb": before_mb, "highest_mb": resident_mb("VmHWM")}))


if __name__ == "__main__":
    main()
