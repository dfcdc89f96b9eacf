from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.jobs import Cancelled, never, no_progress
from pathview.settings import Settings
from pathview.training.preparing.inspect import groups, look_at, near_pairs, thumbnails
from tests.makers import breast_pixels, write_dicom
from tests.training.runs import tissue, write_picture


def looked(*files: Path | tuple[Path, tuple[Path, ...]]):
    pairs = [file if isinstance(file, tuple) else (file, ()) for file in files]
    return look_at(pairs, Settings(), no_progress, never())


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


CHANGES = {
    "as JPEG": lambda pixels: jpeg(pixels, 60),
    "smaller": lambda pixels: np.asarray(Image.fromarray(pixels).resize((90, 90), Image.Resampling.BICUBIC)),
    "brighter": lambda pixels: np.clip(pixels * 1.1 + 8, 0, 255).astype(np.uint8),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned": lambda pixels: np.rot90(pixels),
    "turned, mirrored and as JPEG": lambda pixels: jpeg(np.ascontiguousarray(np.rot90(pixels[::-1])), 80),
}


@pytest.mark.parametrize("change", CHANGES)
def test_that_changed_copies_are_near_duplicates_and_others_are_not(tmp_path: Path, change: str) -> None:
    pictures = [tissue(seed, 120) for seed in range(8)]
    files = [write_picture(tmp_path / f"{i}.png", picture) for i, picture in enumerate(pictures)]
    changed = CHANGES[change](pictures[3])
    files.append(write_picture(tmp_path / "copy.png", np.ascontiguousarray(changed)))
    found = looked(*files)
    names = groups(found, no_progress, never())
    assert found[8].sha256 != found[3].sha256
    assert names[3] == names[8] != ""
    assert [names[i] for i in (0, 1, 2, 4, 5, 6, 7)] == [""] * 7


def test_that_the_same_pixels_in_another_format_are_exact_copies(tmp_path: Path) -> None:
    one = write_picture(tmp_path / "a.png", tissue(1))
    other = write_picture(tmp_path / "b.bmp", tissue(1))
    found = looked(one, other, write_picture(tmp_path / "c.png", tissue(2)))
    assert found[0].sha256 == found[1].sha256 != found[2].sha256
    assert [bool(name) for name in groups(found, no_progress, never())] == [True, True, False]


def test_that_empty_pictures_are_not_near_duplicates_of_each_other() -> None:
    flat = [np.full((64, 64), value, np.uint8) for value in (10, 10, 200)]
    assert list(near_pairs(flat, no_progress, never())) == []


def test_that_pairs_are_found_across_many_blocks(monkeypatch) -> None:
    monkeypatch.setattr("pathview.training.preparing.inspect._PAIRS_AT_ONCE", 30)
    pictures = [tissue(seed, 64)[..., 0] for seed in range(20)]
    pictures += [pictures[2], pictures[19]]
    assert sorted(near_pairs(pictures, no_progress, never())) == [(2, 20), (19, 21)]


def test_that_what_cannot_be_read_has_a_sentence(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.png", tmp_path / "text.png"
    empty.touch()
    text.write_text("no image")
    found = looked(empty, text, tmp_path / "gone.png")
    assert [look.problem for look in found[::2]] == ["empty.png is empty.", "gone.png does not exist."]
    assert "is not an image that PathView reads" in found[1].problem
    assert groups(found, no_progress, never()) == ["", "", ""]


def test_that_a_mask_of_another_size_is_told_and_a_fitting_one_measured(tmp_path: Path) -> None:
    image = write_picture(tmp_path / "a.png", tissue(1, 40))
    half = np.zeros((40, 40), np.uint8)
    half[:20] = 255
    right = write_picture(tmp_path / "right.png", half)
    wrong = write_picture(tmp_path / "wrong.png", half[:30])
    found = looked((image, (right,)), (image, (wrong,)), (image, (right, tmp_path / "gone.png")))
    assert (found[0].problem, found[0].outlined) == ("", 0.5)
    assert found[1].problem == "The mask wrong.png is 40 x 30 pixels, its image 40 x 40."
    assert "gone.png does not exist" in found[2].problem


def test_that_a_dicom_tells_scanner_and_patient_but_no_name(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(), Manufacturer="Maker", ManufacturerModelName="M1")
    (found,) = looked(path)
    assert (found.scanner, found.kind, len(found.patient)) == ("Maker M1", "mammogram", 16)
    assert "CANARY" not in repr(found)


def test_that_looking_can_be_cancelled(tmp_path: Path) -> None:
    token = never()
    token.set()
    with pytest.raises(Cancelled):
        look_at([(tmp_path / "a.png", ())], Settings(), no_progress, token)


def test_that_thumbnails_keep_the_shape_draw_outlines_and_leave_the_unreadable_black(tmp_path: Path) -> None:
    wide = write_picture(tmp_path / "wide.png", np.full((20, 40, 3), 200, np.uint8))
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 10:30] = 255
    outline = write_picture(tmp_path / "mask.png", mask)
    files = [(wide, ()), (wide, (outline,)), (tmp_path / "gone.png", ())]
    found = thumbnails(files, 80, Settings(), no_progress, never())
    assert found.shape == (3, 80, 80, 3)
    assert (found[0, 40, 40] == 200).all()
    assert (found[0, 5, 40] == 24).all()
    assert (found[1] == (255, 196, 0)).all(axis=2).sum() > 100
    assert not found[2].any()
