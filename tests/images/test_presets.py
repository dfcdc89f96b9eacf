from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pathview.images.formats import open_image
from pathview.images.intensity import GrayScale, Lut, Window, to_gray8
from pathview.images.presets import voi_choices
from tests.makers import write_dicom

RELATIVE = ["Full range", "Softer", "Harder", "Brighter", "Darker"]


def names(*options, **rest) -> list[str]:
    return [choice.name for choice in voi_choices(GrayScale(0, 4095, options=options, **rest))]


def test_that_the_files_own_come_first_by_their_explanation_and_function() -> None:
    own = (
        Lut(0, tuple(range(256)), 8, "NORMAL"),
        Window(2000, 3000, "LINEAR", "WIDE"),
        Window(2000, 900, "SIGMOID", "HARDER"),
        Window(2048, 4096),
    )
    assert names(*own) == ["NORMAL", "WIDE", "HARDER (sigmoid)", "Window 2048/4096", *RELATIVE]


def test_that_presets_are_relative_to_the_first_window() -> None:
    scale = GrayScale(0, 4095, options=(Window(2000, 3000, "SIGMOID", "NORMAL"),))
    found = {choice.name: choice.voi for choice in voi_choices(scale)}
    assert (found["Softer"].center, found["Softer"].width, found["Softer"].function) == (2000, 4500, "SIGMOID")
    assert (found["Harder"].center, found["Harder"].width) == (2000, 2000)
    assert (found["Brighter"].center, found["Darker"].center) == (1550, 2450)
    assert found["Full range"] == Window(2047.5, 4095, "LINEAR_EXACT", "full range")


def test_that_a_lut_first_makes_them_relative_to_the_full_range() -> None:
    scale = GrayScale(0, 4095, options=(Lut(0, tuple(range(256)), 8),), data_range=(100, 1100))
    found = {choice.name: choice.voi for choice in voi_choices(scale)}
    assert next(iter(found)) == "Look-up table"
    assert (found["Full range"].center, found["Full range"].width) == (600, 1000)
    assert (found["Softer"].center, found["Softer"].width) == (600, 1500)


def test_that_brighter_is_brighter_whatever_the_polarity() -> None:
    pixels = np.array([[2000]], np.uint16)
    for inverse in (False, True):
        scale = GrayScale(0, 4095, options=(Window(2000, 3000),), inverse=inverse)
        found = {choice.name: int(to_gray8(pixels, scale, choice.voi)[0, 0]) for choice in voi_choices(scale)}
        assert found["Darker"] < found["Window 2000/3000"] < found["Brighter"], inverse


def test_that_no_grey_scale_and_no_name_comes_twice() -> None:
    same = Window(2000, 3000, "LINEAR", "NORMAL")
    own = (same, Window(2000, 3000, "LINEAR", "copy"), Window(1000, 500, "LINEAR", "NORMAL"), Lut(0, (0, 1), 1),
           Lut(5, (0, 1), 1), Window(9, 9, "LINEAR", "softer"))  # fmt: skip
    found = names(*own)
    assert found[:2] == ["NORMAL 2000/3000", "NORMAL 1000/500"]
    assert len({name.lower() for name in found}) == len(found) == 10


def test_that_an_explanation_is_one_short_line() -> None:
    assert names(Window(1, 9, "LINEAR", "a\nb  \x07c"))[0] == "a b c"
    assert len(names(Window(1, 9, "LINEAR", "x" * 500))[0]) < 60


def test_that_a_plain_picture_is_shown_as_stored(tmp_path: Path) -> None:
    Image.fromarray(np.arange(0, 200, dtype=np.uint8).reshape(10, 20)).save(tmp_path / "a.png")
    scale = open_image(tmp_path / "a.png").gray_scale()
    assert scale is not None
    assert [choice.name for choice in voi_choices(scale)] == ["As stored", *RELATIVE[1:]]


def test_that_a_for_processing_image_opens_over_its_pixels_range(tmp_path: Path) -> None:
    pixels = np.linspace(500, 9000, 400).astype(np.uint16).reshape(20, 20)
    path = write_dicom(tmp_path / "a.dcm", pixels, bits=14, PresentationIntentType="FOR PROCESSING")
    source = open_image(path)
    scale = source.gray_scale()
    assert source.info.for_processing
    assert scale is not None
    first = voi_choices(scale)[0]
    assert first.name == "Full range"
    gray = to_gray8(pixels, scale, first.voi)
    assert (gray.min(), gray.max()) == (0, 255)
