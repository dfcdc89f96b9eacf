"""Features once, an SVM as the head, VLAD, and the cache between."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import DataError, RecipeError
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.keras_backend import build, load_network
from pathview.models.keras_features import Extractor
from pathview.models.keras_training import started
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.loading import Loaded, load_samples
from pathview.training.data.parts import split_of
from pathview.training.learning.feature_cache import FeatureCache
from pathview.training.learning.features import fit_centres, fit_svm, pooled_features, scaled_to, softmax
from pathview.training.learning.finetune import TrainRequest, train
from pathview.training.learning.sweep import SweepRequest, sweep
from tests.makers import tiny_cnn_recipe, write_patch_folder


def svm_recipe(**options) -> Recipe:
    network = {"name": "mobilenet", "options": {"layer": "conv_pw_3_relu", **options}}
    size = {"height": 50, "width": 50, "channels": 3}
    training = {"method": "svm", "loss": "hinge", "frozen": ["conv"]}
    return Recipe.model_validate(
        {**tiny_cnn_recipe().model_dump(), "network": network, "input": size, "training": training}
    )


@pytest.fixture(scope="module")
def idc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("idc")
    for patient in range(8):
        write_patch_folder(root / str(patient), rows=2, columns=4, patient=f"{patient}_idx5")
    return root


@pytest.fixture(scope="module")
def loaded(idc: Path) -> list[Loaded]:
    recipe = svm_recipe()
    return load_samples(read_dataset(idc, recipe, Settings()).samples, recipe, Settings(), no_progress, never())[0]


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache" / "features.sqlite")


@pytest.mark.parametrize("options", [{}, {"pooling": "max"}, {"pooling": "vlad", "clusters": 4}], ids=str)
def test_that_an_svm_is_trained_kept_and_run_as_any_network(options, idc: Path, home: Path, tmp_path: Path) -> None:
    request = TrainRequest(svm_recipe(**options), idc, tmp_path / "out", seed=1)
    trained = train(request, Settings(), lambda _: None, no_progress, never())
    assert trained.manifest.metrics["metrics"]["auc"] > 0.95  # the classes differ in colour
    assert trained.manifest.epochs == 0
    network = load_network(tmp_path / "out")
    scores = network.predict(np.random.default_rng(0).random((3, 50, 50, 3)).astype(np.float32))
    assert scores.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert network.gradcam(np.zeros((1, 50, 50, 3), np.float32), ["conv_pw_3"])["conv_pw_3"].shape[0] == 1


def test_that_features_come_from_the_cache_the_second_time(loaded, cache: FeatureCache, monkeypatch) -> None:
    extractor = Extractor(build(svm_recipe()))
    layers = ("conv_pw_1", "conv_pw_3")
    first = pooled_features(extractor, loaded, layers, "mean", cache, no_progress, never())
    assert {name: values.shape for name, values in first.items()} == {
        "conv_pw_1": (len(loaded), 64),
        "conv_pw_3": (len(loaded), 128),
    }
    monkeypatch.setattr(extractor, "pooled", None)
    second = pooled_features(extractor, loaded, layers, "mean", cache, no_progress, never())
    for layer in layers:
        assert np.array_equal(first[layer], second[layer])
    with pytest.raises(TypeError):  # another pooling is another feature
        pooled_features(extractor, loaded, layers, "max", cache, no_progress, never())


def test_that_other_weights_are_other_features(loaded) -> None:
    digests = {Extractor(started(svm_recipe(), seed, None)).digest for seed in (1, 1, 2)}
    assert len(digests) == 2


def test_that_pooled_features_are_the_means_of_the_map(loaded) -> None:
    extractor = Extractor(build(svm_recipe()))
    images = np.random.default_rng(0).random((2, 50, 50, 3)).astype(np.float32)
    columns = extractor.columns(images, extractor.last)
    for pooling, expected in (("mean", columns.mean(axis=1)), ("max", columns.max(axis=1))):
        (values,) = extractor.pooled(images, [extractor.last], pooling)
        assert values == pytest.approx(expected, abs=1e-5)
    assert extractor.head_input(images) == pytest.approx(columns.mean(axis=1), abs=1e-5)
    with pytest.raises(RecipeError, match="no layer 'conv_pw_99'"):
        extractor.pooled(images, ["conv_pw_99"], "mean")


def test_that_vlad_is_the_sum_of_residuals(loaded) -> None:
    extractor = Extractor(build(svm_recipe(pooling="vlad", clusters=5)))
    centres = fit_centres(extractor, loaded, 5, 0, no_progress, never())
    extractor.set_centres(centres)
    images = np.random.default_rng(0).random((2, 50, 50, 3)).astype(np.float32)
    for columns, found in zip(extractor.columns(images, extractor.last), extractor.head_input(images), strict=True):
        expected = np.zeros_like(centres)
        for column in columns:
            nearest = int(((centres - column) ** 2).sum(axis=1).argmin())
            expected[nearest] += column - centres[nearest]
        expected = expected.ravel() / np.linalg.norm(expected)
        assert found == pytest.approx(expected, abs=1e-4)


def test_that_the_head_is_the_svm() -> None:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(0)
    features = rng.normal(3, [1, 5, 0.1], (90, 3)).astype(np.float32)
    labels = (features @ [1, 0.2, -4] + rng.normal(0, 1, 90) > -7.8).astype(np.intp)
    head = fit_svm(features, labels, 2, 1.0, 0)
    scaler = StandardScaler().fit(features)
    svm = LinearSVC(C=1.0, class_weight="balanced", random_state=0, max_iter=20_000).fit(
        scaler.transform(features), labels
    )
    distances = svm.decision_function(scaler.transform(features))
    assert softmax(head, features)[:, 1] == pytest.approx(1 / (1 + np.exp(-distances)), abs=1e-4)
    three = fit_svm(features, np.arange(90) % 3, 3, 1.0, 0)
    assert three.kernel.shape == (3, 3)


def test_that_scaling_keeps_the_order_and_never_turns_it_round() -> None:
    features = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    labels = (features[:, 0] > 0.2).astype(np.intp)
    head = fit_svm(features, labels, 2, 1.0, 0)
    for truth in (labels, 1 - labels):
        scores = softmax(scaled_to(head, features, truth), features)[:, 1]
        assert (np.diff(scores) >= 0).all()
    assert scaled_to(head, features, np.zeros(40, np.intp)) is head
    with pytest.raises(DataError, match="class number 1"):
        fit_svm(features, np.zeros(40, np.intp), 2, 1.0, 0)


def test_that_too_few_columns_and_a_head_with_layers_are_told(loaded) -> None:
    extractor = Extractor(build(svm_recipe(pooling="vlad", clusters=1000)))
    with pytest.raises(DataError, match="too few for 1000 centres"):
        fit_centres(extractor, loaded[:1], 1000, 0, no_progress, never())
    deep = Extractor(build(svm_recipe(dense=(8,))))
    with pytest.raises(RecipeError, match="dense layers"):
        deep.set_head(np.zeros((128, 2), np.float32), np.zeros(2, np.float32))


def test_that_cancel_keeps_what_was_computed(loaded, cache: FeatureCache) -> None:
    extractor = Extractor(build(svm_recipe()))
    stop = threading.Event()

    def one_step(_) -> None:
        stop.set()

    with pytest.raises(Cancelled):
        pooled_features(extractor, loaded, ["conv_pw_3"], "mean", cache, one_step, stop)
    done = []
    pooled_features(extractor, loaded, ["conv_pw_3"], "mean", cache, done.append, never())
    assert done[0].total == len(loaded) - 16


def test_that_a_sweep_compares_layers_on_patients_left_out_and_reads_the_cache(
    idc: Path, home: Path, monkeypatch
) -> None:
    request = SweepRequest(svm_recipe(), idc, ("conv_pw_1", "conv_pw_3"))
    rows = sweep(request, Settings(), no_progress, never())
    assert [(row["layer"], row["features"]) for row in rows] == [("conv_pw_1", 64), ("conv_pw_3", 128)]
    split = split_of(read_dataset(idc, request.recipe, Settings()), request.recipe, 0)
    for row in rows:
        assert row["n_patients"] == len(split.train) + len(split.validation)
        assert row["metrics"]["auc"] > 0.9
        assert "mean_std_rgb" in row["baselines"]
    monkeypatch.setattr(Extractor, "pooled", None)
    assert sweep(request, Settings(), no_progress, never()) == rows
    monkeypatch.undo()
    monkeypatch.setenv("PATHVIEW_HOME", str(home))
    with pytest.raises(RecipeError, match="no layer 'conv_99'"):
        sweep(replace(request, layers=("conv_99",)), Settings(), no_progress, never())
    spaced = sweep(replace(request, layers=()), Settings(), no_progress, never())
    assert [row["depth"] for row in spaced] == sorted(row["depth"] for row in spaced)


def test_that_the_cache_is_bounded_and_lets_the_oldest_go(tmp_path: Path, monkeypatch) -> None:
    days = itertools.count(step=86_400.0)
    monkeypatch.setattr("pathview.training.learning.feature_cache.time.time", lambda: next(days))
    cache = FeatureCache(tmp_path / "c.sqlite", max_bytes=10_000)
    vector = np.ones(250, np.float32)  # 1,000 bytes
    for number in range(9):
        cache.put("k", {str(number): vector})
    assert set(cache.get("k", ["0"])) == {"0"}  # used again: young
    cache.put("k", {"9": vector, "10": vector})
    left = set(cache.get("k", [str(number) for number in range(11)]))
    assert {"0", "9", "10"} <= left
    assert len(left) == 9
    assert "1" not in left


def test_that_a_damaged_cache_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"no database" * 100)
    cache = FeatureCache(tmp_path / "c.sqlite")
    cache.put("k", {"a": np.ones(3, np.float32)})
    assert np.array_equal(cache.get("k", ["a", "b"])["a"], np.ones(3))
