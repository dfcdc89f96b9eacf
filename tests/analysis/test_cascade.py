"""One network outlines, the other classifies what was outlined; one result with both scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.analysis.pipeline import AnalysisRequest, Models, analyse, analyse_path, explain_path
from pathview.analysis.prepare import prepare
from pathview.errors import ModelError, NotAnalysable, RecipeError
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.jobs import never, no_progress
from pathview.models.recipe import Recipe
from pathview.results.place_labels import apart
from pathview.results.result import AnalysisResult
from pathview.settings import Settings
from tests.makers import (
    BrightOutliner,
    breast_pixels,
    tiny_cascade_recipe,
    tiny_cnn_recipe,
    tiny_unet_recipe,
    write_dicom,
    write_random_model,
)


@dataclass
class Classifier:
    """Gives the scores that it is told, one a place, and remembers what it saw."""

    recipe: Recipe
    scores: tuple[float, ...]
    weights_sha256: str = "classifies"
    runtime: str = "none"
    device: str = "none"
    precision: str = "float32"
    seen: list[np.ndarray] = field(default_factory=list)

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.seen.append(images)
        positive = np.array(self.scores[: len(images)], np.float32)
        return np.stack([1 - positive, positive], axis=-1)

    def explainable_layers(self) -> tuple[str, ...]:
        return ("conv",)

    def can_explain(self, layer: str) -> bool:
        return layer == "conv"

    def gradcam(self, images: np.ndarray, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {layer: np.stack([np.full((4, 4), i + 1, np.float32) for i in range(len(images))]) for layer in layers}


def spots(folder: Path) -> Path:
    """A breast with a large bright spot at (40, 60) and a small one at (90, 150), x before y."""
    pixels = breast_pixels(240, 200, 1200)
    y, x = np.mgrid[0:240, 0:200]
    pixels[np.hypot(x - 40, y - 60) < 14] = 4000
    pixels[np.hypot(x - 90, y - 150) < 8] = 4000
    return write_dicom(folder / "a.dcm", pixels, PixelSpacing=[0.5, 0.5])


def said(path: Path, scores: tuple[float, ...], limits: tuple[float, float] = (1.0, 2.0), **asked) -> AnalysisResult:
    decision = {"rule": "mask-sum", "lower": limits[0], "upper": limits[1]}
    outliner = BrightOutliner(
        tiny_unet_recipe(input={"height": 240, "width": 240, "channels": 1, "fit": "inside"}, decision=decision)
    )
    models = Models(Classifier(tiny_cascade_recipe(), scores), outliner)
    source = open_image(path)
    try:
        return analyse(source, models, AnalysisRequest(Path(), **asked), "", None, no_progress, never())
    finally:
        source.close()


def test_that_each_outlined_place_is_cut_out_and_scored(tmp_path: Path) -> None:
    result = said(spots(tmp_path), (0.3, 0.8), explain="conv")
    first, second = result.stages
    assert (first.recipe, first.weights_sha256, first.label, first.places) == ("tiny-unet", "outlines", "positive", ())
    assert first.score > 2.0
    assert (second.recipe, second.weights_sha256, second.label) == ("tiny-cascade", "classifies", "positive")
    assert (result.task, result.recipe, result.label, result.score) == (
        "cascade",
        "tiny-cascade",
        "positive",
        second.score,
    )
    assert [place.score for place in second.places] == pytest.approx([0.8, 0.3])
    small, large = (place.region for place in second.places)
    for region, (x, y, side) in ((large, (40, 60, 28 * 1.5)), (small, (90, 150, 16 * 1.5))):
        assert (region.x + region.width / 2, region.y + region.height / 2) == pytest.approx((x, y), abs=2)
        assert region.width == region.height == pytest.approx(side, abs=4)
    heat = result.heatmaps["conv"]
    for value, x, y in ((0.5, 90, 150), (1.0, 40, 60)):  # the surest place comes first
        column, row = heat.place.to_grid(x, y)
        assert heat.values[int(row), int(column)] == value
    assert np.isnan(heat.values[-1, -1])


def test_that_the_cautions_of_both_networks_stand_beside_the_result(tmp_path: Path) -> None:
    shape = {"height": 240, "width": 240, "channels": 1, "fit": "inside"}
    outliner = BrightOutliner(tiny_unet_recipe(input=shape, caution="It outlines dense tissue."))
    classifier = Classifier(tiny_cascade_recipe(caution="It guesses."), (0.8, 0.1))
    request = AnalysisRequest(Path())
    result = analyse(open_image(spots(tmp_path)), Models(classifier, outliner), request, "", None, no_progress, never())
    assert result.provenance.settings["caution"] == "tiny-unet: It outlines dense tissue. tiny-cascade: It guesses."


def test_that_the_classifier_sees_the_place_as_it_is_shown(tmp_path: Path) -> None:
    path = spots(tmp_path)
    classifier = Classifier(tiny_cascade_recipe(), (0.8, 0.8))
    outliner = BrightOutliner(tiny_unet_recipe(input={"height": 240, "width": 240, "channels": 1, "fit": "inside"}))
    analyse(open_image(path), Models(classifier, outliner), AnalysisRequest(Path()), "", None, no_progress, never())
    (images,) = classifier.seen
    assert images.shape == (2, 50, 50, 3)
    for image in images:
        assert image[25, 25, 0] > 0.9
        assert image[1, 1, 0] < 0.5


@pytest.mark.parametrize(
    ("score", "limits", "label", "codes"),
    [
        (0.8, (1.0, 2.0), "positive", set()),
        (0.2, (1e6, 1e7), "negative", set()),
        (0.2, (1.0, 2.0), "not_sure", {"stages_disagree"}),
        (0.8, (1e6, 1e7), "not_sure", {"stages_disagree"}),
        (0.5, (1.0, 2.0), "not_sure", {"score_in_band"}),
        (0.8, (1.0, 1e7), "positive", set()),
    ],
)
def test_that_two_networks_that_contradict_each_other_are_not_sure(
    score: float, limits: tuple[float, float], label: str, codes: set[str], tmp_path: Path
) -> None:
    result = said(spots(tmp_path), (score, 0.1), limits)
    assert result.label == label
    assert {flag.code for flag in result.flags} == codes


@pytest.mark.parametrize(
    ("limits", "label"), [((1e6, 1e7), "negative"), ((1.0, 1e7), "not_sure"), ((1.0, 2.0), "not_sure")]
)
def test_that_without_a_place_there_is_nothing_to_classify(
    limits: tuple[float, float], label: str, tmp_path: Path
) -> None:
    result = said(spots(tmp_path), (), limits, threshold=0.95, explain="conv")
    first, second = result.stages
    assert (second.score, second.score_name, second.label) == (None, "no place was outlined", None)
    assert (result.score, result.lower, result.upper, result.label) == (first.score, *limits, label)
    assert result.score_name.endswith("; no place was outlined")
    assert ("nothing_to_classify" in {flag.code for flag in result.flags}) == (label != "negative")
    assert result.heatmaps["conv"].blank


def test_that_places_beyond_the_most_are_told(tmp_path: Path) -> None:
    recipe = tiny_cascade_recipe(regions={"model": "tiny-unet", "most": 1, "least_share": 1e-4})
    outliner = BrightOutliner(tiny_unet_recipe(input={"height": 240, "width": 240, "channels": 1, "fit": "inside"}))
    models = Models(Classifier(recipe, (0.8,)), outliner)
    result = analyse(open_image(spots(tmp_path)), models, AnalysisRequest(Path()), "", None, no_progress, never())
    assert len(result.stages[1].places) == 1
    assert {flag.code: flag.sentence for flag in result.flags}["places_left_out"].startswith("1 smaller place")


def test_that_a_cascade_runs_from_its_folders(tiny_models: Settings, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path, tiny_cascade_recipe())
    path = spots(tmp_path)
    request = AnalysisRequest(folder, threshold=0.0, explain="conv3")
    result = analyse_path(path, request, tiny_models, no_progress, never())
    assert [stage.recipe for stage in result.stages] == ["tiny-unet", "tiny-cascade"]
    assert result.stages[0].weights_sha256 != result.stages[1].weights_sha256 == result.provenance.weights_sha256
    again = explain_path(path, request, tiny_models, no_progress, never())
    np.testing.assert_allclose(again["conv3"].values, result.heatmaps["conv3"].values, atol=1e-5)


def test_that_a_cascade_without_its_first_model_says_so(tiny_models: Settings, tmp_path: Path) -> None:
    path = spots(tmp_path)
    for name, error, words in (
        ("no-such-model", RecipeError, "There is no recipe 'no-such-model'"),
        ("tiny-cnn", ModelError, "cannot begin with tiny-cnn, which outlines nothing"),
    ):
        folder = write_random_model(tmp_path / name, tiny_cascade_recipe(regions={"model": name}))
        with pytest.raises(error, match=words):
            analyse_path(path, AnalysisRequest(folder), tiny_models, no_progress, never())
    with pytest.raises(NotAnalysable, match="has no stride"):
        said(path, (0.5,), stride=4)


def test_that_a_colour_picture_is_no_mammogram_for_a_classifier_of_crops(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(NotAnalysable, match="it is a colour image; tiny-cascade reads grey mammograms"):
        prepare(open_image(tmp_path / "a.png"), tiny_cascade_recipe(), region=Region(0, 0, 50, 50))


def test_that_labels_are_moved_apart_and_no_further() -> None:
    wanted = [(0, 0, 40), (20, 5, 40), (100, 0, 40), (10, 30, 40)]
    assert apart(wanted, 18) == [(0, 0), (20, 18), (100, 0), (10, 36)]


def test_that_only_a_cascade_has_regions() -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match=r"needs a part \[regions\]"):
        tiny_cascade_recipe(regions=None)
    with pytest.raises(ValidationError, match="no other task has one"):
        tiny_cnn_recipe(regions={"model": "tiny-unet"})
    with pytest.raises(ValidationError, match="two classes"):
        tiny_cascade_recipe(classes=["a", "b", "c"])
