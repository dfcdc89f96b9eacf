from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.formats import find_images, open_image
from pathview.images.patches import BACKGROUND, PATCH_PX, PatchMosaic
from tests.makers import write_patch, write_patch_folder


def opened(folder: Path) -> PatchMosaic:
    source = open_image(folder)
    assert isinstance(source, PatchMosaic)
    return source


def test_that_a_folder_is_one_mosaic_with_its_missing_place_empty(tmp_path: Path) -> None:
    source = opened(write_patch_folder(tmp_path / "p", rows=3, columns=4))
    assert source.info.size == Size(200, 150)
    assert (source.info.patient_key, source.info.mpp_um) == ("9001", pytest.approx(4.0))
    pixels = source.read_region(Region.whole(source.info.size))
    assert (pixels[100:, 150:] == BACKGROUND).all()
    for patch in source.patches:
        stored = np.asarray(Image.open(patch.path))
        assert np.array_equal(source.read_patch(patch), stored)
    assert source.info.notices == ()


def test_that_small_border_patches_keep_their_place(tmp_path: Path) -> None:
    write_patch(tmp_path, 1, 1, 0)
    write_patch(tmp_path, 51, 1, 1, size=(35, 41))
    source = opened(tmp_path)
    assert source.info.size == Size(91, 50)
    assert source.patches[1].region == Region(50, 0, 41, 35)


def test_that_coordinates_of_the_full_scan_are_brought_down(tmp_path: Path) -> None:
    for x, y in ((801, 1), (1601, 1), (801, 801)):
        write_patch(tmp_path, x, y, 0)
    assert opened(tmp_path).info.size == Size(100, 100)


@pytest.mark.parametrize("places", [[(101, 1), (401, 1)], [(101, 1), (901, 1)], [(101, 1), (401, 1), (101, 601)]])
def test_that_patches_far_apart_stay_apart(places: list[tuple[int, int]], tmp_path: Path) -> None:
    for x, y in places:
        write_patch(tmp_path, x, y, 0)
    assert [(p.x, p.y) for p in opened(tmp_path).patches] == [(x - 101, y - 1) for x, y in places]


@pytest.mark.parametrize("step", [100, 1600])
def test_that_patches_of_another_usual_side_lie_side_by_side(step: int, tmp_path: Path) -> None:
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        write_patch(tmp_path, 1 + x * step, 1 + y * step, 0, size=(100, 100))
    source = opened(tmp_path)
    assert (source.info.size, source.side, source.info.notices) == (Size(200, 200), 100, ())
    for patch in source.patches:
        assert np.array_equal(source.read_patch(patch), np.asarray(Image.open(patch.path)))


def test_that_overlapping_patches_are_left_out_and_told(tmp_path: Path) -> None:
    for x in (1, 26, 51):
        write_patch(tmp_path, x, 1, 0)
    source = opened(tmp_path)
    assert [patch.x for patch in source.patches] == [0, 50]
    for patch in source.patches:
        assert np.array_equal(source.read_patch(patch), np.asarray(Image.open(patch.path)))
    assert source.info.notices == ("1 of 3 patches overlap others and are left out.",)


def test_that_a_huge_patch_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_patch(tmp_path, 1, 1, 0)
    write_patch(tmp_path, 51, 1, 0, size=(20, 513))
    decoded = []
    convert = Image.Image.convert
    monkeypatch.setattr(Image.Image, "convert", lambda image, mode: decoded.append(image.size) or convert(image, mode))
    source = opened(tmp_path)
    assert decoded == [(50, 50)]
    assert "1 of 2 patches cannot be read" in " ".join(source.info.notices)


def test_that_disagreements_are_reported(tmp_path: Path) -> None:
    write_patch_folder(tmp_path)
    write_patch(tmp_path / "1", 501, 51, 0)
    write_patch(tmp_path / "0", 101, 51, 1, value=(9, 9, 9))
    (tmp_path / "notes.txt").write_text("x")
    notices = " ".join(opened(tmp_path).info.notices)
    assert "1 other files" in notices
    assert "2 patches lie in a class folder that disagrees" in notices
    assert "1 places have more than one patch (1 with both classes)" in notices


def test_that_a_damaged_patch_is_an_empty_place_and_told(tmp_path: Path) -> None:
    write_patch_folder(tmp_path)
    bad = next((tmp_path / "0").glob("*_x101_y51_*"))
    bad.write_bytes(bad.read_bytes()[:40])
    source = opened(tmp_path)
    assert len(source.patches) == 10
    assert "cannot be read" in " ".join(source.info.notices)


def test_that_only_damaged_patches_are_no_image(tmp_path: Path) -> None:
    (tmp_path / "a_x1_y1_class0.png").write_bytes(b"")
    with pytest.raises(ImageError, match="None of the 1 patches"):
        open_image(tmp_path)


def test_that_patches_of_two_patients_are_refused(tmp_path: Path) -> None:
    write_patch(tmp_path, 1, 1, 0, "1_idx5")
    write_patch(tmp_path, 1, 1, 0, "2_idx5")
    with pytest.raises(ImageError, match="2 patients"):
        open_image(tmp_path)


def test_that_a_folder_of_patients_gives_one_mosaic_each(tmp_path: Path) -> None:
    for patient in ("1", "2"):
        write_patch_folder(tmp_path / patient, patient=f"{patient}_idx5")
    assert [path.name for path in find_images(tmp_path)] == ["1", "2"]


def test_that_masks_beside_images_are_not_images(tmp_path: Path) -> None:
    for name in ("images", "masks", "other"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "a.png")
    assert [path.parent.name for path in find_images(tmp_path)] == ["images", "other"]


def test_that_the_real_patients_open(data_dir: Path) -> None:
    folders = [folder for folder in sorted((data_dir / "idc").iterdir()) if folder.is_dir()]
    assert len(folders) == 14
    source = opened(folders[0])
    assert (len(source.patches), source.side, source.info.notices) == (979, PATCH_PX, ())
    assert {(p.width, p.height) for p in source.patches} == {(50, 50), (41, 50), (50, 35)}


def test_that_an_all_white_patch_file_is_still_tissue_in_colour(tmp_path: Path) -> None:
    source = open_image(write_patch(tmp_path, 1, 1, 0, value=(250, 250, 250)))
    assert (source.info.kind, source.info.photometric) == ("histology", "RGB")
    assert source.read_region(Region(0, 0, 50, 50)).shape == (50, 50, 3)
