"""DICOM images: the header read once, frames decoded when asked for."""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.encaps import parse_fragments
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images import codecs, dicom_header, dicom_view
from pathview.images.captions import Captions, view_lines
from pathview.images.dicom_captions import dicom_captions
from pathview.images.intensity import GrayScale
from pathview.images.pseudonym import pseudonym
from pathview.images.source import DECODE_FAILURES, ImageInfo, Level, Pixels
from pathview.settings import Settings

# pydicom logs values of tags, which may be names; its findings come back to us as exceptions.
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False

READ_FAILURES = (*DECODE_FAILURES, BytesLengthException)

MODALITIES_AS_MAMMOGRAM = ("MG", "RG")


def open_dicom(path: Path, settings: Settings) -> DicomImage:
    """Open a DICOM image.

    Raises:
        ImageError: not DICOM, holds no image, is cut off, or is larger than the settings allow.
    """
    with _quiet(path):
        _check_deflated(path, settings.max_image_bytes)
        dataset = pydicom.dcmread(path, force=True)
        syntax = _transfer_syntax(path, dataset)
        if "PixelData" not in dataset or not dataset.get("Rows") or not dataset.get("Columns"):
            raise ImageError(_why_no_pixels(path, dataset))
        _check_sizes(path, dataset, syntax, settings)
        bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0)
        if not 1 <= bits <= 16:
            raise ImageError(f"{path.name} has {bits} bits a pixel; images of 1 to 16 bits can be shown.")
        return DicomImage(path, dataset, syntax, _info(path, dataset, bits))


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Within it a damaged header is an :class:`ImageError`; pydicom reads values when they are asked for."""
    try:
        with warnings.catch_warnings(), pydicom_config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except PermissionError as error:
        raise ImageError(f"{path.name} may not be read by this user; check its permissions.") from error
    except READ_FAILURES as error:
        raise ImageError(f"{path.name} is a damaged DICOM file; export it again from its source.") from error


def _check_deflated(path: Path, limit: int) -> None:
    """Refuse a deflated file that inflates beyond ``limit``, before pydicom inflates it whole."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
        meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        total = 0
        while chunk := inflater.unconsumed_tail or file.read(2**20):
            total += len(inflater.decompress(chunk, 2**24))
            if total > limit:
                raise ImageError(f"{path.name} inflates to more than {limit / 2**30:.0f} GiB; it is not opened.")


def _why_no_pixels(path: Path, dataset: Dataset) -> str:
    name = UID(str(dataset.get("SOPClassUID", ""))).name
    if not name or "Image Storage" in name:
        return f"{path.name} is cut off or damaged: it ends before its pixels; copy it again."
    return f"{path.name} is a DICOM file without an image ({name}); open an image instead."


def _transfer_syntax(path: Path, dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    syntax = UID(str(meta.get("TransferSyntaxUID", ""))) if meta is not None else UID("")
    if not syntax:
        if "Rows" not in dataset:
            raise ImageError(f"{path.name} is not a DICOM file.")
        return pydicom.uid.ImplicitVRLittleEndian
    if "PixelData" in dataset:
        try:
            get_decoder(syntax)
        except (NotImplementedError, ValueError) as error:
            known = syntax.name if syntax.name != syntax else f"UID {syntax}"
            raise ImageError(
                f"{path.name} is compressed in a way that PathView cannot read ({known}); "
                "export it uncompressed or as JPEG Lossless."
            ) from error
    return syntax


def _check_sizes(path: Path, dataset: Dataset, syntax: UID, settings: Settings) -> None:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    allocated = int(dataset.get("BitsAllocated") or 16)
    frames = _frame_count(dataset)
    frame_bytes = rows * columns * samples * allocated // 8
    if frame_bytes > settings.max_image_bytes:
        raise ImageError(
            f"{path.name} says it is {columns} x {rows} pixels, {frame_bytes / 2**30:.1f} GiB a frame; "
            f"the limit is {settings.max_image_bytes / 2**30:.0f} GiB. The header may be damaged."
        )
    data = dataset.PixelData
    if syntax.is_encapsulated:
        try:
            fragments = parse_fragments(data)[0]
        except READ_FAILURES as error:
            raise ImageError(f"{path.name} is cut off inside its pixels; copy it again.") from error
        if fragments < frames:
            raise ImageError(f"{path.name} says it has {frames} frames but holds {fragments}; copy it again.")
    else:
        packed = 2 if str(dataset.get("PhotometricInterpretation")) == "YBR_FULL_422" else samples
        expected = (rows * columns * packed * allocated * frames + 7) // 8
        if len(data) < expected:
            raise ImageError(
                f"{path.name} is cut off: {len(data):,} of {expected:,} bytes of pixels are there; copy it again."
            )


def _frame_count(dataset: Dataset) -> int:
    return max(1, int((dicom_header.numbers(dataset, "NumberOfFrames") or [1])[0]))


def _info(path: Path, dataset: Dataset, bits: int) -> ImageInfo:
    size = Size(int(dataset.Columns), int(dataset.Rows))
    photometric = dicom_header.text(dataset, "PhotometricInterpretation") or "MONOCHROME2"
    modality = dicom_header.text(dataset, "Modality")
    spacing, source = dicom_header.spacing(dataset)
    for_processing = dicom_header.text(dataset, "PresentationIntentType") == "FOR PROCESSING"
    seen = dicom_view.breast_view(dataset)
    notices = list(seen.notices)
    if for_processing:
        notices.insert(0, "For Processing: raw detector values, not meant for reading.")
    if spacing is None:
        notices.append("The file states no pixel spacing, so lengths and areas are in pixels.")
    return ImageInfo(
        path=path,
        format="DICOM",
        size=size,
        levels=(Level(size, 1.0),),
        frames=_frame_count(dataset),
        bits=bits if photometric.startswith("MONOCHROME") else 8,
        photometric=photometric,
        kind="histology" if modality == "SM" else "mammogram",
        modality=modality,
        laterality=seen.laterality,
        view=seen.view,
        spacing=spacing,
        spacing_source=source,
        patient_key=pseudonym(
            "patient", dicom_header.text(dataset, "IssuerOfPatientID"), dicom_header.text(dataset, "PatientID")
        ),
        study_key=pseudonym("study", dicom_header.text(dataset, "StudyInstanceUID")),
        series_key=pseudonym("series", dicom_header.text(dataset, "SeriesInstanceUID")),
        instance_key=pseudonym("instance", dicom_header.text(dataset, "SOPInstanceUID")),
        study_date=dicom_header.date(dataset, "StudyDate"),
        acquired=dicom_header.acquired(dataset),
        modifiers=seen.modifiers,
        implant=seen.implant,
        acquisition=seen.acquisition,
        turn=seen.turn,
        chest_wall=seen.chest_wall,
        overlays=dicom_header.has_overlays(dataset),
        shutter=dicom_header.has_shutter(dataset),
        for_processing=for_processing,
        phantom=dicom_header.is_phantom(dataset),
        notices=tuple(notices),
    )


@dataclass
class DicomImage:
    """One DICOM file; the frame read last is kept."""

    path: Path
    dataset: Dataset
    syntax: UID
    info: ImageInfo
    _kept: tuple[int, Pixels] | None = None

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`pathview.images.source.ImageSource`."""
        if self._kept is None or self._kept[0] != frame:
            self._kept = (frame, self._decode(frame))
        return self._kept[1][region.y : region.bottom, region.x : region.right]

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """See :class:`pathview.images.source.ImageSource`."""
        if self.info.is_color:
            return None
        with _quiet(self.path):
            scale = dicom_header.gray_scale(self.dataset, frame, self.info.bits)
        if scale.options:
            return scale
        return scale.with_range_of(self.read_region(Region.whole(self.info.size), frame=frame))

    def captions(self) -> Captions:
        """See :func:`pathview.images.captions.captions_of`; what the header garbles is left out."""
        try:
            with _quiet(self.path):
                return dicom_captions(self.dataset, self.info)
        except ImageError:
            return Captions(view=view_lines(self.info))

    def close(self) -> None:
        """Let pixels and header go."""
        self._kept = None
        self.dataset = Dataset()

    def _decode(self, frame: int) -> Pixels:
        codecs.register()
        plugin = codecs.PLUGIN if self.syntax.is_encapsulated else ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels, meta = get_decoder(self.syntax).as_array(
                    self.dataset,
                    index=frame,
                    decoding_plugin=plugin,
                    correct_unused_bits=False,  # type: ignore[arg-type]
                )
                if self.info.photometric == "PALETTE COLOR":
                    pixels = apply_color_lut(pixels, self.dataset)
        except READ_FAILURES as error:
            raise ImageError(
                f"{self.path.name} cannot be decoded ({self.syntax.name}): its pixels are damaged."
            ) from error
        if self.info.is_color:
            with _quiet(self.path):
                return _rgb8(pixels, self._color_bits())
        with _quiet(self.path):
            return self._used_bits(pixels, compressed=bool(meta.get("bits_allocated") != self.dataset.BitsAllocated))

    def _color_bits(self) -> int:
        """Bits of one colour's samples; those of a palette stand in its descriptor (PS3.3 C.7.6.3.1.5)."""
        palette = dicom_header.numbers(self.dataset, "RedPaletteColorLookupTableDescriptor")
        if self.info.photometric == "PALETTE COLOR" and len(palette) == 3:
            return int(palette[2])
        return int(self.dataset.get("BitsStored") or 16)

    def _used_bits(self, pixels: Pixels, compressed: bool) -> Pixels:
        """Only the stored bits of each cell, sign-extended; High Bit need not be Bits Stored - 1.

        Returns:
            uint8 or uint16, or int16 where codes are signed: what the rest of the program computes with.
        """
        allocated = pixels.dtype.itemsize * 8
        bits = min(self.info.bits, allocated)
        high = int((dicom_header.numbers(self.dataset, "HighBit") or [bits - 1])[0])
        aligned = self.syntax.is_encapsulated or compressed
        shift = 0 if aligned else min(max(0, high - bits + 1), allocated - bits)
        if pixels.dtype.kind == "i":
            left = allocated - bits - shift
            return np.asarray((pixels << left) >> (left + shift), np.int16)
        used = pixels if bits == allocated else (pixels >> shift) & (2**bits - 1)
        return np.asarray(used, np.uint8 if allocated == 8 else np.uint16)


def _rgb8(pixels: Pixels, bits: int) -> Pixels:
    """Colours of ``bits`` bits as 8; some writers say 16 of colours that are all below 256."""
    if pixels.dtype == np.uint8:
        return pixels
    top = int(pixels.max()).bit_length() if pixels.size else 0
    return (pixels >> max(0, (8 if top <= 8 else max(bits, top)) - 8)).astype(np.uint8)
