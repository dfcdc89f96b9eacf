"""Studies of the size that a hospital's are, in a store: 20 million pixels a view, 16 bit, JPEG Lossless; and planes.

The functions without an underscore are jobs for a child, so that the window's process stays as it starts.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from pathview.compute.engine import LocalEngine
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.jobs import CancelToken, ProgressSink
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.samples import mammogram, tomosynthesis
from pathview.samples.mammogram import STUDY, PhantomImage, draw
from pathview.samples.study import dataset_of, uid_of
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings

COLUMNS, ROWS, BITS = 4000, 5000, 16
VIEW_BYTES = COLUMNS * ROWS * 2
PLANE_COLUMNS, PLANE_ROWS, PLANES = 2560, 3328, 60
_GAIN = 15
"""From the phantom's 12 bits to nearly 16."""
_GRAIN = 0.25
"""Of quantum noise: about 6 bits a pixel are left after compression, as of a detector's images."""
_DRAWN = 6
"""Planes that differ; each is compressed once, and every frame is decoded all the same."""


def make_studies(settings: Settings, folder: Path, progress: ProgressSink, cancel: CancelToken) -> tuple[int, ...]:
    """Two patients' four views, analysed, behind two small images in the worklist: four case ids in its order."""
    small = [_write_small(folder / f"small-{name}.dcm", name) for name in "ab"]
    large = [_write_study(folder / f"patient-{number}", number) for number in (1, 2)]
    session = _session(settings)
    studies = session.add(large).case_ids
    first = session.add(small).case_ids
    session.analyse_cases(studies, AnalyseOptions())
    for case_id in studies:
        session.decide(case_id, "positive")  # what the model marked is shown from then on
    session.close()
    return (*first[::-1], *studies[::-1])  # the newest come first


def make_planes(settings: Settings, folder: Path, progress: ProgressSink, cancel: CancelToken) -> int:
    """A tomosynthesis series in the store: its case id."""
    session = _session(settings)
    case_id = session.add([_write_planes(folder)]).case_ids[0]
    session.close()
    return case_id


def decode(path: Path, settings: Settings, turns: int, progress: ProgressSink, cancel: CancelToken) -> list[float]:
    """Seconds to open an image and to have its pixels, nothing else."""
    times = []
    for _ in range(turns):
        started = time.perf_counter()
        source = open_image(path, settings)
        source.read_region(Region.whole(source.info.size))
        times.append(time.perf_counter() - started)
        source.close()
    return times


def _session(settings: Settings) -> Session:
    return Session(settings, LocalEngine(), LocalEngine(), Store(Database(settings.store_place)))


def _write_small(path: Path, name: str) -> Path:
    """One small view of another patient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = dataset_of(_views()[0], 1)
    dataset.PatientID = f"BENCHMARK-{name}"
    dataset.StudyInstanceUID, dataset.SOPInstanceUID = uid_of(f"study {name}"), uid_of(f"image {name}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PixelData = np.ascontiguousarray(_views()[0].pixels[::8, ::8]).tobytes()
    dataset.Rows, dataset.Columns = _views()[0].pixels[::8, ::8].shape
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def _write_study(folder: Path, number: int) -> Path:
    folder.mkdir(parents=True)
    for place, image in enumerate(_views(), start=1):
        rng = np.random.default_rng([number, place])
        pixels = _grained(image.pixels, (COLUMNS, ROWS), rng)
        dataset = dataset_of(PhantomImage(image.view, pixels, image.truth), place)
        dataset.PatientID, dataset.PatientName = f"BENCHMARK-{number}", f"Phantom^{number}"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(dataset, keyword, uid_of(f"benchmark {keyword} {number} {place if keyword[:2] != 'St' else ''}"))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.ImagerPixelSpacing = [mammogram.SPACING_MM * mammogram.COLUMNS / COLUMNS] * 2
        dataset.BitsStored, dataset.HighBit = BITS, BITS - 1
        dataset.WindowCenter, dataset.WindowWidth = (_GAIN * value for value in mammogram.WINDOW)
        _compress(dataset, [_packed(pixels)])
        pydicom.dcmwrite(folder / f"{image.view.laterality}-{image.view.view}.dcm", dataset, enforce_file_format=True)
    return folder


def _write_planes(folder: Path) -> Path:
    """A tomosynthesis series."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    some = [_grained(_views()[0].pixels, (PLANE_COLUMNS, PLANE_ROWS), rng) for _ in range(_DRAWN)]
    packed = [_packed(plane) for plane in some]
    dataset = tomosynthesis.dataset_of(np.zeros((PLANES, 8, 8), np.uint16))
    dataset.Rows, dataset.Columns = PLANE_ROWS, PLANE_COLUMNS
    dataset.BitsStored, dataset.HighBit = BITS, BITS - 1
    dataset.PatientID = "BENCHMARK-PLANES"
    dataset.StudyInstanceUID = uid_of("benchmark planes")
    for group in dataset.PerFrameFunctionalGroupsSequence:
        voi = group.FrameVOILUTSequence[0]
        voi.WindowCenter, voi.WindowWidth = (_GAIN * value for value in mammogram.WINDOW)
    _compress(dataset, [packed[number % _DRAWN] for number in range(PLANES)])
    path = folder / "planes.dcm"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


@cache
def _views() -> tuple[PhantomImage, ...]:
    return tuple(draw(view) for view in STUDY)


def _grained(pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Phantom pixels at another size and depth, with the noise of so many quanta."""
    large = cv2.resize(pixels.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) * _GAIN
    signal = np.sqrt(np.maximum(large - mammogram.AIR * _GAIN, 0))
    large += _GRAIN * signal * rng.standard_normal(large.shape, dtype=np.float32)
    return np.clip(large, 0, 2**BITS - 1).astype(np.uint16)


def _packed(pixels: np.ndarray) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=BITS))


def _compress(dataset: pydicom.Dataset, frames: list[bytes]) -> None:
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
