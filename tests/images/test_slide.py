from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.pyramid import load_picture, load_region
from pathview.images.slide import SlideImage
from pathview.jobs import never, no_progress
from pathview.settings import Settings


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A tiled pyramid of three levels, red rising to the right, green downwards."""
    y, x = np.mgrid[0:1024, 0:2048]
    level0 = np.dstack([x // 8, y // 4, np.full_like(x, 90)]).astype(np.uint8)
    path = tmp_path / "slide.tif"
    options = {"tile": (256, 256), "photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(level0, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
        for step in (4, 16):
            writer.write(level0[::step, ::step], subfiletype=1, **options)
    return path


def test_that_a_tiled_pyramid_opens_through_openslide(slide: Path) -> None:
    source = open_image(slide)
    assert isinstance(source, SlideImage)
    assert [level.size for level in source.info.levels] == [Size(2048, 1024), Size(512, 256), Size(128, 64)]
    part = source.read_region(Region(1000, 400, 200, 100))
    assert part.shape == (100, 200, 3)
    assert part[0, 0].tolist() == [125, 100, 90]


def test_that_a_coarser_level_is_read_for_a_coarser_look(slide: Path) -> None:
    source = open_image(slide)
    assert source.read_region(Region(0, 0, 2048, 1024), level=1).shape == (256, 512, 3)


def test_that_a_region_too_large_is_refused(slide: Path) -> None:
    source = open_image(slide, Settings(slide_region_pixels=1000))
    with pytest.raises(ImageError, match="too large"):
        source.read_region(Region(0, 0, 2048, 1024))


def test_that_a_slides_picture_is_an_overview_and_regions_by_need(slide: Path, settings: Settings) -> None:
    data = load_picture(slide, settings, None, 0, no_progress, never())
    assert data.partial
    patch = load_region(slide, settings, None, Region(1024, 512, 512, 256), 1.0, no_progress, never())
    assert patch.pixels.shape == (256, 512, 3)
    coarse = load_region(slide, settings, None, Region(0, 0, 2048, 1024), 4.0, no_progress, never())
    assert coarse.pixels.shape == (256, 512, 3)
    assert np.abs(coarse.pixels[10, 100].astype(int) - [50, 10, 90]).max() <= 2


def test_that_a_damaged_slide_is_told_and_does_not_end_the_process(slide: Path, settings: Settings) -> None:
    slide.write_bytes(slide.read_bytes()[: slide.stat().st_size // 3])
    with pytest.raises(ImageError, match=r"slide.tif"):
        load_picture(slide, settings, None, 0, no_progress, never())


def test_that_the_real_slide_opens_with_its_pixel_size(data_dir: Path) -> None:
    info = open_image(data_dir / "slides" / "cmu-1-small-region.svs").info
    assert (info.format, info.size) == ("Aperio SVS", Size(2220, 2967))
    assert info.mpp_um == pytest.approx(0.499)
