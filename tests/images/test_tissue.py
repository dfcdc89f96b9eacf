from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from pathview.geometry import GridPlace
from pathview.images import tissue
from pathview.images.formats import open_image
from pathview.images.raster import flat_image
from pathview.images.tissue import Tissue, find_tissue, slide_overview, tissue_mask
from pathview.jobs import Cancelled
from pathview.settings import Settings
from tests.images.slides import spoil_tile, tissue_pixels, write_ome, write_pyramid

PIXELS = tissue_pixels(1500, 2600)
TRUE_SHARE = np.pi * 0.35 * 0.35


def glass(rows: int = 600, columns: int = 800, colour=(243, 243, 243)) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-3, 4, (rows, columns, 1))
    return (np.full((rows, columns, 3), colour) + noise).astype(np.uint8)


def intersection_over_union(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def ellipse(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return ((x + 0.5) / shape[1] - 0.5) ** 2 + ((y + 0.5) / shape[0] - 0.5) ** 2 < 0.35**2


@pytest.mark.parametrize("write", [write_pyramid, write_ome])
def test_that_tissue_is_found_on_a_slide(tmp_path: Path, write) -> None:
    tissue = find_tissue(open_image(write(tmp_path / "slide.tif", PIXELS)))
    assert tissue.share == pytest.approx(TRUE_SHARE, rel=0.05)
    assert max(tissue.mask.shape) == 1024
    assert tissue.place.to_level0(tissue.mask.shape[1], tissue.mask.shape[0]) == pytest.approx((2600, 1500))
    assert intersection_over_union(tissue.mask, ellipse(tissue.mask.shape)) > 0.95


def test_that_pen_and_black_borders_are_no_tissue() -> None:
    pixels = tissue_pixels(700, 1000)
    plain = tissue_mask(pixels)
    pixels[:, :30] = 4
    pixels[-25:] = (12, 8, 10)
    cv2.line(pixels, (60, 60), (300, 80), (30, 140, 60), 12)
    cv2.line(pixels, (700, 640), (950, 600), (30, 60, 170), 12)
    cv2.line(pixels, (900, 60), (960, 300), (20, 20, 22), 12)
    marked = tissue_mask(pixels)
    assert marked.sum() == pytest.approx(plain.sum(), rel=0.01)
    assert intersection_over_union(plain, marked) > 0.98


def test_that_specks_go_and_gaps_close() -> None:
    pixels = glass()
    pixels[100:400, 100:500] = (200, 120, 190)
    pixels[200:203, 100:500] = 243
    pixels[500:502, 700:702] = (200, 120, 190)
    mask = tissue_mask(pixels)
    assert mask[100:400, 105:495].all()
    assert not mask[450:].any()


@pytest.mark.parametrize("colour", [(243, 243, 243), (255, 255, 255), (210, 226, 214), (238, 232, 205), (0, 0, 0)])
def test_that_an_empty_slide_has_no_tissue(colour: tuple[int, int, int]) -> None:
    pixels = glass(colour=colour) if 3 < min(colour) < 250 else np.full((300, 400, 3), colour, np.uint8)
    pixels[50:52, 50:52] = (200, 120, 190)
    assert tissue_mask(pixels).mean() < 0.001


def test_that_tissue_without_any_glass_is_all_tissue() -> None:
    rng = np.random.default_rng(0)
    pale_and_dark = np.where(
        cv2.blur(rng.random((400, 500)), (31, 31))[..., None] > 0.5, (214, 160, 200), (120, 60, 150)
    )
    assert tissue_mask(pale_and_dark.astype(np.uint8)).mean() > 0.99


def test_that_pale_tissue_on_tinted_glass_is_found() -> None:
    pixels = glass(colour=(210, 226, 214))
    cv2.ellipse(pixels, (400, 300), (200, 150), 0, 0, 360, (198, 180, 205), -1)
    mask = tissue_mask(pixels)
    assert mask[300, 400]
    assert mask.mean() == pytest.approx(np.pi * 200 * 150 / 480_000, rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_that_counting_finds_the_median(count: int) -> None:
    channel = np.random.default_rng(count).integers(0, 256, (20, 10), np.uint8)
    where = np.zeros(200, np.bool_)
    where[:count] = True
    where = where.reshape(channel.shape)
    assert tissue._median(channel, where) == np.median(channel[where])


def test_that_shares_of_other_grids_are_exact() -> None:
    mask = np.zeros((100, 200), np.bool_)
    mask[:50, :100] = True
    tissue = Tissue(mask, GridPlace(0, 0, 10, 10), 0.25)
    cells = tissue.shares(GridPlace(0, 0, 300, 300), (4, 7))
    assert cells[0].tolist() == pytest.approx([1, 1, 1, 1 / 3, 0, 0, 0])
    assert cells[:, 0].tolist() == pytest.approx([1, 2 / 3, 0, 0])
    assert tissue.on(GridPlace(0, 0, 300, 300), (4, 7))[0].tolist() == [True] * 4 + [False] * 3
    assert tissue.on(GridPlace(0, 0, 300, 300), (4, 7), least=0.5)[0].tolist() == [True] * 3 + [False] * 4
    fine = tissue.shares(GridPlace(995, 0, 4, 4), (1, 3))
    assert fine[0].tolist() == pytest.approx([1, 0.25, 0])
    assert tissue.shares(GridPlace(-600, -600, 300, 300), (2, 2)).max() == 0
    assert tissue.shares(tissue.place, mask.shape).mean() == pytest.approx(0.25)


def test_that_an_overview_is_read_in_blocks_and_can_be_cancelled(tmp_path: Path, monkeypatch) -> None:
    from pathview.images import tissue

    path = write_pyramid(tmp_path / "one.tif", PIXELS, levels=1)
    whole = slide_overview(open_image(path), 500)
    monkeypatch.setattr(tissue, "_BLOCK", 256)
    blocks = slide_overview(open_image(path), 500)
    assert np.abs(blocks.astype(int) - whole).mean() < 2
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        find_tissue(open_image(path), stop)


def test_that_damaged_parts_are_no_tissue(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "one.tif", PIXELS, levels=1)
    whole = find_tissue(open_image(path, Settings())).share
    spoil_tile(path, 27)
    share = find_tissue(open_image(path, Settings())).share
    assert 0 < share < whole


def test_that_a_grey_image_has_no_tissue(tmp_path: Path) -> None:
    grey = flat_image(tmp_path / "grey.png", "PNG", np.arange(60_000, dtype=np.uint8).reshape(200, 300))
    assert find_tissue(grey).share == 0


def test_that_real_slides_have_the_share_one_sees(data_dir: Path) -> None:
    assert find_tissue(open_image(data_dir / "slides" / "cmu-1-small-region.svs")).share == pytest.approx(
        0.36, abs=0.03
    )
    assert find_tissue(open_image(data_dir / "histology" / "bcss" / "1008_image.jpg")).share > 0.98
    mosaic = open_image(data_dir / "idc" / "8863")
    covered = sum(patch.region.size.pixels for patch in mosaic.patches) / mosaic.info.size.pixels
    assert 0.5 * covered < find_tissue(mosaic).share < covered
