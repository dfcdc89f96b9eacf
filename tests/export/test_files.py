from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.errors import OutputError
from pathview.export import files as export_files
from pathview.export.files import folder_names, outcome_json, write_files
from pathview.export.report import ReportEntry, write_report
from pathview.jobs import never, no_progress
from pathview.results.result import NotAnalysed
from pathview.settings import INVESTIGATIONAL, Settings
from tests.makers import breast_pixels, write_dicom


@pytest.fixture(scope="module")
def analysed(tiny_unet: Path, tmp_path_factory: pytest.TempPathFactory):
    path = write_dicom(tmp_path_factory.mktemp("d") / "L CC.dcm", breast_pixels(300, 220), PixelSpacing=[0.1, 0.1])
    request = AnalysisRequest(tiny_unet, threshold=0.5, explain="pool2")
    return path, analyse_path(path, request, Settings(), no_progress, never())


def test_that_mask_and_probability_have_the_images_own_size_and_agree(analysed, tmp_path: Path) -> None:
    path, result = analysed
    files = write_files(path, result, tmp_path / "out", Settings())
    mask, probability = np.asarray(Image.open(files.mask)), np.asarray(Image.open(files.probability))
    assert mask.shape == probability.shape == (300, 220)
    assert set(np.unique(mask)) <= {0, 255}
    assert np.count_nonzero(mask) == result.mask.area_px
    assert np.mean((probability >= 32768) != (mask > 0)) < 1e-3


def test_that_every_picture_says_what_it_must(analysed, tmp_path: Path) -> None:
    path, result = analysed
    files = write_files(path, result, tmp_path / "out", Settings())
    for file in (files.mask, files.probability, files.overlay, *files.heatmaps.values()):
        with Image.open(file) as picture:
            assert picture.text["Comment"] == INVESTIGATIONAL
            assert picture.text["Weights"] == result.provenance.weights_sha256
    assert list(files.heatmaps) == ["pool2"]


def test_that_output_that_cannot_be_written_is_told(analysed, tmp_path: Path) -> None:
    path, result = analysed
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_files(path, result, tmp_path / "file" / "out", Settings())


def test_that_the_line_of_an_image_has_the_contracts_fields(analysed) -> None:
    path, result = analysed
    line = outcome_json(path, result, None)
    wanted = {"path", "status", "reason", "recipe", "score", "label", "flags", "threshold", "mask", "files", "seconds"}
    assert wanted <= set(line)
    assert set(line["mask"]) == {"area_px", "area_mm2", "components"}
    failed = outcome_json(path, NotAnalysed("It is cut off.", "tiny"), None)
    assert wanted <= set(failed)
    assert (failed["status"], failed["reason"], failed["label"]) == ("not_analysed", "It is cut off.", None)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/x.png", "b/x.png", "y.dcm"], ["x", "x-2", "y"]),
        (["x.jpg", "x.png", "x-2.png"], ["x", "x-2", "x-2-2"]),
        (["x-2.png", "x.jpg", "x.png"], ["x-2", "x", "x-3"]),
        (["L CC.dcm", "l cc.png"], ["L CC", "l cc-2"]),
    ],
)
def test_that_every_image_gets_a_folder_of_its_own(files: list[str], names: list[str], tmp_path: Path) -> None:
    assert folder_names([tmp_path / file for file in files]) == names


@pytest.mark.parametrize("downsample", [1, 4])
def test_that_masks_of_very_large_images_are_reduced_and_say_so(
    downsample: int, analysed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, result = analysed
    full = write_files(path, result, tmp_path / "full", Settings())
    assert "downsample" not in full.as_json()
    monkeypatch.setattr(export_files, "_MAX_PIXELS", 300 * 220 // downsample**2)
    files = write_files(path, result, tmp_path / "out", Settings())
    assert files.as_json().get("downsample", 1) == downsample
    for small, large in ((files.mask, full.mask), (files.probability, full.probability)):
        pixels, expected = (np.asarray(Image.open(file)).astype(float) for file in (small, large))
        assert pixels.shape == (300 // downsample, 220 // downsample)
        blocks = expected.reshape(300 // downsample, downsample, 220 // downsample, downsample).mean(axis=(1, 3))
        assert np.abs(pixels - blocks).mean() < 0.02 * expected.max()


def test_that_the_report_calls_what_did_not_run_not_analysed(analysed, tmp_path: Path) -> None:
    path, result = analysed
    files = write_files(path, result, tmp_path / "pictures", Settings())
    entries = [
        ReportEntry("L CC", result, files, "Truth: <b>"),
        ReportEntry("R CC", NotAnalysed("r.dcm is cut off.", "tiny"), None),
    ]
    page = write_report(tmp_path / "report.html", "Test", entries).read_text()
    assert INVESTIGATIONAL in page
    assert "not analysed" in page
    assert "r.dcm is cut off." in page
    assert "Truth: &lt;b&gt;" in page
    assert 'src="pictures/overlay.png"' in page
