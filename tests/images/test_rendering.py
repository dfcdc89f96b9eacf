"""The grey scale against dcmtk's dcm2pnm, an implementation of its own: mean absolute difference in levels of 255.

``PATHVIEW_RENDERING_TABLE=FILE`` writes the measured differences, for docs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from pathview.geometry import Region
from pathview.images.dicom import DicomImage, open_dicom
from pathview.images.intensity import Voi, Window
from pathview.images.render import display_pixels
from pathview.settings import Settings
from tests.makers import breast_pixels, dicom_dataset, lut_item, write_dicom

pytestmark = pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcmtk is not installed")

LIMIT = 0.2
SHADES = breast_pixels() + (np.arange(200 * 160, dtype=np.uint16).reshape(200, 160) % 90)
"""12 bits, many of the codes between 0 and 4095."""
WINDOW = {"WindowCenter": 2000, "WindowWidth": 3000}
FIRST_WINDOW, FIRST_LUT, MIN_MAX = ("+Wi", "1"), ("+Wl", "1"), ("+Wm",)


def peer(path: Path, *options: str, frame: int = 0) -> np.ndarray:
    """What dcm2pnm makes of a file: [rows, columns] or [rows, columns, 3]."""
    picture = path.with_suffix(".png")
    command = ["dcm2pnm", *options, "-O", "+F", str(frame + 1), "+on", str(path), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert picture.is_file(), done.stderr
    pixels = np.asarray(Image.open(picture)).astype(int)
    picture.unlink()
    return pixels


def ours(source: DicomImage, frame: int = 0, voi: Voi | None = None) -> np.ndarray:
    """What this program shows, not turned."""
    return display_pixels(source, Region.whole(source.info.size), source.info.size, frame, voi).astype(int)


def note(name: str, difference: np.ndarray) -> float:
    """The mean of absolute differences; kept for the table."""
    mean = float(difference.mean())
    if table := os.environ.get("PATHVIEW_RENDERING_TABLE"):
        with Path(table).open("a") as file:
            file.write(f"| {name} | {mean:.4f} | {int(difference.max())} |\n")
    return mean


def assert_alike(
    name: str, path: Path, *options: str, frame: int = 0, voi: Voi | None = None, where: np.ndarray | None = None
) -> None:
    """Both show the same, on the pixels ``where`` both mean the same."""
    found, wanted = ours(open_dicom(path, Settings()), frame, voi), peer(path, *options, frame=frame)
    assert found.shape == wanted.shape
    difference = np.abs(found - wanted)[where if where is not None else ...]
    assert difference.size
    assert found.min() < found.max()
    assert note(name, difference) < LIMIT


def signed_lut(first: int, entries: list[int], bits: int) -> Dataset:
    """A LUT whose first value is negative."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


def packed_lut(first: int, entries: bytes) -> Dataset:
    """A LUT with two entries of 8 bits a word."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 8])
    item.add_new("LUTData", "OW", entries)
    return item


def whole_lut() -> Dataset:
    """A LUT for all codes of 16 bits; 0 stands for 65536 entries, and only OW holds so many."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [0, 0, 16])
    item.add_new("LUTData", "OW", np.arange(65535, -1, -1, dtype="<u2").tobytes())
    return item


CURVE = [int(255 * (i / 999) ** 0.7) for i in range(1000)]
TRAPS: dict[str, tuple[np.ndarray, dict[str, Any], tuple[str, ...]]] = {
    "window": (SHADES, WINDOW, FIRST_WINDOW),
    "window of a fraction": (SHADES, {"WindowCenter": 1999.5, "WindowWidth": 1234.5}, FIRST_WINDOW),
    "window of width 1": (SHADES, {"WindowCenter": 1350, "WindowWidth": 1}, FIRST_WINDOW),
    "no window": (SHADES, {}, MIN_MAX),
    "sigmoid": (SHADES, WINDOW | {"VOILUTFunction": "SIGMOID"}, FIRST_WINDOW),
    "MONOCHROME1": (SHADES, WINDOW | {"PhotometricInterpretation": "MONOCHROME1"}, FIRST_WINDOW),
    "MONOCHROME1, sigmoid": (
        SHADES, WINDOW | {"PhotometricInterpretation": "MONOCHROME1", "VOILUTFunction": "SIGMOID"}, FIRST_WINDOW),
    "MONOCHROME1, no window": (SHADES, {"PhotometricInterpretation": "MONOCHROME1"}, MIN_MAX),
    "MONOCHROME1 and inverse shape": (
        SHADES, WINDOW | {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, FIRST_WINDOW),
    "rescale": (SHADES, {"WindowCenter": 500, "WindowWidth": 900, "RescaleSlope": 0.5, "RescaleIntercept": -300},
                FIRST_WINDOW),
    "negative slope": (SHADES, {"WindowCenter": 500, "WindowWidth": 3000, "RescaleSlope": -1, "RescaleIntercept": 3000},
                       FIRST_WINDOW),
    "signed": ((SHADES.astype(np.int16) - 2048), {"WindowCenter": -300, "WindowWidth": 2500}, FIRST_WINDOW),
    "8 bits": ((SHADES >> 4).astype(np.uint8), {"WindowCenter": 100, "WindowWidth": 130}, FIRST_WINDOW),
    "VOI LUT": (SHADES, {"VOILUTSequence": [lut_item(300, [min(4095, i) for i in range(3000)], 12)]}, FIRST_LUT),
    "VOI LUT of 16 bits and all codes": (
        SHADES << 4, {"VOILUTSequence": [whole_lut()]}, FIRST_LUT),
    "VOI LUT of 1000 8-bit entries": (SHADES, {"VOILUTSequence": [lut_item(900, CURVE, 8)]}, FIRST_LUT),
    "VOI LUT of 1000 packed 8-bit entries": (SHADES, {"VOILUTSequence": [packed_lut(900, bytes(CURVE))]}, FIRST_LUT),
    "VOI LUT that begins below 0": (
        SHADES.astype(np.int16) - 2048,
        {"VOILUTSequence": [signed_lut(-1200, [min(4095, i) for i in range(3000)], 12)]}, FIRST_LUT),
    "VOI LUT below 0 after rescale": (
        SHADES, {"RescaleSlope": 1, "RescaleIntercept": -1500,
                 "VOILUTSequence": [signed_lut(-800, [min(4095, 2 * i) for i in range(2500)], 12)]}, FIRST_LUT),
    "modality LUT": (
        SHADES, {"ModalityLUTSequence": [lut_item(0, [int((i / 4095) ** 2 * 65535) for i in range(4096)], 16)],
                 "WindowCenter": 9000, "WindowWidth": 16000}, FIRST_WINDOW),
    "modality LUT and VOI LUT": (
        SHADES, {"ModalityLUTSequence": [lut_item(0, [4095 - i for i in range(4096)], 12)],
                 "VOILUTSequence": [lut_item(500, [min(4095, i) for i in range(3000)], 12)]}, FIRST_LUT),
    "padding value that is nowhere": (SHADES + 5, WINDOW | {"PixelPaddingValue": 0}, FIRST_WINDOW),
    "HighBit 15 of 12 bits": (SHADES << 4, WINDOW | {"HighBit": 15}, FIRST_WINDOW),
    "HighBit 13 of 12 bits": (SHADES << 2, WINDOW | {"HighBit": 13}, FIRST_WINDOW),
    "signed, HighBit 15 of 12 bits": (
        (SHADES.astype(np.int16) - 2048) << 4, {"HighBit": 15, "WindowCenter": -300, "WindowWidth": 2500},
        FIRST_WINDOW),
    "noise in unused high bits": (SHADES | 0x9000, WINDOW, FIRST_WINDOW),
    "For Processing": (SHADES, {"PresentationIntentType": "FOR PROCESSING"}, MIN_MAX),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TRAPS))
def test_that_the_grey_scale_is_dcmtks(name: str, tmp_path: Path) -> None:
    pixels, tags, options = TRAPS[name]
    if "ModalityLUTSequence" in tags:
        tags["ModalityLUTSequence"][0].ModalityLUTType = "US"
    bits = 8 if pixels.dtype == np.uint8 else 16 if "all codes" in name else 12
    assert_alike(name, write_dicom(tmp_path / "a.dcm", pixels, bits, **tags), *options)


def test_that_an_inverted_lut_reaches_black(tmp_path: Path) -> None:
    """A difference of intent: dcmtk scales an inverted LUT to 254 steps, so that its darkest grey is 1, ours 0."""
    luts = [lut_item(0, list(range(4096)), 12)]
    tags = {"PhotometricInterpretation": "MONOCHROME1", "VOILUTSequence": luts}
    path = write_dicom(tmp_path / "a.dcm", np.arange(4096, dtype=np.uint16).reshape(64, 64), **tags)
    found, wanted = ours(open_dicom(path, Settings())), peer(path, *FIRST_LUT)
    assert (found.min(), found.max(), wanted.min()) == (0, 255, 1)
    assert note("VOI LUT and MONOCHROME1 (dcmtk does not reach black)", np.abs(found - wanted)) < 1.1
    again = write_dicom(tmp_path / "b.dcm", np.arange(4096, dtype=np.uint16).reshape(64, 64), VOILUTSequence=luts)
    assert np.abs(found - (255 - peer(again, *FIRST_LUT))).max() <= 1


def test_that_an_inverse_presentation_shape_inverts(tmp_path: Path) -> None:
    """dcm2pnm leaves the attribute aside unless it is asked."""
    path = write_dicom(tmp_path / "a.dcm", SHADES, **WINDOW, PresentationLUTShape="INVERSE")
    assert_alike("inverse presentation LUT shape", path, *FIRST_WINDOW, "+Piv")


def test_that_linear_exact_is_a_window_half_a_code_aside(tmp_path: Path) -> None:
    """dcmtk 3.6.7 does not know LINEAR_EXACT; LINEAR of centre + 0.5 and width + 1 is the same line (C.11.2.1.3.2)."""
    path = write_dicom(tmp_path / "a.dcm", SHADES, **WINDOW, VOILUTFunction="LINEAR_EXACT")
    assert_alike("LINEAR_EXACT", path, "+Ww", "2000.5", "3001")


def test_that_a_window_of_width_0_is_left_out(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", SHADES, WindowCenter=[100, 2000], WindowWidth=[0, 3000])
    assert_alike("first window of width 0", path, "+Wi", "2")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_that_every_window_and_every_lut_is_dcmtks(number: int, tmp_path: Path) -> None:
    luts = [lut_item(0, [i // step for i in range(4096)], 12) for step in (1, 2, 3)]
    tags = {"WindowCenter": [900, 2000, 3000], "WindowWidth": [700, 4000, 1500], "VOILUTSequence": luts}
    path = write_dicom(tmp_path / "a.dcm", SHADES, **tags)
    options = open_dicom(path, Settings()).gray_scale().options
    assert_alike(f"VOI LUT {number} of 3", path, "+Wl", str(number), voi=options[number - 1])
    assert_alike(f"window {number} of 3", path, "+Wi", str(number), voi=options[2 + number])


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_that_only_padding_differs_which_is_black_here(photometric: str, tmp_path: Path) -> None:
    """A difference of intent: dcm2pnm windows padding like any code, and inverts it with the rest."""
    tags = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 60, "PhotometricInterpretation": photometric}
    path = write_dicom(tmp_path / "a.dcm", SHADES, **WINDOW, **tags)
    image = SHADES > 60
    assert 0.1 < image.mean() < 0.9
    assert_alike(f"padding range, {photometric}", path, *FIRST_WINDOW, where=image)
    assert (ours(open_dicom(path, Settings()))[~image] == 0).all()


def test_that_each_frame_has_its_own_window(tmp_path: Path) -> None:
    """dcm2pnm does not look into functional groups, so the frame's window is told to it."""
    frames = []
    for center in (1000, 2500):
        voi, frame = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 1500
        frame.FrameVOILUTSequence = [voi]
        frames.append(frame)
    path = write_dicom(tmp_path / "a.dcm", np.stack([SHADES, SHADES[::-1]]), PerFrameFunctionalGroupsSequence=frames)
    for frame, center in enumerate((1000, 2500)):
        assert_alike(f"window of frame {frame + 1}", path, "+Ww", str(center), "1500", frame=frame)


def big_endian(ds: Dataset) -> None:
    ds.PixelData = SHADES.astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"


@pytest.mark.parametrize(
    ("syntax", "change"),
    [
        (uid.ImplicitVRLittleEndian, None),
        (uid.DeflatedExplicitVRLittleEndian, None),
        (uid.ExplicitVRBigEndian, big_endian),
    ],
    ids=["implicit", "deflated", "big-endian"],
)
def test_that_the_transfer_syntax_does_not_matter(
    syntax: str, change: Callable[[Dataset], None] | None, tmp_path: Path
) -> None:
    luts = [signed_lut(-5, [min(4095, i) for i in range(3000)], 12)]
    ds = dicom_dataset(SHADES, **WINDOW, VOILUTSequence=luts, RescaleSlope=1, RescaleIntercept=-10)
    ds.file_meta.TransferSyntaxUID = syntax
    if change is not None:
        change(ds)
    little = syntax != uid.ExplicitVRBigEndian
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, implicit_vr=syntax == uid.ImplicitVRLittleEndian, little_endian=little)
    options = open_dicom(tmp_path / "a.dcm", Settings()).gray_scale().options
    name = uid.UID(syntax).name
    assert_alike(f"{name}, VOI LUT", tmp_path / "a.dcm", *FIRST_LUT)
    assert_alike(f"{name}, window", tmp_path / "a.dcm", *FIRST_WINDOW, voi=options[1])


@pytest.mark.parametrize("top", [0xFFFF, 0x2FFF, 0xFF], ids=["bright", "dark", "8 bits"])
def test_that_palette_colour_opens_as_rgb(top: int, tmp_path: Path) -> None:
    indices = (SHADES >> 4).astype(np.uint8)
    bits = 8 if top == 0xFF else 16
    ds = dicom_dataset(indices, 8, PhotometricInterpretation="PALETTE COLOR")
    ramp = np.linspace(0, top, 256)
    for color, values in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp * 0.3)):
        setattr(ds, f"{color}PaletteColorLookupTableDescriptor", [256, 0, bits])
        words = values.astype("<u2" if bits == 16 else "u1").tobytes()
        ds.add_new(f"{color}PaletteColorLookupTableData", "OW", words)
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    info = open_dicom(tmp_path / "a.dcm", Settings()).info
    assert (info.is_color, info.bits) == (True, 8)
    assert_alike(f"palette colour, {bits} bits, top {top:#x}", tmp_path / "a.dcm")


PYDICOMS = {
    "CT_small.dcm": MIN_MAX,
    "MR_small.dcm": FIRST_WINDOW,
    "MR_small_RLE.dcm": FIRST_WINDOW,
    "MR_small_bigendian.dcm": FIRST_WINDOW,
    "MR_small_expb.dcm": FIRST_WINDOW,
    "MR_small_implicit.dcm": FIRST_WINDOW,
    "MR_small_jp2klossless.dcm": FIRST_WINDOW,
    "MR_small_jpeg_ls_lossless.dcm": FIRST_WINDOW,
    "MR_small_padded.dcm": FIRST_WINDOW,
    "693_J2KI.dcm": FIRST_WINDOW,
    "J2K_pixelrep_mismatch.dcm": FIRST_WINDOW,
    "JPEG-lossy.dcm": MIN_MAX,
    "JPGExtended.dcm": MIN_MAX,
    "JPEG2000.dcm": MIN_MAX,
    "JPEGLSNearLossless_08.dcm": MIN_MAX,
    "JPEGLSNearLossless_16.dcm": MIN_MAX,
    "examples_overlay.dcm": FIRST_WINDOW,
    "image_dfl.dcm": MIN_MAX,
    "liver_1frame.dcm": MIN_MAX,
    "liver_expb_1frame.dcm": MIN_MAX,
    "examples_palette.dcm": (),
    "examples_rgb_color.dcm": (),
    "SC_rgb_rle_16bit.dcm": (),
}
"""pydicom's grey images of up to 16 bits, and some in colour. Not here: doses and others of 32 bits, which are refused,
and files whose pixels are cut off or damaged on purpose."""


def plain(path: Path, folder: Path) -> Path:
    """A file that dcm2pnm can read, decoded by dcmtk where it has the codec, else by pydicom with Pillow."""
    syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    target = folder / "plain.dcm"
    tools = {"JPEG-LS": "dcmdjpls", "RLE": "dcmdrle", "JPEG 2000": "", "JPEG": "dcmdjpeg"}
    tool = next((tool for name, tool in tools.items() if name in uid.UID(syntax).name), None)
    if tool is None:
        return path
    if tool:
        subprocess.run([tool, str(path), str(target)], check=True, capture_output=True)
        return target
    ds = pydicom.dcmread(path)
    pixels, _ = get_decoder(syntax).as_array(ds, raw=True, decoding_plugin="pillow")
    ds.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].is_undefined_length = False
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.save_as(target)
    return target


@pytest.mark.parametrize("name", list(PYDICOMS))
def test_that_pydicoms_images_are_dcmtks(name: str, tmp_path: Path) -> None:
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip("not in this wheel of pydicom")
    shutil.copy(str(found), tmp_path / "a.dcm")
    difference = np.abs(
        ours(open_dicom(tmp_path / "a.dcm", Settings())) - peer(plain(tmp_path / "a.dcm", tmp_path), *PYDICOMS[name])
    )
    assert note(f"pydicom: {name}", difference) < LIMIT


@pytest.mark.parametrize("voi", ["lut", "window"])
@pytest.mark.parametrize("name", ["ge_ffdm_r_mlo", "nema_mg1_j2k"])
def test_that_real_mammograms_are_dcmtks(name: str, voi: str, data_dir: Path, tmp_path: Path) -> None:
    """Padding apart, which stays black here."""
    path = data_dir / "mammograms" / "dicom" / f"{name}.dcm"
    if not path.is_file():
        pytest.skip("this mammogram is not here")
    source = open_dicom(path, Settings())
    scale = source.gray_scale()
    chosen = [option for option in scale.options if isinstance(option, Window) == (voi == "window")]
    if not chosen:
        pytest.skip("it has none")
    decoded = plain(path, tmp_path)
    codes = source.read_region(Region.whole(source.info.size))
    image = codes > scale.padding[1] if scale.padding else np.ones(codes.shape, bool)
    for number, option in enumerate(chosen, start=1):
        wanted = peer(decoded, "+Wi" if voi == "window" else "+Wl", str(number))
        difference = np.abs(ours(source, voi=option) - wanted)[image]
        assert note(f"{name}: {voi} {number}", difference) < LIMIT
