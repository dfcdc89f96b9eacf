from __future__ import annotations

import threading

import numpy as np
import pytest

from pathview.geometry import GridPlace, Region, Size, SpacingMm, Turn
from pathview.jobs import Cancelled, never
from pathview.results.findings import Finding, findings, place_words
from pathview.results.mask import full_mask
from pathview.results.result import ScoreMap

SIZE = Size(400, 500)


def spots() -> ScoreMap:
    values = np.zeros((50, 40), np.float32)
    values[:, 30:] = np.nan
    values[5:15, 5:15] = 0.7
    values[30:33, 20:22] = 0.95
    values[40, 2] = 0.6
    return ScoreMap(values, GridPlace(0, 0, 10, 10))


def at(x: float, y: float) -> Finding:
    return Finding(1, Region(int(x), int(y), 1, 1), (x, y), 1, None, 0.9)


def told(**changes) -> dict:
    info = {"width": 400, "height": 500, "view": "MLO", "laterality": "L", "chest_wall": "left"}
    return info | {"turn": vars(Turn()), "spacing_mm": [0.2, 0.1]} | changes


def test_that_findings_come_by_their_peak_and_are_numbered() -> None:
    found = findings(spots(), 0.5, SIZE, SpacingMm(0.1, 0.2), never())
    assert [one.number for one in found] == [1, 2, 3]
    assert [one.peak for one in found] == pytest.approx([0.95, 0.7, 0.6], abs=0.06)
    assert found[0].centroid == pytest.approx((210, 315), abs=1)
    assert found[1].area_px > found[0].area_px > found[2].area_px
    assert found[1].area_mm2 == pytest.approx(found[1].area_px * 0.02)
    assert sum(one.area_px for one in found) == np.count_nonzero(full_mask(spots(), 0.5, SIZE))


def test_that_without_a_pixel_size_there_are_no_square_millimetres() -> None:
    assert findings(spots(), 0.5, SIZE, None, never())[0].area_mm2 is None
    assert findings(spots(), 0.99, SIZE, None, never()) == ()


def test_that_the_lowest_threshold_marks_no_more_than_was_analysed() -> None:
    (one,) = findings(spots(), 0.0, SIZE, None, never())
    assert one.region == Region(0, 0, 295, 500)


def test_that_findings_stop_when_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        findings(spots(), 0.5, SIZE, None, cancel)


@pytest.mark.parametrize(
    ("place", "info", "words"),
    [
        ((100, 50), told(), "10 mm from the chest wall"),
        ((100, 450), told(view="ML"), "10 mm from the chest wall"),
        ((100, 50), told(view="CC"), "10 mm from the chest wall"),
        ((100, 450), told(view="XCCL"), "10 mm from the chest wall"),
        ((100, 50), told(chest_wall="right", laterality="R"), "30 mm from the chest wall"),
        ((100, 50), told(turn=vars(Turn(mirror_x=True, mirror_y=True))), "30 mm from the chest wall"),
        ((100, 50), told(turn=vars(Turn(transpose=True))), "10 mm from the chest wall"),
        ((300, 50), told(turn=vars(Turn(transpose=True))), "10 mm from the chest wall"),
        ((100, 50), told(spacing_mm=None), ""),
        ((100, 50), told(view=None), "10 mm from the chest wall"),
        ((100, 50), told(chest_wall=None), ""),
        ((100, 50), {}, ""),
    ],
)
def test_that_a_place_is_told_as_the_image_hangs(place: tuple[float, float], info: dict, words: str) -> None:
    assert place_words(at(*place), info) == words


def test_that_a_place_is_told_within_the_breast_where_its_box_is_known() -> None:
    box = Region(40, 240, 200, 200)
    assert place_words(at(100, 300), told(), box) == "6 mm from the chest wall"
    assert place_words(at(100, 300), told()) == "10 mm from the chest wall"
