from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from pathview import cli
from pathview.session import WindowRequest
from pathview.settings import Settings
from pathview.training.learning.start import NoImageNet
from tests.lists import make_assisted
from tests.makers import (
    breast_pixels,
    tiny_cascade_recipe,
    tiny_cnn_recipe,
    write_dicom,
    write_patch_folder,
    write_random_model,
)

CONTRACT_INFO = {
    "path", "format", "modality", "width", "height", "levels", "frames", "bits", "photometric", "laterality", "view",
    "spacing_mm", "spacing_source", "mpp_um", "patient_key",
}  # fmt: skip


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.err = code, err
        self.lines = [json.loads(line) for line in out.splitlines()] if out.lstrip().startswith("{") else []
        self.text = out


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tiny_models: Settings):
    """Run a command as the program does, with the tiny models."""
    opened: list[WindowRequest] = []

    def call(*arguments: object) -> Result:
        code = cli.run([str(argument) for argument in arguments], lambda request: opened.append(request) or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    call.opened = opened
    return call


@pytest.fixture
def mammogram(tmp_path: Path) -> Path:
    return write_dicom(tmp_path / "m.dcm", breast_pixels(300, 220), ImagerPixelSpacing=[0.1, 0.1], ImageLaterality="L")


def test_that_info_prints_one_object_a_line_with_the_contracts_fields(run, mammogram: Path, tmp_path: Path) -> None:
    folder = write_patch_folder(tmp_path / "p")
    result = run("info", mammogram, folder)
    assert result.code == 0
    assert [line["format"] for line in result.lines] == ["DICOM", "IDC patches"]
    assert all(set(line) >= CONTRACT_INFO for line in result.lines)
    assert result.lines[0]["spacing_mm"] == [0.1, 0.1]
    assert result.lines[0]["view"] is None


def test_that_a_bad_file_among_good_ones_is_told_and_the_rest_goes_on(run, mammogram: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(mammogram.read_bytes()[:3000])
    result = run("info", bad, mammogram, tmp_path / "gone.png")
    assert result.code == 1
    assert len(result.lines) == 1
    assert "bad.dcm" in result.err
    assert "gone.png does not exist" in result.err
    assert "Traceback" not in result.err


def test_that_analyse_prints_a_line_and_writes_the_files_it_names(run, mammogram: Path, tmp_path: Path) -> None:
    result = run(
        "analyse",
        mammogram,
        "--recipe",
        "tiny-unet",
        "--threshold",
        "0.4",
        "--explain",
        "pool3",
        "--out",
        tmp_path / "o",
    )
    assert result.code == 0
    (line,) = result.lines
    assert (line["status"], line["threshold"], line["recipe"]) == ("analysed", 0.4, "tiny-unet")
    assert line["label"] in ("positive", "negative", "not_sure")
    mask = np.asarray(Image.open(line["files"]["mask"]))
    assert mask.shape == (300, 220)
    assert np.count_nonzero(mask) == line["mask"]["area_px"]
    assert Path(line["files"]["heatmaps"]["pool3"]).is_file()


def test_that_heat_maps_that_nothing_keeps_are_told(run, mammogram: Path, tmp_path: Path) -> None:
    assert "heat maps are not kept" in run("analyse", mammogram, "--explain", "pool3").err
    assert "not kept" not in run("analyse", mammogram, "--explain", "pool3", "--out", tmp_path / "o").err


def test_that_the_default_model_goes_by_the_kind_of_image(run, mammogram: Path, tmp_path: Path) -> None:
    result = run("analyse", mammogram, write_patch_folder(tmp_path / "p"))
    assert [line["recipe"] for line in result.lines] == ["tiny-unet", "tiny-cnn"]


def test_that_what_cannot_be_analysed_is_a_line_with_its_reason(run, tmp_path: Path) -> None:
    ct = write_dicom(tmp_path / "ct.dcm", breast_pixels(), Modality="CT")
    (tmp_path / "empty.png").write_bytes(b"")
    result = run("analyse", ct, tmp_path / "empty.png", "--recipe", "tiny-unet")
    assert result.code == 1
    assert [line["status"] for line in result.lines] == ["not_analysed"] * 2
    assert "modality is CT" in result.lines[0]["reason"]
    assert "empty.png is empty" in result.lines[1]["reason"]
    assert "negative" not in result.text


def test_that_a_stated_pixel_size_is_used(run, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (400, 400, 3)).astype(np.uint8)).save(path)
    assert "no pixel size" in run("analyse", path).lines[0]["reason"]
    line = run("analyse", path, "--mpp", "1.0").lines[0]
    assert line["status"] == "analysed"
    assert line["mask"]["area_mm2"] is not None


@pytest.mark.parametrize("name", ["nope", "zf-unet-224"])
def test_that_a_model_that_is_not_there_ends_before_any_image_is_read(run, name: str, mammogram: Path) -> None:
    result = run("analyse", mammogram, "--recipe", name)
    assert (result.code, result.text) == (1, "")
    assert name in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("analyse",),
        ("analyse", "x", "--threshold", "2"),
        ("render", "x", "--out", "y", "--window", "a,b"),
        ("cases", "decide", "1", "maybe"),
        ("cases", "list", "--order", "colour"),
        ("train", "--recipe", "x", "--out", "y"),
        ("evaluate", "--model", "x", "--data", "y", "--part", "half"),
    ],
)
def test_that_wrong_usage_is_status_2(run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2


def test_that_render_shows_what_is_asked(run, mammogram: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.png"
    result = run("render", mammogram, "--out", out, "--size", "150", "--window", "2000,4000")
    assert result.lines[0]["height"] == 150
    with Image.open(out) as picture:
        assert picture.size == (110, 150)
    assert run("render", mammogram, "--out", out, "--region", "10,20,50,40").lines[0]["region"] == [10, 20, 50, 40]
    for option, value, words in (("--frame", "3", "1 frames"), ("--voi", "7", "numbered from 0")):
        failed = run("render", mammogram, "--out", out, option, value)
        assert failed.code == 1
        assert words in failed.err
    assert run("render", mammogram, "--out", out, "--region", "999,999,5,5").code == 1
    assert run("render", mammogram, "--out", tmp_path / "no" / "r.png").code == 1


def test_that_models_are_listed_shown_and_verified(run) -> None:
    lines = run("models", "list").lines
    assert {line["name"]: line["weights"] for line in lines} == {"tiny-cnn": "trained", "tiny-unet": "trained"}
    fields = {"name", "task", "network", "parameters", "trainable_parameters", "weights", "sha256", "default_for"}
    assert all(set(line) >= fields for line in lines)
    shown = run("models", "show", "tiny-cnn").lines[0]
    assert shown["recipe"]["network"]["name"] == "idc-cnn"
    verified = run("models", "verify")
    assert verified.code == 0
    assert all(line["ok"] for line in verified.lines)


def test_that_cases_are_kept_listed_shown_and_decided(run, mammogram: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    assert run("cases", "list", "--store", store).code == 1
    make_assisted(store)
    run("analyse", mammogram, "--store", store)
    (case,) = run("cases", "list", "--store", store).lines
    assert case["state"] == "analysed"
    assert case["title"] == "m.dcm"
    decision = run("cases", "decide", case["id"], "cant-tell", "--note", "dense", "--reader", "Dr A", "--store", store)
    assert decision.lines[0]["value"] == "cant_tell"
    shown = run("cases", "show", case["id"], "--store", store).lines[0]
    assert shown["decisions"][0]["reader"] == "Dr A"
    assert shown["decisions"][0]["context"]["results"] == [shown["images"][0]["result"]["id"]]
    assert shown["state"] == "decided"
    assert run("cases", "show", "99", "--store", store).code == 1


def test_that_an_unreadable_file_is_kept_as_not_analysed(run, tmp_path: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(b"\0" * 128 + b"DICMx")
    store = tmp_path / "s.sqlite"
    assert run("analyse", tmp_path / "bad.dcm", "--store", store).code == 1
    (case,) = run("cases", "list", "--store", store).lines
    assert (case["label"], case["kind"]) == ("not_analysed", "unreadable")


def test_that_no_verb_and_open_ask_for_the_window(run, mammogram: Path) -> None:
    assert run().code == 0
    assert run("open", mammogram).code == 0
    assert run.opened == [WindowRequest(), WindowRequest((mammogram,), None)]


def test_that_the_program_itself_ends_in_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "PATHVIEW_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pathview", "info", str(tmp_path / "gone.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.strip() == "pathview: gone.dcm does not exist."


def test_that_no_name_or_id_of_a_patient_is_written_anywhere(run, mammogram: Path, tmp_path: Path, home: Path) -> None:
    store = make_assisted(tmp_path / "s.sqlite")
    result = run("analyse", mammogram, "--store", store, "--out", tmp_path / "o", "--explain", "pool3")
    everything = (result.text + result.err).encode()
    for folder in (tmp_path / "o", home):
        everything += b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    everything += store.read_bytes()
    for canary in (b"Canary", b"CANARY-ID-77"):
        assert canary not in everything


def test_that_the_headless_demo_leaves_a_report_with_pictures(run, tmp_path: Path) -> None:
    result = run("demo", "--headless", "--out", tmp_path)
    assert result.code == 0
    assert len(result.lines) == 10
    assert [line["status"] for line in result.lines].count("not_analysed") == 1  # the tomosynthesis series
    assert "Running without a window" in result.err
    page = (tmp_path / "report.html").read_text()
    assert page.count("Drawn into this phantom") == 9
    pictures = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert len(pictures) >= 9
    assert all((tmp_path / picture).is_file() for picture in pictures)
    assert len(run("cases", "list", "--store", tmp_path / "cases.sqlite").lines) == 3


def test_that_a_bug_is_one_sentence_with_its_place(run, mammogram: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request, *_):
        raise KeyError(str(request.path))

    monkeypatch.setattr("pathview.export.rendering.render_png", broken)
    result = run("render", mammogram, "--out", "x.png")
    assert result.code == 1
    assert result.err.startswith("pathview: PathView has a bug here (KeyError)")
    assert "m.dcm" not in result.err
    assert "test_cli.py" in result.err


def test_that_numbers_that_are_none_are_wrong_usage(run, mammogram: Path) -> None:
    assert run("render", mammogram, "--out", "x.png", "--region", "nan,0,1,1").code == 2


class Terminal(io.StringIO):
    """Somebody at a keyboard."""

    def isatty(self) -> bool:
        return True


def test_that_a_terminal_is_asked_before_random_weights_are_taken(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training = {"loss": "categorical-crossentropy", "initial": "imagenet"}
    recipe = tiny_cnn_recipe(network={"name": "mobilenet", "options": {}}, training=training)
    asked = (recipe, None, False, Settings())
    with pytest.raises(NoImageNet):  # nobody to ask
        cli.training._start(*asked)
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert cli.training._start(*asked).words == ""
    said = capsys.readouterr().err
    assert "starts from ImageNet weights of mobilenet, and there are none here" in said
    assert "Train from random weights?" in said
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    with pytest.raises(typer.Exit) as refused:
        cli.training._start(*asked)
    assert refused.value.exit_code == 1


def test_that_stride_and_runtime_can_be_chosen(run, tmp_path: Path) -> None:
    folder = write_patch_folder(tmp_path / "slide")
    coarse = run("analyse", folder, "--recipe", "tiny-cnn").lines[0]
    fine = run("analyse", folder, "--recipe", "tiny-cnn", "--stride", 8, "--runtime", "tensorflow").lines[0]
    assert coarse["provenance"]["runtime"].startswith("ONNX Runtime")
    assert fine["provenance"]["runtime"].startswith("Keras")
    assert (coarse["provenance"]["settings"]["stride"], fine["provenance"]["settings"]["stride"]) == (None, 8)
    assert coarse["score"] == fine["score"]
    assert coarse["stages"] == []
    wrong = run("analyse", folder, "--recipe", "tiny-cnn", "--runtime", "abacus")
    assert wrong.code == 2
    assert "abacus" in wrong.err


def test_that_what_cannot_be_written_costs_no_line(run, tmp_path: Path) -> None:
    paths = [write_patch_folder(tmp_path / name) for name in ("one", "two")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one").write_text("a file stands where the folder should be")
    done = run("analyse", *paths, "--recipe", "tiny-cnn", "--out", tmp_path / "out")
    assert done.code == 1
    assert [(line["status"], bool(line["files"])) for line in done.lines] == [("analysed", False), ("analysed", True)]
    assert "one cannot be written" in done.err


def test_that_every_line_has_every_field(run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    done = run("analyse", write_patch_folder(tmp_path / "slide"), tmp_path / "broken.png", "--recipe", "tiny-cnn")
    whole, broken = sorted(done.lines, key=lambda line: line["status"])
    assert (whole["status"], broken["status"]) == ("analysed", "not_analysed")
    assert set(whole) == set(broken)


def test_that_a_cascade_prints_both_scores(run, tmp_path: Path, tiny_models: Settings) -> None:
    write_random_model(tiny_models.data_dir / "models", tiny_cascade_recipe())
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(300, 220), PixelSpacing=[0.1, 0.1])
    (line,) = run("analyse", path, "--recipe", "tiny-cascade", "--threshold", "0", "--out", tmp_path / "out").lines
    assert [stage["recipe"] for stage in line["stages"]] == ["tiny-unet", "tiny-cascade"]
    assert line["score"] == line["stages"][1]["score"] == line["stages"][1]["places"][0]["score"]
    assert len(line["stages"][1]["places"][0]["region"]) == 4
    assert [model["task"] for model in run("models", "list").lines if model["name"] == "tiny-cascade"] == ["cascade"]
