"""What the model says in the window: scores, masks, heat maps, and with which model they are made."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from pathview.models.weights import read_manifest, write_manifest
from pathview.results.mask import measure
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.settings import Settings
from pathview.training.publishing.promoting import Promoting
from pathview.training.runs.plan import Override
from tests.gui.conftest import idle, result_of
from tests.makers import breast_pixels, tiny_cascade_recipe, write_dicom, write_random_model

KEY = Qt.Key


def test_that_analysis_shows_score_mask_and_area(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    state, result = opened.desk.state, result_of(opened)
    assert result.status == "analysed"
    assert state.probability is not None
    assert state.area_px == result.mask["area_px"]
    assert state.places == result.mask["components"]
    assert f"{result.mask['area_px']:,} px" in opened.ai._area.text()
    assert "mm²" in opened.ai._area.text()


def test_that_the_slider_moves_mask_and_area_without_the_network(qtbot, opened, monkeypatch) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    monkeypatch.setattr("pathview.session.analyse_path", None)
    state = opened.desk.state
    values = state.probability.values
    threshold = round(float(np.nanmedian(values)), 3)
    opened.ai._threshold.setValue(round(threshold * 1000))
    idle(qtbot, opened)
    expected = measure(state.probability, threshold, state.picture.info.size, None)
    assert opened.desk.state.area_px == expected.area_px
    assert opened.desk.state.places == len(expected.components)
    assert opened.viewer.canvas.overlay.threshold == threshold
    opened.actions_by_id["threshold_up"].trigger()
    assert opened.desk.state.threshold == pytest.approx(threshold + 0.02)


def test_that_a_heat_map_is_made_when_asked_for_and_kept(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    assert opened.desk.state.heatmaps == {}
    opened.actions_by_id["heat"].setChecked(True)
    idle(qtbot, opened)
    state = opened.desk.state
    assert state.layer in state.heatmaps
    assert opened.viewer.canvas.overlay.heat is state.heatmaps[state.layer]
    opened.ai._layer.setCurrentText("pool2")
    opened.ai._layer.textActivated.emit("pool2")
    idle(qtbot, opened)
    assert "pool2" in opened.desk.state.heatmaps
    kept = opened.desk._handle.get().cases.case(1).images[0].result.layers
    assert set(kept) == {state.layer, "pool2"}


def test_that_the_layer_named_is_the_layer_shown(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    for name in "ab":
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels())
    window.open_paths([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    idle(qtbot, window)
    window.desk.analyse([1, 2])
    idle(qtbot, window)
    window.actions_by_id["heat"].setChecked(True)
    idle(qtbot, window)
    window.desk.show(layer="down1_conv1")
    idle(qtbot, window)
    window.worklist.step(1)
    idle(qtbot, window)
    assert window.desk.state.layer in window.desk.state.heatmaps
    assert window.ai.layer == window.desk.state.layer


def test_that_an_empty_heat_map_says_so(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    opened.actions_by_id["heat"].setChecked(True)
    idle(qtbot, opened)
    state = opened.desk.state
    blank = replace(state.heatmaps[state.layer], values=np.zeros((4, 4), np.float32))
    room, image, made_of, layer = opened.desk.room, state.image, state.result.id, state.layer
    room.add_heat(image, made_of, layer, {layer: blank})
    assert "empty" in opened.ai._heat_words.text()
    room.add_heat(image, made_of, layer, {layer: replace(blank, values=np.eye(4, dtype=np.float32))})
    assert "attention" in opened.ai._heat_words.text()


def test_that_only_the_case_that_waits_says_analysing(qtbot, opened) -> None:
    first, second = 1, 2
    assert opened.desk.case_id == first
    opened.desk.analyse([first])
    assert opened.ai._label.text() == "Analysing ..."
    opened.worklist.choose(second)
    qtbot.waitUntil(lambda: not opened.desk.opening, timeout=20_000)
    assert not opened.desk.awaiting_result
    idle(qtbot, opened)
    opened.worklist.choose(first)
    idle(qtbot, opened)
    before = opened.ai._label.text()
    assert before != "Analysing ..."
    opened.actions_by_id["analyse_case"].trigger()
    assert opened.ai._label.text() == "Analysing again ..."
    idle(qtbot, opened)
    assert opened.ai._label.text() == before


def test_that_a_missing_pixel_size_is_asked_for_and_used(qtbot, make_window, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "camera.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)).save(path)
    window = make_window()
    window.open_paths([path])
    idle(qtbot, window)
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert window.ai._size_row.isVisible()
    box = window.ai._pixel_size
    room = box.lineEdit().width()  # without its arrows, a styled box leaves the text a single pixel
    assert room > box.fontMetrics().horizontalAdvance(box.text())
    window.ai._pixel_size.setValue(1.5)
    window.ai._state_size.click()
    idle(qtbot, window)
    assert result_of(window).status == "analysed"
    assert window.desk.state.picture.info.mpp_um == pytest.approx(1.5)
    assert result_of(window).provenance["settings"]["mpp_um"] == 1.5
    assert window.ai._size_row.isVisible()  # a slip can be mended
    window.ai._pixel_size.setValue(2.5)
    window.ai._state_size.click()
    idle(qtbot, window)
    assert result_of(window).provenance["settings"]["mpp_um"] == 2.5


def test_that_all_new_cases_are_analysed_with_progress(qtbot, opened) -> None:
    steps = []
    opened.desk.progressed.connect(steps.append)
    opened.actions_by_id["analyse_all"].trigger()
    idle(qtbot, opened)
    assert all(row.ran for row in opened.desk._handle.get().cases.worklists.page(WorklistQuery(), "r"))
    assert any(step is not None for step in steps)
    assert steps[-1] is None
    assert not opened.progress.isVisible()


def test_that_cancel_keeps_what_was_finished(qtbot, opened) -> None:
    finished = []
    opened.desk.case_saved.connect(finished.append)
    opened.desk.case_saved.connect(lambda _: opened.desk.cancel())
    opened.desk.analyse([1, 2] * 20)
    idle(qtbot, opened)
    assert 1 <= len(finished) < 40
    assert opened.desk._handle.get().cases.case(finished[0]).images[0].result is not None


def test_that_a_model_that_was_promoted_is_the_default_until_it_is_withdrawn(
    qtbot, make_window, mammogram: Path, tiny_models: Settings, tiny_unet: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_unet, tmp_path / "other"))
    manifest = read_manifest(folder)
    recipe = manifest.recipe.model_copy(update={"name": "other-unet", "title": "Another U-Net", "default_for": ()})
    write_manifest(folder, manifest.model_copy(update={"recipe": recipe}))
    promoting = Promoting(tiny_models, "Dr A")
    version = promoting.register(folder, title="Ward 3")
    window = make_window()
    window.open_paths([mammogram])
    idle(qtbot, window)
    choice = window.ai.choice

    def offered() -> list[str]:
        window.desk.reload_models()
        idle(qtbot, window)
        return [choice.itemText(index) for index in range(choice.count())]

    assert offered() == ["Tiny U-Net (default)"]
    promoting.promote(version, None, Override(who="Dr A", why="so"))
    assert offered() == ["Another U-Net: Ward 3 (default)", "Tiny U-Net"]
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert result_of(window).recipe == "other-unet"
    window.desk.choose_model("mammogram", "other-unet")
    promoting.roll_back("other-unet")
    assert offered() == ["Tiny U-Net (default)"]
    assert window.desk.chosen == {}  # it is there no longer
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert result_of(window).recipe == "tiny-unet"


def test_that_a_case_is_analysed_with_the_model_that_is_chosen(
    qtbot, make_window, mammogram: Path, mosaic: Path, tiny_models: Settings, tiny_unet: Path
) -> None:
    other = tiny_models.data_dir / "models" / "other-unet"
    shutil.copytree(tiny_unet, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["recipe"] |= {"name": "other-unet", "title": "Another U-Net", "default_for": []}
    (other / "manifest.json").write_text(json.dumps(manifest))
    recipes = tiny_models.data_dir / "recipes"
    recipes.mkdir()
    (recipes / "untrained.toml").write_text(
        (Path(__file__).parents[2] / "resources" / "recipes" / "zf-unet-224.toml").read_text()
    )
    window = make_window()
    window.open_paths([mammogram, mosaic])
    idle(qtbot, window)
    choice = window.ai.choice
    words = [choice.itemText(index) for index in range(choice.count())]
    assert words == ["Tiny U-Net (default)", "Another U-Net", "ZF-UNET-224, full width: not trained yet"]
    assert [choice.model().item(index).isEnabled() for index in range(3)] == [True, True, False]
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert result_of(window).recipe == "tiny-unet"
    assert not window.ai._analyse.isVisible()
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    assert window.ai._analyse.text().startswith("Analyse with this model")
    assert "(tiny-unet)" in window.ai._label.text()  # whose verdict still stands there
    window.ai._analyse.click()
    idle(qtbot, window)
    assert result_of(window).recipe == "other-unet"
    window.worklist.choose(2)
    idle(qtbot, window)
    assert [choice.itemText(index) for index in range(choice.count())] == ["Tiny CNN (default)"]
    window.actions_by_id["analyse_case"].trigger()  # the choice was for mammograms
    idle(qtbot, window)
    assert result_of(window).recipe == "tiny-cnn"


def test_that_a_comma_is_a_decimal_point(qtbot, opened) -> None:
    box = opened.ai._pixel_size
    box.selectAll()
    qtbot.keyClicks(box, "0,26")
    box.interpretText()
    assert box.value() == pytest.approx(0.26)


def test_that_both_scores_of_a_cascade_are_shown(qtbot, make_window, mammogram: Path, tiny_models: Settings) -> None:
    write_random_model(tiny_models.data_dir / "models", tiny_cascade_recipe())
    window = make_window()
    window.open_paths([mammogram])
    idle(qtbot, window)
    window.desk.choose_model("mammogram", "tiny-cascade")
    window.desk.analyse([1])
    idle(qtbot, window)
    result = result_of(window)
    assert result.status == "analysed", result.reason
    words = window.ai._stages.text().splitlines()
    assert [line.split(":")[0] for line in words] == ["tiny-unet", "tiny-cascade"]
    assert window.ai._stages.isVisible()
    assert window.viewer.canvas.overlay.places == result.places
    window.desk.show(mask=False)
    assert not window.viewer.canvas.overlay.places
    window.desk.choose_model("mammogram", "tiny-unet")
    window.desk.analyse([1])
    idle(qtbot, window)
    assert not window.ai._stages.isVisible()


def test_that_a_fine_map_is_made_where_it_is_asked_for(qtbot, opened) -> None:
    opened.worklist.choose(2)
    idle(qtbot, opened)
    shapes = []
    for fine in (False, True, False):
        opened.actions_by_id["fine_map"].setChecked(fine)
        opened.actions_by_id["analyse_case"].trigger()
        idle(qtbot, opened)
        shapes.append(opened.desk.state.probability.values.shape)
    assert shapes[0] == shapes[2] == (3, 4)
    assert shapes[1][0] > 30
