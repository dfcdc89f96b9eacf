"""Fields that overlap: the convolutional form equals the patches, and the map says where each stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pathview.analysis import predict, windows
from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.predict import as_input, positive_score
from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace
from pathview.images.formats import open_image
from pathview.jobs import Cancelled, CancelToken, Progress, never, no_progress
from pathview.models.keras_backend import KerasNetwork, build
from pathview.models.recipe import Recipe
from pathview.models.runtimes import open_network
from pathview.results.mask import measure
from pathview.results.result import AnalysisResult, ScoreMap
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe, write_patch, write_patch_folder, write_random_model


def tissue(folder: Path, rows: int = 131, columns: int = 170) -> Path:
    pixels = np.random.default_rng(3).integers(0, 200, (rows, columns, 3)).astype(np.uint8)
    pixels[: rows // 2] //= 2
    tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb")
    return folder / "a.tif"


def analysed(
    path: Path, model: Path, stride: int | None, settings: Settings, mpp_um: float | None = 4.0
) -> AnalysisResult:
    request = AnalysisRequest(model, mpp_um=mpp_um, stride=stride)
    return analyse_path(path, request, settings, no_progress, never())


@pytest.mark.parametrize("stride", [4, 8, 10, 20])
def test_that_each_field_has_the_score_of_its_patch(
    stride: int, tmp_path: Path, tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "SQUARE_PX", 64)  # several squares, and squares that end within the image
    path = tissue(tmp_path)
    found = analysed(path, tiny_cnn, stride, settings)
    network, pixels = open_network(tiny_cnn, settings), tifffile.imread(path)
    place = found.probability.place
    for top in range(0, 131 - 50 + 1, stride):
        for left in range(0, 170 - 50 + 1, stride):
            patch = as_input(pixels[None, top : top + 50, left : left + 50])
            column, row = place.to_grid(left + 25, top + 25)
            assert (column - int(column), row - int(row)) == (0.5, 0.5)
            value = found.probability.values[int(row), int(column)]
            assert value == pytest.approx(float(positive_score(network.predict(patch))[0]), abs=1e-4)


def test_that_score_and_label_do_not_depend_on_how_fine_the_map_is(
    tmp_path: Path, tiny_cnn: Path, settings: Settings
) -> None:
    path = write_patch_folder(tmp_path / "slide")
    coarse, fine = (analysed(path, tiny_cnn, stride, settings, None) for stride in (None, 0))
    assert (coarse.score, coarse.label, coarse.flags) == (fine.score, fine.label, fine.flags)
    assert fine.provenance.settings["stride"] == 4
    assert coarse.provenance.settings["stride"] is None
    assert fine.probability.values.size > 100 * coarse.probability.values.size


def test_that_missing_places_stay_blank_and_rims_keep_their_patch(
    tmp_path: Path, tiny_cnn: Path, settings: Settings
) -> None:
    path = write_patch_folder(tmp_path / "slide", rows=3, columns=4)
    coarse, fine = (analysed(path, tiny_cnn, stride, settings, None).probability for stride in (None, 4))
    assert np.isnan(coarse.values[2, 3])

    def at(x: float, y: float) -> float:
        column, row = fine.place.to_grid(x, y)
        return float(fine.values[int(row), int(column)])

    assert np.isnan(at(175, 125))
    assert at(10, 10) == coarse.values[0, 0]
    assert at(190, 10) == coarse.values[0, 3]
    assert at(140, 140) == coarse.values[2, 2]
    assert at(100, 75) not in coarse.values
    rows, columns = fine.values.shape
    assert 150 - (fine.place.y + rows * 4) < 4
    assert 200 - (fine.place.x + columns * 4) < 4


def test_that_one_patch_is_covered_to_its_edges(tmp_path: Path, tiny_cnn: Path, settings: Settings) -> None:
    path = tissue(tmp_path, 50, 50)
    for stride in (1, 4, 7, 16):
        found = analysed(path, tiny_cnn, stride, settings)
        assert np.unique(found.probability.values) == pytest.approx(found.score)
        all_of_it = measure(found.probability, 0.0, found.size, None)
        assert all_of_it.area_px == 2500


@pytest.mark.parametrize(("fine_share", "label"), [(0.0, "negative"), (0.05, "negative"), (0.2, "not_sure")])
def test_that_a_fine_map_that_says_more_is_not_called_negative(
    fine_share: float, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_cnn: Path, settings: Settings
) -> None:
    """The recipe's limit for the share is 0.1."""

    def fine(_: object, image: windows.Canvas, behind: ScoreMap, *__: object) -> ScoreMap:
        values = np.zeros(1000, np.float32)
        values[: int(1000 * fine_share)] = 0.9
        return ScoreMap(values.reshape(20, 50), GridPlace(0, 0, 4, 4), smooth=False)

    monkeypatch.setattr(windows, "window_map", fine)
    monkeypatch.setattr(predict, "checked_score", lambda _, images: np.zeros(len(images), np.float32))
    found = analysed(tissue(tmp_path, 150, 200), tiny_cnn, 4, settings)
    assert (found.score, found.label) == (0.0, label)
    codes = {flag.code for flag in found.flags}
    assert ("fine_map_above" in codes) == (fine_share >= 0.1)
    assert ("mask_below_limit" in codes) == (fine_share > 0)


def test_that_glass_is_not_run(tmp_path: Path, settings: Settings, tiny_cnn: Path) -> None:
    pixels = np.full((150, 200, 3), 245, np.uint8)
    pixels[:, :60] = np.random.default_rng(0).integers(40, 180, (150, 60, 3))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    found = analysed(tmp_path / "a.tif", tiny_cnn, 4, settings).probability
    right = int(found.place.to_grid(110, 0)[0])
    assert np.isfinite(found.values[10:-10, 5]).all()
    assert np.isnan(found.values[10:-10, right:]).all()


def test_that_a_stride_without_sense_is_refused_in_words(
    tmp_path: Path, tiny_cnn: Path, tiny_unet: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tissue(tmp_path, 40, 60)
    with pytest.raises(NotAnalysable, match=r"^a\.tif is not .* 60 x 40 pixels at the .* one field of 50 x 50"):
        analysed(small, tiny_cnn, 4, settings)
    large = tissue(tmp_path)
    with pytest.raises(NotAnalysable, match="a stride of 51 leaves gaps between fields of 50 x 50 pixels"):
        analysed(large, tiny_cnn, 51, settings)
    monkeypatch.setattr(windows, "MAX_ONE_BY_ONE", 100)
    with pytest.raises(NotAnalysable, match=r"a stride of 7 asks for 216 fields one by one; take a multiple of 4"):
        analysed(large, tiny_cnn, 7, settings)
    small = tissue(tmp_path, 40, 60)
    assert analysed(small, tiny_cnn, 0, settings).provenance.settings["stride"] is None
    mammogram = tmp_path / "b.tif"
    tifffile.imwrite(mammogram, np.arange(90000, dtype=np.uint16).reshape(300, 300))
    with pytest.raises(NotAnalysable, match="tiny-unet outlines and has no stride"):
        analysed(mammogram, tiny_unet, 4, settings, None)
    assert analysed(mammogram, tiny_unet, 0, settings, None).provenance.settings["stride"] is None


@dataclass
class Counting:
    """A network that counts what it is asked for."""

    inner: KerasNetwork
    patches: int = 0
    passes: int = 0

    @property
    def recipe(self) -> Recipe:
        return self.inner.recipe

    @property
    def window_stride(self) -> int | None:
        return self.inner.window_stride

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.patches += len(images)
        return self.inner.predict(images)

    def predict_windows(self, images: np.ndarray) -> np.ndarray:
        self.passes += 1
        return self.inner.predict_windows(images)


@pytest.mark.parametrize(("stride", "passes", "patches"), [(8, 1, 0), (16, 1, 0), (20, 0, 5 * 7), (10, 0, 9 * 13)])
def test_that_the_cheaper_way_is_taken(stride: int, passes: int, patches: int, tmp_path: Path) -> None:
    network = Counting(KerasNetwork(build(tiny_cnn_recipe()), tiny_cnn_recipe()))
    source = open_image(tissue(tmp_path), Settings(), 4.0)
    image = windows.canvas(source, network.recipe, 0, stride)
    behind = image.map_over(np.zeros(image.scored.shape, np.float32), _nothing(), (50, 50))
    windows.window_map(network, image, behind, no_progress, never())
    assert (network.passes, network.patches) == (passes, patches)


def _nothing():
    from pathview.geometry import GridPlace
    from pathview.results.result import ScoreMap

    return ScoreMap(np.full((1, 1), np.nan, np.float32), GridPlace(0, 0, 1000, 1000))


def test_that_cancelling_ends_between_squares(
    tmp_path: Path, tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "SQUARE_PX", 64)
    fine: list[str] = []

    def seen(step: Progress) -> None:
        if "fine map" in step.message:
            fine.append(step.message)

    class AfterTwo(CancelToken):
        def is_set(self) -> bool:
            return len(fine) >= 2

    request = AnalysisRequest(tiny_cnn, mpp_um=4.0, stride=4)
    with pytest.raises(Cancelled):
        analyse_path(tissue(tmp_path), request, settings, seen, AfterTwo())
    assert len(fine) == 2


def test_that_only_networks_without_padding_have_a_convolutional_form(tmp_path: Path) -> None:
    assert KerasNetwork(build(tiny_cnn_recipe()), tiny_cnn_recipe()).window_stride == 4
    for changes in (
        {"network": {"name": "mobilenet", "options": {}}},
        {"input": tiny_cnn_recipe().input.model_dump() | {"normalise": "image"}},
    ):
        recipe = tiny_cnn_recipe(**changes)
        network = KerasNetwork(build(recipe), recipe)
        assert network.window_stride is None
        assert windows.fine_stride(network) == 25
        with pytest.raises(ValueError, match="no convolutional form"):
            network.predict_windows(np.zeros((1, 60, 60, 3), np.float32))


def test_that_patches_that_are_equalised_one_by_one_stay_so(tmp_path: Path, settings: Settings) -> None:
    recipe = tiny_cnn_recipe(input=tiny_cnn_recipe().input.model_dump() | {"equalise": True})
    folder, path = write_random_model(tmp_path, recipe), write_patch_folder(tmp_path / "slide")
    with pytest.raises(NotAnalysable, match="tiny-cnn equalises each patch by itself"):
        analysed(path, folder, 4, settings, None)
    assert analysed(path, folder, 0, settings, None).provenance.settings["stride"] is None


def test_that_patches_of_another_size_than_the_network_are_scaled(tmp_path: Path, settings: Settings) -> None:
    for x in (0, 64):
        write_patch(tmp_path / "slide", x, 0, 0, size=(64, 64))
    recipe = tiny_cnn_recipe()
    image = windows.canvas(open_image(tmp_path / "slide", settings), recipe, 0, 10)
    assert image.pixels.shape == (50, 100, 3)
    assert image.scored.shape == (1, 6)
    assert image.place.cell_width == pytest.approx(1.28)
