"""A new model and the present one on the same locked test patients: what a promotion is decided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pathview.errors import DataError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models.backend import Network
from pathview.models.catalogue import Model
from pathview.models.runtimes import open_network
from pathview.models.weights import Seen, read_manifest, read_seen
from pathview.settings import Settings
from pathview.training.data.samples import Sample
from pathview.training.measures.assess import Assessment, evaluate_samples
from pathview.training.measures.comparing import Comparison, Figure, figures_of, paired
from pathview.training.measures.evaluate import in_words
from pathview.training.measures.predictions import AnyScored
from pathview.training.publishing.promoting import comparable
from pathview.training.runs.locked_uses import log_use, told, uses_of_test
from pathview.training.runs.run_folder import RunFolder
from pathview.training.runs.run_parts import locked_parts


@dataclass(frozen=True)
class ContestRequest:
    """One comparison, as the command line or the wizard asks for it."""

    new: Path
    """Folder of the new model."""
    run: Path
    """Folder of the training whose locked test patients both are measured on."""
    who: str
    present: Path | None = None
    """Folder of the model that is present; None: there is none, and the best plain baseline stands for it."""
    present_words: str = ""
    margin: float | None = None
    """See :attr:`pathview.training.measures.comparing.Comparison.margin`."""
    seed: int = 0


def request_for(
    new: Path, rival: Model | None, run: Path, who: str, margin: float | None = None, seed: int = 0
) -> ContestRequest:
    """A comparison with whichever model a new one would take the place of."""
    words = rival.words if rival is not None else ""
    return ContestRequest(new, run, who, rival.folder if rival else None, words, margin, seed)


def contest(request: ContestRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Comparison:
    """Measure both models on the locked test patients, which counts as a use of them, and compare (a job).

    Patients that the training or a choice of either model saw are left out.

    Raises:
        DataError: the run has no locked test patients, both models answer different questions, or no patient is left.
        ModelError: a model is damaged.
        OutputError: the use of the test patients cannot be counted.
        Cancelled: at a checkpoint; the use is counted.
    """
    run = RunFolder(request.run)
    split = run.split()
    manifest = read_manifest(request.new)
    folders = [request.new, *([request.present] if request.present else [])]
    networks = [open_network(folder, settings) for folder in folders]
    if len(networks) > 1 and not comparable(networks[0].recipe, networks[1].recipe):
        raise DataError(f"{request.present_words} answers another question than {manifest.recipe.name}.")
    parts = [locked_parts(run, network.recipe, settings) for network in networks]
    log_use(run, request.who, "comparison", manifest.sha256)
    out, notices = _seen_before(parts[0].test, [read_seen(folder) for folder in folders], progress, cancel)
    found = []
    for index, (network, own) in enumerate(zip(networks, parts, strict=True)):
        step = part_of(progress, index, len(networks), network.recipe.name)
        fresh = [sample for sample in own.test if _unit(sample) not in out]
        found.append(_measured(network, run.name, fresh, own.train if index == 0 else [], settings, step, cancel))
    new, present, against = _side_by_side(found, request.present_words)
    decides, *beside = (paired(new, present, figure, request.seed) for figure in figures_of(new))
    return Comparison(
        new_sha256=manifest.sha256,
        against=against,
        against_sha256=read_manifest(request.present).sha256 if request.present else "",
        decides=decides,
        beside=tuple(beside),
        margin=request.margin,
        notices=(*notices, told(uses_of_test(run))),
        run=run.name,
        split_sha256=split.test_sha256,
    )


def _unit(sample: Sample) -> str:
    return sample.patient or str(sample.path)


def _seen_before(
    samples: Sequence[Sample], seen: Sequence[Seen], progress: ProgressSink, cancel: CancelToken
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The patients of whom some model's training or choice saw an image, and what is to be told of it."""
    out: set[str] = set()
    for index, sample in enumerate(samples):
        checkpoint(cancel)
        progress(Progress(index, len(samples), "checking which patients are new to both"))
        digest = file_digests(sample.path)[0]
        if any(one.part_of(digest) in ("train", "validation") for one in seen):
            out.add(_unit(sample))
    if all(_unit(sample) in out for sample in samples):
        raise DataError("All locked test patients were seen by one of the two models in training, so nothing is left.")
    many = "1 test patient is" if len(out) == 1 else f"{len(out):,} test patients are"
    words = f"{many} left out: one of the two models was trained or tuned on them."
    return frozenset(out), (words,) if out else ()


def _measured(
    network: Network,
    name: str,
    samples: Sequence[Sample],
    reference: Sequence[Sample],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Assessment:
    if not samples:
        raise DataError(f"{network.recipe.name} cannot read the data of {name}.")
    return evaluate_samples(network, name, samples, reference, "test", [], settings, progress, cancel)


def _side_by_side(found: Sequence[Assessment], present_words: str) -> tuple[AnyScored, AnyScored, str]:
    """The new model, what it is compared with on the same images, and the latter's name."""
    new = found[0]
    if len(found) == 1:
        figure: Figure = figures_of(new.scored)[0]
        values = {name: base.metrics().get(figure, 0.0) for name, base in new.baselines.items()}
        best = max(values, key=lambda name: values[name])
        return new.scored, new.baselines[best], f"the plain baseline {in_words(best)}"
    other = {_key(sample): index for index, sample in enumerate(found[1].samples)}
    both = [index for index, sample in enumerate(new.samples) if _key(sample) in other]
    if not both:
        raise DataError("There is no image that both models can read, so they cannot be compared.")
    mine = new.scored.take(np.array(both, np.intp))
    theirs = found[1].scored.take(np.array([other[_key(new.samples[index])] for index in both], np.intp))
    return mine, replace(theirs, patients=mine.patients), present_words


def _key(sample: Sample) -> tuple[str, str]:
    return str(sample.path), str(sample.region)
