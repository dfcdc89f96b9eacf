"""Training an outlining model again on fewer patients, and on outlines that were dealt out anew among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pathview.errors import DataError
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.runtimes import open_network
from pathview.settings import Settings
from pathview.training.data.parts import Parts
from pathview.training.data.samples import Sample
from pathview.training.data.split import PatientSplit, strata_of
from pathview.training.learning.beside import Beside, claim, train_beside, without_pictures
from pathview.training.learning.fitting import LearnRequest
from pathview.training.measures.assess import evaluate_samples
from pathview.training.measures.folds import FoldScores, scored_of
from pathview.training.measures.growth import first_share, patient_order
from pathview.training.measures.predictions import Scored
from pathview.training.measures.trials import SHARES, Trials, Tried, trials
from pathview.training.runs.run_folder import TRIALS, RunFolder
from pathview.training.runs.run_log import RunLog

TUNED = "Each of these trainings chose its best epoch and its threshold on the validation patients, who judge them."
STOPPED = "The model was stopped when asked; the trainings beside it were not, which flatters them."


@dataclass(frozen=True)
class Trial:
    """One of them before it begins."""

    share: float
    """Of the training patients."""
    training: Beside

    def tried(self, scored: Scored) -> Tried:
        """The same with what it said of the validation images."""
        return Tried(self.share, len(self.training.who.train), len(self.training.parts.train), scored)


def try_out(
    run: RunFolder,
    learning: LearnRequest,
    parts: Parts,
    stopped: bool,
    settings: Settings,
    log: RunLog,
    cancel: CancelToken,
) -> Trials | None:
    """Train and judge each trial of a run's model, and write ``trials.json``.

    Args:
        run: with its finished model.
        learning: as the model was trained.
        parts: of the model.
        stopped: whether the model's training was ended when somebody asked.
        settings: of the installation.
        log: of the training that they follow.
        cancel: at checkpoints.

    Returns:
        What they come to; None where somebody asked to stop.

    Raises:
        DataError: no validation image can be judged.
        OutOfMemory, DiskFull, OutputError, Cancelled: see :func:`pathview.training.learning.beside.train_beside`.
    """
    way = claim(run, run.trials, TRIALS, learning)
    wanted = wanted_trials(run, learning, parts)
    said = train_beside(run, [trial.training for trial in wanted], settings, log, cancel)
    if said is None:
        return None
    done = [(trial, _scored(own)) for trial, own in zip(wanted, said, strict=True) if own.model is not None]
    tried = [trial.tried(scored) for trial, scored in done if not trial.training.request.dealt]
    if not learning.recipe.training.refit:
        own = _of_model(run, parts, settings, log.show, cancel)
        tried.append(Tried(1.0, len(_patients(parts.train)), len(parts.train), own))
    if not tried or tried[-1].share < 1.0:
        raise DataError(f"The model is there, but no trial can be judged: {said[-1].problem}")
    dealt = next((scored for trial, scored in done if trial.training.request.dealt), None)
    result = trials(way, tried, dealt, [TUNED, *([STOPPED] if stopped else []), *_notices(wanted, said)])
    run.write(TRIALS, result)
    log.tell("trials_done", result.sentence)
    return result


def require_trials_possible(parts: Parts) -> None:
    """Refuse trials that nobody could judge.

    Raises:
        DataError: there are no validation patients, or too few to train on.
    """
    if not parts.validation:
        raise DataError("Trials are judged on validation patients, and the split has none; ask for no trials.")
    if len(_patients(parts.train)) < 2:
        raise DataError("Trials need two training patients or more; ask for no trials.")


def wanted_trials(run: RunFolder, learning: LearnRequest, parts: Parts) -> list[Trial]:
    """Growing shares of the training patients, each holding the smaller ones, then all with dealt-out outlines.

    All patients with their own outlines are among them only where the model learnt from the validation patients too.
    """
    recipe, everyone = learning.recipe, _patients(parts.train)
    order = patient_order(strata_of([(str(one.patient), bool(one.masks)) for one in parts.train]), [learning.seed, 5])
    chosen = {len(own): (share, own) for share in SHARES if len(own := first_share(order, share)) < len(everyone)}
    shares = [*chosen.values(), *([(1.0, everyone)] if recipe.training.refit else [])]
    count = len(shares) + 1
    plain = without_pictures(recipe, refit=False)

    def trial(number: int, share: float, patients: Sequence[str], dealt: bool = False) -> Trial:
        train = [one for one in parts.train if str(one.patient) in set(patients)]
        watched = _patients(parts.validation)
        request = replace(learning, recipe=plain, folder=run.trials / str(number), resume=True, dealt=dealt)
        who = PatientSplit(tuple(patients), watched, watched)
        own = Parts(train, parts.validation, parts.validation)
        on = "outlines of other patients" if dealt else f"{100 * share:.0f} % of the patients"
        title = f"Trial {number} of {count}, on {on}"
        return Trial(share, Beside(number, title, who, own, request, len(train) / len(parts.train)))

    found = [trial(number, share, patients) for number, (share, patients) in enumerate(shares, 1)]
    return [*found, trial(count, 1.0, everyone, dealt=True)]


def _patients(samples: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(sorted({str(one.patient) for one in samples}))


def _scored(own: FoldScores) -> Scored:
    found = scored_of(own, ("negative", "positive"))
    assert isinstance(found, Scored)  # outlines have two classes
    return found


def _of_model(run: RunFolder, parts: Parts, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Scored:
    """What the model itself says of the validation images."""
    network = open_network(run.model, settings)
    judged = evaluate_samples(network, run.name, parts.validation, [], "validation", [], settings, progress, cancel)
    assert isinstance(judged.scored, Scored)
    return judged.scored


def _notices(wanted: Sequence[Trial], said: Sequence[FoldScores]) -> list[str]:
    found = []
    for one, own in zip(wanted, said, strict=True):
        if own.problem:
            found.append(f"{one.training.title} could not be trained: {own.problem}")
        found += own.notices
    return found
