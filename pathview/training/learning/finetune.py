"""``pathview train``: data, split by patient, training, calibration on validation, one look at the test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.keras_backend import load_network
from pathview.models.keras_training import EpochReport
from pathview.models.recipe import Recipe
from pathview.models.weights import Manifest, write_manifest
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.parts import RANDOM_SPLIT, SPLIT, Parts, parts_of, split_of, write_split
from pathview.training.data.samples import Dataset, Sample
from pathview.training.learning.fitting import Hooks, LearnRequest, learn, write_learnt
from pathview.training.learning.start import Start, require_file
from pathview.training.measures.assess import evaluate_samples
from pathview.training.measures.evaluate import shortcomings
from pathview.training.measures.publish import write_card


@dataclass(frozen=True)
class TrainRequest:
    """One training, as the command line or the wizard asks for it."""

    recipe: Recipe
    data: Path
    out: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    start: Start = field(default_factory=Start)
    """What the network's backbone starts from."""
    about: Path | None = None
    """Markdown for the model card: data, licence, limits."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Columns of the label table that every sample must match."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    manifest: Manifest
    folder: Path
    notices: tuple[str, ...]


def train(
    request: TrainRequest,
    settings: Settings,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Trained:
    """Train a recipe on a data set and write the model to ``request.out``.

    Raises:
        DataError: patients cannot be told, or a part of the split would be empty.
        Cancelled: at a checkpoint; what was learnt so far can be resumed.
    """
    recipe = request.recipe
    if request.about is not None:
        require_file(request.about)
    dataset = read_dataset(request.data, recipe, settings).where(request.where)
    split = split_of(dataset, recipe, request.seed)
    parts = parts_of(dataset, split, recipe)
    write_split(request.out / SPLIT, split, recipe)
    learning = LearnRequest(
        recipe, request.out, request.epochs, request.seed, request.resume, request.start, Hooks(epoch=on_epoch)
    )
    learnt = learn(learning, parts, settings, progress, cancel)
    manifest = write_learnt(request.out, learnt, parts, learning, dataset.name)
    manifest = _tested(request, manifest, dataset, parts, settings, progress, cancel)
    flattered = (RANDOM_SPLIT,) if recipe.training.split == "random" else ()
    weak = shortcomings(manifest.metrics)
    return Trained(manifest, request.out, (*dataset.notices, *learnt.problems, *flattered, *weak))


def train_quietly(request: TrainRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Trained:
    """Train in a child, where nobody can be called after each epoch; progress tells it (a job)."""
    return train(request, settings, lambda _: None, progress, cancel)


def _tested(
    request: TrainRequest,
    manifest: Manifest,
    dataset: Dataset,
    parts: Parts,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Manifest:
    """Look at the test patients once, with the weights as written, and write figures and card."""
    network = load_network(request.out)
    like_test = Dataset(dataset.name, tuple(parts.train)).where(manifest.recipe.training.validate_where).samples
    assessment = evaluate_samples(
        network, dataset.name, parts.test, like_test, "test", [], settings, part_of(progress, 0, 1, "test"), cancel
    )
    recipe = manifest.recipe
    if not recipe.caution:  # stands beside every result of the model
        words = [*shortcomings(assessment.report), *_one_of_many(recipe)]
        recipe = recipe.model_copy(update={"caution": " ".join(words)})
    manifest = manifest.model_copy(update={"metrics": assessment.report, "recipe": recipe})
    write_manifest(request.out, manifest)
    counts = {name: _count(getattr(parts, name)) for name in ("train", "validation", "test")}
    write_card(request.out, manifest, counts, request.about)
    return manifest


def _one_of_many(recipe: Recipe) -> list[str]:
    """What "positive" means of a classifier with more than two classes."""
    if not recipe.classifies or len(recipe.classes) <= 2:
        return []
    known = len(recipe.classes)
    return [f"It tells {known} classes apart; the score is the probability of {recipe.classes[-1]!r} against the rest."]


def _count(samples: Sequence[Sample]) -> tuple[int, int]:
    return len(samples), len({sample.patient for sample in samples if sample.patient})
