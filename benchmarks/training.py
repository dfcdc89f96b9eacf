"""Training: the pipeline against the same steps on ready data, the quick recipe against the bare network, memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import report
from pathview.analysis.predict import as_input
from pathview.jobs import never, no_progress
from pathview.models.backend import Batch
from pathview.models.keras_features import Extractor
from pathview.models.keras_training import FitRequest, fit, started
from pathview.models.recipe import Recipe, load_recipe
from pathview.settings import Settings
from pathview.training.data.kept_samples import PixelFile, keep_samples
from pathview.training.data.samples import Sample
from pathview.training.learning.batches import TrainingBatches
from pathview.training.learning.features import FEATURES_AT_ONCE
from pathview.training.learning.linear import fit_linear
from pathview.training.runs.hyperparameters import changed

QUICK, MANY = 1000, 10_000
PAIRS = 7
PIPELINES = {"idc-patches": 1280, "mobilenet-idc": 640, "lesion-unet": 64}
"""Recipes from the lightest network with the most augmentation to the heaviest, and how many images an epoch."""


class _Alternating:
    """Batches made as training makes them, and in every other epoch ready ones."""

    def __init__(self, batches: TrainingBatches) -> None:
        self._batches = batches
        self._ready = [batches.batch(0, index) for index in range(min(4, len(batches)))]

    def __len__(self) -> int:
        return len(self._batches)

    def batch(self, epoch: int, index: int) -> tuple[Batch, Batch]:
        return self._batches.batch(epoch, index) if epoch % 2 else self._ready[index % len(self._ready)]


def run() -> bool:
    """Whether all limits are held."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipelines = [_pipeline(recipe, count, folder) for recipe, count in PIPELINES.items()]
        return all([*pipelines, _quick(folder), *(_memory(kind, folder) for kind in ("quick", "gradient"))])


def _recipe(name: str, changes: dict[str, Any]) -> Recipe:
    return changed(load_recipe(Settings().resources / "recipes" / f"{name}.toml"), changes)


def _write(folder: Path, count: int, side: int, suffix: str = "png") -> list[Sample]:
    """Blobs of tissue's colours, each of its own; two classes, five images a patient."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        path = folder / f"{number}.{suffix}"
        if not path.exists():
            coarse = Image.fromarray(rng.integers(90, 225 + 15 * (number % 2), (12, 12, 3), dtype=np.uint8))
            coarse.resize((side, side), Image.Resampling.BICUBIC).save(path)
        samples.append(Sample(path, str(number // 5), number % 2))
    return samples


def _pipeline(name: str, count: int, folder: Path) -> bool:
    """Steps a second with images read from the file and augmented, against the same steps on ready batches."""
    recipe = _recipe(name, {"training.balance": "none", "training.refit": False, "training.initial": "random"})
    side = min(recipe.input.width, 224)
    samples = _with_outlines(folder / f"p{side}", count, side) if recipe.task == "segmentation" else None
    samples = samples or _write(folder / f"p{side}", count, side)
    with PixelFile(folder) as file:
        kept, _ = keep_samples(samples, recipe, Settings(), file, no_progress, never())
        batches = TrainingBatches(kept, recipe, 0)
        reports: list[Any] = []
        request = FitRequest(recipe, 2 * PAIRS + 1, 0, folder / "state")
        fit(request, _Alternating(batches), None, reports.append, no_progress, never())
    seconds = np.array([one.seconds for one in reports[1:]]).reshape(PAIRS, 2)  # the first epoch compiles
    share = float(np.median(seconds[:, 1] / seconds[:, 0]))  # in each pair made, then ready
    return report(
        f"training pipeline, {name}: its step rate over that on ready batches",
        share >= 0.9, limit=0.9, share=share, steps=len(batches), ms_a_step=1000 * seconds[:, 0].min() / len(batches),
    )  # fmt: skip


def _with_outlines(folder: Path, count: int, side: int) -> list[Sample]:
    """Something like a left breast, brighter at a spot, and the spot's outline."""
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] / side
    samples = []
    for number in range(count):
        place = rng.uniform(0.2, 0.6, 2)
        breast, spot = x**2 + (y - 0.5) ** 2 < 0.2, np.hypot(x - 0.5 * place[0], y - place[1]) < 0.06
        path, mask = folder / f"m{number}.png", folder / "masks" / f"m{number}.png"
        Image.fromarray(np.where(breast, np.where(spot, 220, 90), 0).astype(np.uint8)).save(path)
        Image.fromarray(((spot & breast) * 255).astype(np.uint8)).save(mask)
        samples.append(Sample(path, str(number), None, (mask,)))
    return samples


def _quick(folder: Path) -> bool:
    """1,000 images of 224 pixels: features against the bare network, the head, and the second training."""
    recipe = _recipe("mobilenet-svm", {"input.height": 224, "input.width": 224, "training.initial": "random"})
    recipe = recipe.model_copy(update={"input": recipe.input.model_copy(update={"mpp_um": None, "fit": "stretch"})})
    samples = _write(folder / "quick", QUICK, 224)
    settings = Settings(data_dir=folder / "home")
    _bare(recipe, samples[:FEATURES_AT_ONCE])  # imports
    bare = _bare(recipe, samples)
    times, fits = [], []
    for _ in range(2):
        begin = time.perf_counter()
        fits.append(fit_linear(recipe, None, samples, [], 0, settings, no_progress, never()))
        times.append(time.perf_counter() - begin)
    first, second = (taken - found.seconds for taken, found in zip(times, fits, strict=True))
    assert all(np.array_equal(fits[0].tensors[name], fits[1].tensors[name]) for name in fits[0].tensors)
    results = [
        report("quick recipe, 1,000 images: the bare network's time over that to features", bare / first >= 0.8,
               limit=0.8, share=bare / first, seconds=first, images_a_second=QUICK / first),
        report("quick recipe, 1,000 images: the head", fits[0].seconds < 10, limit_s=10.0, seconds=fits[0].seconds),
        report("quick recipe, second training: features from the cache", first / second >= 20,
               limit=20.0, times=first / second, first_s=first, second_s=second),
        report("quick recipe, second training, all with its head", True,
               times=times[0] / times[1], first_s=times[0], second_s=times[1]),
    ]  # fmt: skip
    return all(results)


def _bare(recipe: Recipe, samples: Sequence[Sample]) -> float:
    """Seconds of the network alone, its making and compiling included, on as many images that are in memory."""
    pixels = np.stack([np.asarray(Image.open(sample.path)) for sample in samples[:FEATURES_AT_ONCE]])
    begin = time.perf_counter()
    extractor = Extractor(started(recipe, 0, None))
    for _ in range(0, len(samples), FEATURES_AT_ONCE):
        extractor.head_input(as_input(pixels))
    return time.perf_counter() - begin


def _memory(kind: str, folder: Path) -> bool:
    """The largest memory of a process that trains on 10,000 images of 224 pixels."""
    _write(folder / "many", MANY, 224, "jpg")
    words = [sys.executable, "-m", "benchmarks.training", kind, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return report(f"memory of a {kind} training on 10,000 images", found["bytes"] < 2e9,
                  limit_gb=2.0, gb=found["bytes"] / 1e9, seconds=found["seconds"])  # fmt: skip


def _train_many(kind: str, folder: Path) -> None:
    """In a process of its own: one training, and what it held at most."""
    from pathview.training.data.parts import Parts
    from pathview.training.learning.fitting import LearnRequest, learn

    samples = _write(folder / "many", MANY, 224, "jpg")
    parts = Parts(samples[: MANY * 8 // 10], samples[MANY * 8 // 10 :], [])
    shape = {"input.height": 224, "input.width": 224, "training.initial": "random"}
    name = "mobilenet-svm" if kind == "quick" else "mobilenet-idc"
    more = {"training.epochs": 1, "training.refit": False, "training.batch": 32, "augmentation.style": 0.0}
    recipe = _recipe(name, {**shape, "network.options.layer": "conv_pw_1_relu", **(more if kind != "quick" else {})})
    recipe = recipe.model_copy(update={"input": recipe.input.model_copy(update={"mpp_um": None, "fit": "stretch"})})
    begin = time.perf_counter()
    learn(LearnRequest(recipe, folder / kind), parts, Settings(data_dir=folder / "home"), no_progress, never())
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the process that started this one
    largest = 1024 * int(status.split("VmHWM:")[1].split()[0])
    print(json.dumps({"bytes": largest, "seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    _train_many(sys.argv[1], Path(sys.argv[2]))
