"""Classifiers of more than two classes: reading, training, measuring and analysing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.predict import positive_score
from pathview.errors import DataError, RecipeError
from pathview.jobs import never, no_progress
from pathview.models.keras_backend import KerasNetwork, build, load_network
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.dataset import class_index, read_dataset
from pathview.training.data.loading import Loaded, load_samples
from pathview.training.learning.batches import TrainingBatches
from pathview.training.learning.finetune import Trained, TrainRequest, train
from pathview.training.learning.fitting import validation
from pathview.training.learning.sweep import SweepRequest, sweep
from pathview.training.measures.assess import EvaluateRequest, evaluate_model
from pathview.training.measures.evaluate import by_groups, color_baseline, intervals, report
from pathview.training.measures.predictions import ScoredClasses
from pathview.training.measures.scoring import patch_baselines
from tests.makers import tiny_cnn_recipe, write_patch, write_patch_folder

CLASSES = ("normal", "polyps", "ulcer")
COUNTS = (9, 12, 15)
RNG = np.random.default_rng(0)


def recipe_of(**training: object) -> Recipe:
    """A linear SVM on three layers of MobileNet, split image by image, since folders name no patients."""
    return tiny_cnn_recipe(
        classes=CLASSES,
        network={"name": "mobilenet", "options": {"layer": "conv_pw_3_relu"}},
        input={"height": 50, "width": 50, "channels": 3},
        training={"method": "svm", "loss": "hinge", "split": "random"} | training,
    )


def by_gradient(**training: object) -> Recipe:
    return recipe_of(**{"method": "gradient", "loss": "categorical-crossentropy", "batch": 9, "epochs": 1} | training)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders named by class, of different size, told apart by colour."""
    root = tmp_path_factory.mktemp("folders")
    for index, (name, count) in enumerate(zip(CLASSES, COUNTS, strict=True)):
        (root / name).mkdir()
        for number in range(count):
            pixels = RNG.integers(30, 150, (50, 50, 3))
            pixels[..., index] += 60
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def loaded(folders: Path) -> list[Loaded]:
    samples = read_dataset(folders, recipe_of(), Settings()).samples
    return load_samples(samples, recipe_of(), Settings(), no_progress, never())[0]


@pytest.fixture(scope="module")
def trained(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATHVIEW_HOME", str(tmp_path_factory.mktemp("home")))
        request = TrainRequest(recipe_of(), folders, tmp_path_factory.mktemp("model") / "three", seed=1)
        return train(request, Settings(), lambda _: None, no_progress, never())


def scored(n: int = 300, patients: int = 15, classes: int = 4) -> ScoredClasses:
    labels = RNG.integers(0, classes, n)
    probabilities = RNG.dirichlet(np.ones(classes), n) + 0.4 * np.eye(classes)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = tuple("abcdefgh"[:classes])
    return ScoredClasses(np.array([f"p{i % patients}" for i in range(n)]), labels, probabilities, names)


def test_that_figures_of_many_classes_are_scikit_learns_macro_means() -> None:
    data = scored()
    truth, called = data.labels, data.probabilities.argmax(axis=1)
    found = data.metrics()
    assert found == pytest.approx(
        {
            "auc": sk.roc_auc_score(truth, data.probabilities, multi_class="ovr", average="macro"),
            "accuracy": sk.accuracy_score(truth, called),
            "balanced_accuracy": sk.balanced_accuracy_score(truth, called),
            "sensitivity": sk.recall_score(truth, called, average="macro"),
            "precision": sk.precision_score(truth, called, average="macro"),
            "f1": sk.f1_score(truth, called, average="macro"),
        }
    )
    assert data.confusion() == {"classes": list("abcd"), "matrix": sk.confusion_matrix(truth, called).tolist()}


def test_that_equal_probabilities_count_half_in_the_auc() -> None:
    data = scored()
    coarse = ScoredClasses(data.patients, data.labels, data.probabilities.round(1), data.classes)
    areas = sk.roc_auc_score(label_binarize(data.labels, classes=range(4)), coarse.probabilities, average=None)
    assert coarse.metrics()["auc"] == pytest.approx(areas.mean())


def test_that_means_are_over_the_classes_that_the_truths_hold() -> None:
    data = scored()
    two = data.take(np.flatnonzero(data.labels < 2))
    called = two.probabilities.argmax(axis=1)
    assert (called > 1).any()
    found = two.metrics()
    assert found["sensitivity"] == pytest.approx(
        sk.recall_score(two.labels, called, labels=[0, 1], average="macro"),
    )
    assert found["auc"] == pytest.approx(
        np.mean([sk.roc_auc_score(two.labels == i, two.probabilities[:, i]) for i in (0, 1)])
    )
    only = data.take(np.flatnonzero(data.labels == 2))
    assert only.metrics() == {"sensitivity": pytest.approx((only.probabilities.argmax(axis=1) == 2).mean())}


def test_that_a_class_never_called_has_precision_0() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1]] * 4)
    data = ScoredClasses(np.array(list("abcd")), np.array([0, 0, 1, 2]), probabilities, CLASSES)
    assert data.metrics()["precision"] == pytest.approx(0.5 / 3)
    assert data.metrics()["auc"] == 0.5


def test_that_intervals_of_many_classes_are_drawn_by_patient() -> None:
    labels = np.tile([0, 1, 2], 80)
    patients = np.repeat([f"p{i}" for i in range(8)], 30)
    right = np.repeat([True, False] * 4, 30)
    called = np.where(right, labels, (labels + 1) % 3)
    spans = intervals(ScoredClasses(patients, labels, np.eye(3)[called], CLASSES), runs=200)
    assert set(spans) == {"auc", "accuracy", "balanced_accuracy", "sensitivity", "precision", "f1"}
    assert spans["accuracy"][0] <= 0.25
    assert spans["accuracy"][1] >= 0.75


def test_that_the_report_and_its_groups_are_of_all_classes() -> None:
    data = scored()
    found = json.loads(json.dumps(report("m", data, {"same": data})))
    assert np.sum(found["confusion"]["matrix"]) == 300
    assert found["baselines"]["same"] == found["metrics"]
    assert set(found["intervals"]) == set(found["metrics"])
    groups = by_groups(data, ["x", "y"] * 150)
    own = data.take(np.arange(1, 300, 2))
    assert groups["y"]["metrics"]["accuracy"] == pytest.approx(own.metrics()["accuracy"], abs=1e-4)


def test_that_the_colour_baseline_is_multinomial_and_knows_a_class_it_never_saw() -> None:
    labels = np.tile([0, 1, 2], 40)
    features = RNG.normal(0, 1, (120, 6)) + 4 * np.eye(6)[labels]
    patients = np.repeat(list("abcd"), 30)
    found = color_baseline(None, features, labels, patients, 3)
    assert found is not None
    assert (found.argmax(axis=1) == labels).mean() > 0.9
    without = labels != 1
    fitted = color_baseline((features[without], labels[without]), features, labels, patients, 3)
    assert fitted is not None
    assert not fitted[:, 1].any()
    assert fitted.sum(axis=1) == pytest.approx(1)


def test_that_the_majority_is_of_all_classes(loaded: list[Loaded]) -> None:
    majority = patch_baselines(loaded, [], CLASSES)["majority"]
    assert majority.confusion() == {"classes": list(CLASSES), "matrix": [[0, 0, 9], [0, 0, 12], [0, 0, 15]]}


def test_that_folders_and_tables_name_any_class(folders: Path, tmp_path: Path) -> None:
    samples = read_dataset(folders, recipe_of(), Settings()).samples
    assert {(sample.path.parent.name, sample.label) for sample in samples} == set(zip(CLASSES, range(3), strict=True))
    table = tmp_path / "list.csv"
    rows = [f"{folders}/{name}/{i}.png,p{i},{i if i else name}" for i, name in enumerate(CLASSES)]
    table.write_text("\n".join(["file,patient,label", *rows]))
    assert [sample.label for sample in read_dataset(table, recipe_of(), Settings()).samples] == [0, 1, 2]


def test_that_words_of_two_classes_say_nothing_of_three() -> None:
    names = ("Polyps", "2", "3", "malignant", "negative", "-1")
    assert [class_index(name, CLASSES) for name in names] == [1, 2, None, None, None, None]


def test_that_data_of_two_classes_is_refused(tmp_path: Path) -> None:
    write_patch_folder(tmp_path / "idc")
    with pytest.raises(DataError, match="idc is of two classes, the recipe of 3"):
        read_dataset(tmp_path / "idc", recipe_of(), Settings())


def test_that_an_image_without_a_class_is_refused(folders: Path, tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).symlink_to(folders / "normal")
    (tmp_path / "labels.csv").write_text("file,label\n0.png,polyps\n1.png,odd\n")
    with pytest.raises(DataError, match=r"does not say the class of 8 images, such as 1\.png"):
        read_dataset(tmp_path, recipe_of(), Settings())


def test_that_undersampling_brings_all_classes_to_the_smallest(loaded: list[Loaded]) -> None:
    batches = TrainingBatches(loaded, by_gradient(balance="undersample"), 0)
    truths = np.concatenate([batches.batch(0, index)[1] for index in range(len(batches))])
    assert truths.sum(axis=0).tolist() == [9, 9, 9]


def test_that_drawing_by_patient_draws_all_classes_alike(loaded: list[Loaded]) -> None:
    batches = TrainingBatches(loaded, by_gradient(balance="patients"), 0)
    truths = np.concatenate([batches.batch(epoch, i)[1] for epoch in range(20) for i in range(len(batches))])
    assert truths.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.05)


def test_that_the_best_epoch_goes_by_the_loss_that_is_trained(loaded: list[Loaded]) -> None:
    outputs = RNG.dirichlet(np.ones(3), len(loaded)).astype(np.float32)
    labels = [one.label for one in loaded]

    def known(left: Iterator[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda images: np.stack([next(left) for _ in images])

    figures = validation(by_gradient(), loaded)(known(iter(outputs)))
    assert figures["loss"] == pytest.approx(sk.log_loss(labels, outputs), rel=1e-4)
    assert figures["accuracy"] == pytest.approx(sk.accuracy_score(labels, outputs.argmax(axis=1)))
    each = validation(by_gradient(loss="binary-crossentropy"), loaded)(known(iter(outputs)))
    separate = [sk.log_loss(np.array(labels) == i, outputs[:, i]) for i in range(3)]
    assert each["loss"] == pytest.approx(np.mean(separate), rel=1e-4)


def test_that_training_by_gradient_ends_with_figures_of_all_classes(folders: Path, tmp_path: Path) -> None:
    reports = []
    recipe = by_gradient().model_copy(update={"network": tiny_cnn_recipe().network})
    request = TrainRequest(recipe, folders, tmp_path / "out", seed=1)
    found = train(request, Settings(), reports.append, no_progress, never()).manifest.metrics
    assert found["confusion"]["classes"] == list(CLASSES)
    assert np.sum(found["confusion"]["matrix"]) == found["n_images"]
    assert "balanced_accuracy" in reports[0].validation


def test_that_manifest_and_card_tell_what_the_score_is(trained: Trained) -> None:
    figures = trained.manifest.metrics
    assert figures["metrics"]["accuracy"] > 0.9
    assert set(figures["baselines"]) == {"majority", "mean_std_rgb"}
    assert figures["baselines"]["majority"]["balanced_accuracy"] == pytest.approx(1 / 3, abs=1e-4)
    assert "the probability of 'ulcer' against the rest" in trained.manifest.recipe.caution
    assert "| AUC | 1.000 | none: too few patients | 0.500 |" in (trained.folder / "card.md").read_text()


def test_that_predictions_have_a_column_for_each_class(trained: Trained, folders: Path, tmp_path: Path) -> None:
    request = EvaluateRequest(trained.folder, folders, out=tmp_path)
    found = evaluate_model(request, Settings(), no_progress, never()).report
    assert found["metrics"] == trained.manifest.metrics["metrics"]
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["patient", "label", "p_normal", "p_polyps", "p_ulcer", "called"]
    assert len(rows) == found["n_images"]
    for row in rows:
        shares = {name: float(row[f"p_{name}"]) for name in CLASSES}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert max(shares, key=lambda name: shares[name]) == row["called"]
    right = np.mean([row["label"] == row["called"] for row in rows])
    assert right == pytest.approx(found["metrics"]["accuracy"], abs=1e-4)


@pytest.mark.parametrize("name", CLASSES)
def test_that_an_analysis_scores_the_last_class_against_the_rest(name: str, trained: Trained, folders: Path) -> None:
    path = folders / name / "0.png"
    found = analyse_path(path, AnalysisRequest(trained.folder), Settings(), no_progress, never())
    pixels = np.asarray(Image.open(path), np.float32)[None] / 255
    expected = load_network(trained.folder).predict(pixels)[0, -1]
    assert found.score == pytest.approx(expected, abs=1e-4)
    assert found.label == ("positive" if name == "ulcer" else "negative")
    assert "against the rest" in found.provenance.settings["caution"]


def test_that_the_score_of_many_outputs_is_the_last_one() -> None:
    assert positive_score(np.array([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4]], np.float32)) == pytest.approx([0.3, 0.4])


def test_that_a_sweep_compares_layers_on_all_classes(folders: Path) -> None:
    (row,) = sweep(SweepRequest(recipe_of(), folders, ("conv_pw_1",)), Settings(), no_progress, never())
    assert row["confusion"]["classes"] == list(CLASSES)
    assert row["metrics"]["accuracy"] > 0.9


def test_that_the_outputs_of_many_classes_are_probabilities() -> None:
    patches = tiny_cnn_recipe(classes=CLASSES)
    images = RNG.random((4, 50, 50, 3)).astype(np.float32)
    network = KerasNetwork(build(patches), patches)
    np.testing.assert_allclose(network.predict(images).sum(axis=1), 1, atol=1e-5)
    apart = recipe_of(method="gradient", loss="binary-crossentropy").model_dump()
    apart["network"]["options"]["scores"] = "sigmoid"
    with pytest.raises(RecipeError, match="Separate sigmoids are no probabilities of 3 classes"):
        build(Recipe.model_validate(apart))


def test_that_a_table_gives_idc_patches_other_classes(tmp_path: Path) -> None:
    for index, name in enumerate(CLASSES):
        write_patch(tmp_path / name, 50 * index, 0, 0)
    with pytest.raises(DataError, match="is of two classes, the recipe of 3; give a csv"):
        read_dataset(tmp_path, recipe_of(), Settings())
    files = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.png"))]
    rows = [f"{file},P{index},{CLASSES[index]}" for index, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,patient,label", *rows]) + "\n")
    found = read_dataset(tmp_path, recipe_of(), Settings())
    assert [(sample.label, sample.patient) for sample in found.samples] == [(0, "P0"), (1, "P1"), (2, "P2")]
