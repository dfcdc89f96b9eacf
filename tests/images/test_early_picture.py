"""A large picture is shown coarse while the whole of it is on its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pathview.compute.worker import Worker
from pathview.images.pyramid import load_picture
from pathview.jobs import Progress, never
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom


def test_that_a_large_picture_comes_coarse_first_with_the_same_pixels(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(2400, 1800))
    steps: list[Progress] = []
    whole = load_picture(path, Settings(), None, None, steps.append, never())
    coarse = steps[-1].early
    assert coarse.info == whole.info
    assert coarse.levels[0].downsample == 4
    for early, late in zip(coarse.levels, whole.levels[2:], strict=True):
        np.testing.assert_array_equal(early.pixels, late.pixels)


def test_that_a_small_picture_comes_once(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(400, 300))
    steps: list[Progress] = []
    load_picture(path, Settings(), None, None, steps.append, never())
    assert not [step for step in steps if step.early is not None]


def test_that_a_child_holds_no_early_picture_back(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", breast_pixels(2400, 1800))
    steps: list[Progress] = []
    child = Worker("reading")
    try:
        child.run(load_picture, path, Settings(), None, None, progress=steps.append)
    finally:
        child.close()
    assert [step for step in steps if step.early is not None]
