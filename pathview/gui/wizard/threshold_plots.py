"""How validation scores are spread, and where what is chosen stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pathview.gui.wizard.plots import Drawing, Line

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.chooser import Choice
    from pathview.training.measures.operating import Scores
    from pathview.training.measures.sureness import ClassScores

Floats = npt.NDArray[np.float64]
_BINS = (4, 20)
_PER_BIN = 4


def scores_drawing(scores: Scores, choice: Choice) -> Drawing:
    """How the scores of those who have it and of those who do not are spread, and where the threshold stands."""
    having = int(scores.positive.sum())
    said = (
        f"{having:,} {scores.unit} have it, {len(scores.positive) - having:,} do not; threshold {choice.threshold:.3f}"
    )
    groups = {"without it": scores.scores[~scores.positive], "have it": scores.scores[scores.positive]}
    return _spread(groups, choice.threshold, (choice.lower, choice.upper), said)


def sure_drawing(sure: ClassScores, choice: Choice) -> Drawing:
    """How probable the most probable class is where it is wrong and where it is right, and where sure begins."""
    right = int(sure.right.sum())
    said = f"{right:,} images are called right, {len(sure.right) - right:,} wrong; sure from {choice.least:.3f} on"
    groups = {"wrong": sure.highest[~sure.right], "right": sure.highest[sure.right]}
    return _spread(groups, choice.least, (0.0, choice.least), said)


def _spread(groups: dict[str, Floats], upright: float, band: tuple[float, float], said: str) -> Drawing:
    """Histograms of groups of scores, each as shares of its own."""
    everything = np.concatenate(list(groups.values()))
    low, high = float(everything.min()), float(everything.max())
    bins = int(np.clip(len(everything) // _PER_BIN, *_BINS))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    outline = np.repeat(edges, 2)
    shares = {name: np.histogram(values, edges)[0] / max(1, len(values)) for name, values in groups.items()}
    most = max(float(one.max()) for one in shares.values())
    return Drawing(
        [Line(name, _steps(outline, one)) for name, one in shares.items()],
        upright=upright,
        band=band,
        words=said,
        range=((float(edges[0]), float(edges[-1])), (0.0, max(0.05, most))),
    )


def _steps(outline: Floats, shares: Floats) -> list[tuple[float, float]]:
    """The outline of a histogram: up, along and down for each bin."""
    heights = np.concatenate([[0.0], np.repeat(shares, 2), [0.0]])
    return list(zip(outline.tolist(), heights.tolist(), strict=True))
