"""Trials: an outlining model trained again on fewer patients, and on outlines of other patients."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import DataError
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.weights import read_manifest
from pathview.settings import Settings
from pathview.training.data.dealing import givers
from pathview.training.data.kept_samples import PixelFile, keep_samples
from pathview.training.judging.challenge import trained_on_dealt
from pathview.training.learning import beside
from pathview.training.learning.fitting import LearnRequest
from pathview.training.learning.forecast import forecast
from pathview.training.learning.running import Ran, RunOptions
from pathview.training.learning.trials import wanted_trials
from pathview.training.measures.folds import Way
from pathview.training.measures.growth import first_share, patient_order
from pathview.training.measures.predictions import Scored
from pathview.training.measures.trials import Tried, lacking, trials, trials_of
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import SplitPlan, TrainingEvent
from pathview.training.runs.run_folder import EVENTS, TRIALS, RunFolder
from pathview.training.runs.run_parts import locked_parts
from pathview.training.runs.steering import ask
from tests.makers import tiny_unet_recipe
from tests.training.trainings import cancel, copy_of, kinds, on_sentence, train, write_untrained_outlines

SOME_WAY = Way(split_sha256="", folds_sha256="", recipe_sha256="", seed=0, initial="")
EPOCHS = 2
RESUME = RunOptions(resume=True)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixteen patients, eight of whom train, before its training."""
    changes = {"training.epochs": EPOCHS, "training.batch": 2}
    split = SplitPlan(train=0.5, validation=0.25)
    return write_untrained_outlines(tmp_path_factory.mktemp("trials"), changes, split, trials=True).path


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> RunFolder:
    return copy_of(begun, tmp_path / "run")


@dataclass
class Whole:
    """A run that ran through, and who was learnt from and judged."""

    run: RunFolder
    ran: Ran
    learnt: list[tuple[set[str], set[str], bool]] = field(default_factory=list)
    """Training and validation patients, and whether the outlines were dealt out anew."""
    judged: list[set[str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def whole(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    run, learnt, judged = copy_of(begun, tmp_path_factory.mktemp("whole") / "run"), [], []
    learn, evaluate = beside.learn, beside.evaluate_samples

    def learning(request, parts, *rest):
        names = [{str(one.patient) for one in own} for own in (parts.train, parts.validation)]
        learnt.append((*names, request.dealt))
        return learn(request, parts, *rest)

    def evaluating(network, name, samples, *rest):
        judged.append({str(one.patient) for one in samples})
        return evaluate(network, name, samples, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "learn", learning)
        patch.setattr(beside, "evaluate_samples", evaluating)
        return Whole(run, train(run), learnt, judged)


@pytest.fixture
def trained(whole: Whole, tmp_path: Path) -> RunFolder:
    """A copy of that run without what its trials came to; what each said is still there."""
    run = copy_of(whole.run.path, tmp_path / "trained")
    run.remove(TRIALS)
    return run


def forget(run: RunFolder, *numbers: int) -> None:
    """Let trials be trained again."""
    for number in numbers:
        shutil.rmtree(run.trials / str(number))


def scored(patients: list[str], dices: list[float]) -> Scored:
    """Outlines of one image a patient with these Dice coefficients."""
    labels, total = np.ones(len(dices), np.intp), np.full(len(dices), 100.0)
    common = np.array(dices) * 50
    return Scored(np.array(patients), labels, common, common > 0, common, total)


NAMES = [f"P{number}" for number in range(12)]
GOOD, POOR = scored(NAMES, [0.8] * 6 + [0.7] * 6), scored(NAMES, [0.2] * 6 + [0.3] * 6)


def test_that_trials_follow_the_model_and_say_how_more_patients_help(whole: Whole) -> None:
    run, found = whole.run, whole.ran.trials
    assert found is not None
    assert trials_of(run) == (found, "")
    assert lacking(run) == ()
    everyone = run.split().patients("train")
    assert [point.share for point in found.curve.points] == [0.25, 0.5, 1.0]
    assert [point.patients for point in found.curve.points] == [len(everyone) // 4, len(everyone) // 2, len(everyone)]
    assert (found.curve.figure, found.curve.trained) == ("dice", True)
    assert found.own == found.curve.points[-1].value
    assert found.dealt is not None
    told = kinds(run)
    assert told[-1] == "trials_done"
    assert told.count("fold_done") == 3
    assert run.events()[-1].sentence == found.sentence
    assert not run.has("test-uses.jsonl")
    assert not list(run.trials.glob("*/state"))


def test_that_nobody_but_training_patients_is_learnt_from_and_the_test_stays_closed(whole: Whole) -> None:
    split = whole.run.split()
    quarter, half, dealt = (trained for trained, _, _ in whole.learnt)
    assert quarter < half < dealt == set(split.patients("train"))
    assert [one[2] for one in whole.learnt] == [False, False, True]
    assert all(watched == set(split.patients("validation")) for _, watched, _ in whole.learnt)
    assert whole.judged == [set(split.patients("validation"))] * 3


@pytest.mark.parametrize("refit", [False, True])
def test_that_a_model_that_learnt_from_the_choosing_patients_is_not_judged_on_them(whole: Whole, refit: bool) -> None:
    recipe = read_manifest(whole.run.model).recipe
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"refit": refit})})
    wanted = wanted_trials(whole.run, LearnRequest(recipe, whole.run.path), locked_parts(whole.run, recipe, Settings()))
    assert [one.share for one in wanted] == [0.25, 0.5, *([1.0] if refit else []), 1.0]
    assert [one.training.request.dealt for one in wanted] == [*[False] * (len(wanted) - 1), True]
    assert not any(one.training.request.recipe.training.refit for one in wanted)


def test_that_an_interrupted_trial_goes_on_and_ends_as_one_that_was_not(whole: Whole, trained: RunFolder) -> None:
    forget(trained, 2, 3)
    with pytest.raises(Cancelled):
        train(trained, on_sentence("Trial 2 of 3, on 50 % of the patients, epoch 1", cancel), RESUME)
    assert lacking(trained) == ("trials",)
    with pytest.raises(DataError, match="is trained, but not its trials: resume it for these"):
        train(trained)
    train(trained, options=RESUME)
    assert "goes on after epoch 1" in " ".join(event.sentence for event in trained.events())
    assert (trained.path / TRIALS).read_bytes() == (whole.run.path / TRIALS).read_bytes()


def test_that_trials_are_left_out_when_asked(trained: RunFolder) -> None:
    forget(trained, 3)
    ran = train(trained, on_sentence("Trial 3 of 3", lambda: ask(trained, "stop")), RESUME)
    assert ran.trials is None
    assert kinds(trained)[-1] == "folds_left_out"
    assert trials_of(trained)[1] == "The trials for the learning curve are not trained yet: go on with the training."


def test_that_a_model_that_was_stopped_is_told_beside_trials_that_were_not(trained: RunFolder) -> None:
    trained.append(EVENTS, TrainingEvent(kind="stopped", numbers={"best_epoch": 1, "ended": "stopped"}))
    found = train(trained, options=RESUME).trials
    assert found is not None
    assert "The model was stopped when asked; the trainings beside it were not" in " ".join(found.notices)


def test_that_a_plan_without_trials_has_none_and_nothing_lacks(trained: RunFolder) -> None:
    plan = trained.plan()
    trained.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"trials": False})}))
    assert trials_of(trained)[1].startswith("There is no learning curve")
    with pytest.raises(DataError, match="is trained already"):
        train(trained, options=RESUME)


def test_that_trials_of_another_way_are_not_shown(whole: Whole, trained: RunFolder) -> None:
    assert whole.ran.trials is not None
    trained.write(TRIALS, whole.ran.trials.model_copy(update={"way": SOME_WAY}))
    assert trials_of(trained) == (
        None,
        "The trials are of another split, recipe or seed than the model: go on with the training.",
    )


def test_that_training_anew_forgets_the_trials_before(trained: RunFolder) -> None:
    with pytest.raises(Cancelled):
        train(trained, on_sentence("epoch 1 of 2", cancel), RunOptions(anew=True))
    assert not trained.has(TRIALS)
    assert not trained.trials.exists()


def test_that_a_trial_that_cannot_be_trained_is_told_and_the_others_count(trained: RunFolder, monkeypatch) -> None:
    def failing(*_):
        raise DataError("It will not do.")

    forget(trained, 1, 3)
    monkeypatch.setattr(beside, "learn", failing)
    found = train(trained, options=RESUME).trials
    assert found is not None
    assert [point.share for point in found.curve.points] == [0.5, 1.0]
    assert (found.dealt, found.stood, found.about_dealt) == (None, None, "")
    assert "Trial 1 of 3, on 25 % of the patients could not be trained: It will not do." in found.notices


def test_that_trials_that_nobody_could_judge_are_refused_before_anything_is_trained(run: RunFolder) -> None:
    plan = run.plan()
    run.write_plan(plan.model_copy(update={"split": SplitPlan(train=0.75, validation=0.0)}))
    lock_split(run)
    with pytest.raises(DataError, match="Trials are judged on validation patients, and the split has none"):
        train(run)
    assert not run.events()


def test_that_trials_are_in_the_foretold_time(run: RunFolder) -> None:
    with_trials = forecast(run, RunOptions(), Settings(), no_progress, never())
    plan = run.plan()
    run.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"trials": False})}))
    without = forecast(run, RunOptions(), Settings(), no_progress, never())
    assert "its trials included" in with_trials.sentence
    assert (with_trials.trials, without.trials) == (True, False)
    assert with_trials.seconds.low > without.seconds.low


def test_that_everybody_gets_the_truth_of_one_other_patient() -> None:
    patients = np.array(["a", "a", "b", "c", "c", "c"])
    given = [[str(patients[i]) for i in givers(patients, np.random.default_rng(seed))] for seed in range(8)]
    for names in given:
        assert all(own != other for own, other in zip(patients, names, strict=True))
        assert names[0] == names[1]
        assert len({names[0], names[2], names[3]}) == 3
    assert len({tuple(names) for names in given}) > 1
    with pytest.raises(DataError, match="two training patients or more"):
        givers(np.array(["a", "a"]), np.random.default_rng(0))


def test_that_a_dealt_outline_lies_on_the_grid_of_its_new_image(run: RunFolder, tmp_path: Path) -> None:
    recipe = tiny_unet_recipe()
    parts = locked_parts(run, recipe, Settings())
    with PixelFile(tmp_path) as file:
        kept, _ = keep_samples(parts.train, recipe, Settings(), file, no_progress, never())
        order = [*range(1, len(kept)), 0]
        dealt = kept.dealt(order)
        assert [one.sample for one in dealt] == [one.sample for one in kept]
        for own, was, giver in zip(dealt, kept, (kept[i] for i in order), strict=True):
            assert own.mask is not None
            assert own.mask.shape == own.working.pixels.shape[:2]
            assert np.array_equal(own.working.pixels, was.working.pixels)
            assert (own.label, own.mask.any()) == (giver.label, giver.mask is not None and giver.mask.any())


def test_that_larger_shares_hold_the_smaller_ones_and_every_kind() -> None:
    kinds_of = {f"P{number:02}": number % 5 == 0 for number in range(20)}
    order = patient_order(kinds_of, [3])
    shares = [set(first_share(order, share)) for share in (0.01, 0.25, 0.5, 1.0)]
    assert all(small <= large for small, large in pairwise(shares))
    assert [len(share) for share in shares] == [2, 5, 10, 20]
    assert all({kinds_of[name] for name in share} == {True, False} for share in shares)


@pytest.mark.parametrize(
    ("half", "words"),
    [
        (POOR, "Twice as many training patients did help, Dice +0.500"),
        (GOOD, "That twice as many training patients helped cannot be said: Dice +0.000"),
    ],
)
def test_that_the_gain_is_told_with_its_interval_and_what_that_leaves_out(half: Scored, words: str) -> None:
    found = trials(SOME_WAY, [Tried(0.5, 6, 6, half), Tried(1.0, 12, 12, GOOD)], None, [])
    assert found.curve.sentence.startswith(words)
    assert found.curve.sentence.endswith(
        "so of fewer patients also of fewer steps; what chance does to a training is not in the interval."
    )


def test_that_of_patients_too_few_nothing_is_said() -> None:
    found = trials(SOME_WAY, [Tried(1.0, 12, 12, GOOD)], None, [])
    assert found.curve.sentence == "The patients are too few to tell whether more would help."


@pytest.mark.parametrize(("dealt", "stood"), [(POOR, True), (GOOD, False)])
def test_that_outlines_of_other_patients_must_teach_less(dealt: Scored, stood: bool) -> None:
    found = trials(SOME_WAY, [Tried(1.0, 12, 12, GOOD)], dealt, [])
    assert found.stood is stood
    challenge = trained_on_dealt(found)
    assert challenge.passed is stood
    assert challenge.numbers["true"] == pytest.approx(0.75)
    assert ("falls, as it must" in challenge.sentence) is stood
    assert ("no more than a usual place" in challenge.sentence) is not stood
