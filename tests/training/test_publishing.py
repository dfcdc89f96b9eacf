from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pathview.errors import DataError
from pathview.jobs import never, no_progress
from pathview.models.registry import REFERENCE
from pathview.models.weights import CARD, Manifest, read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.challenge import CHALLENGES, Challenge, Challenges
from pathview.training.judging.result import Result, read_result
from pathview.training.measures.evaluate import Reached
from pathview.training.measures.figures import Peer, Prediction
from pathview.training.measures.folds import folds_of
from pathview.training.measures.publish import card_text
from pathview.training.publishing import reference
from pathview.training.publishing.promoting import Promoting
from pathview.training.publishing.publishing import how_it_came, prepare
from pathview.training.publishing.reference import read_reference
from pathview.training.runs.hyperparameters import changed
from pathview.training.runs.locked_uses import log_use
from pathview.training.runs.plan import Override, RecipePlan
from pathview.training.runs.run_folder import FOLDS, RESULT, RunFolder
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model
from tests.training.runs import CLASSES, reddish_run, write_folds


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return reddish_run(tmp_path, patients=16)


def with_model(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """The run with a model, and what that said of the validation and test images."""
    write_numbers_model(run.model, 1, tiny_cnn_recipe(classes=list(CLASSES)))
    split = run.split()
    said = tuple(
        Prediction(
            part=split.parts[row.patient],
            file=row.file,
            patient=row.patient,
            label=CLASSES.index(row.label),
            called=1,
            scores=(0.25, 0.75),
        )
        for row in run.rows()
        if split.parts[row.patient] != "train"
    )
    monkeypatch.setattr(reference, "predictions_at", lambda *_: said)
    return run


def test_that_a_finished_run_becomes_a_version_with_its_story_and_its_numbers(
    run: RunFolder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    log_use(run, "Dr A", "result", "a" * 64)
    split = run.split()
    run.write("split.json", split.model_copy(update={"override": Override(who="Dr B", why="no ids were kept")}))
    challenges = (
        Challenge(kind="label_shuffle", passed=True, sentence="."),
        Challenge(kind="blank_image", passed=False, sentence="."),
    )
    sha256 = read_manifest(run.model).sha256
    run.write(CHALLENGES, Challenges(sha256=sha256, challenges=challenges, uses=1, about_uses="."))
    measured(run, sha256)
    prepared = prepare(run.path, settings, no_progress, never())
    version = Promoting(settings, "Dr A").register(prepared.folder, prepared.sentence)
    card = (version.folder / CARD).read_text()
    assert "trained here in the run 'try'" in card
    assert "Patients on both sides: 0." in card
    assert '**The refusal to split by image was overruled by Dr B: "no ids were kept".**' in card
    assert "The locked test patients were looked at once." in card
    assert "Challenges: label shuffle passed, blank image **failed**." in card
    known = read_reference(version)
    held_out = len(split.patients("validation")) + len(split.patients("test"))
    assert known.values["score"] == (0.75,) * held_out
    assert known.values["share"] == (1.0,) * held_out
    assert known.error == known.positives == 0.5
    text = (version.folder / REFERENCE).read_text()
    assert not [patient for patient in split.parts if f'"{patient}"' in text]
    assert version.registered.files[REFERENCE] == hashlib.sha256(text.encode()).hexdigest()


def test_that_the_card_has_the_title_and_rounds_once(
    run: RunFolder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    run.write_plan(run.plan().model_copy(update={"title": "Ward 3,  second try"}))
    measured(run, read_manifest(run.model).sha256, auc=0.10046)
    prepared = prepare(run.path, settings, no_progress, never())
    assert prepared.title == "Ward 3, second try"
    version = Promoting(settings, "Dr A").register(prepared.folder, prepared.sentence, prepared.title)
    assert version.words == "version 1 of tiny-cnn (Ward 3, second try)"
    card = (run.model / CARD).read_text()
    assert card.startswith("# Ward 3, second try: Tiny CNN (tiny-cnn)\n")
    assert "| AUC | 0.100 |" in card  # 0.101 if it is rounded twice
    assert "| Recipe | tiny-cnn |\n|---|---|\n" in card
    assert "| Score | the probability of the last class |" in card


def test_that_the_card_tells_where_the_training_was_not_as_its_recipe(
    run: RunFolder, tiny_models: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    measured(run, read_manifest(run.model).sha256)
    run.write_plan(run.plan().model_copy(update={"recipe": RecipePlan(name="tiny-cnn")}))
    prepare(run.path, tiny_models, no_progress, never())
    assert "Trained otherwise" not in (run.model / CARD).read_text()
    manifest = read_manifest(run.model)
    recipe = changed(manifest.recipe, {"training.epochs": 7, "training.early_stopping": None})
    write_manifest(run.model, manifest.model_copy(update={"recipe": recipe}))
    prepare(run.path, tiny_models, no_progress, never())
    card = (run.model / CARD).read_text()
    assert "Tiny CNN, changed (tiny-cnn)" in card.splitlines()[0]
    before = manifest.recipe.training.epochs
    assert f"**Trained otherwise than this says:** epochs 7 instead of {before}" in card
    run.write_plan(run.plan().model_copy(update={"recipe": RecipePlan(name="gone-since")}))
    prepare(run.path, tiny_models, no_progress, never())
    assert "Trained otherwise" not in (run.model / CARD).read_text()


def test_that_the_card_names_figures_and_baselines_in_words(
    run: RunFolder, tiny_models: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    measured(run, read_manifest(run.model).sha256)
    result = read_result(run)
    figures = {"auc": Reached(value=0.75, low=0.5, high=0.9), "balanced_accuracy": Reached(value=0.7, why_not="few")}
    base = Peer(name="tiny-cnn", metrics=figures, difference=None)
    run.write(RESULT, result.model_copy(update={"metrics": figures, "base": base, "images": 1234}))
    prepare(run.path, tiny_models, no_progress, never())
    card = (run.model / CARD).read_text()
    assert "| figure | model | interval | Tiny CNN |" in card
    assert "| Balanced accuracy | 0.700 | none: too few patients | 0.700 |" in card
    assert "1,234 images of 4 patients." in card
    assert "balanced_accuracy" not in card
    assert "below 0.5" not in card
    poor = base.model_copy(update={"metrics": figures | {"auc": Reached(value=0.3, why_not="few")}})
    run.write(RESULT, result.model_copy(update={"metrics": figures, "base": poor}))
    prepare(run.path, tiny_models, no_progress, never())
    assert "An AUC below 0.5 ranks the images worse than chance would." in (run.model / CARD).read_text()
    assert "auc" not in card


def test_that_a_model_that_needs_no_epochs_names_none() -> None:
    metrics = {"n_images": 1, "n_patients": 1, "metrics": {}, "baselines": {}, "intervals": {}}
    facts = {"recipe": tiny_cnn_recipe(), "data": "ours", "seed": 3, "metrics": metrics}
    facts |= {"version": "0", "created": "2026-01-01T00:00:00+00:00", "sha256": "0" * 64}
    counts = {"train": (1, 1), "test": (2, 1)}
    cards = [card_text(Manifest(**facts, epochs=many), counts, "") for many in (0, 1, 2)]
    assert "| Trained on | ours, seed 3 |" in cards[0]
    assert "| Trained on | ours, seed 3, 1 epoch |" in cards[1]
    assert "| Trained on | ours, seed 3, 2 epochs |" in cards[2]
    assert "train: 1 patient, 1 image; test: 1 patient, 2 images" in cards[0]
    assert "1 image of 1 patient." in cards[0]


def measured(run: RunFolder, sha256: str, auc: float = 0.75) -> None:
    """A result of the run's model."""
    found = Result(
        model="tiny-cnn",
        sha256=sha256,
        split_sha256=run.split().sha256,
        outlines=False,
        classes=CLASSES,
        threshold=0.5,
        images=8,
        patients=4,
        metrics={"auc": Reached(value=auc, low=0.5, high=0.9)},
        baselines=(),
        base=None,
        confusion=((2, 1), (1, 4)),
        worst=(),
        curves={},
        reliability=None,
        subgroups=(),
        learning=None,
        uses=1,
        notices=(),
    )
    run.write(RESULT, found)


def test_that_a_run_that_was_not_measured_is_no_version(
    run: RunFolder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    with pytest.raises(DataError, match="look at its result first"):
        prepare(run.path, settings, no_progress, never())
    measured(run, "0" * 64)
    with pytest.raises(DataError, match="of another model than the one that is there"):
        prepare(run.path, settings, no_progress, never())


def test_that_challenges_of_an_earlier_training_do_not_count(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(run, monkeypatch)
    assert how_it_came(run).endswith("It was not challenged.")
    run.write(CHALLENGES, Challenges(sha256="0" * 64, challenges=(), uses=0, about_uses="."))
    assert how_it_came(run).endswith("It was not challenged since it was trained anew.")


def test_that_a_run_without_a_model_is_told(run: RunFolder, settings: Settings) -> None:
    with pytest.raises(DataError, match="The training try has no finished model yet"):
        prepare(run.path, settings, no_progress, never())


def test_that_the_card_has_what_the_cross_validation_came_to(
    run: RunFolder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(run, monkeypatch)
    measured(run, read_manifest(run.model).sha256)
    write_folds(run)
    found, _ = folds_of(run)
    assert found is not None
    prepare(run.path, settings, no_progress, never())
    card = (run.model / CARD).read_text()
    assert f"**Cross-validation.** {found.sentence} {found.about}" in card
    run.write(FOLDS, found.model_copy(update={"way": found.way.model_copy(update={"seed": 9})}))
    prepare(run.path, settings, no_progress, never())
    assert "Cross-validation" not in (run.model / CARD).read_text()
