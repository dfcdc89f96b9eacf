"""``pathview evaluate``: a model on a data set, on those images that it has never seen."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from pathview.csv_cells import safe_row
from pathview.errors import DataError, OutputError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.backend import Network
from pathview.models.runtimes import open_network
from pathview.models.weights import Seen, read_seen
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.samples import Dataset, Sample
from pathview.training.measures import scoring
from pathview.training.measures.evaluate import by_groups, report
from pathview.training.measures.predictions import AnyScored, scored_as

Part = Literal["unseen", "all", "train", "validation", "test"]
ONLY_PLACES = "These are the classifier's figures on places whose outline is known, not those of the whole cascade."
PARTS: tuple[Part, ...] = ("unseen", "all", "train", "validation", "test")


@dataclass(frozen=True)
class EvaluateRequest:
    """One evaluation, as the command line asks for it."""

    model_folder: Path
    data: Path
    part: Part = "unseen"
    where: Mapping[str, str] = field(default_factory=dict)
    out: Path | None = None
    """Where ``report.json`` and ``predictions.csv`` go."""
    by: str = ""
    """A column of the label table: figures for each of its values too (BreakHis: ``magnification``)."""


@dataclass(frozen=True)
class Assessment:
    """What was measured, and what the reader of the figures should know."""

    report: dict[str, object]
    notices: tuple[str, ...]
    scored: AnyScored
    samples: tuple[Sample, ...]
    """Those that could be scored, in the order of ``scored``."""
    baselines: Mapping[str, AnyScored]


def evaluate_model(
    request: EvaluateRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Assessment:
    """Load a model and a data set, evaluate, and write what was asked for (a job for the engine).

    Raises:
        PathViewError: model or data cannot be used, or the output not written.
    """
    network = open_network(request.model_folder, settings)
    dataset = read_dataset(request.data, network.recipe, settings)
    where = {**network.recipe.training.validate_where, **request.where}
    known = {column for sample in dataset.samples for column in sample.attributes}
    dataset = dataset.where({c: v for c, v in where.items() if c in known or c in request.where})
    columns = known | {"patient"}
    if request.by and request.by not in columns:
        raise DataError(f"{dataset.name} has no column {request.by!r}; it has {', '.join(sorted(columns))}.")
    found = assess(network, request.model_folder, dataset, request.part, settings, progress, cancel, request.by)
    if request.out is not None:
        _write(request.out, found)
    return found


def _write(out: Path, found: Assessment) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(json.dumps(found.report, indent=1) + "\n", encoding="utf-8")
        with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(map(safe_row, found.scored.rows()))
    except OSError as error:
        raise OutputError(f"The evaluation cannot be written to {out}: {error.strerror}.") from error


def assess(
    network: Network,
    folder: Path,
    dataset: Dataset,
    part: Part,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
    by: str = "",
) -> Assessment:
    """Evaluate a model.

    Args:
        network: loaded from ``folder``.
        folder: the model's, with the list of images that it has seen.
        dataset: images of known truth.
        part: ``unseen`` leaves out every image that training or a choice saw; the others take that
            part of the training's own split, or everything.
        by: a column of the label table to tell figures apart by.

    Raises:
        DataError: nothing is left to evaluate on.
    """
    seen = read_seen(folder)
    by_part = _parts(dataset.samples, seen, progress, cancel)
    wanted = {
        "all": dataset.samples,
        "unseen": tuple(by_part["test"] + by_part["new"]),
    }.get(part) or tuple(by_part.get(part, []))
    if part == "unseen" and not (by_part["test"] or by_part["new"]):
        raise DataError(f"All {len(dataset.samples)} images of {dataset.name} were used to train this model.")
    if not wanted:
        raise DataError(f"{dataset.name} has no image of the part {part!r} of this model's split.")
    notices = list(dataset.notices)
    left_out = len(dataset.samples) - len(wanted)
    if left_out:
        notices.append(
            f"{left_out:,} images were left out: training or a choice saw them, or they are of another part."
        )
    used = sum(len(by_part[name]) for name in ("train", "validation")) if part in ("all", "train", "validation") else 0
    if used:
        notices.append(f"Up to {used} of these images were trained or tuned on: the figures flatter.")
    trained_on = by_part["train"]
    return evaluate_samples(network, dataset.name, wanted, trained_on, part, notices, settings, progress, cancel, by)


def evaluate_samples(
    network: Network,
    data_name: str,
    samples: Sequence[Sample],
    reference: Sequence[Sample],
    part: str,
    notices: list[str],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
    by: str = "",
) -> Assessment:
    """Figures on ``samples``; baselines that need fitting are fitted on ``reference``."""
    if not all(sample.patient for sample in samples):
        unnamed = "Some images name no patient: each counts as its own, so the intervals are too narrow."
        notices = [*notices, unnamed]
    if network.recipe.regions is not None:
        notices = [*notices, ONLY_PLACES]
    extra: dict[str, object] = {"data": data_name, "part": part, "left_out": notices}
    recipe = network.recipe
    scored: AnyScored
    baselines: Mapping[str, AnyScored]
    if recipe.task == "segmentation":
        found, problems = scoring.segment_samples(network, samples, settings, progress, cancel)
        if not found:
            raise DataError(f"No image of {data_name} can be scored: {problems[0]}")
        share = _reference_share(network, reference, settings, cancel)
        masks = [scoring.predicted_mask(one, recipe.decision.threshold) for one in found]
        scored = scoring.scored_outlines(found, masks)
        baselines = scoring.outline_baselines(found, share if share is not None else scoring.lesion_share(found))
        extra["threshold"] = recipe.decision.threshold
        used = [one.sample for one in found]
        extra["labels"] = _label_counts(found, recipe.decision.lower, recipe.decision.upper)
    else:
        loaded, problems = scoring.load_for_scoring(samples, recipe, settings, progress, cancel)
        if not loaded:
            raise DataError(f"No image of {data_name} can be scored: {problems[0]}")
        probabilities = scoring.classify_samples(network, loaded, progress, cancel)
        used = [one.sample for one in loaded]
        patients, labels = scoring.patients_of(used), scoring.labels_of(loaded)
        scored = scored_as(patients, labels, probabilities, recipe.classes, recipe.decision.threshold)
        fitted_on = scoring.load_for_scoring(reference, recipe, settings, progress, cancel)[0] if reference else []
        baselines = scoring.patch_baselines(loaded, fitted_on, recipe.classes)
        extra["threshold"] = recipe.decision.threshold
        decision, scores = recipe.decision, probabilities[:, -1]
        unsure = (scores >= decision.lower) & (scores < decision.upper)
        extra["not_sure"] = int((unsure | (probabilities.max(axis=1) < decision.least)).sum())
        if decision.temperature != 1:
            extra["temperature"] = decision.temperature
    notices = [*notices, *problems[:5], *([f"... and {len(problems) - 5:,} more."] if len(problems) > 5 else [])]
    extra["left_out"] = notices
    if by:
        extra["groups"] = {by: by_groups(scored, [_group_of(sample, by) for sample in used])}
    figures = report(recipe.name, scored, baselines, extra)
    return Assessment(figures, tuple(notices), scored, tuple(used), baselines)


def _group_of(sample: Sample, column: str) -> str:
    return sample.patient or "" if column == "patient" else sample.attributes.get(column, "")


def _label_counts(found: Sequence[scoring.Outlined], lower: float, upper: float) -> dict[str, int]:
    scores = np.array([one.score for one in found])
    return {
        "negative": int((scores < lower).sum()),
        "not_sure": int(((scores >= lower) & (scores < upper)).sum()),
        "positive": int((scores >= upper).sum()),
    }


def _reference_share(
    network: Network, reference: Sequence[Sample], settings: Settings, cancel: CancelToken
) -> float | None:
    if not reference:
        return None
    loaded, _ = scoring.load_for_scoring(reference, network.recipe, settings, lambda _: None, cancel)
    return scoring.lesion_share(loaded)


def _parts(
    samples: Sequence[Sample], seen: Seen, progress: ProgressSink, cancel: CancelToken
) -> dict[str, list[Sample]]:
    parts: dict[str, list[Sample]] = {"train": [], "validation": [], "test": [], "new": []}
    for index, sample in enumerate(samples):
        checkpoint(cancel)
        if index % 200 == 0:
            progress(Progress(index, len(samples), "checking which images are new"))
        parts[seen.part_of(file_digests(sample.path)[0]) or "new"].append(sample)
    return parts
