from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.cuts import cut, load_cuts
from pathview.images.formats import open_image
from pathview.jobs import never, no_progress
from pathview.settings import Settings


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    path = tmp_path / "tissue.png"
    Image.fromarray(pixels).save(path)
    return path


def test_that_a_tile_inside_is_its_pixels(picture: Path) -> None:
    pixels = np.asarray(Image.open(picture))
    found = cut(open_image(picture), Region(10, 20, 50, 40), Size(50, 40))
    assert np.array_equal(found, pixels[20:60, 10:60])
    assert cut(open_image(picture), Region(10, 20, 50, 40), Size(25, 20)).shape == (20, 25, 3)


def test_that_what_lies_beyond_the_edge_is_mirrored(picture: Path) -> None:
    pixels = np.asarray(Image.open(picture))
    found = cut(open_image(picture), Region(100, 60, 50, 50), Size(50, 50))
    assert np.array_equal(found, np.pad(pixels[60:, 100:], ((0, 20), (0, 30), (0, 0)), mode="symmetric"))
    before = cut(open_image(picture), Region(-10, -5, 50, 50), Size(50, 50))
    assert np.array_equal(before, np.pad(pixels[:45, :40], ((5, 0), (10, 0), (0, 0)), mode="symmetric"))


def test_that_a_tile_outside_is_told(picture: Path) -> None:
    with pytest.raises(ImageError, match=r"outside of tissue\.png"):
        cut(open_image(picture), Region(500, 0, 50, 50), Size(50, 50))


def test_that_pictures_come_no_larger_than_asked_for(picture: Path) -> None:
    regions = [Region(0, 0, 120, 90), Region(5, 5, 20, 20)]
    found = load_cuts(picture, Settings(), None, regions, 60, no_progress, never())
    assert [one.shape for one in found if one is not None] == [(45, 60, 3), (20, 20, 3)]


def test_that_damaged_pixels_are_left_out_and_the_others_come(picture: Path, monkeypatch) -> None:
    from pathview.images import cuts

    def damaged(path, settings, mpp_um, region, *rest):
        if region.x == 0:
            raise ImageError("A part of it is damaged.")
        return real(path, settings, mpp_um, region, *rest)

    real = cuts.load_region
    monkeypatch.setattr(cuts, "load_region", damaged)
    regions = [Region(0, 0, 20, 20), Region(5, 5, 20, 20)]
    first, second = load_cuts(picture, Settings(), None, regions, 60, no_progress, never())
    assert first is None
    assert second is not None
