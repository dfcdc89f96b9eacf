from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.export.pictures import Canvas, canvas, on_canvas, with_bar, with_heat
from pathview.geometry import GridPlace
from pathview.images.raster import flat_image
from pathview.images.render import COLORMAPS, colors
from pathview.results.result import ScoreMap


def test_that_a_map_lies_where_its_place_says() -> None:
    base = Canvas(np.zeros((100, 200, 3), np.uint8), 0.5)
    score_map = ScoreMap(np.array([[1.0]], np.float32), GridPlace(100, 40, 80, 60), smooth=False)
    values = on_canvas(score_map, base)
    rows, columns = np.nonzero(~np.isnan(values))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 49, 50, 89)


def test_that_heat_leaves_what_was_not_analysed_as_it_is() -> None:
    source = flat_image(Path("x"), "x", np.full((40, 40), 100, np.uint8))
    base = canvas(source, 40)
    heat = ScoreMap(np.array([[1.0, np.nan]], np.float32), GridPlace(0, 0, 20, 40), smooth=False)
    picture = with_heat(base, heat)
    assert (picture[:, 20:40] == 100).all()
    assert not (picture[:, :20] == 100).all()


@pytest.mark.parametrize("name", list(COLORMAPS))
def test_that_every_colour_map_gets_lighter_all_the_way(name: str) -> None:
    lightness = colors(name).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(np.convolve(lightness, np.ones(15) / 15, "valid")) > 0).all()


def test_that_the_bar_has_high_values_at_the_top() -> None:
    bar = with_bar(np.zeros((50, 10, 3), np.uint8), colors("inferno"))
    assert bar[0, -1].sum() > bar[-1, -1].sum()
