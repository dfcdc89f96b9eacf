from __future__ import annotations

import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.dicom import open_dicom
from pathview.images.intensity import Lut, Window, to_gray8
from pathview.images.render import display_pixels
from pathview.settings import Settings
from tests.makers import dicom_dataset, lut_item, write_dicom

RAMP = (np.arange(40 * 64, dtype=np.uint16) * 3 % 4096).reshape(40, 64)


def whole(source) -> np.ndarray:
    return source.read_region(Region.whole(source.info.size))


def write_encoded(path: Path, pixels: np.ndarray, syntax: str, frames: list[bytes], **tags) -> Path:
    ds = dicom_dataset(pixels, **tags)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


ENCODERS = {
    uid.JPEGLosslessSV1: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12),
    uid.JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
    uid.JPEGLSLossless: imagecodecs.jpegls_encode,
    uid.HTJ2KLossless: imagecodecs.htj2k_encode,
}


@pytest.mark.parametrize("syntax", list(ENCODERS), ids=lambda s: uid.UID(s).name)
def test_that_lossless_syntaxes_are_read_bit_by_bit(syntax: str, tmp_path: Path, settings: Settings) -> None:
    path = write_encoded(tmp_path / "a.dcm", RAMP, syntax, [ENCODERS[syntax](RAMP)])
    assert np.array_equal(whole(open_dicom(path, settings)), RAMP)


def test_that_12_bit_jpeg_is_read(tmp_path: Path, settings: Settings) -> None:
    smooth = np.tile(np.linspace(0, 4000, 64, dtype=np.uint16), (40, 1))
    frame = imagecodecs.jpeg8_encode(smooth, level=98, bitspersample=12)
    path = write_encoded(tmp_path / "a.dcm", smooth, uid.JPEGExtended12Bit, [frame])
    assert np.abs(whole(open_dicom(path, settings)).astype(int) - smooth).max() < 40


def test_that_rle_deflated_and_big_endian_are_read(tmp_path: Path, settings: Settings) -> None:
    for syntax in (uid.RLELossless, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian):
        ds = dicom_dataset(RAMP)
        if syntax == uid.RLELossless:
            ds.compress(syntax, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = syntax
        if syntax == uid.ExplicitVRBigEndian:
            ds.PixelData = RAMP.astype(">u2").tobytes()
            ds["PixelData"].VR = "OW"
        path = tmp_path / f"{uid.UID(syntax).keyword}.dcm"
        pydicom.dcmwrite(path, ds, little_endian=syntax != uid.ExplicitVRBigEndian, implicit_vr=False)
        assert np.array_equal(whole(open_dicom(path, settings)), RAMP), syntax


@pytest.mark.parametrize(
    "name",
    ["JPEG-lossy.dcm", "JPGExtended.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "MR_small_RLE.dcm", "image_dfl.dcm",
     "MR_small_bigendian.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_small_odd_jpeg.dcm"],
)  # fmt: skip
def test_that_pydicoms_own_files_open(name: str, settings: Settings) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not in this wheel of pydicom")
    source = open_dicom(Path(path), settings)
    pixels = whole(source)
    assert pixels.shape[:2] == source.info.size.shape
    assert pixels.min() < pixels.max()


def test_that_colour_jpeg_becomes_rgb_whatever_its_colour_space(settings: Settings) -> None:
    wanted = [(255, 0, 0), (255, 128, 128), (0, 255, 0), (128, 255, 128), (0, 0, 255), (128, 128, 255)]
    for name in ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        path = get_testdata_file(name, download=False)
        if path is None:
            pytest.skip("not in this wheel of pydicom")
        pixels = whole(open_dicom(Path(path), settings)).astype(int)
        for row, color in zip((5, 15, 25, 35, 45, 55), wanted, strict=True):
            assert np.abs(pixels[row, 50] - color).max() <= 6, (name, row)


def test_that_high_bit_need_not_be_bits_stored_less_one(tmp_path: Path, settings: Settings) -> None:
    shifted = (RAMP << 4) | 0x000F
    path = write_dicom(tmp_path / "a.dcm", shifted, HighBit=15)
    assert np.array_equal(whole(open_dicom(path, settings)), RAMP)


def test_that_signed_codes_below_16_bits_are_extended(tmp_path: Path, settings: Settings) -> None:
    codes = np.array([[-2048, -1, 0, 2047]], np.int16)
    path = write_dicom(tmp_path / "a.dcm", codes & 0x0FFF, PixelRepresentation=1)
    assert whole(open_dicom(path, settings)).tolist() == codes.tolist()


@pytest.mark.parametrize(
    ("high_bit", "shift"), [(None, 0), ([11, 11], 0), (40, 4)], ids=["empty", "twice", "beyond the cell"]
)
def test_that_a_wrong_high_bit_does_not_matter(
    high_bit: int | list[int] | None, shift: int, tmp_path: Path, settings: Settings
) -> None:
    ds = dicom_dataset(RAMP << shift)
    ds.HighBit = high_bit
    pydicom.dcmwrite(tmp_path / "a.dcm", ds)
    assert np.array_equal(whole(open_dicom(tmp_path / "a.dcm", settings)), RAMP)


@pytest.mark.parametrize(
    ("stored", "bits", "dtype"),
    [
        (RAMP.astype(np.uint32) * 16, 16, np.uint16),
        (RAMP.astype(np.int32) - 2000, 16, np.int16),
        (RAMP.astype(np.uint32), 12, np.uint16),
        ((RAMP % 256 - 128.0).astype(np.int8), 8, np.int16),
        ((RAMP % 64 - 32.0).astype(np.int8), 6, np.int16),
        ((RAMP % 256).astype(np.uint8), 8, np.uint8),
    ],
    ids=["uint32", "int32", "12 of 32 bits", "int8", "6 of 8 bits", "uint8"],
)
def test_that_cells_of_any_size_become_codes_that_can_be_shown(
    stored: np.ndarray, bits: int, dtype: type, tmp_path: Path, settings: Settings
) -> None:
    source = open_dicom(write_dicom(tmp_path / "a.dcm", stored, bits), settings)
    pixels = whole(source)
    assert pixels.dtype == dtype
    assert np.array_equal(pixels, stored)
    shown = display_pixels(source, Region.whole(source.info.size), Size(16, 10))
    assert shown.min() < shown.max()


def test_that_the_first_voi_lut_comes_before_windows_and_width_0_is_no_window(
    tmp_path: Path, settings: Settings
) -> None:
    luts = [lut_item(0, [i // 16 for i in range(4096)], 8, "SOFT")]
    path = write_dicom(
        tmp_path / "a.dcm",
        RAMP,
        VOILUTSequence=luts,
        WindowCenter=[100, 2000],
        WindowWidth=[0, 3000],
        WindowCenterWidthExplanation=["NONE", "WIDE"],
        VOILUTFunction="SIGMOID",
    )
    scale = open_dicom(path, settings).gray_scale()
    assert scale is not None
    first, second = scale.options
    assert isinstance(first, Lut)
    assert first.explanation == "SOFT"
    assert second == Window(2000, 3000, "SIGMOID", "WIDE")


def test_that_packed_8_bit_lut_entries_are_unpacked(tmp_path: Path, settings: Settings) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [512, 0, 8])
    item.add_new("LUTData", "OW", bytes(i // 2 for i in range(512)))
    scale = open_dicom(write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[item]), settings).gray_scale()
    assert scale is not None
    assert isinstance(scale.voi, Lut)
    assert scale.voi.entries[:6] == (0, 0, 1, 1, 2, 2)


def test_that_monochrome1_is_turned_once(tmp_path: Path, settings: Settings) -> None:
    tags = {"WindowCenter": 2048, "WindowWidth": 4096, "PhotometricInterpretation": "MONOCHROME1"}
    for shape in (None, "INVERSE", "IDENTITY"):
        path = write_dicom(tmp_path / "a.dcm", np.array([[0, 4095]], np.uint16), PresentationLUTShape=shape, **tags)
        source = open_dicom(path, settings)
        scale = source.gray_scale()
        assert scale is not None
        assert to_gray8(whole(source), scale).tolist() == [[255, 0]], shape


def test_that_per_frame_windows_of_tomosynthesis_are_used(tmp_path: Path, settings: Settings) -> None:
    frames = []
    for center in (1000, 3000):
        voi = Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 500
        frame = Dataset()
        frame.FrameVOILUTSequence = [voi]
        frames.append(frame)
    path = write_dicom(tmp_path / "a.dcm", np.stack([RAMP, RAMP[::-1]]), PerFrameFunctionalGroupsSequence=frames)
    source = open_dicom(path, settings)
    assert source.info.frames == 2
    assert [source.gray_scale(f).voi.center for f in (0, 1)] == [1000, 3000]
    assert np.array_equal(source.read_region(Region.whole(source.info.size), frame=1), RAMP[::-1])


def spacing_of(path: Path, settings: Settings):
    info = open_dicom(path, settings).info
    return (info.spacing.row if info.spacing else None), info.spacing_source


def test_that_spacing_says_where_it_is_true(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.dcm"
    imager = {"ImagerPixelSpacing": [0.1, 0.1]}
    assert spacing_of(write_dicom(path, RAMP), settings) == (None, None)
    assert spacing_of(write_dicom(path, RAMP, **imager), settings) == (0.1, "at the detector")
    magnified = write_dicom(path, RAMP, **imager, EstimatedRadiographicMagnificationFactor=2.0)
    assert spacing_of(magnified, settings) == (0.05, "at the detector")
    assert spacing_of(write_dicom(path, RAMP, **imager, PixelSpacing=[0.1, 0.1]), settings)[1] == "at the detector"
    assert spacing_of(write_dicom(path, RAMP, **imager, PixelSpacing=[0.08, 0.08]), settings) == (0.08, "calibrated")
    assert spacing_of(write_dicom(path, RAMP, PixelSpacing=[0, 0]), settings) == (None, None)


def test_that_laterality_and_view_come_from_tags_never_from_the_name(tmp_path: Path, settings: Settings) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399368009", "SCT", "medio-lateral oblique"
    path = write_dicom(tmp_path / "L_CC.dcm", RAMP, ImageLaterality="R", ViewCodeSequence=[code], ViewPosition="CC")
    info = open_dicom(path, settings).info
    assert (info.laterality, info.view) == ("R", "MLO")
    bare = open_dicom(write_dicom(tmp_path / "L_CC.dcm", RAMP), settings).info
    assert (bare.laterality, bare.view) == (None, None)


def test_that_patients_are_keyed_without_their_id(tmp_path: Path, settings: Settings) -> None:
    infos = [
        open_dicom(write_dicom(tmp_path / f"{i}.dcm", RAMP, PatientID=pid), settings).info
        for i, pid in enumerate(("12345", "12345", "54321"))
    ]
    assert infos[0].patient_key == infos[1].patient_key != infos[2].patient_key
    assert "12345" not in str(infos[0].as_json())


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535"),
        ({"NumberOfFrames": 1_000_000}, "cut off"),
        ({"PixelData": None}, "ends before its pixels"),
        ({"BitsStored": 32, "BitsAllocated": 32}, "bits a pixel|cut off"),
    ],
)
def test_that_impossible_headers_are_refused_in_a_sentence(
    tags: dict, words: str, tmp_path: Path, settings: Settings
) -> None:
    path = write_dicom(tmp_path / "odd.dcm", RAMP, **tags)
    with pytest.raises(ImageError, match=words) as error:
        open_dicom(path, settings)
    assert "odd.dcm" in str(error.value)


def test_that_a_truncated_file_is_refused(tmp_path: Path, settings: Settings) -> None:
    whole_file = write_dicom(tmp_path / "a.dcm", RAMP).read_bytes()
    for share in (0.1, 0.5, 0.95):
        path = tmp_path / "cut.dcm"
        path.write_bytes(whole_file[: int(len(whole_file) * share)])
        with pytest.raises(ImageError, match=r"cut\.dcm"):
            whole(open_dicom(path, settings))


@pytest.mark.qt_no_exception_capture
def test_that_no_damaged_byte_gets_past_as_another_kind_of_error(tmp_path: Path, settings: Settings) -> None:
    """Flip bytes all over compressed files: an image or an ImageError, nothing else."""
    rng = np.random.default_rng(0)
    for syntax, encode in ENCODERS.items():
        good = write_encoded(tmp_path / "good.dcm", RAMP, syntax, [encode(RAMP)]).read_bytes()
        for _ in range(25):
            bad = bytearray(good)
            for place in rng.integers(132, len(bad), 3):
                bad[place] = rng.integers(0, 256)
            path = tmp_path / "bad.dcm"
            path.write_bytes(bad)
            try:
                source = open_dicom(path, settings)
                whole(source)
                source.gray_scale()
            except ImageError:
                pass


def test_that_objects_without_an_image_are_named(settings: Settings) -> None:
    for name, kind in (("reportsi.dcm", "SR"), ("rtplan.dcm", "RT Plan")):
        with pytest.raises(ImageError, match=f"without an image .*{kind}"):
            open_dicom(Path(str(get_testdata_file(name))), settings)


def test_that_an_unknown_transfer_syntax_is_named(tmp_path: Path, settings: Settings) -> None:
    ds = dicom_dataset(RAMP)
    ds.file_meta.TransferSyntaxUID = "1.2.3.4.5"
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, implicit_vr=False, little_endian=True)
    with pytest.raises(ImageError, match="cannot read"):
        open_dicom(tmp_path / "a.dcm", settings)


def test_that_a_deflate_bomb_is_refused(tmp_path: Path) -> None:
    ds = dicom_dataset(RAMP)
    ds.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    data = (tmp_path / "a.dcm").read_bytes()
    meta_end = 144 + int(pydicom.filereader.read_file_meta_info(tmp_path / "a.dcm").FileMetaInformationGroupLength)
    bomb = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    (tmp_path / "a.dcm").write_bytes(data[:meta_end] + bomb.compress(bytes(64 * 2**20)) + bomb.flush())
    with pytest.raises(ImageError, match="inflates"):
        open_dicom(tmp_path / "a.dcm", Settings(max_image_bytes=2**20))


def test_that_a_jpeg_stream_without_an_end_is_refused(tmp_path: Path, settings: Settings) -> None:
    frame = imagecodecs.ljpeg_encode(RAMP, bitspersample=12)
    path = write_encoded(tmp_path / "a.dcm", RAMP, uid.JPEGLosslessSV1, [frame[: len(frame) // 2]])
    with pytest.raises(ImageError, match="damaged"):
        whole(open_dicom(path, settings))
