from __future__ import annotations

import pytest

from pathview.models.keras_training import EpochReport
from pathview.models.recipe import Recipe
from pathview.training.learning.unmoved import unmoved
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe


def history(name: str, *figures: float) -> list[EpochReport]:
    return [
        EpochReport(epoch, len(figures), 0.5, {"loss": 0.1 * epoch, name: value}, 1.0, epoch == 1)
        for epoch, value in enumerate(figures, start=1)
    ]


@pytest.mark.parametrize(
    ("recipe", "name", "figures", "what"),
    [
        (tiny_unet_recipe(), "dice", [0.02] * 6, "6 epochs: the model outlines everything or nothing"),
        (tiny_cnn_recipe(), "balanced_accuracy", [0.5] * 3, "3 epochs: the model calls every image the same"),
    ],
)
def test_that_a_training_that_learnt_nothing_is_called_out(recipe: Recipe, name: str, figures, what: str) -> None:
    assert unmoved(history(name, *figures), recipe) == f"The validation figure did not move in {what}."
    assert unmoved(history(name, *figures[:2]), recipe) == ""
    assert unmoved(history(name, *figures, 0.6), recipe) == ""
    assert unmoved([], recipe) == ""


def test_that_a_classifier_which_is_always_as_good_is_not_called_out() -> None:
    assert unmoved(history("balanced_accuracy", 1.0, 1.0, 1.0, 1.0), tiny_cnn_recipe()) == ""
