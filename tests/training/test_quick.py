"""The quick recipe: features once, a head in no time; levels, hyper-parameters and prepared samples on disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from pathview.errors import DataError, OutputError, RecipeError
from pathview.jobs import never, no_progress
from pathview.models.keras_backend import load_network
from pathview.models.recipe import AugmentationSpec, InputSpec, Recipe, TrainingSpec, load_recipe
from pathview.models.weights import read_manifest
from pathview.settings import Settings
from pathview.training.data import kept_samples
from pathview.training.data.dataset import read_dataset
from pathview.training.data.kept_samples import KeptSamples, PixelFile, keep_samples
from pathview.training.data.loading import load_samples
from pathview.training.learning.batches import TrainingBatches
from pathview.training.learning.features import fit_logistic, softmax
from pathview.training.learning.forecast import forecast
from pathview.training.learning.running import RunOptions, run_training
from pathview.training.runs.hyperparameters import TABLE, changed, differences, full_name, offered, parsed, value_of
from pathview.training.runs.levels import has_quick, planned_recipe
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import Plan, Question, RecipePlan
from pathview.training.runs.run_folder import RunFolder, is_disk_full
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe, write_patch_folder, write_random_model
from tests.training.runs import collected, plan_of, save_table, write_table

SCRATCH = RunOptions(from_scratch=True)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose recipe has a backbone that begins with ImageNet's weights."""
    recipe = tiny_cnn_recipe(
        network={"name": "mobilenet", "options": {"layer": "conv_pw_2_relu", "dense": [8], "dropout": 0.2}},
        input={"height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0},
        training={"loss": "binary-crossentropy", "learning_rate": 1e-3, "batch": 4, "initial": "imagenet"},
    )
    return write_random_model(tmp_path_factory.mktemp("models"), recipe)


@pytest.fixture
def run(tmp_path: Path, mobilenet: Path) -> RunFolder:
    folder = tmp_path / "data"
    save_table(folder, write_table(folder, patients=20, images=2))
    found = RunFolder(tmp_path / "run")
    plan = plan_of(folder / "labels.csv", recipe=RecipePlan(name=str(mobilenet), level="quick"))
    collected(found, plan)
    lock_split(found)
    return found


@pytest.mark.parametrize("method", ["svm", "logistic"])
def test_that_quick_fits_a_head_on_features_that_are_computed_once(method: str, run: RunFolder, monkeypatch) -> None:
    plan = run.plan()
    changes = {} if method == "svm" else {"training.method": method}
    run.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"changes": changes})}))
    ran = run_training(run, SCRATCH, Settings(), no_progress, never())
    recipe = read_manifest(run.model).recipe
    assert (recipe.training.method, recipe.network.options) == (method, {"layer": "conv_pw_2_relu"})
    assert [event.kind for event in run.events()] == ["started", "finished"]
    images = sum(run.split().parts[row.patient] == "train" for row in run.rows())
    assert run.events()[-1].sentence == f"The classifier is fitted on the features of {images} images."
    assert set(run.events()[0].numbers) == {"device", "from_scratch"}
    scores = load_network(run.model).predict(np.random.default_rng(0).random((3, 50, 50, 3)).astype(np.float32))
    assert scores.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    found = forecast(run, SCRATCH, Settings(), no_progress, never())
    assert found.cached == found.images > 0
    assert found.epochs == 0

    def unread(*_: object) -> None:
        raise AssertionError("an image whose features are known was decoded")

    monkeypatch.setattr(kept_samples, "load_sample", unread)
    again = run_training(run, RunOptions(anew=True, from_scratch=True), Settings(), no_progress, never())
    assert again.manifest.sha256 == ran.manifest.sha256


def test_that_features_of_another_preparation_are_others(run: RunFolder) -> None:
    run_training(run, SCRATCH, Settings(), no_progress, never())
    plan = run.plan()
    changes = {"input.equalise": True}
    run.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"changes": changes})}))
    assert forecast(run, SCRATCH, Settings(), no_progress, never()).cached == 0


def test_that_an_unreadable_image_is_left_out_and_told(run: RunFolder) -> None:
    first = next(row for row in run.rows() if run.split().parts[row.patient] == "train")
    first.file.write_bytes(b"no picture any more")
    ran = run_training(run, SCRATCH, Settings(), no_progress, never())
    assert any(first.file.name in notice for notice in ran.notices)


def test_that_levels_are_what_they_say() -> None:
    def planned(name: str, level: str, **question: object) -> Recipe:
        plan = Plan(question=Question(**question), recipe=RecipePlan(name=name, level=level))  # type: ignore[arg-type]
        return planned_recipe(plan, Settings()).recipe

    paper = load_recipe(Settings().resources / "recipes" / "breakhis-vgg16-head.toml")
    exact = planned("breakhis-vgg16-head", "exact", classes=("benign", "malignant"))
    assert exact.training == paper.training
    assert exact.augmentation == paper.augmentation
    thorough = planned("vgg19-svm", "thorough")
    assert (thorough.training.method, thorough.training.early_stopping) == ("gradient", 10)
    assert (planned("idc-patches", "exact").training.refit, planned("idc-patches", "thorough").training.refit) == (
        True,
        False,  # page 9 chooses on the validation patients
    )
    assert planned("densenet121-tuned", "thorough").training.train_from == "conv5_block16_2_conv"
    assert planned("breakhis-vgg16-head", "quick", classes=("a", "b", "c")).classes == ("a", "b", "c")
    with pytest.raises(RecipeError, match="idc-cnn has no backbone"):
        planned("idc-cnn", "quick")
    with pytest.raises(RecipeError, match="takes training by gradient"):
        planned("lesion-unet", "quick", task="segmentation")
    with pytest.raises(DataError, match="about outlines, and idc-cnn tells classes apart"):
        planned("idc-cnn", "exact", task="segmentation")
    with pytest.raises(DataError, match="No recipe is chosen"):
        planned("", "quick")
    assert not has_quick(tiny_unet_recipe())
    assert has_quick(paper)


def test_that_every_field_that_the_papers_set_has_a_row() -> None:
    left_out = {
        "training.split", "training.train_fraction", "training.validation_fraction", "training.validate_where",
        "input.channels", "input.crop", "input.breast_only", "input.acquisitions", "input.modifiers_refused",
        "input.for_processing", "input.fit", "input.means", "input.deviations", "input.mpp_um", "input.overlap",
    }  # fmt: skip
    parts = {"training": TrainingSpec, "augmentation": AugmentationSpec, "input": InputSpec}
    fields = {f"{part}.{name}" for part, spec in parts.items() for name in spec.model_fields}
    named = {row.name for row in TABLE if not row.name.startswith("network.options")}
    assert fields - left_out == named
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert all(row.meaning.endswith(".") for row in TABLE)


def test_that_every_value_of_every_bundled_recipe_is_offered_and_accepted() -> None:
    for path in sorted((Settings().resources / "recipes").glob("*.toml")):
        recipe = load_recipe(path)
        values = {row.name: value_of(recipe, row.name) for row in offered(recipe)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        again = changed(recipe, plain)
        assert (again.training, again.augmentation, again.input) == (
            recipe.training,
            recipe.augmentation,
            recipe.input,
        ), path.name


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("learning_rate=1e-5", "training.learning_rate", 1e-5),
        ("training.batch = 16", "training.batch", 16),
        ("early_stopping=none", "training.early_stopping", None),
        ("balance=none", "training.balance", "none"),
        ("stain=macenko", None, None),
        ("input.stain=none", "input.stain", ""),
        ("flip_vertical=yes", "augmentation.flip_vertical", True),
        ("dense=1024, 256", "network.options.dense", [1024, 256]),
        ("frozen=block1,block2", "training.frozen", ["block1", "block2"]),
        ("frozen=none", "training.frozen", []),
        ("train_from=block5_conv1", "training.train_from", "block5_conv1"),
        ("learning_rate", None, None),
        ("wings=2", None, None),
    ],
)
def test_that_name_and_value_of_the_command_line_are_read(text: str, name: str | None, value: object) -> None:
    recipe = load_recipe(Settings().resources / "recipes" / "breakhis-vgg16-head.toml")
    if name is None:
        with pytest.raises(RecipeError):
            parsed(text, recipe)
        return
    assert parsed(text, recipe) == (name, value)
    assert full_name(name) == name
    assert parsed("dense=512", tiny_cnn_recipe()) == ("network.options.dense", 512)  # one layer, in that network


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"training.learning_rate": 0}, r"training.learning_rate cannot be 0: above 0"),
        ({"training.momentum": 1}, r"from 0 below 1"),
        ({"augmentation.rotation_deg": 200}, r"from 0 to 180"),
        ({"training.optimizer": "lion"}, r"adam, adamw, sgd, rmsprop"),
        ({"training.wings": 2}, r"no hyper-parameter 'training.wings'"),
        ({"network.options.pooling": "max"}, r"tiny-cnn has no 'pooling'"),
        ({"training.loss": "hinge"}, r"do not go together"),
    ],
)
def test_that_a_value_out_of_its_limits_is_refused_in_one_sentence(changes: dict, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        changed(tiny_cnn_recipe(), changes)


def test_that_kept_samples_are_those_that_were_prepared(tmp_path: Path) -> None:
    for patient in range(2):
        write_patch_folder(tmp_path / "d" / str(patient), patient=f"{patient}_idx5")
    recipe = tiny_cnn_recipe()
    samples = read_dataset(tmp_path / "d", recipe, Settings()).samples
    plain, _ = load_samples(samples, recipe, Settings(), no_progress, never())
    broken = [samples[0].__class__(tmp_path / "missing.png", "9", 0), *samples]
    with PixelFile(tmp_path) as file:
        kept, problems = keep_samples(broken, recipe, Settings(), file, no_progress, never())
        assert len(problems) == 1
        assert len(kept) == len(plain)
        for one, other in zip(kept, plain, strict=True):
            assert np.array_equal(one.working.pixels, other.working.pixels)
            assert (one.sample, one.label, one.prepared) == (other.sample, other.label, other.prepared)
        both = kept[:3] + kept.chosen([5])
        assert isinstance(both, KeptSamples)
        assert [one.sample for one in both] == [*samples[:3], samples[5]] == both.samples
        own, known = TrainingBatches(kept, recipe, 3), TrainingBatches(plain, recipe, 3)
        assert all(np.array_equal(a, b) for a, b in zip(own.batch(1, 2), known.batch(1, 2), strict=True))
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


class _Full:
    """A file on a disk without room."""

    def seek(self, _: int) -> None:
        pass

    def write(self, _: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_that_a_full_disk_is_named_with_what_to_do(tmp_path: Path, monkeypatch) -> None:
    with PixelFile(tmp_path) as file, monkeypatch.context() as full:
        full.setattr(file, "_file", _Full())
        with pytest.raises(OutputError) as caught:
            file.add(np.zeros((2, 2, 3), np.uint8))
    assert is_disk_full(caught.value)
    assert str(caught.value) == (
        f"There is no room left on the disk of {tmp_path}, where the prepared images are kept while training runs: "
        "free some, and go on with the training."
    )


def test_that_class_weights_are_the_balanced_ones(tmp_path: Path) -> None:
    write_patch_folder(tmp_path / "d", rows=3, columns=4)
    base = tiny_cnn_recipe()
    samples = [s for i, s in enumerate(read_dataset(tmp_path / "d", base, Settings()).samples) if s.label or i % 3 == 0]
    plain, _ = load_samples(samples, base, Settings(), no_progress, never())
    weighted = base.model_copy(update={"training": base.training.model_copy(update={"class_weights": True})})
    labels = [one.label for one in plain]
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
    assert TrainingBatches(plain, weighted, 0).class_weights == pytest.approx(expected)
    assert TrainingBatches(plain, base, 0).class_weights == ()


def test_that_a_logistic_head_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    features = rng.normal(3, [1, 5, 0.1], (90, 3)).astype(np.float32)
    for classes in (2, 3):
        labels = (np.digitize(features[:, 0], [2.7, 3.4][: classes - 1])).astype(np.intp)
        scaler = StandardScaler().fit(features)
        model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(scaler.transform(features), labels)
        head = fit_logistic(features, labels, classes, 1.0, 0)
        assert softmax(head, features) == pytest.approx(model.predict_proba(scaler.transform(features)), abs=1e-3)


def test_that_what_was_trained_otherwise_is_told_in_words_and_what_does_not_count_is_left_out() -> None:
    recipe = tiny_cnn_recipe()
    assert differences(recipe, recipe) == []
    trained = changed(recipe, {
        "training.epochs": recipe.training.epochs + 1,
        "training.ema": 0.98,
        "training.refit": not recipe.training.refit,
        "training.mixed_precision": not recipe.training.mixed_precision,
    })  # fmt: skip
    found = differences(recipe, trained)
    assert f"epochs {recipe.training.epochs + 1} instead of {recipe.training.epochs}" in found
    assert "moving average of the weights 0.98 instead of none" in found
    assert any(one.startswith("training anew on validation patients ") for one in found)
    assert len(found) == 3
