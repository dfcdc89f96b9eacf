"""Every recipe trained and tested on a small part of real data, as the table of ``docs/models.md``.

    python -m benchmarks.methods --data ../shared/data --out docs/models.md [--only NAME ...]

Small on purpose: it shows that each method runs, by patient, beside a baseline, and what it costs; the figures of
networks without their ImageNet weights mean nothing else. Rows that were made before are kept in ``--runs``.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pathview.compute.worker import Worker
from pathview.images.formats import open_image
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.catalogue import Catalogue
from pathview.models.recipe import Recipe
from pathview.models.weights import WEIGHTS
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.loading import read_truth
from pathview.training.data.samples import Dataset, Sample
from pathview.training.learning.finetune import TrainRequest, train
from pathview.training.learning.start import Start, start_of
from pathview.training.measures.evaluate import in_words

PATCHES = 12
"""Patches of each patient and class."""
WOMEN = 30
"""Patients of the mammograms."""
BUNDLED = ("idc-patches", "lesion-unet")
MOBILENET = "weights/mobilenet_v1_1.0_224_imagenet_to_conv_pw_12.weights.h5"
PLACES = "cascade-mobilenet"
"""The recipe whose places (lesions, and other tissue) stand for crops of masses where those are asked for."""
PAPER = {
    "breakhis-": "1",
    "cascade-": "2",
    "zf-unet": "2",
    "crop-": "2",
    "lesion-": "2",
    "vgg19-": "3",
    "separable": "3",
    "mobilenet-svm": "3",
    "idc-": "4",
    "mobilenet-idc": "1, 4",
    "densenet": "5",
}
COUNTS = {
    "zf-unet-224": "31,466,753 / 31,454,721",
    "zf-unet-224-black-box": "31,466,753 / 31,454,721",
    "crop-resnet50": "- / 4,098",
    "vgg19-tuned": "139,578,434",
    "vgg19-tuned-blocks": "119,545,856 (without its head of 8,194)",
    "vgg19-tuned-blocks-fc1": "16,781,312 (without its head of 8,194)",
    "vgg19-tuned-blocks-fc2": "102,764,544 (without its head of 8,194)",
    "vgg19-tuned-fc1": "36,813,544 (misprint)",
    "vgg19-tuned-fc2": "122,797,122",
    "separable-cnn": "30,020,930 / 27,691,266",
}
"""What the papers print: all / those that learn, or those that learn alone."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    network: str
    counts: str
    start: str
    data: str
    figure: str
    baseline: str
    cost: str


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/methods"))
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    settings = Settings()
    recipes = [model.recipe for model in Catalogue(settings).models()]
    for recipe in recipes:
        kept = options.runs / f"{recipe.name}.json"
        if options.only and recipe.name not in options.only:
            continue
        if not kept.is_file():
            print(recipe.name, flush=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            child = Worker("method")  # a new one each: networks of half a gigabyte do not add up
            try:
                row = child.run(run, recipe, options.data.absolute(), options.runs.absolute(), settings)
            finally:
                child.close()
            kept.write_text(json.dumps(vars(row), indent=1) + "\n")
    rows = [Row(**json.loads(path.read_text())) for path in sorted(options.runs.glob("*.json"))]
    head, _, _ = options.out.read_text(encoding="utf-8").partition("\n| paper |")
    options.out.write_text(f"{head}\n{table(rows)}", encoding="utf-8")


def run(recipe: Recipe, data: Path, runs: Path, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Row:
    """Train and test one recipe (a job for a child); of the bundled models their cards are read."""
    if recipe.name in BUNDLED:
        return _row(recipe, _bundled(recipe, settings), "see its card", "its card's part of the set", "see its card")
    folder = _subset(recipe, data, runs)
    start = _start(recipe, data, runs, settings)
    epochs = min(recipe.training.epochs, 1 if recipe.network.parameters and recipe.network.parameters > 5e6 else 8)
    changes: dict[str, Any] = {"training": recipe.training.model_copy(update={"refit": False})}
    if _wants_benign(recipe):  # of which there are none
        places = {"crop": "none", "breast_only": False}
        changes |= {"classes": ("tissue", "lesion"), "input": recipe.input.model_copy(update=places)}
    if recipe.regions is not None:
        changes["regions"] = recipe.regions.model_copy(update={"against": "tissue"})
    small = recipe.model_copy(update=changes)
    began = time.perf_counter()
    request = TrainRequest(small, folder, runs / recipe.name, epochs=epochs, start=start)
    trained = train(request, settings, lambda _: None, progress, cancel)
    seconds = time.perf_counter() - began
    count = len(read_dataset(folder, small, settings).samples)
    method = "SVM" if recipe.training.method == "svm" else f"{epochs} epoch{'s' if epochs > 1 else ''}"
    initial = {"imagenet": "ImageNet"}.get(recipe.training.initial, f"`{recipe.training.initial}`")
    words = "random weights" if start.file is None else initial
    kind = "places" if _wants_benign(recipe) else "images"
    return _row(recipe, trained.manifest.metrics, words, f"{count} {kind}, {method}", f"{seconds:.0f} s")


def _wants_benign(recipe: Recipe) -> bool:
    """Whether its data are masses, benign and malignant."""
    return recipe.training.black_box or recipe.regions is not None or recipe.name.startswith("crop-")


def _row(recipe: Recipe, metrics: dict[str, Any], start: str, data: str, cost: str) -> Row:
    spec = recipe.network
    counts = f"{spec.parameters:,} / {spec.trainable_parameters:,}"
    name = "dice" if recipe.task == "segmentation" else "auc"
    low, high = metrics["intervals"].get(name) or (float("nan"), float("nan"))
    value = metrics["metrics"].get(name)
    figure = f"{name} {value:.2f} ({low:.2f} to {high:.2f}), {metrics['n_patients']} patients" if value else "one class"
    base = "bright_blob" if recipe.task == "segmentation" else "mean_std_rgb"
    beside = metrics["baselines"].get(base, {}).get(name)
    baseline = f"{in_words(base)} {beside:.2f}" if beside is not None else ""
    return Row(recipe.name, spec.name, counts, start, data, figure, baseline, cost)


def _bundled(recipe: Recipe, settings: Settings) -> dict[str, Any]:
    manifest = Catalogue(settings).model(recipe.name).manifest
    assert manifest is not None
    return manifest.metrics


def _start(recipe: Recipe, data: Path, runs: Path, settings: Settings) -> Start:
    """Genuine weights where they are at hand: MobileNet's; and of the first stage, which ran before the second."""
    if (runs / recipe.training.initial / WEIGHTS).is_file():
        return Start(runs / recipe.training.initial / WEIGHTS, f"the model {recipe.training.initial}")
    if recipe.network.name.startswith("mobilenet"):
        return start_of(recipe, data / MOBILENET, False, settings)
    return Start()


def _subset(recipe: Recipe, data: Path, runs: Path) -> Path:
    """A csv of a part of the real data, by patient."""
    if _wants_benign(recipe) and recipe.regions is None:
        return _crops(recipe, data, runs)
    outlines = recipe.task == "segmentation" or recipe.regions is not None
    recipe = recipe if recipe.regions is None else _outlining()
    whole = read_dataset(data / ("mammograms/cdd-cesm" if outlines else "idc"), recipe, settings=Settings())
    table_file = runs / ("cdd-cesm.csv" if outlines else "idc.csv")
    samples = _women(whole) if outlines else _patches(whole)
    with table_file.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "patient", "label", "mask", "type"])
        for sample in samples:
            label = "" if outlines else recipe.classes[sample.label or 0]
            mask = sample.masks[0].absolute() if sample.masks else ""
            writer.writerow([sample.path.absolute(), sample.patient, label, mask, sample.attributes.get("type", "")])
    return table_file


def _crops(recipe: Recipe, data: Path, runs: Path) -> Path:
    """Places of lesions and of other tissue, cut out as pictures with their outlines, and a csv of them."""
    settings = Settings()
    finder = Catalogue(settings).recipe(PLACES)
    assert finder.regions is not None
    finder = finder.model_copy(update={"regions": finder.regions.model_copy(update={"against": "tissue"})})
    outlined = {s.path: s for s in _women(read_dataset(data / "mammograms/cdd-cesm", _outlining(), settings))}
    places = read_dataset(data / "mammograms/cdd-cesm", finder, settings).samples
    folder = runs / "places"
    folder.mkdir(exist_ok=True)
    with (folder / f"{recipe.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "patient", "label", "mask"])
        for number, place in enumerate(place for place in places if place.path in outlined):
            source = open_image(place.path, settings)
            truth = read_truth(outlined[place.path], source.info.size, settings)
            assert place.region is not None
            region = place.region
            part = truth[region.y : region.bottom, region.x : region.right]
            Image.fromarray(source.read_region(region)).save(folder / f"{number}.png")
            Image.fromarray(part.astype(np.uint8) * 255).save(folder / f"{number}-mask.png")
            mask = f"{number}-mask.png" if recipe.training.black_box else ""
            writer.writerow([f"{number}.png", place.patient, ("tissue", "lesion")[place.label or 0], mask])
    return folder / f"{recipe.name}.csv"


def _outlining() -> Recipe:
    return Catalogue(Settings()).recipe("lesion-unet")


def _women(whole: Dataset) -> list[Sample]:
    wanted = set(whole.patients[:WOMEN])
    return [s for s in whole.samples if s.patient in wanted and s.attributes.get("type") == "DM"]


def _patches(whole: Dataset) -> list[Sample]:
    groups: dict[tuple[str | None, int | None], list[Sample]] = defaultdict(list)
    for sample in whole.samples:
        groups[sample.patient, sample.label].append(sample)
    return [sample for group in groups.values() for sample in group[:: max(1, len(group) // PATCHES)][:PATCHES]]


def table(rows: list[Row]) -> str:
    """Markdown."""
    titles = (
        "paper",
        "recipe",
        "network",
        "parameters / learning",
        "the paper prints",
        "starts from",
        "data",
        "test, unseen patients",
        "baseline",
        "cost",
    )
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for row in sorted(rows, key=lambda row: (_paper(row.name), row.name)):
        cells = (
            _paper(row.name),
            f"`{row.name}`",
            row.network,
            row.counts,
            COUNTS.get(row.name, ""),
            row.start,
            row.data,
            row.figure,
            row.baseline,
            row.cost,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _paper(name: str) -> str:
    return next((paper for beginning, paper in sorted(PAPER.items(), reverse=True) if name.startswith(beginning)), "")


if __name__ == "__main__":
    main()
