from __future__ import annotations

import csv
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pathview.errors import DataError, OutputError
from pathview.geometry import Region
from pathview.images.digest import file_digests, fingerprint
from pathview.jobs import Cancelled, never, no_progress
from pathview.review.records.answered import Answer, LabelledImage, TileLabel
from pathview.review.records.case import ImageRow
from pathview.settings import Settings
from pathview.training.data.answers import COLUMNS, LabelsRequest, LabelsWritten, export_labels
from pathview.training.data.dataset import read_dataset
from pathview.training.data.parts import split_of
from tests.makers import tiny_cnn_recipe, write_patch, write_patch_folder

NAME = "Canary Name"


def label(
    x: int, y: int, value, input_side: int = 50, minute: int = 0, sha: str = "s" * 64, side=(50, 50)
) -> TileLabel:
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    answer = Answer(1, 1, 1, Region(x, y, *side), value, "Dr A", when, 0.5, "w", 1)
    return TileLabel(answer, "tiny-cnn", sha, {"input": [input_side, input_side], "frame": 0})


def labelled(path: Path, labels, patient: str | None = None, number: int = 1) -> LabelledImage:
    image = ImageRow(number, number, path, {}, None, None, fingerprint(path))
    return LabelledImage(image, patient, tuple(labels))


def write(images, out: Path) -> LabelsWritten:
    return export_labels(LabelsRequest(tuple(images), out), Settings(), no_progress, never())


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def picture_at(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    return write_patch_folder(tmp_path / "in" / NAME, patient=NAME)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in" / f"{NAME}.png"
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_that_answers_become_folders_by_class_with_a_table(mosaic: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    labels = [label(0, 0, "positive"), label(50, 0, "negative"), label(50, 50, "cant_tell"), label(0, 50, "skip")]
    written = write([labelled(mosaic, labels, NAME)], out)
    assert written.counts == {"negative": 1, "positive": 1}
    assert written.patients == 1
    assert any("2 answers" in notice for notice in written.notices)
    rows = rows_of(out)
    assert tuple(rows[0]) == COLUMNS
    assert [(row["label"], row["x"], row["y"], row["reader"]) for row in rows] == [
        ("positive", "0", "0", "Dr A"),
        ("negative", "50", "0", "Dr A"),
    ]
    assert rows[0]["answered"] == "2026-01-01T00:00:00+00:00"
    assert rows[0]["image_sha256"] == "s" * 64
    assert rows[0]["patient_from"] == "file"
    assert all((out / row["file"]).is_file() for row in rows)
    assert not list(tmp_path.glob("*.partial"))


def test_that_a_patch_of_a_mosaic_is_written_as_it_is(mosaic: Path, tmp_path: Path) -> None:
    write([labelled(mosaic, [label(50, 50, "positive")], NAME)], tmp_path / "labels")
    (row,) = rows_of(tmp_path / "labels")
    assert file_digests(tmp_path / "labels" / row["file"])[0] in file_digests(mosaic)


def test_that_a_patch_with_texts_in_it_or_of_another_size_is_written_anew(mosaic: Path, tmp_path: Path) -> None:
    patch = next(mosaic.rglob("*_x101_y51_class0.png"))
    info = PngInfo()
    info.add_text("Patient", NAME)
    pixels = picture_at(patch)
    Image.fromarray(pixels).save(patch, pnginfo=info)
    border = write_patch(mosaic / "1", 101 + 150, 51 + 100, 1, patient=NAME, size=(20, 30))
    assert border.is_file()
    write([labelled(mosaic, [label(0, 0, "negative"), label(150, 100, "positive")], NAME)], tmp_path / "labels")
    for row in rows_of(tmp_path / "labels"):
        content = (tmp_path / "labels" / row["file"]).read_bytes()
        assert NAME.encode() not in content
    first, second = (picture_at(tmp_path / "labels" / row["file"]) for row in rows_of(tmp_path / "labels"))
    assert np.array_equal(first, pixels)
    assert second.shape == (50, 50, 3)


def test_that_tiles_of_other_images_are_cut_at_the_networks_size(picture: Path, tmp_path: Path) -> None:
    labels = [label(10, 20, "positive"), label(100, 10, "negative", side=(100, 100))]
    write([labelled(picture, labels)], tmp_path / "labels")
    pixels = picture_at(picture)
    first, second = (picture_at(tmp_path / "labels" / row["file"]) for row in rows_of(tmp_path / "labels"))
    assert np.array_equal(first, pixels[20:70, 10:60])
    assert second.shape == (50, 50, 3)


def test_that_neither_files_nor_table_carry_a_name(mosaic: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    images = [
        labelled(mosaic, [label(0, 0, "positive")], NAME),
        labelled(picture, [label(0, 0, "negative", sha="t" * 64)], None, 2),
    ]
    write(images, out)
    names = " ".join(str(path.relative_to(out)) for path in out.rglob("*"))
    assert NAME not in names + (out / "labels.csv").read_text(encoding="utf-8")


def test_that_an_image_without_a_patient_counts_as_one_and_is_told(mosaic, picture: Path, tmp_path: Path) -> None:
    images = [
        labelled(mosaic, [label(0, 0, "positive")], NAME),
        labelled(picture, [label(0, 0, "negative", sha="t" * 64)], None, 2),
    ]
    written = write(images, tmp_path / "labels")
    assert [row["patient_from"] for row in rows_of(tmp_path / "labels")] == ["file", "image"]
    assert any(notice.startswith("1 image names no patient") for notice in written.notices)


def test_that_breakhis_images_of_one_patient_stay_together(tmp_path: Path) -> None:
    images = []
    for number, slide in enumerate(("22549AB", "22549CD", "16184")):
        path = tmp_path / f"SOB_M_DC-14-{slide}-400-00{number}.png"
        Image.fromarray(np.full((60, 60, 3), 90 + number, np.uint8)).save(path)
        images.append(labelled(path, [label(0, 0, "positive", sha=str(number) * 64)], None, number))
    write(images, tmp_path / "labels")
    one, other, third = (row["patient"] for row in rows_of(tmp_path / "labels"))
    assert one == other != third
    assert "22549" not in one


def test_that_train_and_evaluate_read_it_split_by_patient(tmp_path: Path) -> None:
    images = []
    for number in range(6):
        folder = write_patch_folder(tmp_path / str(number), patient=f"90{number}_idx5")
        labels = [label(0, 0, "positive", sha=str(number) * 64), label(50, 0, "negative", sha=str(number) * 64)]
        images.append(labelled(folder, labels, f"90{number}", number))
    write(images, tmp_path / "labels")
    recipe = tiny_cnn_recipe()
    dataset = read_dataset(tmp_path / "labels", recipe, Settings())
    assert len(dataset.samples) == 12
    assert sorted({sample.label for sample in dataset.samples}) == [0, 1]
    split = split_of(dataset, recipe, seed=0)
    assert len({*split.train, *split.validation, *split.test}) == 6


def test_that_images_that_are_gone_or_replaced_are_told_and_the_others_written(mosaic, picture, tmp_path) -> None:
    gone = labelled(picture, [label(0, 0, "negative"), label(50, 0, "positive")], "p")
    picture.unlink()
    written = write([gone, labelled(mosaic, [label(0, 0, "positive")], NAME)], tmp_path / "labels")
    assert any(notice.startswith("2 labels were left out:") for notice in written.notices)
    assert any("No tile was answered negative" in notice for notice in written.notices)
    assert len(rows_of(tmp_path / "labels")) == 1
    with pytest.raises(DataError, match="2 labels were left out"):
        write([gone], tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_that_the_last_answer_counts_where_copies_of_an_image_were_answered(mosaic: Path, tmp_path: Path) -> None:
    newer = labelled(mosaic, [label(0, 0, "negative", minute=5)], NAME, 1)
    older = labelled(mosaic, [label(0, 0, "positive", minute=1)], NAME, 2)
    for name, images in (("a", [newer, older]), ("b", [older, newer])):
        write(images, tmp_path / name)
        (row,) = rows_of(tmp_path / name)
        assert row["label"] == "negative"
        assert len(list((tmp_path / name).rglob("*.png"))) == 1


def test_that_nothing_to_learn_from_is_one_sentence(mosaic: Path, tmp_path: Path) -> None:
    for images in ([], [labelled(mosaic, [label(0, 0, "skip")], NAME)]):
        with pytest.raises(DataError, match="no tile was answered positive or negative"):
            write(images, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


def test_that_a_folder_with_files_is_not_written_over(mosaic: Path, tmp_path: Path) -> None:
    images = [labelled(mosaic, [label(0, 0, "positive")], NAME)]
    out = tmp_path / "labels"
    out.mkdir()
    write(images, out)
    before = sorted(out.rglob("*"))
    with pytest.raises(OutputError, match="labels holds files already"):
        write(images, out)
    assert sorted(out.rglob("*")) == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="holds files already"):
        write(images, tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        write(images, tmp_path / "file" / "labels")


def test_that_a_cancelled_export_leaves_nothing(mosaic: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    request = LabelsRequest((labelled(mosaic, [label(0, 0, "positive")], NAME),), tmp_path / "labels")
    with pytest.raises(Cancelled):
        export_labels(request, Settings(), no_progress, cancel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_that_a_label_of_a_field_across_patches_is_cut_from_the_mosaic(mosaic: Path, tmp_path: Path) -> None:
    answered = label(25, 25, "positive")
    write([labelled(mosaic, [answered], NAME)], tmp_path / "labels")
    (row,) = rows_of(tmp_path / "labels")
    assert picture_at(tmp_path / "labels" / row["file"]).shape == (50, 50, 3)
