"""An image is analysed as it hangs: how a file stores it must not change what the model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.compute.engine import LocalEngine
from pathview.geometry import Region, Turn
from pathview.images.formats import open_image
from pathview.images.turned import as_hung
from pathview.results.result import AnalysisResult
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom

HUNG = breast_pixels(300, 220)
ORIENTATIONS = {
    ("A", "F"): Turn(),
    ("P", "F"): Turn(mirror_x=True),
    ("A", "H"): Turn(mirror_y=True),
    ("P", "H"): Turn(mirror_x=True, mirror_y=True),
    ("F", "A"): Turn(transpose=True),
    ("H", "P"): Turn(transpose=True, mirror_x=True, mirror_y=True),
}


def stored(tmp_path: Path, orientation: tuple[str, str]) -> Path:
    pixels = ORIENTATIONS[orientation].inverse().array(HUNG)
    name = "".join(orientation) + ".dcm"
    tags = {"ImageLaterality": "L", "ViewPosition": "MLO", "ImagerPixelSpacing": [0.1, 0.1]}
    return write_dicom(tmp_path / name, pixels, **tags, PatientOrientation=list(orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids="".join)
def test_that_a_file_is_turned_as_it_hangs(orientation, tmp_path: Path, settings: Settings) -> None:
    source = open_image(stored(tmp_path, orientation), settings)
    assert source.info.turn == ORIENTATIONS[orientation]
    hung = as_hung(source)
    assert np.array_equal(hung.read_region(Region.whole(hung.info.size)), HUNG)
    assert np.array_equal(hung.read_region(Region(30, 40, 50, 20)), HUNG[40:60, 30:80])


def test_that_the_stored_orientation_does_not_change_the_result(tmp_path: Path, tiny_models: Settings) -> None:
    session = Session(tiny_models, LocalEngine(), LocalEngine())
    results = {}
    for orientation in ORIENTATIONS:
        outcome = session.analyse_path(stored(tmp_path, orientation), AnalyseOptions())
        assert isinstance(outcome, AnalysisResult), outcome
        results[orientation] = outcome
    straight = results["A", "F"]
    for orientation, result in results.items():
        turn = ORIENTATIONS[orientation]
        assert result.score == straight.score
        assert result.label == straight.label
        assert result.mask.area_px == straight.mask.area_px
        assert np.array_equal(turn.array(result.probability.values), straight.probability.values, equal_nan=True)
        assert (result.size.height, result.size.width) == turn.inverse().array(HUNG).shape
