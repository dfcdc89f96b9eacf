"""Features that were computed once, on disk: a head or an SVM then trains in seconds.

One SQLite file, bounded: what was not used longest goes first. It holds numbers of images by their hash, nothing
else, and losing it costs time only.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pathview.errors import OutputError

Floats = npt.NDArray[np.float32]
MAX_BYTES = 2**31
_MARKED_EVERY_S = 3600.0
"""How exact the time of the last use is: reading again soon after writes nothing."""
_log = logging.getLogger(__name__)
_TABLE = """
CREATE TABLE IF NOT EXISTS features (
    kind TEXT NOT NULL, image TEXT NOT NULL, vector BLOB NOT NULL, used REAL NOT NULL, PRIMARY KEY (kind, image)
) WITHOUT ROWID
"""


class FeatureCache:
    """Vectors by kind (network, weights, layer, pooling) and image hash."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        """Open or make the file.

        Raises:
            OutputError: it cannot be made.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._unchecked = max_bytes  # bytes since it was last seen to be small enough
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as connection:
                connection.execute(_TABLE)
        except sqlite3.DatabaseError:
            self._begin_anew()
        except OSError as error:
            raise OutputError(f"The feature cache cannot be kept in {path.parent}: {error.strerror}.") from error

    def get(self, kind: str, images: Iterable[str]) -> dict[str, Floats]:
        """The vectors that are here, by image."""
        found, marks = {}, []
        now = time.time()
        with self._open() as connection:
            for image in images:
                row = connection.execute(
                    "SELECT vector, used FROM features WHERE kind = ? AND image = ?", (kind, image)
                ).fetchone()
                if row is not None:
                    found[image] = np.frombuffer(row[0], np.float32)
                    if now - row[1] > _MARKED_EVERY_S:
                        marks.append((now, kind, image))
            connection.executemany("UPDATE features SET used = ? WHERE kind = ? AND image = ?", marks)
        return found

    def put(self, kind: str, vectors: Mapping[str, Floats]) -> None:
        """Keep vectors, and let the oldest go where there are too many; on a full disk they are not kept."""
        try:
            self._put(kind, vectors)
        except sqlite3.OperationalError as error:
            _log.warning("features are not kept: %s", error)

    def _put(self, kind: str, vectors: Mapping[str, Floats]) -> None:
        now = time.time()
        rows = [(kind, image, np.asarray(v, np.float32).tobytes(), now) for image, v in vectors.items()]
        with self._open() as connection:
            connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)
            self._unchecked += sum(len(row[2]) for row in rows)
            if self._unchecked > self._max_bytes // 20:  # adding up takes as long as there are rows
                self._prune(connection)
                self._unchecked = 0

    def _prune(self, connection: sqlite3.Connection) -> None:
        (total,) = connection.execute("SELECT COALESCE(SUM(LENGTH(vector)), 0) FROM features").fetchone()
        if total <= self._max_bytes:
            return
        oldest = connection.execute("SELECT kind, image, LENGTH(vector) FROM features ORDER BY used").fetchall()
        for kind, image, size in oldest:
            if total <= self._max_bytes * 0.9:
                break
            connection.execute("DELETE FROM features WHERE kind = ? AND image = ?", (kind, image))
            total -= size

    def _begin_anew(self) -> None:
        """A damaged cache is only a cache."""
        self._path.unlink(missing_ok=True)
        with self._open() as connection:
            connection.execute(_TABLE)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            yield connection
