"""Grad-CAM on the layer that a recipe explains by, against a compiled forward pass of the same images in TensorFlow.

The two run turn by turn, so that a busy machine slows both; the figure is the median of the turns' ratios. Deep
layers are cheap: the gradient runs from the logit down to the layer, and a whole way back costs what the way up does.
The networks have random weights, on which speed does not depend.
"""

from __future__ import annotations

import numpy as np

from benchmarks.common import milliseconds, report
from pathview.models import keras_backend
from pathview.models.keras_backend import KerasNetwork
from pathview.models.recipe import load_recipe
from pathview.settings import Settings

CASES = (("idc-patches", 32), ("lesion-unet", 1), ("crop-resnet50", 4), ("breakhis-vgg16-head", 4))
"""Recipes and the images in a batch."""
LIMIT = 1.5
TURNS = 25


def _compare(name: str, batch: int) -> bool:
    recipe = load_recipe(Settings().resources / "recipes" / f"{name}.toml")
    network = KerasNetwork(keras_backend.build(recipe), recipe)
    spec, layer = recipe.input, recipe.heat_layer
    images = np.random.default_rng(0).random((batch, spec.height, spec.width, spec.channels), np.float32)
    forward, heat = [], []
    for turn in range(TURNS):
        warm_up = 0 if turn else 3
        forward.append(milliseconds(lambda _: network.predict(images), 1, warm_up)[0])
        heat.append(milliseconds(lambda _: network.gradcam(images, [layer]), 1, warm_up)[0])
    ratio = float(np.median(np.divide(heat, forward)))
    return report(f"gradcam_{name}", ratio <= LIMIT, ratio=ratio, limit=LIMIT, layer=layer, batch=batch,
                  forward_ms=float(np.median(forward)), gradcam_ms=float(np.median(heat)))  # fmt: skip


def run() -> bool:
    """Whether all networks keep the limit."""
    results = [_compare(name, batch) for name, batch in CASES]
    return all(results)
