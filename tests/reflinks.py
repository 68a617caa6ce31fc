"""A place where files can share blocks, as `pg_upgrade --clone` needs it: a small XFS, if there is no other."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SIZE_BYTES = 2 * 1024**3  # sparse: only what is written takes room


def shares_blocks(folder: Path) -> bool:
    """Return whether files in `folder` can share blocks."""
    tried = folder / "shares-blocks"
    tried.write_bytes(b"x" * 8192)
    told = subprocess.run(["cp", "--reflink=always", tried, f"{tried}.too"], check=False, capture_output=True)
    for path in folder.glob("shares-blocks*"):
        path.unlink()
    return told.returncode == 0


@contextlib.contextmanager
def mounted(folder: Path, image: Path) -> Iterator[bool]:
    """Mount a new XFS, kept in the file `image`, over the empty `folder`, which keeps its owner.

    Yields False where that cannot be done: not as root, no `mkfs.xfs`, or mounting is not allowed.
    """
    owner = folder.stat()
    if (mkfs := shutil.which("mkfs.xfs", path="/usr/sbin:/sbin:/usr/bin")) is None:
        yield False
        return
    with image.open("wb") as file:
        file.truncate(_SIZE_BYTES)
    try:
        subprocess.run([mkfs, "-q", "-m", "reflink=1", image], check=True, capture_output=True)
        if subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True).returncode:
            yield False
            return
        try:
            shutil.chown(folder, owner.st_uid, owner.st_gid)
            folder.chmod(0o700)
            yield True
        finally:
            subprocess.run(["umount", folder], check=True, capture_output=True)
    finally:
        image.unlink()
