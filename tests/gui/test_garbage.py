"""Garbage is collected in the window's thread alone."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject

from pathview.gui.garbage import Garbage


class Knot:
    """Held by itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.knot = self


@pytest.fixture
def garbage(qtbot) -> Iterator[Garbage]:
    parent = QObject()
    made = Garbage(parent)
    yield made
    made.close()
    gc.disable()


def test_that_other_threads_never_collect_and_the_windows_does(qtbot, garbage: Garbage) -> None:
    knot = Knot()
    left = weakref.ref(knot)
    del knot
    alive_there: list[bool] = []
    kept: list[list[int]] = []

    def allocate() -> None:
        kept.extend([] for _ in range(5 * gc.get_threshold()[0]))
        alive_there.append(left() is not None)

    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert alive_there == [True]
    assert gc.get_count()[0] > gc.get_threshold()[0]

    qtbot.waitUntil(lambda: left() is None, timeout=10_000)


def test_that_threads_collect_again_after_the_window(qtbot) -> None:
    parent = QObject()
    made = Garbage(parent)
    assert not gc.isenabled()
    made.close()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.disable()
