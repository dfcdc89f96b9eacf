"""Slides as they come: damaged, odd, with broken profiles, or gone while they are open."""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.damage import DAMAGED_GRAY, DamagedPart, read_sparing
from pathview.images.formats import open_image
from pathview.images.slide import SlideImage, checked_levels, read_associated
from pathview.settings import Settings
from tests.images.slides import spoil_tile, tissue_pixels, write_pyramid

PIXELS = tissue_pixels()
ICC_TAG = 34675


def test_that_one_damaged_tile_leaves_the_rest_of_the_slide(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    spoil_tile(path, 9)
    source = open_image(path)
    assert isinstance(source, SlideImage)
    with pytest.raises(DamagedPart, match=r"A part of slide.tif is damaged"):
        source.read_region(Region(256, 256, 256, 256))
    assert np.array_equal(source.read_region(Region(512, 256, 256, 256)), PIXELS[256:512, 512:768])


def test_that_threads_beside_a_damaged_tile_get_theirs(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    spoil_tile(path, 9)
    source = open_image(path)
    assert isinstance(source, SlideImage)
    regions = [Region(x, y, 256, 256) for y in range(0, 1024, 256) for x in range(0, 2048, 256)] * 4

    def read(region: Region) -> bool:
        pixels, damaged = read_sparing(source, region, 0)
        assert damaged or np.array_equal(pixels, PIXELS[region.y : region.bottom, region.x : region.right])
        return damaged

    with ThreadPoolExecutor(4) as pool:
        damaged = [region for region, bad in zip(regions, pool.map(read, regions), strict=True) if bad]
    assert damaged == [Region(256, 256, 256, 256)] * 4


def test_that_only_the_damaged_quarter_is_crossed_out(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    spoil_tile(path, 9)
    pixels, damaged = read_sparing(open_image(path), Region(0, 0, 512, 512), 0)
    assert damaged
    assert np.array_equal(pixels[:256], PIXELS[:256, :512])
    assert np.array_equal(pixels[256:, :256], PIXELS[256:512, :256])
    lost = pixels[256:, 256:]
    assert lost[10, 200].tolist() == [DAMAGED_GRAY] * 3
    assert lost[128, 128, 0] < DAMAGED_GRAY
    again, damaged = read_sparing(open_image(path), Region(512, 0, 512, 512), 0)
    assert not damaged
    assert np.array_equal(again, PIXELS[:512, 512:1024])


def test_that_a_slide_that_is_gone_says_so(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    source = open_image(path)
    source.close()
    path.unlink()
    with pytest.raises(ImageError, match=r"slide.tif can no longer be read") as caught:
        source.read_region(Region(0, 0, 100, 100))
    assert not isinstance(caught.value, DamagedPart)


def test_that_a_mirax_file_without_its_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slide.mrxs"
    Image.fromarray(PIXELS[:100, :100]).save(path, "JPEG")
    (tmp_path / "slide").mkdir()
    (tmp_path / "slide" / "Slidedat.ini").write_text("[GENERAL]\nSLIDE_VERSION = 1.9\n")
    shutil.rmtree(tmp_path / "slide")
    assert open_image(path).info.format == "JPEG"  # its picture is all there is left


def test_that_60000_pixels_at_once_are_refused(tmp_path: Path) -> None:
    source = open_image(write_pyramid(tmp_path / "slide.tif", PIXELS))
    with pytest.raises(ImageError, match=r"A region of 60000 x 60000 pixels of slide.tif is too large"):
        source.read_region(Region(0, 0, 60000, 60000))


def test_that_levels_that_do_not_fit_are_left_out() -> None:
    whole = Size(40000, 30000)
    fine = [whole, Size(10000, 7500), Size(2500, 1875), Size(1250, 937)]
    assert checked_levels(fine) == [0, 1, 2, 3]
    assert checked_levels([whole, Size(10000, 7500), Size(10000, 7500), Size(20000, 15000)]) == [0, 1]
    assert checked_levels([whole, Size(1000, 7500), Size(2500, 1875)]) == [0, 2]
    assert checked_levels([whole, Size(50000, 37500)]) == [0]
    for nothing in ([], [Size(0, 10)]):
        with pytest.raises(ValueError, match="level 0"):
            checked_levels(nothing)


def test_that_a_level_of_another_shape_is_not_used(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "slide.tif"
    options = {"tile": (256, 256), "photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(PIXELS, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
        writer.write(PIXELS[:900, :300], subfiletype=1, **options)
        writer.write(PIXELS[::4, ::4], subfiletype=1, **options)
    source = open_image(path)  # OpenSlide refuses it, tifffile takes the level for another picture
    assert [level.size for level in source.info.levels] == [Size(2048, 1024), Size(512, 256)]
    assert np.array_equal(source.read_region(Region(0, 0, 2048, 1024), 1), PIXELS[::4, ::4])


@pytest.mark.parametrize("mpp", [None, 352.8])
def test_that_no_pixel_size_or_a_printers_is_none(tmp_path: Path, mpp: float | None) -> None:
    info = open_image(write_pyramid(tmp_path / "slide.tif", PIXELS, mpp=mpp)).info
    assert info.mpp_um is None
    assert "no pixel size" in info.notices[0]


def profile(name: str = "sRGB") -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def test_that_a_slides_colour_profile_is_found(tmp_path: Path) -> None:
    tag = (ICC_TAG, 7, None, profile(), True)
    source = open_image(write_pyramid(tmp_path / "slide.tif", PIXELS, extratags=[tag]))
    assert source.info.icc_profile
    assert source.info.notices == ()
    assert source.info.as_json()["icc_profile"]


@pytest.mark.parametrize("broken", [b"no profile at all", profile()[:100], profile("LAB"), b"\0" * 4000])
def test_that_a_broken_colour_profile_is_told_and_ignored(tmp_path: Path, broken: bytes) -> None:
    tag = (ICC_TAG, 7, None, broken, True)
    source = open_image(write_pyramid(tmp_path / "slide.tif", PIXELS, extratags=[tag]))
    assert not source.info.icc_profile
    assert source.info.notices == (
        "The colour profile in the file cannot be used, so that colours are shown as they are stored.",
    )
    assert np.array_equal(source.read_region(Region(0, 0, 64, 64)), PIXELS[:64, :64])


def test_that_flat_images_have_their_profile_too(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[400:600, 900:1200])
    for name in ("image.png", "image.jpg", "image.tif"):
        image.save(tmp_path / name, icc_profile=profile())
        assert open_image(tmp_path / name).info.icc_profile
    image.save(tmp_path / "broken.png", icc_profile=b"no profile")
    info = open_image(tmp_path / "broken.png").info
    assert not info.icc_profile
    assert "cannot be used" in info.notices[0]


def test_that_label_and_macro_are_read_only_when_asked(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openslide

    path = data_dir / "slides" / "cmu-1-small-region.svs"
    read = []
    original = openslide.lowlevel.read_associated_image
    monkeypatch.setattr(
        openslide.lowlevel, "read_associated_image", lambda slide, name: read.append(name) or original(slide, name)
    )
    info = open_image(path).info
    assert info.associated == ("label", "macro", "thumbnail")
    assert info.objective_power == 20
    assert read == []
    macro = read_associated(path, Settings(), "macro")
    assert (macro.shape, macro.dtype) == ((431, 1280, 3), np.uint8)
    assert read == ["macro"]
    with pytest.raises(ImageError, match="holds no picture named 'photo'"):
        read_associated(path, Settings(), "photo")
    with pytest.raises(ImageError, match="damaged or too large"):
        read_associated(path, Settings(slide_region_pixels=1000), "label")


def test_that_profiles_are_not_needed_to_be_small(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS[:100, :100]).save(buffer, "PNG", icc_profile=profile() + b"\0" * 100_000)
    (tmp_path / "image.png").write_bytes(buffer.getvalue())
    assert open_image(tmp_path / "image.png").info.size == Size(100, 100)
