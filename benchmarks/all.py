"""Every benchmark in its quick form, and one table of what came of them.

`script/bench all [--full] [--write]` runs each in a process of its own and ends with the figures of the bot itself.
With `--write` the table goes into docs/reference/benchmarks.md. A benchmark that fails is named in the table, and the
exit status is 1.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bot import GOALS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"
BEGIN, END = "<!-- the last run -->", "<!-- end of the last run -->"
QUICK: dict[str, tuple[str, ...]] = {
    "vacuum": ("--quick",),
    "send": ("--contacts", "5000", "--peer-contacts", "200", "--kills", "2", "--limit", "1667", "--window-s", "2"),
    "forecast": ("--years", "1"),
    "crash": ("--runs", "3"),
    "bot": ("--quick",),
}
"""The benchmarks in the order of the table; one whose file is not there is left out."""
_FIGURE = re.compile(r"^([a-z][a-z0-9-]+) (-?[\d.]+) (-?[\d.]+)$")


@dataclass(frozen=True)
class Figure:
    """One figure of a benchmark, as it was printed; a failed benchmark has one without a value."""

    benchmark: str
    name: str
    value: str
    goal: str

    def row(self) -> str:
        """Return it as a row of the table."""
        return f"| {self.benchmark} | {self.name} | {self.value} | {self.goal} |"


def figures_of(benchmark: str, output: str) -> list[Figure]:
    """Return the figures that a benchmark has printed: the lines `name value goal`."""
    found = filter(None, map(_FIGURE.match, output.splitlines()))
    return [Figure(benchmark, *match.groups()) for match in found]


def ran(benchmark: str, options: Sequence[str]) -> list[Figure]:
    """Run a benchmark, show what it prints, and return its figures."""
    print(f"\n=== {benchmark} {' '.join(options)}".rstrip(), flush=True)
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", *options]
    lines, began = [], time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    print(f"{benchmark} took {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    if process.returncode != 0:
        return [Figure(benchmark, f"failed with status {process.returncode}", "", "")]
    return figures_of(benchmark, "".join(lines)) or [Figure(benchmark, "printed no figure", "", "")]


def table(figures: Sequence[Figure], circumstances: str) -> str:
    """Return the table as Markdown, with what it was measured on."""
    head = "| benchmark | figure | value | goal |\n| --- | --- | --- | --- |"
    return "\n".join([circumstances, "", head, *(figure.row() for figure in figures)])


def written(page: str, made: str) -> str:
    """Return the page with the table in the place of the one before. Raises `ValueError` if it has no such place."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def main() -> None:
    """Run all of them."""
    parser = argparse.ArgumentParser(prog="script/bench all", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="run each in its full form; this takes an hour or more")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reference/benchmarks.md")
    parser.add_argument("--only", nargs="+", choices=QUICK, default=list(QUICK), help="run these alone")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    there = [name for name in options.only if (Path(__file__).parent / f"{name}.py").exists()]
    figures = [figure for name in there for figure in ran(name, () if options.full else QUICK[name])]
    form = "full" if options.full else "quick"
    circumstances = (
        f"{os.cpu_count()} cores, the {form} form of each, {time.strftime('%Y-%m-%d', time.gmtime())}; "
        f"load {load:.1f} before and {os.getloadavg()[0]:.1f} after."
    )
    made = table(figures, circumstances)
    print(f"\n{made}\n", flush=True)
    if options.write:
        PAGE.write_text(written(PAGE.read_text(), made))
    for name in GOALS:
        for figure in figures:
            if figure.name == name:
                print(figure.name, figure.value, figure.goal)
    sys.exit(any(not figure.value for figure in figures))


if __name__ == "__main__":
    main()
