"""Model folders without a network, and a run with locked patients: enough for what only handles them as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pathview.models.recipe import Recipe
from pathview.models.weights import CARD, Seen, write_model
from pathview.settings import Settings
from pathview.training.publishing.promoting import Promoting
from tests.makers import tiny_cnn_recipe


def write_numbers_model(folder: Path, seed: int = 1, recipe: Recipe | None = None, **facts: Any) -> Path:
    """A folder with a few numbers for weights, a list of seen images and a card."""
    rng = np.random.default_rng(seed)
    tensors = {"conv1/kernel": rng.random((3, 3, 3, 2), np.float32), "logits/bias": rng.random(2, np.float32)}
    values = {"seed": seed, "version": "0", "created": f"2026-01-{seed:02}T00:00:00+00:00", "data": "none"} | facts
    write_model(folder, recipe or tiny_cnn_recipe(), tensors, Seen(test=frozenset({"0" * 12})), **values)
    (folder / CARD).write_text(f"# Tiny, seed {seed}\n", encoding="utf-8")
    return folder


def a_promoting(settings: Settings, who: str = "Dr A", **more: Any) -> Promoting:
    """Deeds of somebody."""
    return Promoting(settings, who, **more)
