"""A training after which nothing was learnt: what was measured on the validation patients never moved."""

from __future__ import annotations

from collections.abc import Sequence

from pathview.models.keras_training import EpochReport
from pathview.models.recipe import Recipe

_LEAST_EPOCHS = 3
_SAME = 1e-6


def unmoved(history: Sequence[EpochReport], recipe: Recipe) -> str:
    """What is to be said of a training whose validation figure did not move; empty where it did, or is too short.

    Of outlines the Dice is the same after every epoch only where masks are always empty, or always full. A classifier
    whose balanced accuracy is always that of guessing calls every image the same.

    Args:
        history: of all epochs.
        recipe: that was trained by.
    """
    name = "balanced_accuracy" if recipe.classifies else "dice"
    figures = [report.validation[name] for report in history if name in report.validation]
    if len(figures) < _LEAST_EPOCHS or max(figures) - min(figures) > _SAME:
        return ""
    if recipe.classifies and abs(figures[0] - 1 / len(recipe.classes)) > _SAME:
        return ""
    what = "calls every image the same" if recipe.classifies else "outlines everything or nothing"
    return f"The validation figure did not move in {len(figures)} epochs: the model {what}."
