from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pathview.geometry import GridPlace
from pathview.images.breast import Breast, find_breast
from pathview.images.dicom import open_dicom
from pathview.images.digest import file_digests
from pathview.images.formats import open_image
from pathview.images.raster import flat_image
from pathview.models.weights import read_seen
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom

ROWS, COLUMNS = 400, 320


def found_on(pixels: np.ndarray) -> Breast:
    breast = find_breast(flat_image(Path("x"), "x", pixels))
    assert breast is not None
    return breast


def overlap_with(breast: Breast, truth: np.ndarray) -> float:
    """Dice of the mask, not widened, at the image's size."""
    mask = cv2.resize(breast.mask.astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def plain() -> np.ndarray:
    return breast_pixels(ROWS, COLUMNS)


def with_marker(pixels: np.ndarray) -> np.ndarray:
    letters = np.zeros(pixels.shape, np.uint8)
    cv2.putText(letters, "R MLO", (200, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 5)
    pixels[letters > 0] = 4000
    pixels[340:390, 280:315] = 4000
    return pixels


def with_bright_borders(pixels: np.ndarray) -> np.ndarray:
    pixels[:5], pixels[-5:], pixels[:, -5:] = 3500, 3500, 3500
    return pixels


def with_noise(pixels: np.ndarray) -> np.ndarray:
    return (pixels + np.random.default_rng(0).normal(300, 60, pixels.shape).clip(0, 600)).astype(np.uint16)


def with_dark_fat(pixels: np.ndarray) -> np.ndarray:
    """Holes that are as dark as air, one of them open to the chest wall."""
    pixels[180:230, 60:110] = 0
    pixels[250:270, :30] = 0
    return pixels


def within_padding(pixels: np.ndarray) -> np.ndarray:
    """A film whose own air is no black, on a black ground."""
    film = np.where(pixels > 0, pixels + 600, 600)
    return np.pad(film[20:-20], ((20, 20), (0, 0))).astype(np.uint16)


@pytest.mark.parametrize(
    "change", [lambda pixels: pixels, with_marker, with_bright_borders, with_noise, with_dark_fat, within_padding]
)
def test_that_the_breast_is_found_whatever_else_is_on_the_image(change) -> None:
    breast = found_on(change(plain()))
    assert overlap_with(breast, plain() > 0) > 0.97
    assert breast.region.x == 0
    assert breast.region.right == pytest.approx(0.7 * COLUMNS, abs=8)
    assert breast.region.y == pytest.approx(0.05 * ROWS, abs=10)


def test_that_a_breast_as_wide_as_the_image_is_found() -> None:
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    truth = (x / (1.05 * COLUMNS)) ** 2 + ((y - ROWS / 2) / (0.52 * ROWS)) ** 2 < 1
    breast = found_on(np.where(truth, 1500, 0).astype(np.uint16))
    assert overlap_with(breast, truth) > 0.98


def test_that_what_only_a_fold_cuts_off_belongs_to_the_breast() -> None:
    pixels = np.zeros((ROWS, COLUMNS), np.uint16)
    pixels[120:380, :200] = 1500
    pixels[:112, :110] = 1500
    breast = found_on(pixels)
    assert breast.region.y == 0
    assert breast.on(GridPlace(0, 0, 1, 1), (ROWS, COLUMNS))[116, 60]


def test_that_monochrome1_is_read_as_it_is_shown(tmp_path: Path, settings: Settings) -> None:
    stored = (4095 - plain()).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1")
    breast = find_breast(open_dicom(path, settings))
    assert breast is not None
    assert overlap_with(breast, plain() > 0) > 0.97


@pytest.mark.parametrize("grey", [0, 900])
def test_that_an_even_image_holds_no_breast(grey: int) -> None:
    assert find_breast(flat_image(Path("x"), "x", np.full((ROWS, COLUMNS), grey, np.uint16))) is None


def test_that_letters_alone_are_no_breast() -> None:
    assert find_breast(flat_image(Path("x"), "x", with_marker(np.zeros((ROWS, COLUMNS), np.uint16)))) is None


def test_that_the_mask_is_the_same_on_every_grid_and_a_little_wider() -> None:
    breast = found_on(plain())
    whole = breast.on(GridPlace(0, 0, 1, 1), (ROWS, COLUMNS))
    truth = plain() > 0
    assert whole[truth].all()
    beyond = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, 5)[whole].max()
    assert 0.02 * 0.7 * COLUMNS - 3 < beyond < 0.02 * 0.7 * COLUMNS + 5
    part = breast.on(GridPlace(100, 50, 1, 1), (200, 150))
    assert np.array_equal(part, whole[50:250, 100:250])
    coarse = breast.on(GridPlace(0, 0, 4, 4), (ROWS // 4, COLUMNS // 4))
    assert (coarse == whole[2::4, 2::4]).mean() > 0.99


@pytest.mark.parametrize("name", ["ge_ffdm_r_mlo.dcm", "nema_mg1_j2k.dcm"])
def test_that_real_breasts_are_found_and_their_films_words_are_not(name: str, data_dir: Path) -> None:
    source = open_image(data_dir / "mammograms" / "dicom" / name)
    breast = find_breast(source)
    assert breast is not None
    if name.startswith("ge"):  # a right breast whose chest wall is the right edge, with some belly below
        assert breast.region.right == source.info.size.width
        assert 0.15 < breast.mask.mean() < 0.4
        assert not breast.mask[-8:].any()
    else:
        assert breast.region.x == 0
        assert breast.region.right < 0.72 * source.info.size.width
        assert 0.4 < breast.mask.mean() < 0.65


def test_that_no_known_lesion_is_cut(data_dir: Path) -> None:
    """Of images that the bundled model was trained on: outlines of the test patients are not for looking at."""
    folder, seen = data_dir / "mammograms" / "cdd-cesm", read_seen(Settings().resources / "models" / "lesion-unet")
    paths = sorted((folder / "images").iterdir())[::10]
    paths = [path for path in paths if seen.part_of(file_digests(path)[0]) == "train"]
    assert len(paths) > 10
    for path in paths:
        breast = find_breast(open_image(path))
        assert breast is not None
        truth = cv2.imread(str(folder / "masks" / path.name), cv2.IMREAD_GRAYSCALE) > 127
        inside = breast.on(GridPlace(0, 0, 1, 1), truth.shape)
        assert (truth & ~inside).sum() <= 0.01 * truth.sum(), path.name
        assert inside.mean() < 0.85
