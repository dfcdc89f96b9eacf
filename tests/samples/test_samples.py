from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.images.patches import PatchMosaic
from pathview.samples.mammogram import STUDY, draw
from pathview.samples.noise import power_law
from pathview.samples.study import write_study
from pathview.samples.tissue import draw_tissue, write_patches


@pytest.fixture(scope="module")
def images():
    return [draw(view) for view in STUDY]


@pytest.fixture(scope="module")
def study(images, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(images, tmp_path_factory.mktemp("study"))


def test_that_the_study_is_four_named_views_of_one_phantom(study: list[Path]) -> None:
    infos = [open_image(path).info for path in study]
    assert [(i.laterality, i.view) for i in infos] == [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
    assert len({i.study_key for i in infos}) == len({i.patient_key for i in infos}) == 1
    assert all(i.phantom and not i.for_processing and i.spacing is not None for i in infos)


def test_that_the_image_says_that_it_is_a_phantom(images) -> None:
    for image in images:
        rows = image.pixels[:400]
        side = rows[:, :900] if image.view.laterality == "R" else rows[:, -900:]
        assert (side > 1500).sum() > 5000


def test_that_findings_are_brighter_than_what_is_around_them(images) -> None:
    import cv2

    for image in images:
        truth = image.truth > 0
        assert truth.any()
        ring = (cv2.dilate(image.truth, np.ones((81, 81), np.uint8)) > 0) & ~truth
        brightest = np.percentile(image.pixels[truth], 99) - np.percentile(image.pixels[ring], 99)
        assert brightest > 100
        if image.view.masses:
            assert image.pixels[truth].mean() > image.pixels[ring].mean() + 200


def test_that_drawing_repeats(images) -> None:
    assert np.array_equal(draw(STUDY[0]).pixels, images[0].pixels)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_that_dciodvfy_finds_no_error(study: list[Path]) -> None:
    for path in study:
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        assert "Error" not in done.stdout + done.stderr
        assert "MammographyImageForPresentation" in done.stdout + done.stderr


def test_that_the_texture_falls_off_as_its_power_law() -> None:
    field = power_law((512, 512), 3.0, np.random.default_rng(0))
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    chosen = (frequency > 0.02) & (frequency < 0.3)
    slope = np.polyfit(np.log(frequency[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.1)


def test_that_the_tissue_is_a_mosaic_whose_classes_are_its_tumour(tmp_path: Path) -> None:
    phantom = draw_tissue()
    write_patches(phantom, tmp_path)
    source = open_image(tmp_path)
    assert isinstance(source, PatchMosaic)
    assert source.info.notices == ()
    labels = [patch.label for patch in source.patches]
    assert 50 < sum(labels) < len(labels) / 2
    by_class = [
        np.mean([source.read_patch(patch).mean() for patch in source.patches if patch.label == label])
        for label in (0, 1)
    ]
    assert by_class[1] < by_class[0]
    assert source.read_region(Region.whole(source.info.size)).shape[2] == 3
