"""Judges what pip-audit has reported: `python3 script/audited.py REPORT.json OUTPUT`. The standard library only.

Of a package that the database does not know pip-audit itself says only that it was skipped, and ends well: behind a
mirror that answers for packages alone, nothing at all would be audited and all look green.
"""

import json
import sys
from pathlib import Path

_SHOWN = 5


def main(report: Path, output: Path) -> int:
    """Print what was found, and return the exit status: 0 well, 1 something found, 2 not everything was asked about."""
    try:
        packages = json.loads(report.read_text())["dependencies"]
    except (OSError, ValueError, KeyError):
        said = output.read_text(errors="replace").strip().splitlines()
        print(f"The database of vulnerabilities could not be asked: {said[-1] if said else 'pip-audit said nothing'}")
        print("Nothing was audited. Run it where the network is, or name another database.")
        return 2
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [package for package in packages if package.get("vulns")]
    for package in found:
        for fault in package["vulns"]:
            mended = ", ".join(fault["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {fault['id']}, mended in {mended}")
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages audited, {len(found)} with known faults.")
    if skipped:
        more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        print(f"The database does not answer for {', '.join(skipped[:_SHOWN])}{more}: that is no green.")
    return 1 if found else 2 if skipped or not packages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
