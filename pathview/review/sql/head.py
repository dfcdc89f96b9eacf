"""The head of the audit trail in a small file beside the store: by it, rows cut off the trail's end are missed.

It is written and synced after each commit, so the store may be ahead of it by what was committed last, never behind.
Two places in the file take turns: a write that was interrupted leaves the head before.
"""

from __future__ import annotations

import os
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

_SLOT_BYTES = 512
"""A sector, which a disk writes whole."""


@dataclass(frozen=True, order=True)
class Head:
    """The last row of the trail."""

    number: int
    hash: str


class HeadFile:
    """The file ``NAME.head`` of one store."""

    def __init__(self, path: Path) -> None:
        """Remember where; nothing is read or made."""
        self.path = path
        self._writing = threading.Lock()
        self._last = -1

    def read(self) -> Head | None:
        """The newer of the two that can be read; None: there is no file, or neither can."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        return max(filter(None, (_parsed(content[at : at + _SLOT_BYTES]) for at in (0, _SLOT_BYTES))), default=None)

    def write(self, head: Head) -> None:
        """Keep a head, unless another thread kept a later one; on the disk when this returns.

        Raises:
            OSError: it cannot be written.
        """
        with self._writing:
            if head.number <= self._last:
                return
            is_new = not self.path.exists()
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
                file.seek(head.number % 2 * _SLOT_BYTES)
                file.write(_line(head))
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self.path.parent)
            self._last = head.number

    def replace(self, head: Head | None) -> None:
        """Begin again from a head, after a backup was restored.

        Raises:
            OSError: it cannot be written.
        """
        self.path.unlink(missing_ok=True)
        self._last = -1
        if head is not None:
            self.write(head)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk too; Windows does so by itself."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _line(head: Head) -> bytes:
    content = f"{head.number} {head.hash}"
    return f"{content} {zlib.crc32(content.encode()):08x}\n".encode().ljust(_SLOT_BYTES)


def _parsed(slot: bytes) -> Head | None:
    parts = slot.split()
    if len(parts) != 3 or f"{zlib.crc32(b' '.join(parts[:2])):08x}".encode() != parts[2]:
        return None
    return Head(int(parts[0]), parts[1].decode())
