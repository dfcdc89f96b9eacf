from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pathview.analysis.pipeline import AnalysisRequest, Models, analyse, analyse_path, explain_path
from pathview.errors import ImageError, ModelError, NotAnalysable
from pathview.geometry import GridPlace
from pathview.images.breast import find_breast
from pathview.images.digest import file_digests
from pathview.images.formats import open_image
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.recipe import Recipe
from pathview.models.weights import SEEN_DIGITS
from pathview.results.mask import full_mask
from pathview.settings import Settings
from tests.makers import (
    breast_pixels,
    tiny_cnn_recipe,
    tiny_unet_recipe,
    write_dicom,
    write_patch,
    write_patch_folder,
)


def analysed(path: Path, model: Path, **options):
    return analyse_path(path, AnalysisRequest(model, **options), Settings(), no_progress, never())


@dataclass
class ConstantNetwork:
    """A network that says the same of everything."""

    recipe: Recipe
    output: float
    weights_sha256: str = ""
    runtime: str = "none"
    device: str = "none"
    precision: str = "float32"

    def predict(self, images: np.ndarray) -> np.ndarray:
        shape = images.shape[:3] if self.recipe.task == "segmentation" else images.shape[:1]
        return np.full((*shape, 1), self.output, np.float32)

    def explainable_layers(self) -> tuple[str, ...]:
        return ("only",)

    def can_explain(self, layer: str) -> bool:
        return layer == "only"


def said_of(path: Path, network: ConstantNetwork, mpp_um: float | None = None, **options):
    source = open_image(path, Settings(), mpp_um)
    request = AnalysisRequest(path, **options)
    try:
        return analyse(source, Models(network), request, "", None, no_progress, never())
    finally:
        source.close()


def mammogram_of(frames: int, folder: Path) -> tuple[Path, Recipe, None]:
    pixels = breast_pixels(300, 220)
    path = write_dicom(
        folder / "a.dcm", pixels if frames == 1 else np.stack([pixels] * frames), PixelSpacing=[0.1, 0.1]
    )
    return path, tiny_unet_recipe(decision={"rule": "mask-sum", "lower": 10.0, "upper": 1000.0}), None


def tissue_of(frames: int, folder: Path) -> tuple[Path, Recipe, float]:
    pixels = np.random.default_rng(0).integers(0, 200, (frames, 100, 150, 3)).astype(np.uint8)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb")
    return folder / "a.tif", tiny_cnn_recipe(), 4.0


@pytest.mark.parametrize("image_of", [mammogram_of, tissue_of])
@pytest.mark.parametrize(
    ("frames", "output", "label"), [(1, 0.0, "negative"), (3, 0.0, "not_sure"), (3, 1.0, "positive")]
)
def test_that_one_frame_cannot_make_an_image_of_many_negative(
    image_of, frames: int, output: float, label: str, tmp_path: Path
) -> None:
    path, recipe, mpp_um = image_of(frames, tmp_path)
    result = said_of(path, ConstantNetwork(recipe, output), mpp_um, frame=frames - 1)
    assert result.label == label
    sentences = {flag.code: flag.sentence for flag in result.flags}
    assert ("one_frame" in sentences) == (frames > 1)
    assert sentences.get("one_frame", "").startswith("Only frame 3 of 3 was analysed" if frames > 1 else "")
    assert "score_in_band" not in sentences


@pytest.mark.parametrize("image_of", [mammogram_of, tissue_of])
@pytest.mark.parametrize(("frames", "frame"), [(1, 1), (3, 3), (3, -1)])
def test_that_a_frame_that_is_not_there_is_not_analysed(image_of, frames: int, frame: int, tmp_path: Path) -> None:
    path, recipe, mpp_um = image_of(frames, tmp_path)
    with pytest.raises(NotAnalysable, match=rf"^a\.\w+ is not analysed: it has {frames} frames?, numbered from 0\.$"):
        said_of(path, ConstantNetwork(recipe, 0.0), mpp_um, frame=frame)


def test_that_less_than_a_field_cannot_be_negative(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (2, 60, 60, 3)).astype(np.uint8)
    for name, part in (("whole", pixels[0, :50, :50]), ("part", pixels[0, :40, :50]), ("more", pixels[0])):
        tifffile.imwrite(tmp_path / f"{name}.tif", part, photometric="rgb")
    network = ConstantNetwork(tiny_cnn_recipe(), 0.0)
    labels = {}
    for name in ("whole", "part", "more"):
        result = said_of(tmp_path / f"{name}.tif", network, 4.0)
        labels[name] = (result.label, "part_of_a_field" in {flag.code for flag in result.flags})
    assert labels == {"whole": ("negative", False), "part": ("not_sure", True), "more": ("negative", False)}


def test_that_a_picture_without_a_breast_cannot_be_negative(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(100, 140, (300, 300)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    recipe = tiny_unet_recipe(decision={"rule": "mask-sum", "lower": 10.0, "upper": 1000.0})
    result = said_of(tmp_path / "grey.png", ConstantNetwork(recipe, 0.0))
    assert (result.label, result.flags[0].code) == ("not_sure", "no_breast_found")


def test_that_unreadable_patches_keep_a_mosaic_from_being_negative(tmp_path: Path) -> None:
    folder = write_patch_folder(tmp_path)
    recipe = tiny_cnn_recipe()
    assert said_of(folder, ConstantNetwork(recipe, 0.0)).label == "negative"
    next(iter(sorted(folder.rglob("*.png")))).write_bytes(b"no picture")
    result = said_of(folder, ConstantNetwork(recipe, 0.0))
    assert (result.label, "unreadable_parts" in {flag.code for flag in result.flags}) == ("not_sure", True)


def test_that_a_mosaic_has_one_frame(tmp_path: Path, tiny_cnn: Path) -> None:
    folder = write_patch_folder(tmp_path / "p")
    with pytest.raises(NotAnalysable, match="it has 1 frame, numbered from 0"):
        analysed(folder, tiny_cnn, frame=1)
    with pytest.raises(NotAnalysable, match="it has 1 frame, numbered from 0"):
        explain_path(folder, AnalysisRequest(tiny_cnn, explain="pool2", frame=1), Settings(), no_progress, never())


@pytest.mark.parametrize("image_of", [mammogram_of, tissue_of])
@pytest.mark.parametrize("output", [np.nan, np.inf])
def test_that_an_output_that_is_no_number_is_no_result(image_of, output: float, tmp_path: Path) -> None:
    path, recipe, mpp_um = image_of(1, tmp_path)
    with pytest.raises(NotAnalysable, match="the network's output is not a number"):
        said_of(path, ConstantNetwork(recipe, output), mpp_um)


def test_that_a_mammogram_gives_a_map_a_score_and_provenance(tmp_path: Path, tiny_unet: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220), PixelSpacing=[0.1, 0.1])
    result = analysed(path, tiny_unet)
    assert (result.task, result.size.width, result.size.height) == ("segmentation", 220, 300)
    assert 0.3 < np.isfinite(result.probability.values).mean() < 1
    assert result.mask.area_mm2 == pytest.approx(result.mask.area_px * 0.01)
    provenance = result.provenance
    assert provenance.image_sha256 == file_digests(path)[0]
    assert provenance.weights_sha256
    assert provenance.precision == "float32"
    assert provenance.settings["summed_at"] == 224
    assert provenance.settings["within_breast"] is True


def test_that_nothing_outside_the_breast_is_marked_summed_or_coloured(tmp_path: Path, tiny_unet: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220), PixelSpacing=[0.1, 0.1])
    everywhere = said_of(path, ConstantNetwork(tiny_unet_recipe(), 1.0), threshold=0.0)
    breast = find_breast(open_image(path))
    inside = breast.on(GridPlace(0, 0, 1, 1), (300, 220))
    marked = full_mask(everywhere.probability, 0.0, everywhere.size) > 0
    assert not (marked & ~_grown(inside, 6)).any()  # a cell of the map is five pixels
    assert marked[breast_pixels(300, 220) > 0].all()
    whole = said_of(path, ConstantNetwork(_marking_anywhere(), 1.0))
    assert everywhere.score == pytest.approx(whole.score * np.isfinite(everywhere.probability.values).mean(), rel=1e-6)
    assert whole.provenance.settings["within_breast"] is False
    for heat in analysed(path, tiny_unet, explain="all").heatmaps.values():
        assert np.array_equal(np.isnan(heat.values), np.isnan(everywhere.probability.values))


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


def _marking_anywhere() -> Recipe:
    recipe = tiny_unet_recipe()
    return recipe.model_copy(update={"input": recipe.input.model_copy(update={"breast_only": False})})


def test_that_an_implant_and_a_synthesised_image_are_told_of(tmp_path: Path) -> None:
    recipe = tiny_unet_recipe(decision={"rule": "mask-sum", "lower": 10.0, "upper": 1000.0})
    source = open_image(write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220)))
    source.info = replace(source.info, implant=True, acquisition="synthesised 2D")
    models = Models(ConstantNetwork(recipe, 0.0))
    result = analyse(source, models, AnalysisRequest(tmp_path), "", None, no_progress, never())
    assert result.label == "not_sure"
    assert {"implant", "synthesised"} <= {flag.code for flag in result.flags}


def test_that_the_same_image_gives_the_same_map_twice(tmp_path: Path, tiny_unet: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220))
    first, second = (analysed(path, tiny_unet) for _ in range(2))
    assert np.array_equal(first.probability.values, second.probability.values, equal_nan=True)


def test_that_a_mosaic_gives_one_cell_a_patch_and_gaps_stay_unknown(tmp_path: Path, tiny_cnn: Path) -> None:
    result = analysed(write_patch_folder(tmp_path / "p", rows=3, columns=4), tiny_cnn)
    assert result.probability.values.shape == (3, 4)
    assert np.isnan(result.probability.values[2, 3])
    assert np.isfinite(result.probability.values).sum() == 11
    assert result.score_name.startswith("share of patches")


def test_that_a_mosaics_cell_is_the_patchs_own_probability(tmp_path: Path, tiny_cnn: Path) -> None:
    write_patch_folder(tmp_path / "p")
    patch = next((tmp_path / "p" / "0").glob("*_x151_y101_*"))
    alone = analysed(patch, tiny_cnn)
    mosaic = analysed(tmp_path / "p", tiny_cnn)
    assert mosaic.probability.values[1, 1] == pytest.approx(alone.score, abs=1e-6)


def test_that_heat_maps_of_all_layers_come_in_one_go(tmp_path: Path, tiny_unet: Path, tiny_cnn: Path) -> None:
    mammogram = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220))
    result = analysed(mammogram, tiny_unet, explain="all")
    assert {"down1_conv1", "pool3", "bottom_conv2", "up1_conv2"} <= set(result.heatmaps)
    assert list(result.heatmaps) == result.provenance.settings["layers"]
    for heat in result.heatmaps.values():
        assert heat.values.shape == result.probability.values.shape
        assert np.nanmin(heat.values) >= 0
        assert np.nanmax(heat.values) <= 1
    mosaic = analysed(write_patch_folder(tmp_path / "p"), tiny_cnn, explain="conv4")
    assert list(mosaic.heatmaps) == ["conv4"]
    assert mosaic.heatmaps["conv4"].values.shape == (150, 200)


def test_that_a_layer_can_be_explained_later(tmp_path: Path, tiny_cnn: Path) -> None:
    folder = write_patch_folder(tmp_path / "p")
    at_once = analysed(folder, tiny_cnn, explain="pool2").heatmaps["pool2"]
    request = AnalysisRequest(tiny_cnn, explain="pool2")
    later = explain_path(folder, request, Settings(), no_progress, never())["pool2"]
    assert np.array_equal(at_once.values, later.values, equal_nan=True)


def test_that_an_unknown_layer_is_named(tmp_path: Path, tiny_cnn: Path) -> None:
    with pytest.raises(ModelError, match="no layer 'conv9'"):
        analysed(write_patch_folder(tmp_path / "p"), tiny_cnn, explain="conv9")


def test_that_glass_is_left_out_and_nothing_but_glass_is_no_negative(tmp_path: Path, tiny_cnn: Path) -> None:
    field = np.full((100, 150, 3), (246, 244, 245), np.uint8)
    Image.fromarray(field).save(tmp_path / "glass.png")
    with pytest.raises(NotAnalysable, match="empty glass"):
        analysed(tmp_path / "glass.png", tiny_cnn, mpp_um=4.0)
    field[:50, :50] = (150, 60, 120)
    field[0, 0] = 0
    Image.fromarray(field).save(tmp_path / "one.png")
    result = analysed(tmp_path / "one.png", tiny_cnn, mpp_um=4.0)
    assert np.isfinite(result.probability.values).sum() == 1
    assert "glass_left_out" in {flag.code for flag in result.flags}


def test_that_images_which_training_saw_are_flagged(tmp_path: Path, tiny_cnn: Path) -> None:
    import json
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_cnn, model)
    patch = write_patch(tmp_path, 1, 1, 0)
    (model / "seen.json").write_text(json.dumps({"train": [file_digests(patch)[0][:SEEN_DIGITS]]}))
    assert "seen_in_training" in {flag.code for flag in analysed(patch, model).flags}
    assert "seen_in_training" not in {flag.code for flag in analysed(patch, tiny_cnn).flags}


def test_that_cancel_stops_before_the_network(tmp_path: Path, tiny_cnn: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        analyse_path(write_patch_folder(tmp_path / "p"), AnalysisRequest(tiny_cnn), Settings(), no_progress, cancel)


def test_that_progress_rises_to_the_end(tmp_path: Path, tiny_cnn: Path) -> None:
    steps = []
    request = AnalysisRequest(tiny_cnn, explain="conv4")
    analyse_path(write_patch_folder(tmp_path / "p"), request, Settings(), steps.append, never())
    shares = [step.fraction for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_that_a_broken_image_is_an_error_with_its_name(tmp_path: Path, tiny_unet: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"garbage")
    with pytest.raises(ImageError, match=r"bad.dcm"):
        analysed(tmp_path / "bad.dcm", tiny_unet)
