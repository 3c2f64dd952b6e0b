"""Locks that hold between processes and go away with the process that holds them, however it ends.

A lock is a byte of a file beside the data, locked by the system. Such locks belong to a process: the system does not
keep two runs of one process apart, so a table of this process does. A forked child begins with none of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class _LockFile:
    """The one descriptor of this process for a file of locks.

    Closing any descriptor of a file gives up all of a process's locks on it, so there is but one, and it stays open
    while a lock is held.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.held: set[int] = set()


_files: dict[str, _LockFile] = {}
_mutex = threading.Lock()


def take(path: Path, name: str) -> bool | None:
    """Take the lock `name` in the file; whether that was done.

    Returns:
        `True`; `False` where another process holds it; `None` where this process does.

    Raises:
        OSError: The file cannot be opened, or its file system knows no locks.
    """
    key, place = str(path), _place(name)
    with _mutex:
        file = _files.get(key)
        if file is not None and place in file.held:
            return None
        if file is None:
            file = _files[key] = _LockFile(path)
        try:
            _lock(file.descriptor, place)
        except OSError as error:
            _close_unused(key, file)
            if error.errno in _BUSY:
                return False
            raise
        file.held.add(place)
        return True


def give_back(path: Path, name: str) -> None:
    """Give a lock back that was taken; harmless where it was not."""
    key, place = str(path), _place(name)
    with _mutex:
        file = _files.get(key)
        if file is not None and place in file.held:
            file.held.discard(place)
            _unlock(file.descriptor, place)
            _close_unused(key, file)


def _close_unused(key: str, file: _LockFile) -> None:
    if not file.held:
        del _files[key]
        os.close(file.descriptor)


def _place(name: str) -> int:
    """The byte of a name. Two names share one with a chance of 1 in 2^61, and are then not held at the same time."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 3


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, place: int) -> None:
        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int, place: int) -> None:
        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, place: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)

    def _unlock(descriptor: int, place: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)

    def _forked() -> None:
        """A child holds none of its parent's locks; its copies of the descriptors are of no use."""
        global _files, _mutex
        for file in _files.values():
            with contextlib.suppress(OSError):
                os.close(file.descriptor)
        _files, _mutex = {}, threading.Lock()

    os.register_at_fork(after_in_child=_forked)
