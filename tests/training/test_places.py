"""A cascade's classifier learns from the places that are outlined, cut out as the analysis cuts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import DataError, ModelError
from pathview.jobs import never, no_progress
from pathview.models.weights import Manifest
from pathview.settings import Settings
from pathview.training.data import places
from pathview.training.data.dataset import read_dataset
from pathview.training.data.loading import load_samples
from pathview.training.data.parts import parts_of, split_of
from pathview.training.data.places import outlines
from pathview.training.measures.assess import ONLY_PLACES
from pathview.training.measures.publish import card_text
from tests.makers import BrightOutliner, breast_pixels, tiny_cascade_recipe, tiny_unet_recipe

SPOT = (60, 100, 20)
"""Column, row and radius."""


def lesions(folder: Path, names: tuple[str, ...] = ("a", "b", "c"), spots: tuple = (SPOT,), label: str = "") -> Path:
    """Breasts with bright discs, their outlines, and a patient each."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    y, x = np.mgrid[0:240, 0:200]
    for name in names:
        pixels = (breast_pixels(240, 200, 1200) // 8).astype(np.uint8)
        mask = np.zeros((240, 200), np.uint8)
        for column, row, radius in spots:
            inside = np.hypot(x - column, y - row) < radius
            pixels[inside], mask[inside] = 250, 255
        mask[5, 5] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    rows = [f"{name}.png,P{name},{label}" for name in names]
    (folder / "labels.csv").write_text("\n".join(["file,patient,label", *rows]) + "\n")
    return folder


def tissue_recipe(**changes: object):
    return tiny_cascade_recipe(regions={"model": "tiny-unet", "margin": 0.25, "against": "tissue"} | changes)


def test_that_each_outline_stands_against_a_place_without_one(tmp_path: Path, settings: Settings) -> None:
    dataset = read_dataset(lesions(tmp_path), tissue_recipe(), settings)
    assert [(s.label, s.patient) for s in dataset.samples] == [(v, f"P{n}") for n in "abc" for v in (1, 0)]
    loaded, problems = load_samples(dataset.samples, tissue_recipe(), settings, no_progress, never())
    assert not problems
    for one in loaded:
        region, pixels = one.sample.region, one.working.pixels
        assert pixels.shape == (50, 50, 3)
        assert region.width == region.height == pytest.approx(60, abs=3)
        if one.label:
            assert (region.x + region.width / 2, region.y + region.height / 2) == pytest.approx((60, 100), abs=1)
            assert pixels[25, 25, 0] == 250
        else:
            assert pixels.max() < 200
            assert (pixels > 10).mean() > 0.7
            assert not (region.x < 80 and region.right > 40 and region.y < 120 and region.bottom > 80)


def test_that_an_outline_can_stand_against_what_the_first_network_outlines_wrongly(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lesions(tmp_path, ("a",), (SPOT, (40, 170, 14)))
    mask = np.asarray(Image.open(folder / "masks" / "a.png")).copy()
    mask[140:] = 0  # so that the lower disc is bright tissue
    Image.fromarray(mask).save(folder / "masks" / "a.png")
    outliner = BrightOutliner(
        tiny_unet_recipe(input={"height": 240, "width": 240, "channels": 1, "fit": "inside"}), bright=0.9
    )
    monkeypatch.setattr(places, "outliner_folder", lambda *_: Path())
    monkeypatch.setattr(places, "open_network", lambda *_: outliner)
    recipe = tiny_cascade_recipe(regions={"model": "tiny-unet", "against": "outlined"})
    right, wrong = read_dataset(folder, recipe, settings).samples
    assert (right.label, wrong.label) == (1, 0)
    for sample, column, row, side in ((right, 60, 100, 60), (wrong, 40, 170, 42)):
        region = sample.region
        assert (region.x + region.width / 2, region.y + region.height / 2) == pytest.approx((column, row), abs=1.5)
        assert region.width == pytest.approx(side, abs=4)


def test_that_the_first_network_must_be_there(tmp_path: Path, settings: Settings) -> None:
    recipe = tiny_cascade_recipe(regions={"model": "zf-unet-224", "against": "outlined"})
    with pytest.raises(ModelError, match="A cascade begins with zf-unet-224, which has no weights"):
        read_dataset(lesions(tmp_path), recipe, settings)


def test_that_reading_again_gives_the_same_places(tmp_path: Path, settings: Settings) -> None:
    folder = lesions(tmp_path)
    first, second = (read_dataset(folder, tissue_recipe(), settings) for _ in range(2))
    assert first.samples == second.samples


def test_that_an_image_full_of_lesion_has_no_other_place(tmp_path: Path, settings: Settings) -> None:
    dataset = read_dataset(lesions(tmp_path, spots=((60, 120, 90),)), tissue_recipe(), settings)
    assert {sample.label for sample in dataset.samples} == {1}


def test_that_places_keep_their_images_label_where_that_is_asked_for(tmp_path: Path, settings: Settings) -> None:
    recipe = tiny_cascade_recipe(classes=["benign", "malignant"])
    dataset = read_dataset(lesions(tmp_path, spots=(SPOT, (40, 170, 12)), label="malignant"), recipe, settings)
    assert [sample.label for sample in dataset.samples] == [1] * 6
    sizes = [sample.region.width for sample in dataset.samples[:2]]
    assert sizes == [pytest.approx(60, abs=3), pytest.approx(36, abs=3)]
    lesions(tmp_path / "unlabelled")
    with pytest.raises(DataError, match=r"does not say the class of 3 images, such as a\.png"):
        read_dataset(tmp_path / "unlabelled", recipe, settings)


def test_that_crops_without_outlines_are_places_already(tmp_path: Path, settings: Settings) -> None:
    for name in ("tissue", "lesion"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((30, 30), 90, np.uint8)).save(tmp_path / name / "a.png")
    dataset = read_dataset(tmp_path, tissue_recipe(), settings)
    assert [(sample.label, sample.region) for sample in dataset.samples] == [(1, None), (0, None)]


def test_that_specks_of_an_outline_are_no_places() -> None:
    truth = np.zeros((100, 100), np.bool_)
    truth[10:30, 10:40] = truth[60:70, 60:70] = truth[90, 90] = True
    assert [(r.x, r.y, r.width, r.height) for r in outlines(truth, 1e-3)] == [(10, 10, 30, 20), (60, 60, 10, 10)]
    assert len(outlines(truth, 1e-4)) == 3
    assert not outlines(np.zeros((10, 10), np.bool_), 0.0)


def test_that_a_cascade_is_split_as_its_first_network_is(tmp_path: Path, settings: Settings) -> None:
    """Else patients that the one was trained on would be the other's test."""
    names = tuple("abcdefghij")
    folder = lesions(tmp_path, names)
    splits = []
    for recipe in (tissue_recipe(), tiny_unet_recipe()):
        dataset = read_dataset(folder, recipe, settings)
        parts = parts_of(dataset, split_of(dataset, recipe, 3), recipe)
        splits.append({part: {s.patient for s in getattr(parts, part)} for part in ("train", "validation", "test")})
    assert splits[0] == splits[1]
    assert all(splits[0].values())


def test_that_a_cascades_card_counts_places() -> None:
    metrics = {"metrics": {}, "intervals": {}, "baselines": {}, "n_images": 7, "n_patients": 3, "not_sure": 2}
    manifest = Manifest(
        recipe=tiny_cascade_recipe(), sha256="0" * 64, version="0", created="2026-01-01", metrics=metrics
    )
    card = card_text(manifest, {"train": (20, 9)}, "")
    assert "train: 9 patients, 20 places" in card
    assert "7 places of 3 patients" in card
    assert "2 of these places lie in the not-sure band" in card
    assert "images of many patches" not in card
    assert ONLY_PLACES in card


def test_that_a_card_says_why_a_figure_has_no_interval() -> None:
    told = {"intervals": {"auc": None, "dice": [0.5, 0.7]}, "no_interval": {"auc": "too few patients"}}
    metrics = {"metrics": {"auc": 0.8, "dice": 0.6}, "baselines": {}, "n_images": 7, "n_patients": 3, **told}
    manifest = Manifest(
        recipe=tiny_cascade_recipe(), sha256="0" * 64, version="0", created="2026-01-01", metrics=metrics
    )
    card = card_text(manifest, {"train": (20, 9)}, "")
    assert "| AUC | 0.800 | none: too few patients |" in card
    assert "| Dice, mean of images | 0.600 | 0.500 to 0.700 |" in card
