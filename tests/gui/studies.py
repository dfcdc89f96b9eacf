"""Studies of small images however they are stored, results on them, and the mouse on a canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pathview.geometry import AS_STORED, GridPlace, Size, SpacingMm, Turn
from pathview.gui.main_window import MainWindow
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.tile import Tile
from pathview.results.mask import MaskStats
from pathview.results.result import AnalysisResult, Flag, Provenance, ScoreMap
from pathview.settings import Settings
from tests.gui.conftest import idle
from tests.makers import breast_pixels, write_dicom

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
FOUR = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
SPACING = 0.2
TURNS = tuple(Turn(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True))
_ORIENTATION = {("L", "CC"): ("A", "R"), ("R", "CC"): ("P", "L"), ("L", "MLO"): ("A", "FR"), ("R", "MLO"): ("P", "FL")}
"""Where rows and columns run to in an image that is stored as it hangs."""
_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")


# files


def drawn(side: str, view: str, rows: int = 150, columns: int = 110) -> np.ndarray:
    """A view as it hangs: the chest wall of a right breast at the right; no two views, and no half of one, alike."""
    pixels = breast_pixels(rows, columns)
    pixels[-8:-4, 4:12] = 700 if view == "CC" else 900  # the lower corner at the chest wall
    if view == "MLO":
        y, x = np.mgrid[0:rows, 0:columns]
        pixels[(x < 0.25 * columns - 0.5 * y) & (pixels < 3000)] = 2400
    return np.ascontiguousarray(pixels[:, ::-1]) if side == "R" else pixels


def as_kept(shown: np.ndarray, turn: Turn) -> np.ndarray:
    """The stored pixels of a shown image [..., rows, columns] that has to be turned so."""
    kept = shown[..., ::-1, :] if turn.mirror_y else shown
    kept = kept[..., ::-1] if turn.mirror_x else kept
    return np.ascontiguousarray(kept.swapaxes(-1, -2) if turn.transpose else kept)


def orientation(side: str, view: str, turn: Turn = AS_STORED) -> list[str]:
    """Patient Orientation of such an image."""
    rows, columns = _ORIENTATION[side, view]
    rows = rows.translate(_OPPOSITE) if turn.mirror_x else rows
    columns = columns.translate(_OPPOSITE) if turn.mirror_y else columns
    return [columns, rows] if turn.transpose else [rows, columns]


def write_view(
    path: Path, side: str, view: str, turn: Turn = AS_STORED, shown: np.ndarray | None = None, **tags: Any
) -> Path:
    """Write a view that has to be turned to hang; ``shown``: its pixels as they hang."""
    pixels = drawn(side, view) if shown is None else shown
    header: dict[str, Any] = {
        "ImageLaterality": side,
        "ViewPosition": view,
        "PatientOrientation": orientation(side, view, turn) if (side, view) in _ORIENTATION else None,
        "ImagerPixelSpacing": [SPACING, SPACING],
        "StudyDate": "20260102",
    }
    return write_dicom(path, as_kept(pixels, turn), **(header | tags))


def write_four(folder: Path, turn: Turn = AS_STORED, views: Sequence[tuple[str, str]] = FOUR, **tags: Any) -> Path:
    """Write the views of a study; the folder."""
    header = {"StudyInstanceUID": f"1.2.{sum(folder.name.encode())}.{len(folder.name)}", **tags}
    for side, view in views:
        write_view(folder / f"{side}{view}.dcm", side, view, turn, **header)
    return folder


# the window


def with_protocols(settings: Settings) -> None:
    """The window's folder of resources gets the protocols that the program comes with."""
    (settings.resources / "hanging").symlink_to(Path(__file__).parents[2] / "resources" / "hanging")


def settled(qtbot, window: MainWindow) -> None:
    """Wait until nothing runs and all tiles have their sizes."""
    idle(qtbot, window)
    qtbot.waitUntil(lambda: not window.viewer.box._settle.isActive(), timeout=10_000)


def open_folder(qtbot, window: MainWindow, *paths: Path) -> None:
    """Open and wait."""
    window.open_paths(list(paths))
    settled(qtbot, window)


def tile_of(window: MainWindow, title: str) -> Tile:
    """The tile on which an image of this title hangs."""
    ids = [image.id for image in window.desk.state.images if image.title == title]
    (tile,) = [tile for tile in window.viewer.box.tiles if tile.image_id in ids]
    return tile


def canvas_of(window: MainWindow, title: str) -> Canvas:
    """Its canvas."""
    return tile_of(window, title).canvas


def hung_titles(window: MainWindow) -> list[list[str | None]]:
    """Titles as they hang, row by row; None: an empty place."""
    box, state = window.viewer.box, window.desk.state
    titles = {image.id: image.title for image in state.images}
    rows: dict[int, list[tuple[int, str | None]]] = {}
    for tile in box.tiles:
        at = tile.mapTo(box, QPoint(0, 0))
        rows.setdefault(at.y(), []).append((at.x(), titles.get(tile.image_id)))
    return [[title for _, title in sorted(row, key=lambda place: place[0])] for _, row in sorted(rows.items())]


# the mouse


def press(canvas: Canvas, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
    """A button goes down."""
    QTest.mousePress(canvas.viewport(), button, Qt.KeyboardModifier.NoModifier, at.toPoint())


def release(canvas: Canvas, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
    """A button goes up."""
    QTest.mouseRelease(canvas.viewport(), button, Qt.KeyboardModifier.NoModifier, at.toPoint())


def move(canvas: Canvas, at: QPointF) -> None:
    """The mouse moves to a point."""
    QTest.mouseMove(canvas.viewport(), at.toPoint())


def click(canvas: Canvas, at: QPointF | None = None, button: Qt.MouseButton = LEFT) -> None:
    """Down and up at a point (default: the middle)."""
    at = at if at is not None else middle(canvas)
    press(canvas, at, button)
    release(canvas, at, button)


def double_click(canvas: Canvas, at: QPointF | None = None) -> None:
    """Twice in short, as Qt reports it."""
    at = at if at is not None else middle(canvas)
    click(canvas, at)
    QTest.mouseDClick(canvas.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at.toPoint())
    release(canvas, at)


def drag(canvas: Canvas, start: QPointF, *stops: QPointF, button: Qt.MouseButton = LEFT) -> None:
    """Down at the start, along the stops, up at the last."""
    press(canvas, start, button)
    for one, other in pairwise((start, *stops)):
        move(canvas, (one + other) / 2)
        move(canvas, other)
    release(canvas, (start, *stops)[-1], button)


def wheel(canvas: Canvas, steps: int, at: QPointF | None = None, control: bool = False) -> None:
    """Turn the wheel: positive steps are away from the reader."""
    at = at if at is not None else middle(canvas)
    keys = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    turned = QPoint(0, 120 * steps)
    viewport = canvas.viewport()
    whole = QPointF(viewport.mapToGlobal(at.toPoint()))
    phase = Qt.ScrollPhase.NoScrollPhase
    QApplication.sendEvent(
        viewport, QWheelEvent(at, whole, QPoint(), turned, Qt.MouseButton.NoButton, keys, phase, False)
    )


def middle(canvas: Canvas) -> QPointF:
    """The middle of a canvas."""
    return QPointF(canvas.viewport().rect().center())


# results


def keep_result(
    window: MainWindow,
    title: str,
    values: np.ndarray | None = None,
    score: float = 5.0,
    limits: tuple[float, float] = (2.0, 10.0),
    recipe: str = "tiny-unet",
    flags: tuple[Flag, ...] = (),
    layers: Sequence[str] = (),
) -> None:
    """Keep a result for an image of the case that is shown; ``values``: a map of one cell a stored pixel.

    Default: 0.9 where the image is as bright as its spot.
    """
    image = next(image for image in window.desk.state.images if image.title == title)
    stored = stored_pixels(image.path)
    size = Size(stored.shape[1], stored.shape[0])
    if values is None:
        values = np.where(stored > 3000, 0.9, 0.1).astype(np.float32)
    lower, upper = limits
    found = AnalysisResult(
        recipe=recipe,
        task="segmentation",
        score=score,
        score_name="sum",
        lower=lower,
        upper=upper,
        label="positive" if score >= upper else "negative" if score < lower else "not_sure",
        flags=flags,
        threshold=0.5,
        probability=ScoreMap(values, GridPlace(0, 0, size.width / values.shape[1], size.height / values.shape[0])),
        size=size,
        spacing=SpacingMm(SPACING, SPACING),
        mask=MaskStats(0.5, 1, None, ()),
        provenance=Provenance("i", recipe, "r", "w", "0", "t", "CPU", "float32", "now", {"layers": list(layers)}),
        seconds=0.0,
        heatmaps={layer: ScoreMap(values, GridPlace(0, 0, 1, 1), smooth=False) for layer in layers},
    )
    window.desk._handle.get().cases.save_result(image.id, found, "x")


def stored_pixels(path: Path) -> np.ndarray:
    """What a file holds."""
    import pydicom

    return pydicom.dcmread(path).pixel_array


def with_results(qtbot, window: MainWindow, keep: Callable[[], None]) -> None:
    """Keep results and have the window take them."""
    keep()
    window.desk.reload_case()
    settled(qtbot, window)
