"""Run as a program: forks a child for each line it reads, which opens the store and decides until it is killed.

The imports are done once, so that hundreds of kills take seconds. Each decision's id is printed after its commit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pathview.review.reading.readers  # noqa: F401 (nothing is left to import in a child)
from pathview.review.sql.database import Database
from pathview.review.store import Store


def main(path: Path, cases: int) -> None:
    """Serve lines until there are no more."""
    for turn, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            _decide(path, cases, turn)
        os.write(1, b"child %d\n" % child)
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


def _decide(path: Path, cases: int, turn: int) -> None:
    store, number = Store(Database(path)), 0
    while True:
        number += 1
        row = store.decide((turn + number) % cases + 1, "positive", f"note {turn}.{number}", "Dr A")
        os.write(1, b"%d\n" % row.id)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
