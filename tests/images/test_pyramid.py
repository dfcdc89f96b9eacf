from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region
from pathview.images.intensity import Window
from pathview.images.pyramid import load_picture, load_region
from pathview.jobs import never, no_progress
from pathview.settings import Settings
from tests.makers import write_dicom


def test_that_levels_halve_down_to_a_screen(tmp_path: Path, settings: Settings) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (1500, 1101)).astype(np.uint16)
    data = load_picture(write_dicom(tmp_path / "a.dcm", pixels), settings, None, 0, no_progress, never())
    assert [level.pixels.shape for level in data.levels] == [(1500, 1101), (750, 551), (375, 276)]
    assert np.array_equal(data.levels[0].pixels, pixels)
    assert not data.partial


def test_that_signed_codes_are_shown_from_the_scales_lowest(tmp_path: Path, settings: Settings) -> None:
    codes = np.array([[-2048, 0, 2047]], np.int16)
    data = load_picture(write_dicom(tmp_path / "a.dcm", codes), settings, None, 0, no_progress, never())
    assert data.levels[0].pixels.dtype == np.uint16
    assert data.levels[0].pixels.tolist() == [[0, 2048, 4095]]


def test_that_a_file_that_changed_is_read_anew(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.dcm"
    for value in (5, 9):
        write_dicom(path, np.full((4 + value, 4), value, np.uint16))
        data = load_picture(path, settings, None, 0, no_progress, never())
        assert data.levels[0].pixels[0, 0] == value
    path.unlink()
    with pytest.raises(ImageError, match="does not exist"):
        load_picture(path, settings, None, 0, no_progress, never())


def test_that_a_large_grey_image_keeps_its_codes_and_its_scale(tmp_path: Path) -> None:
    pixels = (np.arange(40 * 64, dtype=np.uint16) * 25).reshape(40, 64)
    tags = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 30000, "WindowWidth": 40000}
    path = write_dicom(tmp_path / "a.dcm", pixels, bits=16, **tags)
    data = load_picture(path, Settings(slide_region_pixels=1000), None, 0, no_progress, never())
    assert not data.partial
    assert np.array_equal(data.levels[0].pixels, pixels)
    assert data.scale is not None
    assert (data.scale.inverse, data.scale.voi) == (True, Window(30000, 40000))


def test_that_a_large_colour_image_is_an_overview_and_regions_by_need(tmp_path: Path) -> None:
    settings = Settings(slide_region_pixels=1000)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png", settings, None, 0, no_progress, never()).partial
    region = Region(8, 4, 32, 20)
    patch = load_region(tmp_path / "a.png", settings, None, region, 1.0, no_progress, never())
    assert np.array_equal(patch.pixels, pixels[4:24, 8:40])
