from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.damage import DamagedPart
from pathview.images.formats import open_image
from pathview.images.slide import SlideImage, read_associated
from pathview.images.source import FlatImage
from pathview.images.tiff_pyramid import TiffPyramid
from pathview.settings import Settings
from tests.images.slides import halved, spoil_tile, tissue_pixels, write_ome, write_pyramid

PIXELS = tissue_pixels()
SMALL = Settings(slide_region_pixels=1024 * 1024)
"""So that an image of 2048 x 1024 pixels is a large one."""


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "lzw", "deflate", "webp", "zstd"])
def test_that_an_ome_tiff_opens_with_its_sub_levels_and_pixel_size(tmp_path: Path, compression: str) -> None:
    source = open_image(write_ome(tmp_path / "slide.ome.tif", PIXELS, compression=compression))
    assert isinstance(source, TiffPyramid)
    assert source.info.format == "OME-TIFF"
    assert [level.size for level in source.info.levels] == [Size(2048, 1024), Size(1024, 512), Size(512, 256)]
    assert source.info.mpp_um == pytest.approx(0.25)
    part = source.read_region(Region(700, 400, 300, 200))
    assert np.abs(part.astype(int) - PIXELS[400:600, 700:1000]).mean() < 4
    coarse = source.read_region(Region(512, 256, 1024, 512), 2)
    assert coarse.shape == (128, 256, 3)
    assert np.abs(coarse.astype(int) - halved(PIXELS, 2)[64:192, 128:384]).mean() < 4
    source.close()


def test_that_only_the_tiles_of_a_region_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_image(write_ome(tmp_path / "slide.ome.tif", PIXELS))
    assert isinstance(source, TiffPyramid)
    read = []
    segment = source._segment
    monkeypatch.setattr(source, "_segment", lambda page, index: read.append(index) or segment(page, index))
    source.read_region(Region(250, 0, 100, 100))
    source.read_region(Region(260, 10, 100, 100))
    assert read == [0, 1]


def test_that_colours_stored_one_after_another_are_put_together(tmp_path: Path) -> None:
    planes = np.moveaxis(PIXELS, -1, 0)
    for name, options in (
        ("samples", {"photometric": "rgb", "planarconfig": "separate"}),
        ("pages", {"photometric": "minisblack"}),
    ):
        source = open_image(write_ome(tmp_path / f"{name}.ome.tif", planes, **options))
        assert isinstance(source, TiffPyramid)
        assert np.array_equal(source.read_region(Region(900, 400, 300, 300)), PIXELS[400:700, 900:1200])


def test_that_16_bit_and_transparent_colours_become_plain(tmp_path: Path) -> None:
    source = open_image(write_ome(tmp_path / "deep.ome.tif", PIXELS.astype(np.uint16) * 256))
    assert np.array_equal(source.read_region(Region(900, 400, 300, 300)), PIXELS[400:700, 900:1200])
    clear = np.dstack([np.zeros_like(PIXELS), np.zeros(PIXELS.shape[:2], np.uint8)])
    path = tmp_path / "clear.tif"
    tifffile.imwrite(path, clear, tile=(256, 256), extrasamples=["unassalpha"], compression="webp", photometric="rgb")
    source = open_image(path, SMALL)
    assert isinstance(source, TiffPyramid)
    assert source.read_region(Region(0, 0, 100, 100)).min() == 255


def test_that_strips_and_levels_without_tiles_open_too(tmp_path: Path) -> None:
    source = open_image(write_pyramid(tmp_path / "strips.tif", PIXELS, tile=None, rowsperstrip=32))
    assert isinstance(source, TiffPyramid)
    assert len(source.info.levels) == 3
    assert np.array_equal(source.read_region(Region(900, 400, 300, 300)), PIXELS[400:700, 900:1200])


def test_that_a_small_flat_tiff_is_held_whole_and_a_large_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "flat.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", compression="lzw", rowsperstrip=64)
    assert isinstance(open_image(path), FlatImage)
    large = open_image(path, SMALL)
    assert isinstance(large, TiffPyramid)
    assert "no pixel size" in large.info.notices[0]


def test_that_a_tile_left_out_is_white(tmp_path: Path) -> None:
    path = tmp_path / "sparse.ome.tif"
    tiles = (None if number % 2 else np.full((256, 256, 3), 90, np.uint8) for number in range(32))
    with tifffile.TiffWriter(path) as writer:
        writer.write(tiles, shape=PIXELS.shape, dtype=np.uint8, tile=(256, 256), photometric="rgb", compression="lzw")
    source = open_image(path, Settings(slide_region_pixels=1024))
    assert isinstance(source, SlideImage | TiffPyramid)
    row = source.read_region(Region(250, 5, 12, 1))[0, :, 0].tolist()
    assert row == [90] * 6 + [255] * 6


def test_that_a_damaged_tile_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "slide.ome.tif", PIXELS)
    spoil_tile(path, 9)
    source = open_image(path)
    with pytest.raises(DamagedPart, match=r"A part of slide.ome.tif is damaged"):
        source.read_region(Region(300, 300, 10, 10))
    assert np.array_equal(source.read_region(Region(900, 400, 100, 100)), PIXELS[400:500, 900:1000])


def test_that_a_truncated_one_says_so(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "slide.ome.tif", PIXELS)
    whole = path.read_bytes()
    for share in (0.1, 0.5):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ImageError, match=r"slide.ome.tif"):
            open_image(path).read_region(Region(0, 0, 2048, 1024))


def test_that_60000_pixels_at_once_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "huge.ome.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(
            (None if number else np.zeros((512, 512, 3), np.uint8) for number in range(118 * 118)),
            shape=(60000, 60000, 3),
            dtype=np.uint8,
            tile=(512, 512),
            photometric="rgb",
            compression="lzw",
        )
    source = open_image(path)
    assert source.info.size == Size(60000, 60000)
    with pytest.raises(ImageError, match=r"A region of 60000 x 60000 pixels of huge.ome.tif is too large") as caught:
        source.read_region(Region(0, 0, 60000, 60000))
    assert not isinstance(caught.value, DamagedPart)


def test_that_tiles_larger_than_memory_are_refused(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "slide.ome.tif", PIXELS, tile=(1024, 1024), compression="webp")
    with pytest.raises(ImageError, match="GiB"):
        open_image(path, Settings(max_image_bytes=1024 * 1024))


def test_that_the_objective_and_pictures_beside_are_named_and_read_on_request(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tif"
    xml = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    label = np.full((60, 80, 3), (10, 200, 30), np.uint8)
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (256, 256), "photometric": "rgb", "compression": "lzw"}
        writer.write(PIXELS, subifds=1, metadata=xml | {"Name": "slide"}, **options)
        writer.write(halved(PIXELS), subfiletype=1, **options)
        writer.write(label, photometric="rgb", metadata={"axes": "YXS", "Name": "Label image"})
    info = open_image(path).info
    assert info.associated == ("label",)
    assert info.as_json()["associated"] == ["label"]
    assert np.array_equal(read_associated(path, Settings(), "label"), label)
    with pytest.raises(ImageError, match="holds no picture named 'macro'"):
        read_associated(path, Settings(), "macro")


def test_that_an_aperio_description_gives_pixel_size_and_objective(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    options = {"tile": (256, 256), "photometric": "rgb", "compression": "webp", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(PIXELS, description="A scanner\n2048x1024|AppMag = 40|MPP = 0.2520", **options)
        writer.write(halved(PIXELS), subfiletype=1, **options)
    info = open_image(path).info
    assert info.mpp_um == pytest.approx(0.252)
    assert info.objective_power == 40
