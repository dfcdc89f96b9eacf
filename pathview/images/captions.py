"""What stands in the corners of a mammogram on the screen: patient, view and technique, one short line each.

Captions carry the patient's name and id, so they are read anew for the screen each time and go nowhere else: not
into the store, the log, or what ``pathview info`` prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pathview.images.source import ImageInfo, ImageSource


@dataclass(frozen=True)
class Captions:
    """Lines for three corners; empty where the file does not tell."""

    patient: tuple[str, ...] = ()
    """Name, id, birth date with sex and age, time of the study, accession number."""
    view: tuple[str, ...] = ()
    """Laterality and view, and what is particular about the image."""
    technique: tuple[str, ...] = ()
    """Exposure, compression, dose, equipment, pixel spacing."""


@runtime_checkable
class Captioned(Protocol):
    """An image whose file tells more than its :class:`ImageInfo`."""

    def captions(self) -> Captions:
        """All lines."""
        ...


def captions_of(source: ImageSource) -> Captions:
    """The lines for an opened image; formats without a patient have those of the view and the spacing alone."""
    if isinstance(source, Captioned):
        return source.captions()
    return Captions(view=view_lines(source.info), technique=spacing_lines(source.info))


def view_lines(info: ImageInfo) -> tuple[str, ...]:
    """What the image shows, the most telling first; what must not be taken for a usual image in capitals."""
    name = " ".join(part for part in (info.laterality, info.view) if part)
    lines = (
        name,
        ", ".join(info.modifiers),
        "implant" if info.implant else "",
        info.acquisition if info.acquisition != "2D" else "",
        "FOR PROCESSING" if info.for_processing else "",
        "PHANTOM" if info.phantom else "",
    )
    return tuple(line for line in lines if line)


def spacing_lines(info: ImageInfo) -> tuple[str, ...]:
    """The distance of pixels, and where it is true."""
    if info.spacing is None:
        return ()
    times, unit = (1, "mm") if info.kind == "mammogram" else (1000, "µm")
    row, column = f"{times * info.spacing.row:.3g}", f"{times * info.spacing.column:.3g}"
    size = row if row == column else f"{row} x {column}"
    return (f"{size} {unit} a pixel" + (f", {info.spacing_source}" if info.spacing_source else ""),)
