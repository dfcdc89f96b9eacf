"""A run whose tiny model tells three classes apart, so so: its weights are random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pathview.models.keras_backend import build, get_weights
from pathview.models.recipe import Recipe
from pathview.models.weights import Seen, write_model
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import DatasetRow, Plan, Question, SplitPlan
from pathview.training.runs.run_folder import RunFolder
from tests.makers import tiny_cnn_recipe

CLASSES = ("normal", "polyps", "ulcer")


def three_recipe(**decision: object) -> Recipe:
    return tiny_cnn_recipe(classes=CLASSES, decision={"rule": "margin", "lower": 0.4, "upper": 0.6, **decision})


def write_three_model(folder: Path, recipe: Recipe) -> Path:
    rng = np.random.default_rng(4)
    tensors = {name: values.copy() for name, values in get_weights(build(recipe)).items()}
    for name, values in tensors.items():
        if name.startswith("logits/"):  # so that images differ in what they are called
            tensors[name] = rng.normal(0, 3, values.shape).astype(np.float32)
    write_model(folder, recipe, tensors, Seen(), seed=0, version="0", created="2026-01-01T00:00:00+00:00")
    return folder


def write_three_run(folder: Path) -> RunFolder:
    """Thirty patients, two patches each, of three colours."""
    rng = np.random.default_rng(0)
    run, rows = RunFolder(folder / "run"), []
    for number in range(60):
        patient, label = number // 2, number // 2 % 3
        pixels = rng.integers(30, 150, (50, 50, 3))
        pixels[..., label] += 60
        file = folder / "images" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
        values = {"patient": f"P{patient}", "label": CLASSES[label], "kind": "histology"}
        rows.append(DatasetRow(file=file, sha256=f"{number:064x}", width=50, height=50, **values))
    split = SplitPlan(train=0.4, validation=0.3)
    run.write_plan(Plan(title="Try", question=Question(classes=CLASSES, costly="equal"), split=split))
    run.write_rows(rows)
    lock_split(run)
    write_three_model(run.model, three_recipe())
    return run
