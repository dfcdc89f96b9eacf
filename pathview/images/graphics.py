"""What a DICOM file lays over its image: overlay planes and display shutters (PS3.3 C.9.2, C.7.6.11, C.7.6.15)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder

from pathview.geometry import Size
from pathview.images import codecs, dicom_header
from pathview.images.dicom import READ_FAILURES, DicomImage
from pathview.images.formats import open_image
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

Bits = npt.NDArray[np.uint8]
"""[rows, columns] of 0 and 1."""

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES = 0x0010, 0x0011, 0x0015
_TYPE, _ORIGIN, _FIRST_FRAME = 0x0040, 0x0050, 0x0051
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000
_DAMAGE = (*READ_FAILURES, cv2.error)


@dataclass(frozen=True)
class Graphics:
    """What lies over one frame, as shown (turned), at level 0."""

    overlay: Bits | None
    """1 where an overlay draws; None: no overlay. Regions of interest are drawn as their outline."""
    shutter: Bits | None
    """1 where the image is hidden; None: no shutter."""
    shutter_gray: int
    """The grey (0 to 255) of what is hidden."""


NO_GRAPHICS = Graphics(None, None, 0)


def load_graphics(
    path: Path, settings: Settings, progress: ProgressSink, cancel: CancelToken, frame: int = 0
) -> Graphics:
    """Open an image and read what lies over a frame (0-based) of it (a job; ``functools.partial`` sets the frame).

    Raises:
        ImageError: the image cannot be opened.
    """
    progress(Progress(0, 1, "opening"))
    source = open_image(path, settings)
    try:
        checkpoint(cancel)
        return read_graphics(source, frame)
    finally:
        source.close()


def read_graphics(source: ImageSource, frame: int = 0) -> Graphics:
    """What lies over a frame (0-based), as shown; planes and shapes that are damaged are left out.

    A shutter that would hide the whole image counts as damaged. Formats other than DICOM have no graphics.
    """
    if not isinstance(source, DicomImage):
        return NO_GRAPHICS
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        group, hidden, gray = _shutter_of(source, frame)
        overlay = _overlay(source, frame, group)
    turn = source.info.turn
    return Graphics(
        turn.array(overlay) if overlay is not None else None,
        turn.array(hidden) if hidden is not None else None,
        gray,
    )


def _shutter_of(source: DicomImage, frame: int) -> tuple[int | None, Bits | None, int]:
    """The shutter's overlay group, what it hides (stored orientation) and its grey; a frame's own comes first."""
    try:
        shutter = dicom_header.functional(source.dataset, frame, "FrameDisplayShutterSequence") or source.dataset
        group = _shutter_group(shutter)
        return group, _shutter(shutter, source, frame, group), _shutter_gray(shutter)
    except _DAMAGE:
        return None, None, 0


def _overlay(source: DicomImage, frame: int, shutter_group: int | None) -> Bits | None:
    """The union of all planes but the one that serves as a shutter, stored orientation; None where there is none."""
    found: Bits | None = None
    for group in _GROUPS:
        bits = _plane(source, group, frame) if group != shutter_group else None
        if bits is None:
            continue
        if _is_region(source.dataset, group):
            bits = _outline(bits)
        found = bits if found is None else found | bits
    return found


def _is_region(dataset: Dataset, group: int) -> bool:
    """Whether a plane marks a region of interest (Overlay Type R) and is not drawn itself (G)."""
    try:
        element = dataset.get((group, _TYPE))
    except _DAMAGE:
        return False
    return element is not None and str(element.value).strip() == "R"


def _outline(region: Bits) -> Bits:
    """The border of a region of interest, which drawn whole would cover what it marks."""
    return np.asarray(region & ~cv2.erode(region, np.ones((3, 3), np.uint8)), np.uint8)


def _plane(source: DicomImage, group: int, frame: int) -> Bits | None:
    """One overlay plane laid on the image, stored orientation; None where there is none that can be read."""
    try:
        if (group, _DATA) in source.dataset:
            return _own_plane(source, group, frame)
        if (group, _BIT_POSITION) in source.dataset and _number(source.dataset, group, _BITS_ALLOCATED, 1) > 1:
            return _embedded_plane(source, group, frame)
    except _DAMAGE:
        pass
    return None


def _own_plane(source: DicomImage, group: int, frame: int) -> Bits | None:
    """A plane of Overlay Data: one bit a pixel, the lowest bit first, frames without a gap (PS3.5 8.1.2)."""
    dataset = source.dataset
    rows, columns = _number(dataset, group, _ROWS), _number(dataset, group, _COLUMNS)
    index = _frame_index(dataset, group, frame)
    if rows < 1 or columns < 1 or index is None:
        return None
    first = index * rows * columns
    data = _overlay_bytes(dataset, group)[first // 8 : (first + rows * columns + 7) // 8]
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first % 8 :][: rows * columns]
    if bits.size < rows * columns:
        return None
    return _laid(bits.reshape(rows, columns), _origin(dataset, group), source.info.size)


def _overlay_bytes(dataset: Dataset, group: int) -> bytes:
    element = dataset[group, _DATA]
    data = bytes(element.value)
    big_endian = dataset.original_encoding[1] is False
    if big_endian and element.VR == "OW":  # words, whose bytes were swapped when they were written
        return np.frombuffer(data, ">u2").astype("<u2").tobytes()
    return data


def _frame_index(dataset: Dataset, group: int, frame: int) -> int | None:
    """Which overlay frame belongs to an image's frame (PS3.3 C.9.3); None: none does.

    A plane without a number of frames, or with one and no first image frame, belongs to all of them.
    """
    count = _number(dataset, group, _FRAMES, 0)
    if count == 0 or (count == 1 and (group, _FIRST_FRAME) not in dataset):
        return 0
    index = frame + 1 - _number(dataset, group, _FIRST_FRAME, 1)
    return index if 0 <= index < count else None


def _origin(dataset: Dataset, group: int) -> tuple[int, int]:
    """0-based row and column of the plane's first pixel; Overlay Origin is 1-based and may be outside."""
    element = dataset.get((group, _ORIGIN))
    if element is None or element.value in (None, ""):
        return 0, 0
    row, column = element.value
    return int(row) - 1, int(column) - 1


def _laid(plane: Bits, origin: tuple[int, int], size: Size) -> Bits:
    """A plane on the image: what lies outside is cut off, what it does not cover is 0."""
    row, column = origin
    laid = np.zeros(size.shape, np.uint8)
    part = plane[max(0, -row) : max(0, size.height - row), max(0, -column) : max(0, size.width - column)]
    top, left = max(0, row), max(0, column)
    laid[top : top + part.shape[0], left : left + part.shape[1]] = part
    return laid


def _embedded_plane(source: DicomImage, group: int, frame: int) -> Bits | None:
    """A plane in a bit of the pixels' cells that the pixels do not use (retired; PS3.3 C.9.2 until 2004)."""
    dataset = source.dataset
    position = _number(dataset, group, _BIT_POSITION)
    high = int((dicom_header.numbers(dataset, "HighBit") or [source.info.bits - 1])[0])
    unused = position > high or position <= high - source.info.bits
    if source.info.is_color or not unused or not 0 <= position < int(dataset.BitsAllocated):
        return None
    codecs.register()
    cells = get_decoder(source.syntax).as_array(
        dataset,
        index=frame,
        decoding_plugin=codecs.PLUGIN if source.syntax.is_encapsulated else "",
        correct_unused_bits=False,  # type: ignore[arg-type]
    )[0]
    return np.asarray((cells.astype(np.int64) >> position) & 1, np.uint8)


def _shutter_group(dataset: Dataset) -> int | None:
    """The overlay group of a bitmap shutter (PS3.3 C.7.6.15), which is not drawn as an overlay."""
    group = dicom_header.numbers(dataset, "ShutterOverlayGroup")
    return int(group[0]) if group and "BITMAP" in _shapes(dataset) else None


def _shapes(dataset: Dataset) -> list[str]:
    value = dataset.get("ShutterShape")
    parts = value if isinstance(value, (MultiValue, list)) else [value]
    return [str(part).strip() for part in parts if part is not None]


def _shutter(shutter: Dataset, source: DicomImage, frame: int, group: int | None) -> Bits | None:
    """1 where any of the shutter's shapes hides the image, stored orientation (PS3.3 C.7.6.11: the least is seen)."""
    size = source.info.size
    hidden = np.zeros(size.shape, np.uint8)
    for shape in _shapes(shutter):
        try:
            if shape == "BITMAP":
                bits = _plane(source, group, frame) if group in _GROUPS and group is not None else None
            elif shape in _VISIBLE:
                seen = _VISIBLE[shape](shutter, size)
                bits = 1 - seen if seen is not None and seen.any() else None
            else:
                continue
        except _DAMAGE:
            continue
        if bits is not None:
            hidden |= bits
    return hidden if hidden.any() and not hidden.all() else None


def _rectangle(dataset: Dataset, size: Size) -> Bits | None:
    """What a rectangle leaves; its edges, counted from 1, are still seen."""
    edges = [
        dicom_header.numbers(dataset, f"Shutter{edge}Edge")
        for edge in ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")
    ]
    if not all(edges):
        return None
    top, bottom, left, right = (int(edge[0]) for edge in edges)
    seen = np.zeros(size.shape, np.uint8)
    seen[max(0, top - 1) : max(0, bottom), max(0, left - 1) : max(0, right)] = 1
    return seen


def _circle(dataset: Dataset, size: Size) -> Bits | None:
    """What a circle leaves; centre (row, column) counted from 1, radius in pixels."""
    center = dicom_header.numbers(dataset, "CenterOfCircularShutter")
    radius = dicom_header.numbers(dataset, "RadiusOfCircularShutter")
    if len(center) != 2 or not radius:
        return None
    rows, columns = np.ogrid[1 : size.height + 1, 1 : size.width + 1]
    away = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
    return np.asarray(away <= radius[0] ** 2, np.uint8)


def _polygon(dataset: Dataset, size: Size) -> Bits | None:
    """What a polygon leaves; vertices (row, column) counted from 1, its lines are still seen."""
    numbers = dicom_header.numbers(dataset, "VerticesOfThePolygonalShutter")
    if len(numbers) < 6 or len(numbers) % 2:
        return None
    points = np.array(numbers).reshape(-1, 2)[:, ::-1] - 1
    seen = np.zeros(size.shape, np.uint8)
    cv2.fillPoly(seen, [np.clip(points, -(2**15), 2**17).astype(np.int32)], 1)
    return seen


_VISIBLE = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}


def _shutter_gray(dataset: Dataset) -> int:
    """Shutter Presentation Value (0 black to 65535 white) as a grey of 255; black where the file has none."""
    value = (dicom_header.numbers(dataset, "ShutterPresentationValue") or [0.0])[0]
    return math.floor(min(max(value, 0.0), 65535.0) * 255 / 65535 + 0.5)


def _number(dataset: Dataset, group: int, element: int, default: int = -1) -> int:
    found = dataset.get((group, element))
    return default if found is None or found.value in (None, "") else int(found.value)
