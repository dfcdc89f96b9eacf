"""Stains as a recipe's preprocessing: one answer a slide, the same in training and analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.analysis.predict import mosaic_grid
from pathview.analysis.prepare import prepare
from pathview.errors import RecipeError
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.images.stain_sample import stains_of
from pathview.jobs import never, no_progress
from pathview.models.graphs import file_name
from pathview.models.recipe import InputSpec, load_recipe
from pathview.settings import Settings
from pathview.training.data.loading import load_samples
from pathview.training.data.sample_stains import SampleStains
from pathview.training.data.samples import Sample
from tests.images.slides import tissue_pixels, write_pyramid
from tests.makers import tiny_cnn_recipe

PLAIN = tiny_cnn_recipe()
STAINED = tiny_cnn_recipe(input=PLAIN.input.model_dump() | {"stain": "macenko"})


def write_patches(folder: Path, patient: str = "9001_idx5") -> list[Path]:
    """Patches of one slide, some of which show hardly anything."""
    pixels = tissue_pixels(300, 400)
    paths = []
    for y in range(0, 300, 50):
        for x in range(0, 400, 50):
            label = int(x >= 200)
            path = folder / str(label) / f"{patient}_x{x + 1}_y{y + 1}_class{label}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[y : y + 50, x : x + 50]).save(path)
            paths.append(path)
    return paths


def test_that_a_slide_is_prepared_in_the_references_colours(tmp_path: Path) -> None:
    source = open_image(write_pyramid(tmp_path / "slide.tif", tissue_pixels(800, 1200), mpp=4.0))
    plain, stained = prepare(source, PLAIN), prepare(source, STAINED)
    assert plain.pixels.shape == stained.pixels.shape
    tissue = (plain.pixels < 225).any(axis=2)
    assert np.abs(plain.pixels.astype(int) - stained.pixels)[tissue].mean() > 8
    assert (plain.stain_reason, stained.stain_reason) == ("", "")
    known = prepare(source, STAINED, stains=stains_of(source)[0])
    assert np.array_equal(known.pixels, stained.pixels)


def test_that_an_image_without_two_stains_stays_and_says_why(tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 200, 3), (200, 120, 180), np.uint8)).save(tmp_path / "one.png")
    working = prepare(open_image(tmp_path / "one.png", mpp_um=4.0), STAINED)
    assert working.stain_reason == "only one stain can be told"
    assert (working.pixels == (200, 120, 180)).all()


def test_that_the_patches_of_a_slide_are_trained_on_as_its_mosaic_is_analysed(tmp_path: Path) -> None:
    paths = write_patches(tmp_path / "9001")
    samples = [Sample(path, "9001", int(path.parent.name)) for path in paths]
    loaded, problems = load_samples(samples, STAINED, Settings(), no_progress, never())
    assert problems == []
    raw, _ = load_samples(samples, PLAIN, Settings(), no_progress, never())
    mosaic = open_image(tmp_path / "9001")
    analysed = {
        patch.path: pixels for patch, pixels in zip(mosaic.patches, mosaic_grid(mosaic, STAINED).pixels, strict=True)
    }
    trained = np.stack([one.working.pixels for one in loaded]).astype(int)
    assert np.abs(trained - np.stack([analysed[path] for path in paths])).mean() < 2
    assert np.abs(trained - np.stack([one.working.pixels for one in raw])).mean() > 3


def test_that_regions_of_a_slide_have_its_stains(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", tissue_pixels(800, 1200), mpp=4.0)
    regions = [Region(600, 400, 50, 50), Region(0, 0, 50, 50)]
    samples = [Sample(path, "one", 0, region=region) for region in regions]
    stains = SampleStains(samples, Settings())
    assert stains.of(samples[0]) == stains.of(samples[1]) == stains_of(open_image(path))[0]


def test_that_without_stain_nothing_is_opened_and_missing_files_are_no_crash(tmp_path: Path) -> None:
    missing = Sample(tmp_path / "none.png", "one", 0)
    assert SampleStains([], Settings()).of(missing) is None
    assert SampleStains([missing], Settings()).of(missing) is None
    gone = Sample(tmp_path / "none.png", "one", 0, region=Region(0, 0, 5, 5))
    assert SampleStains([gone], Settings()).of(gone) is None
    loaded, problems = load_samples([missing], STAINED, Settings(), no_progress, never())
    assert (loaded, problems) == ([], ["none.png does not exist."])


def test_that_the_stain_is_no_matter_of_the_network(tmp_path: Path) -> None:
    assert file_name(PLAIN, "") == file_name(STAINED, "")
    assert PLAIN.digest != STAINED.digest
    with pytest.raises(ValueError, match="give 3 channels"):
        InputSpec(height=64, width=64, channels=1, stain="macenko")
    path = tmp_path / "recipe.toml"
    path.write_text('extends = "idc-patches"\n[input]\nstain = "vahadane"\n')
    with pytest.raises(RecipeError, match=r"recipe.toml is wrong at input.stain"):
        load_recipe(path)
