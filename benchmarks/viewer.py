"""A 4000 x 6000 image of 16 bit in a 1920 x 1080 viewport: window drag, threshold slider, pan and zoom."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication

from benchmarks.common import milliseconds, report
from pathview.geometry import GridPlace, Region
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.picture import Overlay, Tone
from pathview.images.intensity import Window
from pathview.images.pyramid import Patch, PictureData
from pathview.images.raster import flat_image
from pathview.results.result import ScoreMap

WIDTH, HEIGHT = 1920, 1080
LIMIT_MS = 16.0


def picture() -> tuple[PictureData, ScoreMap, ScoreMap]:
    """The image, a probability map with a few dozen places, and a heat map."""
    rng = np.random.default_rng(0)
    codes = cv2.resize(rng.integers(0, 60000, (600, 400)).astype(np.uint16), (4000, 6000))
    image = flat_image(Path("benchmark"), "benchmark", codes)
    levels = [Patch(Region.whole(image.info.size), codes)]
    while max(levels[-1].pixels.shape) > 512:
        half = cv2.resize(levels[-1].pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        levels.append(Patch(levels[0].region, half))
    values = cv2.GaussianBlur(rng.random((448, 299)).astype(np.float32), (0, 0), 9)
    values = (values - values.min()) / (values.max() - values.min())
    place = GridPlace(0, 0, 4000 / 299, 6000 / 448)
    data = PictureData(image.info, image.scale, 0, tuple(levels), False)
    return data, ScoreMap(values, place), ScoreMap(values**2, place)


def painter_of(canvas: Canvas, target: QImage):
    """A function that paints the canvas' scene as the window system would."""

    def paint() -> None:
        painter = QPainter(target)
        canvas.render(painter)
        painter.end()

    return paint


def run() -> bool:
    application = QApplication.instance() or QApplication([])
    data, probability, heat = picture()
    canvas = Canvas()
    canvas.resize(WIDTH, HEIGHT)
    canvas.show()
    canvas.set_picture(data)
    application.processEvents()
    target = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    paint = painter_of(canvas, target)

    def drag(number: int) -> None:
        canvas.tone = Tone(Window(30000 + 20 * number, 40000, "LINEAR_EXACT"))
        paint()

    def slide(number: int) -> None:
        canvas.overlay = Overlay(probability, 0.4 + 0.001 * number, fill=True, heat=heat)
        paint()

    def pan(number: int) -> None:
        canvas.box.setRange(QRectF(5 * number, 9 * number, 2000, 1125), padding=0)
        paint()

    canvas.overlay = Overlay(probability, 0.5)
    figures = {"window_drag": milliseconds(drag)}
    figures["threshold_slider_heat_and_fill"] = milliseconds(slide)
    canvas.overlay = Overlay(probability, 0.5)
    figures["pan"] = milliseconds(pan)

    peer = pg.GraphicsView()
    box = pg.ViewBox(lockAspect=True, invertY=True)
    peer.setCentralItem(box)
    item = pg.ImageItem(data.levels[0].pixels, axisOrder="row-major")
    box.addItem(item)
    peer.resize(WIDTH, HEIGHT)
    peer.show()
    application.processEvents()
    paint_peer = painter_of(peer, target)

    def peer_drag(number: int) -> None:
        item.setLevels((10000 + 20 * number, 50000))
        paint_peer()

    peer_ms = milliseconds(peer_drag, runs=25, warm_up=2)
    ok = True
    for name, times in figures.items():
        p95 = float(np.percentile(times, 95))
        ok &= report(f"viewer_{name}", p95 < LIMIT_MS, p50_ms=float(np.median(times)), p95_ms=p95, limit_ms=LIMIT_MS)
    ratio = float(np.median(peer_ms) / np.median(figures["window_drag"]))
    ok &= report("viewer_against_imageitem_setlevels", ratio >= 3.0, times_faster=ratio, limit=3.0,
                 peer_p50_ms=float(np.median(peer_ms)))  # fmt: skip
    canvas.close()
    peer.close()
    return ok
