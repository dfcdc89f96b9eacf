"""A list of records that only grows: lines of JSON, each with the hash of the one before; no change goes unseen.

A line that a crash cut off was never told to anybody and is not there. As with the audit trail, none of this is secret:
whoever can write the file and remakes every hash is not found out.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock
from pydantic import BaseModel, ValidationError

from pathview.errors import ModelError, OutputError

BEGINNING = "0" * 64
Record = TypeVar("Record", bound=BaseModel)


class Journal(Generic[Record]):
    """One file of records of one kind."""

    def __init__(self, path: Path, kind: type[Record]) -> None:
        """Remember where; nothing is read or made."""
        self.path = path
        self._kind = kind

    def records(self) -> tuple[Record, ...]:
        """All records, the oldest first; none where there is no file.

        Raises:
            ModelError: unreadable, or not as it was written.
        """
        return tuple(self._read()[0])

    def append(self, make: Callable[[tuple[Record, ...]], Record]) -> Record:
        """Add the record that ``make`` makes of those that are there; nobody else adds one meanwhile.

        Raises:
            ModelError: what is there is not as it was written.
            OutputError: the file cannot be written.
        """
        with self.locked():
            known, last, whole = self._read()
            record = make(tuple(known))
            content = record.model_dump(mode="json")
            line = {"record": content, "previous": last, "hash": _hash(content, last)}
            self._write(json.dumps(line, sort_keys=True), whole)
            return record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from adding; may be entered again by the one that holds it.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"), is_singleton=True)
            with lock:
                yield
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _read(self) -> tuple[list[Record], str, int]:
        """Records, the last hash, and how many bytes of the file are whole lines."""
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise ModelError(f"{self._name} cannot be read.") from error
        whole = data.rfind(b"\n") + 1
        records, last = [], BEGINNING
        for number, row in enumerate(data[:whole].splitlines(), start=1):
            try:
                line = json.loads(row)
                intact = line["previous"] == last and line["hash"] == _hash(line["record"], last)
                if not intact:
                    raise ValueError
                records.append(self._kind.model_validate(line["record"]))
            except (ValueError, KeyError, TypeError, ValidationError) as error:
                raise ModelError(f"{self._name} is damaged or was changed at line {number}.") from error
            last = line["hash"]
        return records, last, whole

    def _write(self, line: str, whole: int) -> None:
        try:
            with self.path.open("ab") as file:
                file.truncate(whole)
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @property
    def _name(self) -> str:
        return f"{self.path.name} of {self.path.parent.name}"


def _hash(content: Any, previous: str) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}{text}".encode()).hexdigest()


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path.name} cannot be written to {path.parent.name}: {error.strerror or 'input/output error'}."
    )
