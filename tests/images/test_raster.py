from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.images.raster import flat_image
from pathview.images.render import display_pixels
from pathview.settings import Settings

GRAY8 = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40).astype(np.uint8)
GRAY16 = (np.arange(30 * 40, dtype=np.uint16) * 54).reshape(30, 40)
COLOR = np.dstack([GRAY8, GRAY8[::-1], GRAY8[:, ::-1]])


def whole(path: Path) -> np.ndarray:
    source = open_image(path)
    return source.read_region(Region.whole(source.info.size))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".pgm"])
def test_that_8_bit_grey_is_read_exactly(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(GRAY8).save(path)
    assert np.array_equal(whole(path), GRAY8)
    assert open_image(path).info.photometric == "MONOCHROME2"


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_that_16_bit_grey_keeps_its_codes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), GRAY16)
    assert np.array_equal(whole(path), GRAY16)
    assert open_image(path).info.bits == 16


def test_that_a_pgm_with_an_odd_maximum_keeps_its_codes(tmp_path: Path) -> None:
    codes = GRAY16 % 4096
    (tmp_path / "a.pgm").write_bytes(b"P5\n40 30\n4095\n" + codes.astype(">u2").tobytes())
    assert np.array_equal(whole(tmp_path / "a.pgm"), codes)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_that_colour_is_rgb(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(COLOR).save(path)
    assert np.array_equal(whole(path), COLOR)


def test_that_16_bit_colour_is_reduced_to_8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), COLOR[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(whole(tmp_path / "a.png"), COLOR)


def test_that_jpeg_with_equal_channels_is_grey(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([GRAY8] * 3)).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    info = open_image(tmp_path / "a.jpg").info
    assert (info.photometric, info.kind) == ("MONOCHROME2", "mammogram")


def test_that_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (200, 10, 10, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert whole(tmp_path / "a.png")[:, :, 0].tolist() == [[200, 255], [255, 255]]


def test_that_orientation_tags_do_not_turn_the_stored_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOR).save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg").info.size.width == 40


def test_that_tiff_pages_are_frames(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GRAY16, GRAY16[::-1], GRAY16[:, ::-1]]), photometric="minisblack")
    source = open_image(tmp_path / "a.tif")
    assert source.info.frames == 3
    region = Region.whole(source.info.size)
    assert np.array_equal(source.read_region(region, frame=2), GRAY16[:, ::-1])
    assert np.array_equal(source.read_region(region, frame=0), GRAY16)


@pytest.mark.parametrize("codes", [GRAY8, GRAY16], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("frames", [1, 2])
def test_that_a_white_is_zero_tiff_is_turned_once(codes: np.ndarray, frames: int, tmp_path: Path) -> None:
    for name in ("miniswhite", "minisblack"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.stack([codes] * frames).squeeze(), photometric=name)
    turned, plain = (open_image(tmp_path / f"{name}.tif") for name in ("miniswhite", "minisblack"))
    assert (turned.info.photometric, turned.info.frames) == ("MONOCHROME1", frames)
    whole_image, last = Region.whole(turned.info.size), frames - 1
    shown = [display_pixels(source, whole_image, source.info.size, last).astype(int) for source in (turned, plain)]
    assert np.abs(shown[0] - (255 - shown[1])).max() <= 1
    assert np.array_equal(turned.read_region(whole_image, frame=last), codes)


def test_that_a_tiff_without_a_photometric_tag_is_not_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GRAY8, photometric="minisblack", metadata=None)
    path.write_bytes(path.read_bytes().replace(b"\x06\x01\x03\x00", b"\x05\x01\x03\x00"))
    assert open_image(path).info.photometric == "MONOCHROME2"


@pytest.mark.parametrize("depth", [8, 16])
def test_that_a_colour_mapped_tiff_becomes_rgb(depth: int, tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(1, 256, (3, 256)).astype(np.uint16)
    stored = colors * 257 if depth == 16 else colors
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GRAY8, GRAY8[::-1]]), photometric="palette", colormap=stored)
    source = open_image(tmp_path / "a.tif")
    assert (source.info.photometric, source.info.frames) == ("RGB", 2)
    found = source.read_region(Region.whole(source.info.size), frame=1)
    assert np.array_equal(found, colors.T[GRAY8[::-1]])


def test_that_pages_with_colour_maps_of_their_own_keep_them(tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(256, 65536, (2, 3, 256)).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for table in colors:
            writer.write(GRAY8, photometric="palette", colormap=table, metadata=None)
    source = open_image(tmp_path / "a.tif")
    for frame in range(source.info.frames):
        found = source.read_region(Region.whole(source.info.size), frame=frame)
        assert np.array_equal(found, (colors[frame] >> 8).T[GRAY8])


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "words"),
    [
        ((30, 40, 4), np.float32, {"photometric": "rgb"}, "30 x 40 x 4 pixels of type float32"),
        ((30, 40), np.float32, {}, "type float32"),
        ((30, 40), np.int16, {}, "type int16"),
        ((30, 40), np.uint32, {}, "type uint32"),
        ((30, 40, 5), np.uint8, {"photometric": "minisblack", "planarconfig": "contig"}, "30 x 40 x 5"),
        ((30, 40, 4), np.uint8, {"photometric": "separated"}, "SEPARATED colours"),
        ((30, 40, 3), np.uint8, {"photometric": "cielab"}, "CIELAB colours"),
    ],
)
def test_that_a_tiff_of_another_kind_is_refused_with_what_to_do(
    shape: tuple[int, ...], dtype: type, options: dict, words: str, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "odd.tif", np.zeros(shape, dtype), **options)
    with pytest.raises(ImageError, match=rf"odd\.tif .*{words}.* save it as grey or RGB"):
        open_image(tmp_path / "odd.tif")


def test_that_pixels_no_reader_can_show_are_refused() -> None:
    with pytest.raises(ImageError, match=r"x\.png .*float32"):
        flat_image(Path("x.png"), "PNG", np.zeros((2, 2, 4), np.float32))


def test_that_a_microscopes_resolution_is_a_pixel_size_and_a_printers_is_not(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COLOR, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    tifffile.imwrite(tmp_path / "b.tif", COLOR, resolution=(300, 300), resolutionunit="INCH")
    assert open_image(tmp_path / "a.tif").info.mpp_um == pytest.approx(0.5)
    assert open_image(tmp_path / "b.tif").info.mpp_um is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".pgm", ".tif"])
def test_that_cut_off_files_are_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8)
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"cut{suffix}"):
        whole(path)


def test_that_huge_promises_are_refused_before_decoding(tmp_path: Path) -> None:
    Image.fromarray(GRAY8).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="limit"):
        open_image(tmp_path / "a.png", Settings(max_image_bytes=100))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.png", b"", "is empty"),
        ("text.png", b"hello, I am text", "not an image"),
        ("a.txt", b"x", "not an image"),
    ],
)
def test_that_what_is_no_image_is_told(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=words):
        open_image(tmp_path / name)


def test_that_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone.png does not exist"):
        open_image(tmp_path / "gone.png")
