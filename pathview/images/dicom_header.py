"""What a DICOM header says: spacing, dates, grey scale. Tags by keyword, PS3.3 sections named."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any, cast

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from pathview.geometry import SpacingMm
from pathview.images.intensity import GrayScale, Lut, Voi, Window, WindowFunction
from pathview.images.source import SpacingSource

_LEAST_SPACING_MM, _MOST_SPACING_MM = 1e-5, 10.0
"""A pixel outside of these is a slip of the unit or a damaged tag."""
_MOST_MAGNIFICATION = 10.0


def text(dataset: Dataset, keyword: str) -> str | None:
    """A trimmed text value, its first part where there are several, or None."""
    value = dataset.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return str(value).strip() or None if value is not None else None


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Finite numbers of a numeric tag; empty where it is missing or unreadable."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    found = []
    for part in value if isinstance(value, (MultiValue, list, tuple)) else [value]:
        try:
            number = float(part)
        except (TypeError, ValueError):
            return []
        if math.isfinite(number):
            found.append(number)
    return found


def sequence(dataset: Dataset | None, keyword: str) -> list[Dataset]:
    """Items of a sequence; empty where it is missing."""
    value = dataset.get(keyword) if dataset is not None else None
    return [item for item in value if isinstance(item, Dataset)] if isinstance(value, Sequence) else []


def functional(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """First item of a functional group macro: the frame's own, else the shared one (PS3.3 C.7.6.16)."""
    for group in (sequence(dataset, "PerFrameFunctionalGroupsSequence")[frame : frame + 1], None):
        groups = sequence(dataset, "SharedFunctionalGroupsSequence")[:1] if group is None else group
        items = sequence(groups[0], keyword) if groups else []
        if items:
            return items[0]
    return None


def date(dataset: Dataset, keyword: str) -> str | None:
    """A date as ISO; None where it is missing or no day of the calendar."""
    return _day(text(dataset, keyword) or "")


def clock(dataset: Dataset, keyword: str) -> str | None:
    """A time of day as ISO, without parts of a second; None where it is missing or impossible."""
    return _clock(text(dataset, keyword) or "")


def acquired(dataset: Dataset) -> str | None:
    """ISO date, and time where there is one, of the acquisition, else of the content (PS3.3 C.7.6.1, C.8.31.1)."""
    moment = re.fullmatch(r"(\d{8})(\d*)(\.\d*)?([+-]\d{4})?", text(dataset, "AcquisitionDateTime") or "")
    stated = (
        (date(dataset, "AcquisitionDate"), clock(dataset, "AcquisitionTime")),
        (_day(moment[1]), _clock(moment[2])) if moment else (None, None),
        (date(dataset, "ContentDate"), clock(dataset, "ContentTime")),
    )
    day, time = next((pair for pair in stated if pair[0]), (None, None))
    return f"{day}T{time}" if day and time else day


def _day(value: str) -> str | None:
    found = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", value)
    try:
        return datetime.date(*(int(part) for part in found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _clock(value: str) -> str | None:
    found = re.fullmatch(r"(\d\d):?(\d\d):?(\d\d)?(\.\d*)?", value)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    # a leap second is allowed (PS3.5 6.2), but not by Python's datetime
    return f"{hour:02}:{minute:02}:{min(second, 59):02}" if hour < 24 and minute < 60 and second <= 60 else None


def magnification(dataset: Dataset) -> float:
    """Estimated Radiographic Magnification Factor; 1 where it is missing or impossible (PS3.3 C.8.11.5)."""
    factor = (numbers(dataset, "EstimatedRadiographicMagnificationFactor") or [1.0])[0]
    return factor if 1.0 <= factor <= _MOST_MAGNIFICATION else 1.0


def has_overlays(dataset: Dataset) -> bool:
    """Whether there are overlay planes (PS3.3 C.9.2): their rows or their data are stated."""
    groups = range(0x6000, 0x6020, 2)
    return any((group, element) in dataset for group in groups for element in (0x0010, 0x3000))


def has_shutter(dataset: Dataset) -> bool:
    """Whether there is a display shutter (PS3.3 C.7.6.11), a bitmap's (C.7.6.15) or a frame's (C.7.6.16.2.16)."""
    places = [place for place in (dataset, functional(dataset, 0, "FrameDisplayShutterSequence")) if place is not None]
    return any(text(place, keyword) for place in places for keyword in ("ShutterShape", "ShutterOverlayGroup"))


def spacing(dataset: Dataset) -> tuple[SpacingMm | None, SpacingSource | None]:
    """Pixel spacing and where it is true.

    Pixel Spacing counts as calibrated where it says so or differs from Imager Pixel Spacing (PS3.3
    10.7.1.3); otherwise Imager Pixel Spacing, divided by the magnification factor, which is true at
    the detector; multi-frame objects carry Pixel Measures (C.7.6.16.2.1).
    """
    imager = _pair(dataset, "ImagerPixelSpacing")
    calibrated = _pair(dataset, "PixelSpacing")
    if calibrated and (imager is None or imager != calibrated or "PixelSpacingCalibrationType" in dataset):
        return calibrated, "calibrated"
    if imager:
        factor = magnification(dataset)
        return SpacingMm(imager.row / factor, imager.column / factor), "at the detector"
    measures = functional(dataset, 0, "PixelMeasuresSequence")
    if measures is not None and (pair := _pair(measures, "PixelSpacing")):
        return pair, "calibrated"
    if pair := _pair(dataset, "NominalScannedPixelSpacing"):
        return pair, "file header"
    return None, None


def _pair(dataset: Dataset, keyword: str) -> SpacingMm | None:
    values = numbers(dataset, keyword)
    if len(values) == 2 and all(_LEAST_SPACING_MM <= value <= _MOST_SPACING_MM for value in values):
        return SpacingMm(values[0], values[1])
    return None


def is_phantom(dataset: Dataset) -> bool:
    """Whether the header says that no patient was imaged (PS3.3 C.7.1.1, C.8.11.1 quality control)."""
    return text(dataset, "QualityControlImage") == "YES" or text(dataset, "QualityControlSubject") == "YES"


def gray_scale(dataset: Dataset, frame: int, bits: int) -> GrayScale:
    """How a frame's codes (``bits`` used bits) become grey."""
    signed = dataset.get("PixelRepresentation", 0) == 1
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    transform = functional(dataset, frame, "PixelValueTransformationSequence") or dataset
    modality_items = sequence(dataset, "ModalityLUTSequence")
    modality = _lut(modality_items[0], signed) if modality_items else None
    slope = (numbers(transform, "RescaleSlope") or [1.0])[0] or 1.0
    intercept = (numbers(transform, "RescaleIntercept") or [0.0])[0]
    negative_values = signed if modality is None else False
    negative_values |= modality is None and min(low * slope, high * slope) + intercept < 0
    return GrayScale(
        low=low,
        high=high,
        slope=slope,
        intercept=intercept,
        modality=modality,
        options=_voi_options(functional(dataset, frame, "FrameVOILUTSequence") or dataset, negative_values),
        inverse=_inverse(dataset),
        padding=_padding(dataset),
    )


def _inverse(dataset: Dataset) -> bool:
    """Polarity, counted once: MONOCHROME1 and an INVERSE presentation shape say the same (PS3.3 C.11.6.1.2)."""
    return (
        text(dataset, "PhotometricInterpretation") == "MONOCHROME1"
        or text(dataset, "PresentationLUTShape") == "INVERSE"
    )


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    """Pixel Padding Value to Pixel Padding Range Limit, in stored codes (PS3.3 C.7.5.1.1.2)."""
    first = numbers(dataset, "PixelPaddingValue")
    if not first:
        return None
    last = numbers(dataset, "PixelPaddingRangeLimit") or first
    return int(min(first[0], last[0])), int(max(first[0], last[0]))


def _voi_options(dataset: Dataset, signed: bool) -> tuple[Voi, ...]:
    luts = [_lut(item, signed) for item in sequence(dataset, "VOILUTSequence")]
    return (*(lut for lut in luts if lut is not None), *_windows(dataset))


def _windows(dataset: Dataset) -> list[Window]:
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    names = dataset.get("WindowCenterWidthExplanation") or []
    names = [names] if isinstance(names, str) else list(names)
    function = text(dataset, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
    return [
        Window(center, width, cast("WindowFunction", function), names[i] if i < len(names) else "")
        for i, (center, width) in enumerate(zip(centers, widths, strict=False))
        if width > 0
    ]


def _lut(item: Dataset, signed: bool) -> Lut | None:
    """A modality or VOI LUT; None where its descriptor or data are unusable.

    Entries of 8 bits may lie two to a 16-bit word, or one (PS3.3 C.11.1.1.1); told apart by their count.
    """
    descriptor = item.get("LUTDescriptor")
    data = item.get("LUTData")
    if descriptor is None or len(descriptor) != 3 or data is None:
        return None
    count, first, bits = (int(value) for value in descriptor)
    count = count or 65536
    if signed and first > 32767:
        first -= 65536
    entries: Any = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(np.array(data))
    if bits <= 8 and len(entries) * 2 in (count, count + 1):
        entries = entries.astype("<u2").view(np.uint8)
    if len(entries) < count or not 1 <= bits <= 16:
        return None
    values = tuple(int(value) for value in entries[:count])
    bits = bits if max(values) < 2**bits else 16
    return Lut(first, values, bits, text(item, "LUTExplanation") or "")
