# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of a dump on disk: one run at a time, a new tree beside the old one, and one step from the one to the other.

``<path>/data`` is the dump. ``<path>/.catalog_dump`` is ours, and no consumer reads it: the lock, what is known of the dump, and the tree
that is being built. Whatever ends a run at whatever moment leaves a whole dump in place, or one that the next run puts back.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import ARCHIVE, CONTAINERS, HELM, KEEP_FILE, OPERATORS
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError

DATA = "data"
OURS = ".catalog_dump"

_AT_FDCWD = -100
# Linux: linux/fs.h
_RENAME_EXCHANGE = 2
# What renameat2 answers where the kernel or the file system cannot exchange
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
_MOST_HOLDER = 4096
_SHOWN = 5
_PAGE = re.compile(r"operator_catalog_page_[0-9]+_[0-9]+\.db")
_FOLDERS = (str(Path(CONTAINERS).parent), str(Path(HELM).parent), OPERATORS)
_FILES = frozenset({ARCHIVE, CONTAINERS, HELM})
# Room for folders, and for what else is written to the disk meanwhile
_SPARE_BYTES = 1 << 20

Exchange = Callable[[Path, Path], bool]


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one file system change places, so that nobody ever sees less than two.

    :returns: whether that is possible here; nothing was done where it is not.
    :raises OSError: when it failed.
    """
    try:
        import ctypes

        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (ImportError, OSError, AttributeError):
        # a C library without it, such as glibc before 2.28
        return False
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    if function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


class DumpFolder:
    """A folder with a dump in it, or one that is to have one.

    :ivar path: the folder as the user names it.
    :ivar data: the folder ``data`` in it; where that is a symbolic link, what it leads to.
    :ivar ours: where state and lock are.
    :param exchange: how two folders change places; it tells whether it could.
    """

    def __init__(self, path: Path, *, exchange: Exchange = exchange) -> None:
        self.path = path
        self.ours = path / OURS
        self._exchange = exchange
        self._link = path / DATA
        self.data = Path(os.path.realpath(self._link)) if self._link.is_symlink() else self._link
        # folders that change places have to be on one file system, and a link may lead to another one
        self._beside = self.data.parent / f".{self.data.name}{OURS}" if self._link.is_symlink() else self.ours
        self._next = self._beside / "next"
        self._previous = self._beside / "previous"

    @property
    def current(self) -> Path | None:
        """The dump that is there; None where there is none."""
        if os.path.lexists(self.data):
            return self.data
        # two renames, and the process was ended between them
        return self._previous if self._previous.is_dir() else None

    @property
    def leftovers(self) -> list[str]:
        """What could not be removed after the work."""
        return [str(place) for place in (self._next, self._previous) if os.path.lexists(place)]

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs away from the dump; what an ended run left is put right first.

        :raises FileError: when another run has it, or the folder cannot be written.
        """
        handle = self._open_lock()
        try:
            self._take(handle)
            self._recover()
            yield
        finally:
            # who finds nothing in the file knows that nobody has it; a killed run leaves its name, but not its lock
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
            os.close(handle)

    def check(self) -> None:
        """Look whether the dump that is there may be exchanged for another one.

        :raises FileError: when it is no folder, or has something in it that is not of a dump.
        """
        current = self.current
        if current is None:
            return
        if not current.is_dir():
            raise FileError("write a dump to", str(current), "it is no folder", "Move it away, or choose another path.")
        if os.path.ismount(current):
            raise self._mounted(current)
        try:
            strangers = sorted(_strangers(current))
        except OSError as error:
            raise FileError("read", str(error.filename or current), error.strerror or str(error)) from error
        if strangers:
            names = ", ".join(strangers[:_SHOWN]) + (f" and {len(strangers) - _SHOWN} more" if len(strangers) > _SHOWN else "")
            raise FileError(
                "exchange the dump",
                str(current),
                f"there is something in it that is not of a dump: {names}",
                "Move that away, or choose another path.",
            )

    @contextlib.contextmanager
    def staging(self, size: int) -> Iterator[Path]:
        """An empty folder to build a tree in, on the file system of the dump; it is removed with what is in it then.

        :param size: bytes that there has to be room for.
        :raises FileError: when there is not, or it cannot be made.
        """
        try:
            self._beside.mkdir(parents=True, exist_ok=True)
            self._next.mkdir(mode=0o700)
            found = os.statvfs(self._next)
        except OSError as error:
            raise FileError("write to", str(self._beside), error.strerror or str(error)) from error
        try:
            free = found.f_bavail * found.f_frsize
            if free < size + _SPARE_BYTES:
                raise FileError(
                    "write the dump to",
                    str(self.path),
                    f"it takes {(size + _SPARE_BYTES) >> 20} MiB beside the old one, and {free >> 20} MiB are free",
                    "Free some space, or choose another path.",
                )
            yield self._next
        finally:
            shutil.rmtree(self._next, ignore_errors=True)
            shutil.rmtree(self._previous, ignore_errors=True)
            if self._beside != self.ours:
                with contextlib.suppress(OSError):
                    self._beside.rmdir()

    def swap(self, tree: Path) -> None:
        """Put a tree of the staging folder in the place of the dump; the old one is in staging then.

        Owner and permissions are those of the old dump, as far as this user may give them.

        :raises FileError: when it cannot be; the old dump is in its place then.
        """
        old = self.current
        try:
            if old is None:
                self.data.parent.mkdir(parents=True, exist_ok=True)
                os.rename(tree, self.data)
            else:
                _take_over(old, tree)
                if not self._exchange(tree, self.data):
                    self._rename_both(tree)
            for folder in (self.data.parent, tree.parent):
                _flush(folder)
        except OSError as error:
            raise self._failed(error) from error

    def _rename_both(self, tree: Path) -> None:
        os.rename(self.data, self._previous)
        done = False
        try:
            os.rename(tree, self.data)
            done = True
        finally:
            if not done:
                os.rename(self._previous, self.data)

    def _failed(self, error: OSError) -> FileError:
        if error.errno == errno.EBUSY:
            return self._mounted(self.data)
        hint = ""
        if error.errno == errno.EXDEV:
            hint = "It is on another file system, or in a layer of a container image: copy it into a folder that is mounted from outside."
        elif error.errno in (errno.EACCES, errno.EPERM):
            hint = "Run the task as the owner of the dump, or give its folder to the user who runs the task."
        return FileError("exchange the dump", str(self.data), error.strerror or str(error), hint)

    def _mounted(self, place: Path) -> FileError:
        return FileError(
            "exchange the dump",
            str(place),
            "it is a mount point, which cannot be exchanged for another folder",
            f"Mount the folder above it, {place.parent}.",
        )

    def _open_lock(self) -> int:
        try:
            self.ours.mkdir(parents=True, exist_ok=True)
            return os.open(self.ours / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise FileError("write to", str(self.ours), error.strerror or str(error)) from error

    def _take(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(
                "write the dump to",
                str(self.path),
                f"another run is writing it{_holder(handle)}",
                "Wait for the end of that run, and run the task again.",
                transient=True,
            ) from None
        except OSError as error:
            hint = "The file system has to know locks (flock)."
            raise FileError("lock", str(self.ours / "lock"), error.strerror or str(error), hint) from error
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now})
        with contextlib.suppress(OSError):
            # it is for the eyes of others; a full disk shows where something is to be written that matters
            os.ftruncate(handle, 0)
            os.pwrite(handle, content.encode(), 0)

    def _recover(self) -> None:
        """Put right what a run left that was ended in the middle."""
        try:
            if not os.path.lexists(self.data) and self._previous.is_dir():
                os.rename(self._previous, self.data)
            for place in (self._next, self._previous):
                if os.path.lexists(place):
                    shutil.rmtree(place)
            for place in self.ours.glob(".*"):
                # a file that was about to be renamed to its name
                place.unlink()
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename})"
            raise FileError("remove what an earlier run left in", str(self._beside), reason, "Remove it by hand.") from error


def reuse(old: Path, new: Path) -> None:
    """Let the files of a new tree be those of the old one wherever they have the same content, so that these keep their time stamps.

    :raises FileError: when the new tree cannot be written.
    """
    try:
        _reuse(old, new)
    except OSError as error:
        raise FileError("write", str(error.filename or new), error.strerror or str(error)) from error


def _reuse(old: Path, new: Path) -> None:
    for place in sorted(new.rglob("*")):
        twin = old / place.relative_to(new)
        if not twin.is_symlink() and twin.is_file() and place.is_file() and _same(twin, place):
            _become(place, twin)
    for folder in (new, *(path for path in new.iterdir() if path.is_dir())):
        _flush(folder)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _become(place: Path, twin: Path) -> None:
    """Replace a file by another name of its twin; where that cannot be, give it the twin's times."""
    name = place.with_name(place.name + ".link")
    try:
        os.link(twin, name)
        os.replace(name, place)
    except OSError:
        # no such links on this file system, or not for files of others
        with contextlib.suppress(OSError):
            name.unlink()
        with contextlib.suppress(OSError):
            found = twin.stat()
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _take_over(old: Path, new: Path) -> None:
    """Give a tree the owner and the permissions of another one."""
    folder = old.stat()
    files = [path.stat() for path in (old / CONTAINERS, old / HELM, old / ARCHIVE) if path.is_file()]
    file_mode = stat.S_IMODE(files[0].st_mode) if files else 0o644
    for path in (new, *new.rglob("*")):
        found = path.stat()
        is_folder = stat.S_ISDIR(found.st_mode)
        if is_folder or found.st_nlink == 1:
            with contextlib.suppress(PermissionError):
                if (found.st_uid, found.st_gid) != (folder.st_uid, folder.st_gid):
                    os.chown(path, folder.st_uid, folder.st_gid)
            mode = stat.S_IMODE(folder.st_mode) if is_folder else file_mode
            if stat.S_IMODE(found.st_mode) != mode:
                os.chmod(path, mode)


def _strangers(data: Path) -> Iterator[str]:
    """What is in the folder of a dump and does not belong there; links could lead to what is nobody's business."""
    for below in ("", *_FOLDERS):
        folder = data / below
        if folder.is_symlink() or not folder.is_dir():
            # told when its parent was looked through, or not there
            continue
        with os.scandir(folder) as found:
            for entry in found:
                name = f"{below}/{entry.name}" if below else entry.name
                if name in _FOLDERS:
                    known = entry.is_dir(follow_symlinks=False)
                    if not known:
                        yield name
                        continue
                else:
                    page = below == OPERATORS and _PAGE.fullmatch(entry.name)
                    known = (name in _FILES or bool(page) or entry.name == KEEP_FILE) and entry.is_file(follow_symlinks=False)
                if not known:
                    yield name


def _holder(handle: int) -> str:
    """Who has the lock, as far as the file tells."""
    try:
        said: Any = json.loads(os.pread(handle, _MOST_HOLDER, 0))
        return f", process {int(said['pid'])} on {str(said['host'])[:100]} since {str(said['since'])[:40]}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
