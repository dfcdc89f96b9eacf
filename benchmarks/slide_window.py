"""A random walk over a 40,000 x 40,000 slide in the real window: work of the UI thread a step, and memory."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QPointF, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.common import data_dir, report
from benchmarks.made_slide import SIDE, write_slide
from pathview.gui.app import build_window
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.tiled import CACHE_BYTES
from pathview.settings import Settings

PAN_LIMIT_MS, BEYOND_CACHE_MB = 16.0, 300.0
SECONDS = float(os.environ.get("PATHVIEW_WALK_SECONDS", "300"))
_STEP_MS = 16


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _wait(done) -> None:
    loop = QEventLoop()
    poll = QTimer()
    poll.timeout.connect(lambda: loop.quit() if done() else None)
    poll.start(30)
    loop.exec()


class _Walk:
    """Moves as a hand does: on in one direction for a while, now and then another magnification."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.rng = np.random.default_rng(4)
        self.pans: list[float] = []
        self.zooms: list[float] = []
        self.most_mb = 0.0
        self._way = (18.0, 9.0)

    def step(self) -> None:
        if self.rng.random() < 0.02:
            self._way = tuple(self.rng.uniform(-25, 25, 2))
        zooming = self.rng.random() < 0.008
        started = time.perf_counter()
        if zooming:
            self.canvas.zoom(float(self.rng.choice([0.5, 2.0])))
            scale = self.canvas.current_view().scale
            if not 0.05 < scale < 1.5:
                self.canvas.zoom(0.3 / scale)
                self.canvas.center_on(QPointF(*(self.rng.uniform(0.2, 0.7, 2) * SIDE)))
        else:
            self.canvas.pan(*self._way)
        self.canvas.viewport().repaint()
        (self.zooms if zooming else self.pans).append(1000 * (time.perf_counter() - started))
        self.most_mb = max(self.most_mb, _resident_mb())


def run() -> bool:
    if data_dir() is None:
        return report("slide_window", True, skipped="no real tissue to make a slide from")
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as home:
        slide = write_slide(Path(home) / "slide.tif")
        window = build_window(Settings(data_dir=Path(home) / "data"))
        window.resize(1920, 1080)
        window.show()
        window.desk.start()
        _wait(lambda: not window.desk.busy)
        base = _resident_mb()
        window.desk.intake.add([slide])
        _wait(lambda: window.desk.state.picture is not None and not window.desk.busy)
        walk = _Walk(window.viewer.canvas)
        walk.canvas.zoom(0.4 / walk.canvas.current_view().scale)
        timer = QTimer()
        timer.timeout.connect(walk.step)
        timer.start(_STEP_MS)
        ends = time.monotonic() + SECONDS
        _wait(lambda: time.monotonic() > ends)
        timer.stop()
        window.close()
        application.processEvents()
    beyond = walk.most_mb - base - CACHE_BYTES / 2**20
    p95 = float(np.percentile(walk.pans, 95))
    ok = report("slide_window_pan", p95 < PAN_LIMIT_MS, p95_ms=p95, limit_ms=PAN_LIMIT_MS,
                p50_ms=float(np.median(walk.pans)), zoom_p95_ms=float(np.percentile(walk.zooms, 95)),
                steps=len(walk.pans))  # fmt: skip
    return ok & report("slide_window_memory", beyond < BEYOND_CACHE_MB, beyond_cache_mb=beyond,
                       limit_mb=BEYOND_CACHE_MB, minutes=SECONDS / 60)  # fmt: skip
