"""Four linked views of 20 million pixels in the real window with its children: drags, first view, next study, memory.

Every time ends with the paint of a canvas: a view counts as painted when its pixels, and what stands over them, have
been drawn. The files lie in the disk's cache, as they do for the decoder that they are held against.
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QPointF, QSize, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication

from benchmarks.common import milliseconds, report
from benchmarks.made_studies import VIEW_BYTES, decode, make_planes, make_studies
from pathview.compute.worker import Worker
from pathview.gui.app import build_window
from pathview.gui.viewer.canvas import Canvas
from pathview.images.pyramid import PictureData
from pathview.settings import Settings

SCREEN = QSize(1920, 1080)
"""Of the light box alone: the four views fill a whole monitor."""
DRAG_MS, FIRST_VIEW, NEXT_S, MEMORY, FILM = 33.0, 1.2, 0.2, 2.5, 12.0
TURNS = 15
_PATIENCE_S = 120.0


class Watched:
    """A window whose canvases tell when they were painted."""

    def __init__(self, settings: Settings) -> None:
        self.painted: dict[int, tuple[PictureData, float]] = {}
        """The pictures that were painted since this was cleared, and when first."""
        self.paints = 0
        self._draw = Canvas.drawForeground
        Canvas.drawForeground = self._watching()
        self.window = build_window(settings)
        self.window.show()
        self.desk, self.room = self.window.desk, self.window.desk.room
        self.desk.start()
        self.until(lambda: self.desk.case_id is not None)
        self.idle()
        for _ in range(2):  # the second time with the scroll bars that the first brought
            self.window.resize(self.window.size() + SCREEN - self.window.viewer.box.size())
            self.idle()

    def _watching(self) -> Callable[[Canvas, QPainter, object], None]:
        """The last step of a canvas' paint, and the time after it."""

        def draw(canvas: Canvas, painter: QPainter, rect: object) -> None:
            self._draw(canvas, painter, rect)
            self.paints += 1
            if canvas.data is not None:
                self.painted.setdefault(id(canvas.data), (canvas.data, time.perf_counter()))

        return draw

    def close(self) -> None:
        self.window.close()
        QApplication.processEvents()
        Canvas.drawForeground = self._draw

    def until(self, ready: Callable[[], bool]) -> None:
        """Run the window until something is true; it is looked at after every event."""
        wake = QTimer()
        wake.start(20)
        end = time.perf_counter() + _PATIENCE_S
        while not ready():
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() > end:
                raise TimeoutError("the window never came so far")

    def idle(self) -> None:
        """Run until nothing is left to do, and what was done has been painted."""
        for _ in range(3):
            self.until(lambda: not self.desk.busy)
            QApplication.processEvents()

    @property
    def canvases(self) -> list[Canvas]:
        return [tile.canvas for tile in self.window.viewer.box.tiles]

    def open(self, case_id: int) -> list[float]:
        """Choose a case of the worklist; seconds until each of its views was painted, the active one first."""
        self.painted.clear()
        started = time.perf_counter()
        self.window.worklist.choose(case_id)
        self.until(lambda: not self.desk.opening and all(self._time(image.id) for image in self.room.state.hung))
        state = self.room.state
        order = sorted(state.hung, key=lambda image: image.id != state.active)
        return [self._time(image.id) - started for image in order]

    def _time(self, image_id: int) -> float:
        """When an image was first painted as finely as its view shows it; 0 before its whole picture was."""
        whole = self.room.state.view_of(image_id).picture
        if whole is None or whole.levels[0].downsample > 1 or id(whole) not in self.painted:
            return 0.0
        return min(when for data, when in self.painted.values() if data.info.path == whole.info.path)

    def forget(self) -> None:
        """Let all pictures go that are kept for another case."""
        kept = self.desk._cache
        kept._pictures.clear()
        kept._bytes = 0
        gc.collect()

    def reading_pid(self) -> int:
        pid = self.desk._handle.get().opener.pid
        assert pid is not None
        return int(pid)

    def drag(self, button: Qt.MouseButton, by: QPointF) -> Callable[[int], None]:
        """A step: the mouse moves over the active canvas with a button held, until all views were painted."""
        canvas = self.window.viewer.canvas
        middle = QPointF(canvas.viewport().rect().center())
        _mouse(canvas, QEvent.Type.MouseButtonPress, button, middle)

        def step(number: int) -> None:
            self.paints = 0
            _mouse(canvas, QEvent.Type.MouseMove, button, middle + by * (1 + number % 40))
            while self.paints < len(self.canvases):
                QApplication.processEvents()

        return step


def _mouse(canvas: Canvas, kind: QEvent.Type, button: Qt.MouseButton, at: QPointF) -> None:
    changed = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else button
    place = QPointF(canvas.viewport().mapToGlobal(at))
    QApplication.sendEvent(
        canvas.viewport(), QMouseEvent(kind, at, place, changed, button, Qt.KeyboardModifier.NoModifier)
    )


@dataclass
class Memory:
    """What processes hold, in bytes: their proportional share of pages, so that shared memory counts once."""

    pids: tuple[int, ...]
    samples: list[int] = field(default_factory=list)

    def now(self) -> int:
        return sum(_proportional(pid) for pid in self.pids)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Samples are taken meanwhile."""
        self.samples = [self.now()]
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(0.01):
                self.samples.append(self.now())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _proportional(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def run() -> bool:
    application = QApplication.instance() or QApplication([])
    files = Worker("files")
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        os.environ["PATHVIEW_HOME"] = temporary
        settings = Settings()
        cases = files.run(make_studies, settings, home / "files")
        settings_planes = Settings(data_dir=home / "planes")
        planes = files.run(make_planes, settings_planes, home / "series")
        files.close()  # decoding is timed in a new child, as the window's is: making studies has grown this one's heap,
        # which then decodes a tenth faster
        results = [_four_views(settings, cases, files, home), _film(settings_planes, planes)]
        files.close()
        application.processEvents()
    return all(results)


def _four_views(settings: Settings, cases: tuple[int, ...], files: Worker, home: Path) -> bool:
    watched = Watched(settings)
    try:
        ok = _memory(watched, cases)
        ok &= _opening(watched, cases, lambda path: files.run(decode, path, settings, 3))
        return _drags(watched) and ok
    finally:
        watched.close()


def _memory(watched: Watched, cases: tuple[int, ...]) -> bool:
    """Of the window and the reading child over what they hold with a small image open."""
    other, small, first, last = cases
    watched.open(small)
    watched.idle()
    watched.forget()
    memory = Memory((os.getpid(), watched.reading_pid()))
    base, ok = memory.now(), True
    for name, case_id, studies in (("one_study", last, 1), ("with_the_next_study", first, 2)):
        watched.open(other)
        watched.idle()
        watched.forget()
        with memory.watched():
            watched.open(case_id)
            watched.idle()
        decoded = studies * 4 * VIEW_BYTES
        most = (max(memory.samples) - base) / decoded
        ok &= report(f"reading_room_memory_{name}", most <= MEMORY, ratio_at_most=most, limit=MEMORY,
                     ratio_at_rest=(memory.now() - base) / decoded, decoded_mb=decoded / 1e6, base_mb=base / 1e6,
                     samples=len(memory.samples))  # fmt: skip
    return ok


def _opening(watched: Watched, cases: tuple[int, ...], decoded: Callable[[Path], list[float]]) -> bool:
    """A study that was not read before, then the one that comes next in the worklist."""
    small, _, first, last = cases
    firsts, all_four, nexts, ratios = [], [], [], []
    for _ in range(TURNS):
        watched.open(small)
        watched.idle()
        watched.forget()
        times = watched.open(first)
        watched.idle()
        image = watched.room.state.image
        assert image is not None
        alone = float(np.median(decoded(image.path)))
        ratios.append(times[0] / alone)
        firsts.append(times[0])
        all_four.append(max(times) / alone)
        nexts.append(max(watched.open(last)))
        watched.idle()
    ratio, following = float(np.median(ratios)), float(np.median(nexts))
    ok = report("reading_room_first_view", ratio <= FIRST_VIEW, ratio=ratio, limit=FIRST_VIEW,
                least=min(ratios), most=max(ratios), seconds=float(np.median(firsts)),
                all_four_against_one_decode=float(np.median(all_four)))  # fmt: skip
    return report("reading_room_next_study", following <= NEXT_S, seconds=following, limit_s=NEXT_S,
                  least=min(nexts), most=max(nexts)) and ok  # fmt: skip


def _drags(watched: Watched) -> bool:
    """The window and the place of four linked views, under their masks."""
    ok = _noise()
    masks = [canvas.overlay.probability is not None and canvas.overlay.mask for canvas in watched.canvases]
    sizes = {canvas.screen() for canvas in watched.canvases}
    for name, button, by in (
        ("window_drag", Qt.MouseButton.RightButton, QPointF(3, 2)),
        ("pan", Qt.MouseButton.LeftButton, QPointF(5, 3)),
    ):
        watched.idle()
        times = milliseconds(watched.drag(button, by))
        _mouse(watched.window.viewer.canvas, QEvent.Type.MouseButtonRelease, button, QPointF(9, 9))
        p95 = float(np.percentile(times, 95))
        ok &= report(f"reading_room_{name}", p95 < DRAG_MS and all(masks), p50_ms=float(np.median(times)), p95_ms=p95,
                     limit_ms=DRAG_MS, views=len(masks), view_px=str(*sizes))  # fmt: skip
    return ok


def _noise() -> bool:
    """How much the machine alone spreads a piece of work that is always the same; told, since it limits the rest."""
    pixels = np.zeros((1500, 1500), np.uint16)
    times = milliseconds(lambda _: np.sort(pixels, axis=0))
    return report("reading_room_noise", True, p95_over_p50=float(np.percentile(times, 95) / np.median(times)),
                  load_a_core=os.getloadavg()[0] / (os.cpu_count() or 1))  # fmt: skip


def _film(settings: Settings, planes: int) -> bool:
    """A series of planes as fast as it goes: each frame is asked for when the one before was painted."""
    watched = Watched(settings)
    try:
        assert watched.desk.case_id == planes
        cine, frames = watched.window.viewer.cine, watched.room.state.image.info["frames"]
        cine.toggle()
        cine._timer.setInterval(60_000)  # the film runs, at this benchmark's pace
        rates = []
        for _ in range(3):
            started = time.perf_counter()
            for _ in range(frames):
                watched.painted.clear()
                before = watched.room.state.picture
                cine._on_tick()
                watched.until(lambda b=before: watched.room.state.picture is not b and bool(watched.painted))
            rates.append(frames / (time.perf_counter() - started))
        cine.toggle()
        watched.idle()
        return report("reading_room_film", rates[-1] >= FILM, frames_a_second=rates[-1], first_round=rates[0],
                      limit=FILM, frames=frames)  # fmt: skip
    finally:
        watched.close()
