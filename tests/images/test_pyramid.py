from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.errors import ImageError
from pathview.images.pyramid import load_picture
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
