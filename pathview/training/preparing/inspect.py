"""A look at every image of a data set: can it be read, what is it, and which others are (nearly) the same?

Near duplicates are searched in two steps. A perceptual hash (the signs of the 63 coarsest cosine waves of the picture)
finds candidates among all pairs, turned and mirrored ones too; then their fine detail is compared, since two breasts
have much the same coarse shape and are not the same picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.digest import combined, file_digests
from pathview.images.formats import open_image
from pathview.images.render import display_pixels, fitted, resized
from pathview.images.source import ImageInfo, ImageSource, Kind
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

SIDE = 64
"""Pixels a side of the small picture that images are compared by."""
_WAVES = 8
_FAR = 12
"""Bits of the perceptual hash by which copies may differ; JPEG, resizing and brightness change fewer than 8."""
_ALIKE = 0.87
"""Least correlation of the detail of copies. On 454 mammograms and 5,925 patches none reached it but copies: JPEG, half
the size, brightness, gamma, mirrored and turned ones, half of those with a border of 2 % cut off."""
_DETAIL = (1.0, 4.0)
"""Pixels (of 64): what is finer is noise and compression, what is coarser is the shape that all breasts have."""
_LEAST_DETAIL = 1.0
"""Grey levels of deviation below which a picture has no detail to compare."""
_PAIRS_AT_ONCE = 2**22
_COLOR_SIDE = 256
_MOST_PIXELS = 2**26
"""Of an image whose pixels are hashed; of a larger one its file is."""
_IMAGES_AT_ONCE = 64

Pixels8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """What one image is."""

    problem: str = ""
    """Why it cannot be used; then all else is empty."""
    sha256: str = ""
    """Of the pixels (of a file too large for memory: of the file)."""
    phash: str = ""
    size: Size | None = None
    kind: Kind | None = None
    patient: str = ""
    """Pseudonym, where the file itself tells."""
    scanner: str = ""
    magnification: str = ""
    color: tuple[float, ...] = ()
    outlined: float | None = None
    small: Pixels8 | None = None
    """Grey, uint8 [64, 64]."""


def look_at(
    files: Sequence[tuple[Path, Sequence[Path]]], settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> list[Look]:
    """Open each image with its masks; what cannot be read has its sentence.

    Raises:
        Cancelled: between some images.
    """
    found: list[Look] = []
    with ThreadPoolExecutor(2) as pool:  # decoding lets go of the interpreter
        for start in range(0, len(files), _IMAGES_AT_ONCE):
            checkpoint(cancel)
            some = files[start : start + _IMAGES_AT_ONCE]
            found += pool.map(lambda one: _look(one[0], one[1], settings), some)
            progress(Progress(start + len(some), len(files), "looking at images"))
    return found


def _look(path: Path, masks: Sequence[Path], settings: Settings) -> Look:
    try:
        source = open_image(path, settings)
        try:
            return _seen(path, source, masks, settings)
        finally:
            source.close()
    except ImageError as error:
        return Look(str(error))


def _seen(path: Path, source: ImageSource, masks: Sequence[Path], settings: Settings) -> Look:
    info, whole = source.info, Region.whole(source.info.size)
    if info.frames > 1 or info.size.pixels > _MOST_PIXELS:
        digest = combined(file_digests(path))
        shown = display_pixels(source, whole, fitted(info.size, _COLOR_SIDE))
    else:
        stored = source.read_region(whole)
        head = f"{stored.shape} {stored.dtype.str}".encode()
        digest = hashlib.sha256(head + np.ascontiguousarray(stored).tobytes()).hexdigest()
        shown = display_pixels(source, whole, fitted(info.size, _COLOR_SIDE))
    problem, outlined = _outlined(masks, info.size, settings)
    colour = shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)
    small = resized(cv2.cvtColor(np.ascontiguousarray(colour), cv2.COLOR_RGB2GRAY), Size(SIDE, SIDE)).astype(np.uint8)
    flat = colour.reshape(-1, 3).astype(np.float64)
    return Look(
        problem,
        digest,
        f"{int(perceptual_hashes(small[None])[0]):016x}",
        info.shown_size,
        info.kind,
        info.patient_key or "",
        _scanner(path, info),
        f"{info.objective_power:g}" if info.objective_power else "",
        tuple(round(float(value), 3) for value in (*flat.mean(axis=0), *flat.std(axis=0))),
        outlined,
        small,
    )


def _outlined(masks: Sequence[Path], size: Size, settings: Settings) -> tuple[str, float | None]:
    """What is wrong with the masks, or the share of the image that they mark together."""
    marked: npt.NDArray[np.bool_] | None = None
    for path in masks:
        try:
            mask = open_image(path, settings)
            found = mask.info.size
            if found != size:
                words = f"The mask {path.name} is {found.width} x {found.height} pixels"
                return f"{words}, its image {size.width} x {size.height}.", None
            pixels = mask.read_region(Region.whole(size))
        except ImageError as error:
            return f"Its mask cannot be used: {error}", None
        inside = (pixels if pixels.ndim == 2 else pixels.max(axis=2)) > 127
        marked = inside if marked is None else marked | inside
    return "", None if marked is None else round(float(marked.mean()), 6)


def _scanner(path: Path, info: ImageInfo) -> str:
    """Maker and model of the machine, where a DICOM header tells."""
    if info.format != "DICOM":
        return ""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    tags = ("Manufacturer", "ManufacturerModelName")
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(tags), force=True)
    except (InvalidDicomError, OSError):
        return ""
    return " ".join(str(header.get(tag) or "").strip() for tag in tags).strip()


def perceptual_hashes(small: Pixels8) -> npt.NDArray[np.uint64]:
    """Of grey pictures uint8 [n, 64, 64]: 64 bits each, the signs of their coarsest cosine waves (row by row)."""
    return _bits(_waves(small))


def _waves(small: Pixels8) -> Floats:
    found = [cv2.dct(picture.astype(np.float32))[:_WAVES, :_WAVES] for picture in small]
    return np.stack(found) if found else np.zeros((0, _WAVES, _WAVES), np.float32)


def _bits(waves: Floats) -> npt.NDArray[np.uint64]:
    signs = (waves > 0).reshape(len(waves), -1)
    signs[:, 0] = False  # the mean
    return np.asarray(np.packbits(signs, axis=1).view(">u8")[:, 0].astype(np.uint64))


def groups(looks: Sequence[Look], progress: ProgressSink, cancel: CancelToken) -> list[str]:
    """For each image a name that those share which are the same or nearly so; empty where there is no other like it."""
    parent = list(range(len(looks)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, look in enumerate(looks):
        if look.sha256:
            parent[i] = first.setdefault(look.sha256, i)
    alone = sorted(first.values())
    pictures = [i for i in alone if looks[i].small is not None]
    for one, other in near_pairs([looks[i].small for i in pictures], progress, cancel):  # type: ignore[misc]
        parent[root(pictures[other])] = root(pictures[one])
    roots = [root(i) for i in range(len(looks))]
    counts = np.bincount(roots, minlength=len(looks))
    return [looks[r].sha256[:16] if counts[r] > 1 else "" for r in roots]


def near_pairs(small: Sequence[Pixels8], progress: ProgressSink, cancel: CancelToken) -> Iterator[tuple[int, int]]:
    """Pairs (i < j) of grey pictures uint8 [64, 64] that show the same, also turned by quarters or mirrored.

    Exact over all pairs; 10,000 pictures take seconds.
    """
    if len(small) < 2:
        return
    pictures = np.stack(small)
    details = _details(pictures)
    usable = np.flatnonzero(np.abs(details).sum(axis=(1, 2)) > 0)
    if len(usable) < 2:
        return
    pictures, details = pictures[usable], details[usable]
    hashes = perceptual_hashes(pictures)
    step = max(1, _PAIRS_AT_ONCE // max(1, len(usable)))
    for number, turned in enumerate(_turns(pictures)):
        own, fine = perceptual_hashes(turned), _details(turned)
        for start in range(0, len(usable), step):
            checkpoint(cancel)
            far = np.bitwise_count(own[start : start + step, None] ^ hashes[None, :])
            rows, columns = np.nonzero(far <= _FAR)
            later = columns > rows + start
            rows, columns = rows[later] + start, columns[later]
            for i, j in _alike(fine, details, rows, columns):
                yield int(usable[i]), int(usable[j])
        progress(Progress(number + 1, 8, "looking for duplicates"))


def _alike(
    one: Floats, other: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> Iterator[tuple[int, int]]:
    for start in range(0, len(rows), _IMAGES_AT_ONCE * 16):
        i, j = rows[start : start + _IMAGES_AT_ONCE * 16], columns[start : start + _IMAGES_AT_ONCE * 16]
        agree = np.einsum("nrc,nrc->n", one[i], other[j]) >= _ALIKE
        yield from zip(i[agree].tolist(), j[agree].tolist(), strict=True)


def _turns(pictures: Pixels8) -> Iterator[Pixels8]:
    """The eight ways to lay a picture."""
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for quarters in range(4):
            yield np.ascontiguousarray(np.rot90(mirrored, quarters, axes=(1, 2)))


def _details(pictures: Pixels8) -> Floats:
    """Pictures without coarse shape and finest grain, float32 at mean 0 and length 1; 0 where there is no detail."""
    found = np.zeros(pictures.shape, np.float32)
    for i, picture in enumerate(pictures):
        values = picture.astype(np.float32)
        fine = cv2.GaussianBlur(values, (0, 0), _DETAIL[0]) - cv2.GaussianBlur(values, (0, 0), _DETAIL[1])
        fine -= fine.mean()
        if fine.std() >= _LEAST_DETAIL:
            found[i] = fine / np.linalg.norm(fine)
    return found


def thumbnails(
    files: Sequence[tuple[Path, Sequence[Path]]],
    side: int,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Pixels8:
    """Small pictures for a contact sheet (a job), each in the middle of a dark square, its outlines drawn in.

    Returns:
        uint8 [n, side, side, 3] RGB; all 0 where an image cannot be read.
    """
    found = np.zeros((len(files), side, side, 3), np.uint8)
    for index, (path, masks) in enumerate(files):
        checkpoint(cancel)
        try:
            picture = _thumbnail(path, masks, side, settings)
        except ImageError:
            continue
        rows, columns = picture.shape[:2]
        top, left = (side - rows) // 2, (side - columns) // 2
        found[index] = 24
        found[index, top : top + rows, left : left + columns] = picture
        progress(Progress(index + 1, len(files), "drawing thumbnails"))
    return found


def _thumbnail(path: Path, masks: Sequence[Path], side: int, settings: Settings) -> Pixels8:
    source = open_image(path, settings)
    try:
        size = source.info.size
        small = size.scaled(side / max(size.width, size.height))
        shown = display_pixels(source, Region.whole(size), small)
    finally:
        source.close()
    picture = np.ascontiguousarray(shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2))
    for mask in masks:
        outlines = open_image(mask, settings)
        if outlines.info.size != size:
            continue
        marks = display_pixels(outlines, Region.whole(size), small)
        marked = (marks if marks.ndim == 2 else marks.max(axis=2)) > 127
        lines, _ = cv2.findContours(marked.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, (255, 196, 0), 1)
    return picture
