from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.analysis.pipeline import AnalysisRequest, analyse_path, explain_path
from pathview.errors import ImageError, ModelError, NotAnalysable
from pathview.images.digest import file_digests
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.weights import SEEN_DIGITS
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom, write_patch, write_patch_folder


def analysed(path: Path, model: Path, **options):
    return analyse_path(path, AnalysisRequest(model, **options), Settings(), no_progress, never())


def test_that_a_mammogram_gives_a_map_a_score_and_provenance(tmp_path: Path, tiny_unet: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220), PixelSpacing=[0.1, 0.1])
    result = analysed(path, tiny_unet)
    assert (result.task, result.size.width, result.size.height) == ("segmentation", 220, 300)
    assert np.isfinite(result.probability.values).all()
    assert result.mask.area_mm2 == pytest.approx(result.mask.area_px * 0.01)
    provenance = result.provenance
    assert provenance.image_sha256 == file_digests(path)[0]
    assert provenance.weights_sha256
    assert provenance.precision == "float32"
    assert provenance.settings["summed_at"] == 224


def test_that_the_same_image_gives_the_same_map_twice(tmp_path: Path, tiny_unet: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220))
    first, second = (analysed(path, tiny_unet) for _ in range(2))
    assert np.array_equal(first.probability.values, second.probability.values)


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
