"""A finished training becomes a version of its model: how it came about for the card, what it saw for drift."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pathview.errors import DataError, ModelError, RecipeError
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.catalogue import Catalogue
from pathview.models.recipe import Recipe
from pathview.models.weights import MANIFEST, read_manifest
from pathview.settings import Settings
from pathview.training.judging.challenge import CHALLENGES, Challenges
from pathview.training.judging.result import Result, read_result
from pathview.training.measures.folds import folds_of
from pathview.training.measures.publish import write_card
from pathview.training.measures.trials import trials_of
from pathview.training.publishing.reference import write_reference
from pathview.training.runs.hyperparameters import differences
from pathview.training.runs.locked_uses import told, uses_of_test
from pathview.training.runs.plan import PARTS
from pathview.training.runs.run_folder import RunFolder

_WORDS = {"label_shuffle": "label shuffle", "blank_image": "blank image", "randomised_weights": "randomised weights"}
_VERDICTS = {True: "passed", False: "**failed**", None: "not asked"}


@dataclass(frozen=True)
class Prepared:
    """What :meth:`pathview.training.publishing.promoting.Promoting.register` takes."""

    folder: Path
    sentence: str
    title: str
    """Of the training."""


def prepare(run: Path, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Prepared:
    """Make a finished run's model ready to be registered (a job).

    Raises:
        DataError: the run has no model or no result yet, or its data are not those that were locked.
        ModelError: the model is damaged.
        OutputError: the folder cannot be written.
        Cancelled: at a checkpoint.
    """
    folder = RunFolder(run)
    if not (folder.model / MANIFEST).is_file():
        raise DataError(f"The training {folder.name} has no finished model yet.")
    write_reference(folder, settings, progress, cancel)
    _write_card(folder, settings)
    return Prepared(folder.model, how_it_came(folder), _title(folder))


def _write_card(run: RunFolder, settings: Settings) -> None:
    """The card, with the figures of the result."""
    result, split, manifest = read_result(run), run.split(), read_manifest(run.model)
    if result.sha256 != manifest.sha256:
        raise DataError(f"The result of {run.name} is of another model than the one that is there; look at it again.")
    patients = Counter(split.parts.values())
    counts: dict[str, tuple[int, int]] = {part: (split.images.get(part, 0), patients[part]) for part in PARTS}
    folds, _ = folds_of(run)
    tried, _ = trials_of(run)
    words = f"{folds.sentence} {folds.about}" if folds is not None else ""
    trials = " ".join((tried.sentence, *tried.notices)) if tried is not None else ""
    catalogue = Catalogue(settings)
    measured = manifest.model_copy(update={"metrics": result.summary() | _figures(result, catalogue)})
    changes = _changes(run, manifest.recipe, catalogue)
    write_card(run.model, measured, counts, folds=words, trials=trials, title=_title(run), changes=changes)


def _changes(run: RunFolder, trained: Recipe, catalogue: Catalogue) -> list[str]:
    """Where the training was not as its recipe says; nothing where there is no such recipe any more."""
    try:
        recipe = catalogue.recipe(run.plan().recipe.name)
    except (ModelError, RecipeError):
        return []
    return differences(recipe, trained) if recipe.network.name == trained.network.name else []


def _figures(result: Result, catalogue: Catalogue) -> dict[str, object]:
    """Not rounded yet: what is rounded twice is not what page and report say."""
    peers = {one.name: one.metrics for one in result.baselines}
    if result.base is not None:
        peers[catalogue.title(result.base.name)] = result.base.metrics
    return {
        "metrics": {name: found.value for name, found in result.metrics.items()},
        "intervals": {name: found.span for name, found in result.metrics.items()},
        "baselines": {peer: {name: found.value for name, found in own.items()} for peer, own in peers.items()},
    }


def _title(run: RunFolder) -> str:
    return " ".join(run.plan().title.split())


def how_it_came(run: RunFolder) -> str:
    """Data, split with its override, uses of the test patients and challenges, for the card.

    Raises:
        DataError: a file of the run is missing or damaged.
    """
    plan, split = run.plan(), run.split()
    patients = Counter(split.parts.values())
    parts = ", ".join(f"{part} {patients[part]:,} with {_images(split.images.get(part, 0))}" for part in PARTS)
    sources = sorted({row.source for row in run.rows() if row.source})
    sentences = [
        f"trained here in the run {run.name!r} on {', '.join(sources) or 'local labels'}.",
        f"Split by {split.by}, seed {split.seed}; {split.by}s: {parts}.",
        f"Patients on both sides: {split.shared_patients:,}.",
    ]
    override = split.override or plan.split.override
    if override is not None:
        sentences.append(f'**The refusal to split by image was overruled by {override.who}: "{override.why}".**')
    if plan.corrections:
        many = len(plan.corrections)
        sentences.append(f"{many:,} label{' was' if many == 1 else 's were'} corrected or left out by hand.")
    return " ".join([*sentences, told(uses_of_test(run)), _challenged(run)])


def _images(many: int) -> str:
    return f"{many:,} image{'' if many == 1 else 's'}"


def _challenged(run: RunFolder) -> str:
    if not run.has(CHALLENGES):
        return "It was not challenged."
    found = run.read(CHALLENGES, Challenges)
    if found.sha256 != read_manifest(run.model).sha256:
        return "It was not challenged since it was trained anew."
    verdicts = ", ".join(f"{_WORDS[one.kind]} {_VERDICTS[one.passed]}" for one in found.challenges)
    return f"Challenges: {verdicts}."
