"""Python's collector of cyclic garbage, held to the window's thread.

By itself it runs in whichever thread happens to allocate. Where a worker's thread frees Qt objects, Qt holds a lock and
waits for Python's, while the window's thread holds Python's and waits for Qt's: both wait for ever.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

_EVERY_MS = 500


class Garbage(QObject):
    """Collects while the window rests, as often as Python would."""

    def __init__(self, parent: QObject) -> None:
        """From now on no thread collects by itself; what the start has made is left out, since it stays."""
        super().__init__(parent)
        gc.disable()
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(_EVERY_MS)

    @Slot()
    def _collect(self) -> None:
        collect_due()

    def close(self) -> None:
        """Every thread may collect again."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()


def collect_due() -> int | None:
    """Collect the oldest generation that is due by Python's own thresholds; which one, or None."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return generation
    return None
