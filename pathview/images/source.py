"""The protocol that every image format fulfils, and what is known about an image."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pathview.geometry import AS_STORED, Region, Size, SpacingMm, Turn
from pathview.images.intensity import GrayScale

Pixels = npt.NDArray[np.integer[Any]]
"""Stored codes: [rows, columns] of 8 or 16 bit grey, or uint8 [rows, columns, 3] RGB."""

Kind = Literal["mammogram", "histology"]
Acquisition = Literal["2D", "tomosynthesis", "synthesised 2D"]
SpacingSource = Literal["calibrated", "at the detector", "slide header", "file header", "data set", "user"]

DECODE_FAILURES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files; a bug of ours would raise the same, so every use names the file and
says that it cannot be read."""


@dataclass(frozen=True)
class Level:
    """One resolution of an image; ``downsample`` is level-0 pixels a pixel of this level."""

    size: Size
    downsample: float


@dataclass(frozen=True)
class ImageInfo:
    """What an image is, as far as its file tells; None where the file does not."""

    path: Path
    format: str
    size: Size
    """Level 0, as stored."""
    levels: tuple[Level, ...]
    frames: int
    bits: int
    """Bits that are used of each sample."""
    photometric: str
    kind: Kind
    """What the image is taken for: decides which recipe is offered."""
    modality: str | None = None
    laterality: str | None = None
    view: str | None = None
    spacing: SpacingMm | None = None
    spacing_source: SpacingSource | None = None
    patient_key: str | None = None
    """Pseudonym that is equal for images of one patient; never the patient's id of a hospital file."""
    study_key: str | None = None
    """Pseudonym that is equal for images of one study."""
    series_key: str | None = None
    """Pseudonym that is equal for images of one series."""
    instance_key: str | None = None
    """Pseudonym that is equal for copies of one image."""
    study_date: str | None = None
    """ISO date of the study, for the order of priors."""
    acquired: str | None = None
    """ISO date and time of the acquisition, as far as the file tells."""
    modifiers: tuple[str, ...] = ()
    """What is particular about the view, in the words of PS3.16 CID 4015, lower case: ``magnification``,
    ``spot compression``, ``implant displaced``, ``rolled lateral`` ..."""
    implant: bool = False
    """Whether the breast holds an implant (Breast Implant Present)."""
    acquisition: Acquisition = "2D"
    turn: Turn = AS_STORED
    """How the image is turned to hang as readers expect; the identity where the file does not tell."""
    chest_wall: Literal["left", "right"] | None = None
    """At which edge of the image, as shown, the chest wall lies; None where the file does not tell."""
    overlays: bool = False
    """Whether the file holds overlay planes (PS3.3 C.9.2)."""
    shutter: bool = False
    """Whether the file holds a display shutter (PS3.3 C.7.6.11, C.7.6.15)."""
    for_processing: bool = False
    phantom: bool = False
    """Made by a program or of a test object, not of a patient."""
    notices: tuple[str, ...] = ()
    """What the reader should know about the file, one sentence each."""
    objective_power: float | None = None
    """Magnification of the objective that scanned a slide, as its file tells."""
    icc_profile: bool = False
    """Whether the file holds a colour profile that can be applied; see :mod:`pathview.images.color_profile`."""
    associated: tuple[str, ...] = ()
    """Names of the pictures beside a slide (label, macro, thumbnail): they may show a patient's name, so that they are
    read only on request, by :func:`pathview.images.slide.read_associated`."""

    @property
    def mpp_um(self) -> float | None:
        """Micrometres a pixel (level 0), or None."""
        return self.spacing.mpp_um if self.spacing else None

    def with_mpp(self, mpp_um: float) -> ImageInfo:
        """The same with a pixel size that the user stated."""
        return replace(self, spacing=SpacingMm.from_mpp(mpp_um), spacing_source="user")

    @property
    def magnification(self) -> float | None:
        """Of the microscope at level 0: its objective's, else 10 µm a pixel count as one time; None: not known."""
        if self.objective_power is not None:
            return self.objective_power
        return 10.0 / self.mpp_um if self.kind == "histology" and self.mpp_um else None

    @property
    def shown_size(self) -> Size:
        """Level 0 as it hangs: turned."""
        return self.turn.size(self.size)

    @property
    def is_color(self) -> bool:
        """Whether pixels are RGB."""
        return not self.photometric.startswith("MONOCHROME")

    def as_json(self) -> dict[str, Any]:
        """The fields of ``pathview info``."""
        spacing = self.spacing
        return {
            "path": str(self.path),
            "format": self.format,
            "kind": self.kind,
            "modality": self.modality,
            "width": self.size.width,
            "height": self.size.height,
            "size": [self.size.width, self.size.height],
            "levels": len(self.levels),
            "level_sizes": [[level.size.width, level.size.height] for level in self.levels],
            "frames": self.frames,
            "bits": self.bits,
            "photometric": self.photometric,
            "laterality": self.laterality,
            "view": self.view,
            "spacing_mm": [spacing.row, spacing.column] if spacing else None,
            "spacing_source": self.spacing_source,
            "mpp_um": round(spacing.mpp_um, 6) if spacing else None,
            "patient_key": self.patient_key,
            "study_key": self.study_key,
            "series_key": self.series_key,
            "instance_key": self.instance_key,
            "study_date": self.study_date,
            "acquired": self.acquired,
            "modifiers": list(self.modifiers),
            "implant": self.implant,
            "acquisition": self.acquisition,
            "turn": vars(self.turn),
            "chest_wall": self.chest_wall,
            "overlays": self.overlays,
            "shutter": self.shutter,
            "for_processing": self.for_processing,
            "phantom": self.phantom,
            "notices": list(self.notices),
            "objective_power": self.objective_power,
            "icc_profile": self.icc_profile,
            "associated": list(self.associated),
        }


class ImageSource(Protocol):
    """An opened image. Not for several threads at once."""

    info: ImageInfo

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """Pixels of a region at a level.

        Args:
            region: whole level-0 pixels, inside the image.
            level: index into ``info.levels``.
            frame: 0-based.

        Returns:
            Stored codes [rows, columns] or uint8 RGB [rows, columns, 3]; rows and columns are the
            region's sides divided by the level's downsample, rounded, at least 1.

        Raises:
            ImageError: the pixels cannot be decoded.
        """
        ...

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """How that frame's codes become grey, or None for an RGB image."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


@dataclass
class FlatImage:
    """An image that is held whole in memory: what the raster formats and tests use."""

    info: ImageInfo
    pixels: Pixels
    scale: GrayScale | None = field(default=None)
    icc: bytes | None = field(default=None, kw_only=True, repr=False)
    """The colour profile of an RGB image, where it can be applied; the pixels are as stored."""

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`ImageSource`."""
        return self.pixels[region.y : region.bottom, region.x : region.right]

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """See :class:`ImageSource`."""
        return self.scale

    def close(self) -> None:
        """See :class:`ImageSource`."""


def level_shape(region: Region, downsample: float) -> tuple[int, int]:
    """(rows, columns) that :meth:`ImageSource.read_region` returns for a region at a downsample."""
    return region.size.scaled(1.0 / downsample).shape


def level_for(info: ImageInfo, downsample: float) -> int:
    """The coarsest level that is still at least as fine as ``downsample``."""
    fine = [i for i, level in enumerate(info.levels) if level.downsample <= downsample * 1.01]
    return fine[-1] if fine else 0
