"""What a DICOM header says: spacing, laterality, view, grey scale. Tags by keyword, PS3.3 sections named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from pathview.geometry import SpacingMm
from pathview.images.intensity import GrayScale, Lut, Voi, Window, WindowFunction
from pathview.images.source import SpacingSource

VIEW_CODES = {
    "399368009": "MLO",
    "R-10226": "MLO",
    "399162004": "CC",
    "R-10242": "CC",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
}
"""View codes of mammography (PS3.16 CID 4014), of SNOMED CT and the older SNOMED-RT, to the names readers use."""


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
    return list(cast("Iterable[Dataset]", value)) if value else []


def functional(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """First item of a functional group macro: the frame's own, else the shared one (PS3.3 C.7.6.16)."""
    for group in (sequence(dataset, "PerFrameFunctionalGroupsSequence")[frame : frame + 1], None):
        groups = sequence(dataset, "SharedFunctionalGroupsSequence")[:1] if group is None else group
        items = sequence(groups[0], keyword) if groups else []
        if items:
            return items[0]
    return None


def laterality(dataset: Dataset) -> str | None:
    """``L`` or ``R``: of the image, else the frame anatomy, else the series (never the file name)."""
    anatomy = functional(dataset, 0, "FrameAnatomySequence")
    found = (
        text(dataset, "ImageLaterality")
        or (text(anatomy, "FrameLaterality") if anatomy else None)
        or text(dataset, "Laterality")
    )
    return found if found in ("L", "R") else None


def view(dataset: Dataset) -> str | None:
    """The view's short name by its code (PS3.3 C.8.11.7), else View Position."""
    for item in sequence(dataset, "ViewCodeSequence"):
        name = VIEW_CODES.get(text(item, "CodeValue") or "")
        if name:
            return name
    return text(dataset, "ViewPosition")


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
        factor = (numbers(dataset, "EstimatedRadiographicMagnificationFactor") or [1.0])[0]
        factor = factor if factor >= 1.0 else 1.0
        return SpacingMm(imager.row / factor, imager.column / factor), "at the detector"
    measures = functional(dataset, 0, "PixelMeasuresSequence")
    if measures is not None and (pair := _pair(measures, "PixelSpacing")):
        return pair, "calibrated"
    if pair := _pair(dataset, "NominalScannedPixelSpacing"):
        return pair, "file header"
    return None, None


def _pair(dataset: Dataset, keyword: str) -> SpacingMm | None:
    values = numbers(dataset, keyword)
    if len(values) == 2 and min(values) > 0:
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
