"""Trying to show that a model learnt nothing: shuffled labels, a blank image, heat maps of randomised weights.

All of it looks at training and validation patients only; the test patients stay closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field

from pathview.analysis import predict
from pathview.errors import PathViewError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models import keras_backend
from pathview.models.backend import Batch, Network
from pathview.models.keras_training import started
from pathview.models.recipe import Recipe
from pathview.models.weights import Tensors, read_manifest, read_weights
from pathview.results.statistics import percentile_interval
from pathview.settings import Settings
from pathview.training.data.loading import Loaded
from pathview.training.judging.learning_curve import HeadTask, head_task, shuffled
from pathview.training.judging.outline_shuffle import SHUFFLES, DealtOutlines, deal_outlines
from pathview.training.judging.result import TrainedRun, trained_run
from pathview.training.learning.batches import validation_inputs
from pathview.training.measures import scoring
from pathview.training.measures.trials import Trials, trials_of
from pathview.training.runs.locked_uses import told, uses_of_test
from pathview.training.runs.plan import Fields, now
from pathview.training.runs.run_folder import RunFolder

CHALLENGES = "challenges.json"
Kind = Literal["label_shuffle", "blank_image", "randomised_weights"]
LIKENESS = 0.5
"""Rank correlation above which two heat maps count as alike."""
_EXPLAINED = 8
_BLANKS = {"black": 0.0, "grey": 0.5, "white": 1.0}


class Challenge(Fields):
    """One challenge, and how the model stood it."""

    kind: Kind
    passed: bool | None
    """None where it cannot be asked of this model."""
    sentence: str
    numbers: dict[str, float] = {}


class Challenges(Fields):
    """All of them: ``challenges.json``."""

    format: int = 1
    sha256: str
    """Of the weights."""
    created: str = Field(default_factory=now)
    challenges: tuple[Challenge, ...]
    uses: int
    """How often the test patients have been looked at; not by these challenges."""
    about_uses: str

    @property
    def passed(self) -> bool:
        """Whether none of them failed."""
        return not any(challenge.passed is False for challenge in self.challenges)


def challenge_model(run: RunFolder, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Challenges:
    """Challenge a run's model, and write ``challenges.json`` (a job for the engine).

    Raises:
        PathViewError: there is no model, or its data cannot be used.
    """
    trained = trained_run(run, settings)
    train, watched = (
        scoring.load_for_scoring(samples, trained.recipe, settings, part_of(progress, index, 5, "images"), cancel)[0]
        for index, samples in enumerate((trained.parts.train, trained.parts.validation))
    )
    found = (
        _shuffle(trained, train, watched, settings, part_of(progress, 2, 5, "shuffled labels"), cancel),
        blank_images(trained.network(settings), train),
        _randomised(trained, watched, part_of(progress, 4, 5, "randomised weights"), cancel),
    )
    uses = uses_of_test(run)
    challenges = Challenges(sha256=trained.manifest.sha256, challenges=found, uses=len(uses), about_uses=told(uses))
    run.write(CHALLENGES, challenges)
    return challenges


def read_challenges(run: RunFolder) -> Challenges:
    """The challenges as they were written.

    Raises:
        DataError: there are none, or they are damaged.
    """
    return run.read(CHALLENGES, Challenges)


def _shuffle(
    trained: TrainedRun,
    train: Sequence[Loaded],
    watched: Sequence[Loaded],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Challenge:
    recipe = trained.recipe
    if not recipe.classifies:
        network, samples = trained.network(settings), trained.parts.validation
        tried, _ = trials_of(trained.run)
        if tried is not None and tried.stood is not None:
            return trained_on_dealt(tried)
        found = scoring.segment_samples(network, samples, settings, part_of(progress, 0, 1), cancel)[0]
        return shuffled_outlines(deal_outlines(found, recipe.decision.threshold, trained.run.plan().seed))
    try:
        seed, start = trained.run.plan().seed, trained.start(settings)
        task = head_task(recipe, start, train, watched, seed, settings, part_of(progress, 0, 2), cancel)
        return label_shuffle(task, part_of(progress, 1, 2), cancel)
    except PathViewError as error:
        return Challenge(kind="label_shuffle", passed=None, sentence=f"The labels could not be shuffled: {error}")


def label_shuffle(task: HeadTask, progress: ProgressSink, cancel: CancelToken, runs: int = SHUFFLES) -> Challenge:
    """Fit the head on the true labels and on shuffled ones: with the latter it must fall to chance.

    Raises:
        DataError: the training patients lack a class.
    """
    true = task.auc(task.probabilities(task.train)) or 0.5
    rng = np.random.default_rng([task.seed, 2])
    found = []
    for step in range(runs):
        checkpoint(cancel)
        found.append(task.auc(task.probabilities(shuffled(task.train, rng))) or 0.5)
        progress(Progress(step + 1, runs, "shuffled labels"))
    return shuffle_verdict(true, found)


def shuffled_outlines(dealt: DealtOutlines) -> Challenge:
    """What the Dice of outlines with their own lesions and with those of other patients says.

    A network that outlines has no head to fit anew, and another training for each shuffle would take too long; so the
    model's outlines are compared with lesions that were dealt out anew among patients.
    """
    kind: Kind = "label_shuffle"
    if not dealt.shuffled:
        why = (
            f"Of {dealt.patients} validation patients a lesion is outlined: too few to deal them out anew, and a model "
            "that outlines has no head to fit on shuffled labels."
        )
        return Challenge(kind=kind, passed=None, sentence=why)
    low, high = percentile_interval(dealt.shuffled)
    mean = float(np.mean(dealt.shuffled))
    beside = (
        f"Dice {dealt.own:.2f} with their own lesions, {mean:.2f} ({low:.2f} to {high:.2f}) with those of other "
        f"patients; outlining the whole breast has {dealt.whole:.2f}"
    )
    passed = dealt.own > max(*dealt.shuffled, dealt.whole)
    start = "Outlines agree with what is in the image, not with a usual place"
    if not passed:
        start = "The outlines agree no better with their own lesions than with others, or than the whole breast does"
    numbers = {"true": dealt.own, "shuffled": mean, "low": low, "high": high, "whole": dealt.whole}
    return Challenge(kind=kind, passed=passed, sentence=f"{start}: {beside}.", numbers=numbers)


def trained_on_dealt(tried: Trials) -> Challenge:
    """What the training on other patients' outlines says, where there was one."""
    found = tried.dealt.difference if tried.dealt is not None else None
    numbers = {}
    if found is not None:
        known = {"true": found.new, "shuffled": found.present, "low": found.low, "high": found.high}
        numbers = {name: value for name, value in known.items() if value is not None}
    return Challenge(kind="label_shuffle", passed=tried.stood, sentence=tried.about_dealt, numbers=numbers)


def shuffle_verdict(true: float, found: Sequence[float]) -> Challenge:
    """What AUC on true labels and on shuffled ones say.

    Args:
        true: of the head fitted on the true labels.
        found: of heads fitted on shuffled ones.
    """
    low, high = percentile_interval(found)
    mean = float(np.mean(found))
    beside = f"AUC {true:.2f} with the true labels, {mean:.2f} ({low:.2f} to {high:.2f}) with shuffled ones"
    at_chance, above = low <= 0.5 <= high, true > max(found)
    if not at_chance and mean > 0.5:
        sentence = f"Even with shuffled labels the head does well, so the truth reaches it by another way: {beside}."
    elif not above:
        sentence = f"The true labels teach the head no more than shuffled ones: {beside}."
    else:
        sentence = f"With shuffled labels the head falls to chance, as it must: {beside}."
    passed = above and (at_chance or mean <= 0.5)
    return Challenge(
        kind="label_shuffle",
        passed=passed,
        sentence=sentence,
        numbers={"true": true, "shuffled": mean, "low": low, "high": high},
    )


def blank_images(network: Network, train: Sequence[Loaded]) -> Challenge:
    """What the model says of nothing: black, grey, white, and the training images' mean colour. None may be positive.

    Raises:
        NotAnalysable: the network's output is not a number.
    """
    spec = network.recipe.input
    fills = {name: np.full(spec.channels, value) for name, value in _BLANKS.items()}
    if train:
        fills["mean colour"] = np.mean([one.working.pixels.mean(axis=(0, 1)) for one in train], axis=0) / 255
    shape = (spec.height, spec.width, spec.channels)
    images = np.stack([np.broadcast_to(fill, shape) for fill in fills.values()]).astype(np.float32)
    outputs = predict.checked_score(network, images).reshape(len(images), -1)
    outlines = not network.recipe.classifies
    threshold = network.recipe.decision.threshold
    scores = (outputs >= threshold).mean(axis=1) if outlines else outputs[:, 0]
    numbers = {name: float(score) for name, score in zip(fills, scores, strict=True)}
    wrong = [name for name, score in numbers.items() if (score > 0 if outlines else score >= threshold)]
    if not wrong:
        what = "marks nothing on" if outlines else "does not call positive"
        sentence = f"The model {what} an image that shows nothing."
    else:
        told = ", ".join(f"{name} {numbers[name]:.2f}" for name in wrong)
        what = "marks a part of" if outlines else "calls positive"
        sentence = f"The model {what} an image that shows nothing ({told}): it answers where there is nothing to see."
    return Challenge(kind="blank_image", passed=not wrong, sentence=sentence, numbers=numbers)


def _randomised(
    trained: TrainedRun, watched: Sequence[Loaded], progress: ProgressSink, cancel: CancelToken
) -> Challenge:
    if not watched:
        why = "There is no validation image to draw a heat map of."
        return Challenge(kind="randomised_weights", passed=None, sentence=why)
    images = validation_inputs(watched[:_EXPLAINED], trained.recipe)[0]
    return randomised_weights(trained, images, progress, cancel)


def randomised_weights(trained: TrainedRun, images: Batch, progress: ProgressSink, cancel: CancelToken) -> Challenge:
    """Whether heat maps come from what was learnt: with weights at random they must look different (Adebayo 2018).

    Weights are randomised from the last layer on, then of the upper half, then all of them.

    Raises:
        ModelError: the weights are damaged.
    """
    recipe, folder = trained.recipe, trained.run.model
    model = started(recipe, trained.run.plan().seed + 1, None)
    random = keras_backend.get_weights(model)
    learnt = read_weights(folder, read_manifest(folder), keras_backend.weight_shapes(model))
    network = keras_backend.KerasNetwork(model, recipe)
    layer = recipe.heat_layer or network.explainable_layers()[-1]

    def maps(tensors: Tensors) -> Batch:
        keras_backend.set_weights(model, tensors)
        return network.gradcam(images, (layer,))[layer]

    steps = {name: {**learnt, **part} for name, part in _from_the_top(random, recipe).items()}
    own = maps(learnt)
    likeness: dict[str, float] = {}
    for index, (name, tensors) in enumerate(steps.items()):
        checkpoint(cancel)
        likeness[name] = similarity(own, maps(tensors))
        progress(Progress(index + 1, len(steps), "heat maps"))
    return likeness_verdict(likeness)


def _from_the_top(random: Tensors, recipe: Recipe) -> dict[str, Mapping[str, Any]]:
    """The random weights of the last layer, of the upper half of the layers, and of all."""
    layers = list(dict.fromkeys(name.rsplit("/", 1)[0] for name in random))
    parts = {"last layer": layers[-1:], "upper half": layers[len(layers) // 2 :], "all": layers}
    return {
        name: {path: tensor for path, tensor in random.items() if path.rsplit("/", 1)[0] in chosen}
        for name, chosen in parts.items()
    }


def similarity(one: Batch, other: Batch) -> float:
    """Mean rank correlation (Spearman) of heat maps [n, rows, columns]; NaN where none of the first shows anything.

    A map of one value against one that shows something has nothing in common with it: 0.
    """
    from scipy.stats import spearmanr

    found = []
    for left, right in zip(one, other, strict=True):
        if np.ptp(left) == 0:
            continue
        same = left.shape == right.shape
        shown = right if same else cv2.resize(right, left.shape[::-1], interpolation=cv2.INTER_LINEAR)
        found.append(0.0 if np.ptp(shown) == 0 else float(spearmanr(left.ravel(), shown.ravel()).statistic))
    return float(np.mean(found)) if found else float("nan")


def likeness_verdict(likeness: Mapping[str, float]) -> Challenge:
    """What the likeness of heat maps to those of randomised weights says; ``all`` decides."""
    kind: Kind = "randomised_weights"
    decides = likeness["all"]
    if not np.isfinite(decides):
        why = "The heat maps of the validation images show nothing, so there is nothing to compare."
        return Challenge(kind=kind, passed=None, sentence=why)
    numbers = {name: value for name, value in likeness.items() if np.isfinite(value)}
    if abs(decides) < LIKENESS:
        sentence = f"Heat maps change when the weights are randomised, as they must: likeness {decides:.2f} of 1."
        return Challenge(kind=kind, passed=True, sentence=sentence, numbers=numbers)
    sentence = (
        f"Heat maps stay alike when all weights are randomised (likeness {decides:.2f} of 1): they show the image's "
        "edges, not what was learnt; do not rely on them."
    )
    return Challenge(kind=kind, passed=False, sentence=sentence, numbers=numbers)
