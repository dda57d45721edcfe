# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lay_out.py CHECKOUT COPY: makes COPY hold the files of CHECKOUT that git tracks or would track, and no others.

Ansible finds a collection only at a physical path that ends in ansible_collections/NAMESPACE/NAME, which a clone
rarely has. Only files that differ are written, so that running this before every job costs nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Written into the copy by the tools that run there.
FOREIGN = ("__pycache__", ".ansible", ".pytest_cache", "tests/output")


def wanted(checkout: Path) -> set[str]:
    """The paths of all files that belong to the project, relative to its root."""
    command = ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    # A file that was deleted but not committed is still listed.
    return {path for path in map(os.fsdecode, listed.split(b"\0")) if path and os.path.lexists(checkout / path)}


def differs(source: Path, target: Path) -> bool:
    """Whether TARGET has to be written again. The copy carries the time of its source, so time and size tell."""
    if source.is_symlink() or target.is_symlink():
        return not target.is_symlink() or not source.is_symlink() or os.readlink(source) != os.readlink(target)
    if not target.is_file():
        return True
    ours, theirs = source.stat(), target.stat()
    return (ours.st_mtime_ns, ours.st_size, ours.st_mode) != (theirs.st_mtime_ns, theirs.st_size, theirs.st_mode)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(copy: Path, keep: set[str]) -> None:
    """Deletes what is not in KEEP, and the folders that hold nothing of it."""
    folders = {str(parent) for path in keep for parent in Path(path).parents}
    for here, names, files in os.walk(copy):
        below = Path(here).relative_to(copy)
        for name in list(names):
            path = (below / name).as_posix()
            if name in FOREIGN or path in FOREIGN:
                names.remove(name)
            elif path not in folders and path not in keep:
                names.remove(name)
                remove(copy / path)
        for name in files:
            if (below / name).as_posix() not in keep:
                remove(copy / below / name)


def lay_out(checkout: Path, copy: Path) -> None:
    files = wanted(checkout)
    sweep(copy, files)
    for path in files:
        source, target = checkout / path, copy / path
        try:
            if differs(source, target):
                remove(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        except FileNotFoundError:  # deleted since git listed it
            remove(target)


def main() -> None:
    checkout, copy = (Path(argument).resolve() for argument in sys.argv[1:])
    copy.mkdir(parents=True, exist_ok=True)
    with open(copy.parent / f".{copy.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lay_out(checkout, copy)


if __name__ == "__main__":
    main()
