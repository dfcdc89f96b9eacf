from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview.analysis.prepare import equalised, prepare
from pathview.errors import NotAnalysable
from pathview.geometry import Region
from pathview.images.breast import find_breast
from pathview.images.dicom import open_dicom
from pathview.images.formats import open_image
from pathview.images.raster import flat_image
from pathview.settings import Settings
from tests.makers import breast_pixels, tiny_cnn_recipe, tiny_unet_recipe, write_dicom

COLOR = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)


def test_that_an_image_without_air_is_taken_whole_and_said_to_be() -> None:
    source = flat_image(Path("x"), "x", np.full((80, 60), 900, np.uint16))
    assert find_breast(source) is None
    working = prepare(source, tiny_unet_recipe())
    assert not working.breast_found
    assert working.inside is None
    assert working.place.to_level0(working.pixels.shape[1], working.pixels.shape[0]) == (60, 80)


def test_that_a_mask_is_not_taken_for_a_mammogram() -> None:
    mask = np.zeros((300, 200), np.uint8)
    mask[100:180, 50:120] = 255
    with pytest.raises(NotAnalysable, match="black and white"):
        prepare(flat_image(Path("x"), "x", mask), tiny_unet_recipe())


def test_that_the_working_image_keeps_its_shape_and_place(tmp_path: Path, settings: Settings) -> None:
    source = open_dicom(write_dicom(tmp_path / "a.dcm", breast_pixels(400, 300)), settings)
    working = prepare(source, tiny_unet_recipe())
    breast = find_breast(source)
    assert breast is not None
    region = breast.region
    assert working.breast_found
    rows, columns, channels = working.pixels.shape
    assert (max(rows, columns), channels) == (64, 1)
    assert columns / rows == pytest.approx(region.width / region.height, abs=0.03)
    assert working.place.to_level0(columns, rows) == pytest.approx((region.right, region.bottom))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "CT"}, "modality is CT"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "For Processing"),
    ],
)
def test_that_images_of_another_kind_are_not_analysed(
    tags: dict, words: str, tmp_path: Path, settings: Settings
) -> None:
    source = open_dicom(write_dicom(tmp_path / "a.dcm", breast_pixels(), **tags), settings)
    with pytest.raises(NotAnalysable, match=words):
        prepare(source, tiny_unet_recipe())


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"modifiers": ("magnification",)}, "it is a magnification view; tiny-unet reads whole views"),
        ({"modifiers": ("spot compression", "magnification")}, "it is a spot compression and magnification view"),
        ({"modifiers": ("specimen", "magnification")}, "it is a specimen and magnification image"),
        ({"acquisition": "tomosynthesis"}, "it is a tomosynthesis image; tiny-unet reads 2D and synthesised 2D"),
        ({"for_processing": True}, "it is a For Processing image; tiny-unet was made for images For Presentation"),
    ],
)
def test_that_views_that_a_recipe_does_not_read_are_not_analysed_and_why(known: dict, words: str) -> None:
    source = flat_image(Path("x"), "x", breast_pixels())
    source.info = replace(source.info, **known)
    with pytest.raises(NotAnalysable, match=f"^{words}"):
        prepare(source, tiny_unet_recipe())
    reads = {"acquisitions": ["2D", "tomosynthesis"], "modifiers_refused": [], "for_processing": True}
    assert prepare(source, unet_that(reads)).breast_found


def test_that_views_turned_or_with_an_implant_are_read() -> None:
    source = flat_image(Path("x"), "x", breast_pixels())
    source.info = replace(source.info, modifiers=("rolled lateral", "implant displaced"), acquisition="synthesised 2D")
    assert prepare(source, tiny_unet_recipe()).breast_found


def test_that_only_the_breast_and_a_little_about_it_may_be_marked() -> None:
    source = flat_image(Path("x"), "x", breast_pixels(400, 320))
    for recipe, cut in ((tiny_unet_recipe(), True), (unet_that({"crop": "none", "breast_only": True}), True)):
        working = prepare(source, recipe)
        assert working.inside is not None
        assert working.inside.shape == working.pixels.shape[:2]
        assert working.inside[working.pixels[..., 0] > 40].all()
        assert 0.05 < (~working.inside).mean() < 0.7
        marked = working.within(np.ones((*working.inside.shape, 2), np.float32))
        assert np.array_equal(np.isnan(marked[..., 1]), ~working.inside) == cut
    for other in ({"breast_only": False}, {"crop": "none"}):
        assert prepare(source, unet_that(other)).inside is None
    assert prepare(source, tiny_unet_recipe(), region=Region(0, 0, 100, 100)).inside is None


def unet_that(changes: dict):
    shape = {"height": 64, "width": 64, "channels": 1, "crop": "breast", "fit": "inside"}
    return tiny_unet_recipe(input=shape | changes)


def test_that_grey_and_colour_are_not_mixed_up() -> None:
    with pytest.raises(NotAnalysable, match="colour"):
        prepare(flat_image(Path("x"), "x", COLOR), tiny_unet_recipe())
    with pytest.raises(NotAnalysable, match="grey"):
        prepare(flat_image(Path("x"), "x", breast_pixels()), tiny_cnn_recipe())


def test_that_a_pixel_size_is_needed_and_used_where_the_recipe_says_so() -> None:
    source = flat_image(Path("x"), "x", COLOR)
    with pytest.raises(NotAnalysable, match="--mpp"):
        prepare(source, tiny_cnn_recipe())
    source.info = source.info.with_mpp(2.0)
    assert prepare(source, tiny_cnn_recipe()).pixels.shape == (100, 150, 3)
    source.info = source.info.with_mpp(0.1)
    with pytest.raises(NotAnalysable, match="too small: 8 x 5"):
        prepare(source, tiny_cnn_recipe())


def test_that_a_patch_of_the_networks_own_size_needs_no_pixel_size() -> None:
    patch = flat_image(Path("x"), "x", COLOR[:50, :50])
    assert np.array_equal(prepare(patch, tiny_cnn_recipe()).pixels, COLOR[:50, :50])


def test_that_an_idc_patch_file_states_its_own(tmp_path: Path) -> None:
    from tests.makers import write_patch

    info = open_image(write_patch(tmp_path, 1, 1, 0)).info
    assert (info.mpp_um, info.patient_key) == (pytest.approx(4.0), "9001")


def test_that_a_working_image_too_large_is_refused() -> None:
    source = flat_image(Path("x"), "x", COLOR)
    source.info = replace(source.info.with_mpp(4000.0))
    with pytest.raises(NotAnalysable, match="analyse a region"):
        prepare(source, tiny_cnn_recipe())


def test_that_equalisation_spreads_grey_and_keeps_hue(settings: Settings) -> None:
    dull = (100 + 20 * np.random.default_rng(0).random((60, 60))).astype(np.uint8)
    assert np.ptp(equalised(dull)) > 240
    tissue = np.stack([dull + 60, dull, dull + 40], axis=2)
    found = equalised(tissue)
    assert np.ptp(found.max(axis=2)) > 200
    assert (found[..., 0] >= found[..., 1]).all()
    recipe = tiny_unet_recipe()
    spec = recipe.input.model_copy(update={"equalise": True, "crop": "none"})
    source = flat_image(Path("x"), "x", dull)
    plain = prepare(source, recipe.model_copy(update={"input": spec.model_copy(update={"equalise": False})}))
    assert np.ptp(prepare(source, recipe.model_copy(update={"input": spec})).pixels) > np.ptp(plain.pixels)
