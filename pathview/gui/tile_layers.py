"""What several layers of a network look at on one tile, as pictures to lay side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region
from pathview.images.cuts import load_cuts
from pathview.images.render import under_heat
from pathview.jobs import CancelToken, ProgressSink
from pathview.results.result import ScoreMap
from pathview.review.records.case import ImageRow

if TYPE_CHECKING:
    from pathview.session import Session

Rgb8 = npt.NDArray[np.uint8]
_SIDE = 400
_MOST = 6


def chosen_layers(explainable: Sequence[str]) -> tuple[str, ...]:
    """Each pooling layer, as seed 3 shows them; the last few layers where a network has none."""
    pooling = [name for name in explainable if "pool" in name]
    return tuple((pooling or list(explainable))[-_MOST:])


def tile_pictures(
    session: Session, image: ImageRow, x: float, y: float, colormap: str, progress: ProgressSink, cancel: CancelToken
) -> dict[str, Rgb8]:
    """The tile that holds a stored point, as it is and under the heat of each chosen layer; by name.

    Raises:
        PathViewError: there is no result to explain, or nothing to look at there.
    """
    layers = chosen_layers(image.result.explainable) if image.result is not None else ()
    maps = session.explain_tile(image, x, y, layers, progress, cancel)
    region = _region_of(next(iter(maps.values())))
    pixels = session.opener.run(load_cuts, image.path, session.settings, image.mpp_um, [region], _SIDE, cancel=cancel)[
        0
    ]
    if pixels is None:
        return {}
    shown = cv2.resize(
        pixels, (_SIDE, round(_SIDE * pixels.shape[0] / pixels.shape[1])), interpolation=cv2.INTER_NEAREST
    )
    return {"tile": shown} | {layer: heated(shown, heat, colormap) for layer, heat in maps.items()}


def heated(pixels: Rgb8, heat: ScoreMap, colormap: str, opacity: float = 0.6) -> Rgb8:
    """A picture uint8 [rows, columns, 3] RGB under a heat map of the same extent."""
    values = np.nan_to_num(heat.values, nan=0.0).astype(np.float32)
    size = (pixels.shape[1], pixels.shape[0])
    return under_heat(pixels, cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), colormap, opacity)


def _region_of(score_map: ScoreMap) -> Region:
    rows, columns = score_map.values.shape
    place = score_map.place
    return Region(round(place.x), round(place.y), round(columns * place.cell_width), round(rows * place.cell_height))
