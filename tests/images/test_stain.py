from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.images.raster import flat_image
from pathview.images.stain import CHANNELS, EOSIN, HAEMATOXYLIN, REFERENCE, Stains, estimate, normalised, shown_channel
from pathview.images.stain_sample import sample_tissue, stains_of
from pathview.images.tissue import find_tissue
from tests.images.slides import tissue_pixels, write_pyramid
from tests.makers import write_patch_folder

PIXELS = tissue_pixels(600, 800)


def stained(haematoxylin: np.ndarray, eosin: np.ndarray, light: float = 255, vectors=(HAEMATOXYLIN, EOSIN)):
    density = haematoxylin[..., None] * np.array(vectors[0]) + eosin[..., None] * np.array(vectors[1])
    return np.clip(np.rint(light * np.exp(-density)), 0, 255).astype(np.uint8)


def angle(one, other) -> float:
    cosine = np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_that_each_stain_is_told_from_the_other() -> None:
    amount = np.linspace(0, 1.5, 256)[None].repeat(4, axis=0)
    nothing = np.zeros_like(amount)
    only = {"haematoxylin": stained(amount, nothing), "eosin": stained(nothing, amount)}
    for channel, pixels in only.items():
        other = "eosin" if channel == "haematoxylin" else "haematoxylin"
        assert np.abs(shown_channel(pixels, channel).astype(int) - pixels).max() <= 8
        assert shown_channel(pixels, other).min() >= 245  # white: nothing of it
        assert shown_channel(pixels, "residual").min() >= 245


def test_that_a_mixture_is_taken_apart_and_a_third_colour_is_residual() -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.1, 1.0, (2, 40, 50))
    mixed = stained(*amounts)
    alone = shown_channel(mixed, "haematoxylin").astype(int)
    assert np.abs(alone - stained(amounts[0], 0 * amounts[0])).mean() < 4
    alone = shown_channel(mixed, "eosin").astype(int)
    assert np.abs(alone - stained(0 * amounts[0], amounts[1])).mean() < 4
    brown = stained(amounts[0], 0 * amounts[0], vectors=((0.268, 0.570, 0.776), EOSIN))  # DAB
    assert shown_channel(brown, "residual").mean() < shown_channel(mixed, "residual").mean() - 20


def test_that_glass_stays_white_and_the_whole_range_is_safe() -> None:
    white = np.full((3, 3, 3), 255, np.uint8)
    black = np.zeros((3, 3, 3), np.uint8)
    for channel in CHANNELS:
        assert shown_channel(white, channel).min() == 255
        assert shown_channel(black, channel).shape == (3, 3, 3)
    assert shown_channel(PIXELS, "") is PIXELS


def test_that_the_stains_of_a_slide_are_found() -> None:
    vectors = ((0.60, 0.74, 0.30), (0.15, 0.95, 0.25))
    rng = np.random.default_rng(1)
    kinds = rng.random((300, 300))
    haematoxylin = np.where(kinds < 0.4, rng.uniform(0.3, 1.5, kinds.shape), rng.uniform(0, 0.05, kinds.shape))
    eosin = np.where(kinds > 0.2, rng.uniform(0.2, 0.9, kinds.shape), rng.uniform(0, 0.05, kinds.shape))
    found, reason = estimate(stained(haematoxylin, eosin, 240, vectors))
    assert reason == ""
    assert found is not None
    assert angle(found.vectors[0], vectors[0]) < 4
    assert angle(found.vectors[1], vectors[1]) < 4
    assert found.light == (240, 240, 240)
    assert 1.2 < found.most[0] < 1.8


def test_that_two_stainings_of_one_tissue_come_to_look_alike() -> None:
    rng = np.random.default_rng(2)
    haematoxylin = np.where(rng.random((200, 200)) < 0.3, rng.uniform(0.4, 1.2, (200, 200)), 0.02)
    eosin = rng.uniform(0.05, 0.6, (200, 200))
    strong = stained(1.4 * haematoxylin, 1.5 * eosin, 235, ((0.58, 0.74, 0.34), (0.12, 0.94, 0.30)))
    pale = stained(0.7 * haematoxylin, 0.8 * eosin, 245, ((0.68, 0.66, 0.28), (0.08, 0.97, 0.18)))
    before = np.abs(strong.astype(int) - pale).mean()
    one, other = (normalised(pixels, estimate(pixels)[0]) for pixels in (strong, pale))
    after = np.abs(one.astype(int) - other).mean()
    assert before > 35
    assert after < before / 4


def test_that_normalising_to_itself_changes_little_and_batches_are_taken() -> None:
    stains, _ = estimate(PIXELS)
    assert stains is not None
    same = Stains(stains.vectors, stains.most)
    tissue = (PIXELS < 230).any(axis=2)
    assert np.abs(normalised(PIXELS, stains, same).astype(int) - PIXELS)[tissue].mean() < 4
    batch = PIXELS[:400].reshape(4, 100, 800, 3)
    assert np.array_equal(normalised(batch, stains).reshape(400, 800, 3), normalised(PIXELS[:400], stains))


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.full((100, 100, 3), 250, np.uint8), "hardly any stained tissue"),
        (np.zeros((0, 3), np.uint8), "hardly any stained tissue"),
        (np.full((100, 100, 3), (120, 60, 150), np.uint8), "only one stain"),
        (stained(np.linspace(0, 1.5, 10_000).reshape(100, 100), np.zeros((100, 100))), "only one stain"),
        (np.arange(30_000, dtype=np.uint32).reshape(100, 100, 3).astype(np.uint8) // 4 * 0 + 7, "only one stain"),
    ],
)
def test_that_images_without_two_stains_stay_as_they_are(pixels: np.ndarray, reason: str) -> None:
    stains, why = estimate(pixels)
    assert stains is None
    assert reason in why
    assert normalised(pixels, stains) is pixels


def test_that_a_slide_is_sampled_over_its_tissue(tmp_path: Path) -> None:
    source = open_image(write_pyramid(tmp_path / "slide.tif", tissue_pixels(3000, 4000)))
    tissue = find_tissue(source)
    places = sample_tissue(source, tissue)
    assert 20 < len(places) <= 32
    assert np.mean([(place.min(axis=1) < 225).mean() for place in places]) > 0.6
    stains, reason = stains_of(source, tissue)
    assert reason == ""
    assert stains == stains_of(source)[0]
    assert angle(stains.vectors[0], HAEMATOXYLIN) < 15
    assert angle(stains.vectors[1], EOSIN) < 15


def test_that_grey_images_and_empty_slides_say_why(tmp_path: Path) -> None:
    grey = flat_image(tmp_path / "grey.png", "PNG", np.arange(10_000, dtype=np.uint8).reshape(100, 100))
    assert stains_of(grey) == (None, "it is a grey image")
    glass = np.full((2000, 2500, 3), 243, np.uint8)
    glass[::7, ::5] = (240, 243, 241)
    empty = open_image(write_pyramid(tmp_path / "slide.tif", glass))
    assert stains_of(empty) == (None, "there is hardly any stained tissue")


def test_that_a_mosaic_has_stains_as_one_slide(tmp_path: Path) -> None:
    stains, reason = stains_of(open_image(write_patch_folder(tmp_path / "patches")))
    assert (stains is None) == bool(reason)


def test_that_real_slides_come_out_pink_and_blue(data_dir: Path) -> None:
    source = open_image(data_dir / "slides" / "cmu-1-small-region.svs")
    stains, reason = stains_of(source)
    assert reason == ""
    assert 20 < angle(*stains.vectors) < 50
    part = np.asarray(source.read_region(Region(700, 1400, 500, 500)))
    haematoxylin, eosin = (shown_channel(part, channel).reshape(-1, 3).mean(axis=0) for channel in CHANNELS[:2])
    assert haematoxylin[2] > haematoxylin[0]
    assert eosin[0] > eosin[1] + 20
    alike = [normalised(np.asarray(s.read_region(Region.whole(s.info.size), 0)), stains_of(s)[0]) for s in (source,)]
    assert alike[0].shape == (2967, 2220, 3)
    assert REFERENCE.light == (240, 240, 240)
