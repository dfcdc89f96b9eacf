"""Training end to end on data small enough for seconds."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import DataError, ModelError
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.keras_backend import build, load_network
from pathview.models.keras_training import started
from pathview.models.recipe import load_recipe
from pathview.models.training_state import STATE
from pathview.models.weights import WEIGHTS, check_folder, read_manifest, read_seen
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.loading import load_samples
from pathview.training.learning.batches import TrainingBatches
from pathview.training.learning.finetune import TrainRequest, train
from pathview.training.learning.start import Start, start_of
from pathview.training.measures.assess import EvaluateRequest, evaluate_model
from tests.makers import breast_pixels, tiny_cnn_recipe, tiny_unet_recipe, write_patch_folder


@pytest.fixture(scope="module")
def idc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients with both classes, told apart by colour."""
    root = tmp_path_factory.mktemp("idc")
    for patient in range(6):
        write_patch_folder(root / str(patient), rows=3, columns=4, patient=f"{patient}_idx5")
    return root


@pytest.fixture(scope="module")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients with a bright spot each and its outline."""
    root = tmp_path_factory.mktemp("lesions")
    for name in ("images", "masks"):
        (root / name).mkdir()
    rows = ["file,patient,type"]
    for patient in range(8):
        pixels = (breast_pixels(80 + patient, 64) // 17).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{patient}.png")
        Image.fromarray(((pixels > 200) * 255).astype(np.uint8)).save(root / "masks" / f"{patient}.png")
        rows.append(f"{patient}.png,P{patient},{'DM' if patient % 2 else 'CM'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


def run(request: TrainRequest, on_epoch=lambda report: None, cancel=None):
    return train(request, Settings(), on_epoch, no_progress, cancel or never())


def test_that_feature_wise_statistics_are_fitted_on_the_training_images_alone(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe()
    recipe = recipe.model_copy(update={"input": recipe.input.model_copy(update={"normalise": "feature-wise"})})
    trained = run(TrainRequest(recipe, idc, tmp_path / "out", epochs=1))
    kept = read_manifest(tmp_path / "out").recipe.input
    split = trained_split(tmp_path / "out")
    samples = [s for s in read_dataset(idc, recipe, Settings()).samples if s.patient in split["train"]]
    patches = [open_image(sample.path) for sample in samples]
    whole = [patch.read_region(Region.whole(patch.info.size)) for patch in patches]
    pixels = np.concatenate([patch.reshape(-1, 3) / 255 for patch in whole if patch.shape[:2] == (50, 50)])
    assert kept.means == pytest.approx(pixels.mean(axis=0), abs=0.02)  # border patches are stretched
    assert kept.deviations == pytest.approx(pixels.std(axis=0), abs=0.02)
    model = build(trained.manifest.recipe)
    image = np.random.default_rng(0).random((1, 50, 50, 3)).astype(np.float32)
    import keras

    seen = keras.Model(model.inputs[0], model.get_layer("feature_wise").output)(image)
    assert np.asarray(seen) == pytest.approx((image - kept.means) / kept.deviations, abs=1e-4)


def trained_split(folder: Path) -> dict:
    return json.loads((folder / "split.json").read_text())


def test_that_a_random_split_is_called_what_it_is(idc: Path, tmp_path: Path) -> None:
    base = tiny_cnn_recipe()
    recipe = base.model_copy(update={"training": base.training.model_copy(update={"split": "random"})})
    trained = run(TrainRequest(recipe, idc, tmp_path / "out", epochs=1))
    assert any("at random" in notice for notice in trained.notices)
    assert "left out at random" in (tmp_path / "out" / "card.md").read_text()
    split = trained_split(tmp_path / "out")
    assert sum(split.values()) == len(read_dataset(idc, recipe, Settings()).samples)
    seen = read_seen(tmp_path / "out")
    assert not seen.train & seen.test


def test_that_the_second_stage_goes_on_from_the_first_and_learns_black_boxes(
    lesions: Path, home: Path, tmp_path: Path
) -> None:
    """Seed 2: first all outlines, then benign images against an empty mask, weights carried over."""
    data = tmp_path / "data"
    shutil.copytree(lesions, data)
    rows = ["file,patient,label", *(f"{i}.png,P{i},{'malignant' if i % 2 else 'benign'}" for i in range(8))]
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    first = tiny_unet_recipe(name="first")
    run(TrainRequest(first, data, home / "models" / "first", epochs=1))
    training = first.training.model_copy(update={"initial": "first", "black_box": True})
    second = first.model_copy(update={"name": "second", "training": training})
    start = start_of(second, None, False, Settings())
    assert start.words.startswith("the model first, SHA-256")
    carried = started(second, 5, start.file)
    kept = load_network(home / "models" / "first")._model
    for mine, given in zip(carried.weights, kept.weights, strict=True):
        assert np.array_equal(mine.numpy(), given.numpy()), mine.path
    truths = [one.mask.any() for one in loaded_as(second, data)]
    assert truths == [False, True] * 4
    trained = run(TrainRequest(second, data, tmp_path / "out", epochs=1, start=start))
    assert trained.manifest.initial == start.words
    assert "accuracy" in trained.manifest.metrics["metrics"] or trained.manifest.metrics["n_images"] < 3
    other = tiny_unet_recipe(network={"name": "zf-unet", "options": {"width": 3}})
    with pytest.raises(ModelError, match="cannot start from first"):
        started(other, 0, start.file)


def loaded_as(recipe, data: Path):
    samples = read_dataset(data, recipe, Settings()).samples
    return load_samples(samples, recipe, Settings(), no_progress, never())[0]


def test_that_each_epoch_leaves_a_picture_of_validation_images(lesions: Path, tmp_path: Path) -> None:
    recipe = tiny_unet_recipe()
    training = recipe.training.model_copy(update={"epoch_pictures": 2, "validation_fraction": 0.3})
    recipe = recipe.model_copy(update={"training": training})
    run(TrainRequest(recipe, lesions, tmp_path / "out", epochs=2))
    pictures = sorted((tmp_path / "out" / "epochs").iterdir())
    assert [path.name for path in pictures] == ["epoch-001.png", "epoch-002.png"]
    with Image.open(pictures[-1]) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (64 * 2 + 4, 64 * 3 + 8, 3)
    truth = pixels[:64, 68:132, 0]
    assert set(np.unique(truth)) == {0, 255}
    with Image.open(pictures[0]) as first:
        before = np.asarray(first)
    assert np.array_equal(before[:, :132], pixels[:, :132])
    assert not np.array_equal(before[:, 136:], pixels[:, 136:])  # the network has learnt


def test_that_images_of_which_none_can_be_used_are_told(lesions: Path, tmp_path: Path) -> None:
    recipe = tiny_unet_recipe()
    for path in (lesions / "images").iterdir():
        (tmp_path / "data" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "images" / path.name).write_bytes(b"no picture")
    shutil.copytree(lesions / "masks", tmp_path / "data" / "masks")
    shutil.copy(lesions / "labels.csv", tmp_path / "data" / "labels.csv")
    for normalise in ("none", "feature-wise"):
        spec = recipe.input.model_copy(update={"normalise": normalise})
        request = TrainRequest(recipe.model_copy(update={"input": spec}), tmp_path / "data", tmp_path / "out")
        with pytest.raises(DataError, match=r"None of the \d training images can be used: \d\.png"):
            run(request)


def test_that_figures_can_be_told_apart_by_a_column(lesions: Path, tiny_unet: Path) -> None:
    request = EvaluateRequest(tiny_unet, lesions, "all", by="type")
    groups = evaluate_model(request, Settings(), no_progress, never()).report["groups"]["type"]
    assert {name: group["n_images"] for name, group in groups.items()} == {"DM": 4, "CM": 4}
    with pytest.raises(DataError, match="no column 'scanner'"):
        evaluate_model(replace(request, by="scanner"), Settings(), no_progress, never())


def test_that_wrong_paths_are_told_before_the_training(idc: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.md"
    with pytest.raises(DataError, match=r"missing\.md does not exist"):
        run(TrainRequest(tiny_cnn_recipe(), idc, tmp_path / "out", about=missing))
    with pytest.raises(DataError, match=r"missing\.md does not exist"):
        start_of(tiny_cnn_recipe(), missing, False, Settings())
    assert not (tmp_path / "out").exists()


def test_that_a_recipe_for_imagenet_weights_asks_before_it_starts_from_scratch(home: Path) -> None:
    recipe = load_recipe(Settings().resources / "recipes" / "mobilenet-idc.toml")
    with pytest.raises(DataError, match=r"ImageNet weights of mobilenet.*--from-scratch"):
        start_of(recipe, None, False, Settings())
    assert start_of(recipe, None, True, Settings()) == Start()
    assert start_of(tiny_cnn_recipe(), None, False, Settings()) == Start()


def test_that_a_classifier_is_trained_split_by_patient_and_measured(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe(
        network={"name": "idc-cnn", "options": {"dense": 16, "dropout": 0.1}},
        training={"loss": "binary-crossentropy", "learning_rate": 3e-3, "batch": 8, "epochs": 15, "refit": True},
    )
    reports = []
    trained = run(TrainRequest(recipe, idc, tmp_path / "out", seed=3), reports.append)
    assert [r.epoch for r in reports] == [*range(1, 16)] * 2
    split = json.loads((tmp_path / "out" / "split.json").read_text())
    assert sorted(patient for part in split.values() for patient in part) == [str(i) for i in range(6)]
    figures = trained.manifest.metrics
    assert figures["part"] == "test"
    assert figures["n_patients"] == len(split["test"])
    assert figures["metrics"]["accuracy"] > 0.9
    assert {"majority", "mean_std_rgb"} == set(figures["baselines"])
    assert set(figures["intervals"]) == set(figures["metrics"])
    seen = read_seen(tmp_path / "out")
    assert len(seen.train) + len(seen.validation) + len(seen.test) == len(
        {sample for part in (seen.train, seen.validation, seen.test) for sample in part}
    )
    card = (tmp_path / "out" / "card.md").read_text()
    assert "Investigational use only" in card
    assert trained.manifest.sha256 in card
    assert check_folder(tmp_path / "out").recipe.name == "tiny-cnn"


def test_that_evaluation_leaves_out_what_training_saw(idc: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained = run(TrainRequest(tiny_cnn_recipe(), idc, out, seed=3))
    request = EvaluateRequest(out, idc, out=tmp_path / "report")
    found = evaluate_model(request, Settings(), no_progress, never())
    assert found.report["metrics"] == trained.manifest.metrics["metrics"]
    assert found.report["n_patients"] == trained.manifest.metrics["n_patients"]
    assert "left out" in " ".join(found.notices)
    everything = evaluate_model(EvaluateRequest(out, idc, "all"), Settings(), no_progress, never())
    assert everything.report["n_patients"] == 6
    rows = (tmp_path / "report" / "predictions.csv").read_text().splitlines()
    assert len(rows) == 1 + found.report["n_images"]
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "p").symlink_to(idc / json.loads((out / "split.json").read_text())["train"][0])
    with pytest.raises(DataError, match=r"All .* images .* were used to train"):
        evaluate_model(EvaluateRequest(out, alone / "p"), Settings(), no_progress, never())


def test_that_a_segmentation_is_calibrated_on_validation_and_measured(lesions: Path, tmp_path: Path) -> None:
    recipe = tiny_unet_recipe(
        training={
            "loss": "dice+bce", "optimizer": "adamw", "learning_rate": 2e-2, "batch": 2, "epochs": 6,
            "schedule": "cosine", "ema": 0.5, "train_fraction": 0.5, "validation_fraction": 0.25,
        },
        augmentation={"flip_horizontal": True, "gamma": 0.1},
    )  # fmt: skip
    trained = run(TrainRequest(recipe, lesions, tmp_path / "out", seed=1))
    decision = trained.manifest.recipe.decision
    assert decision.threshold in [round(0.1 * i, 1) for i in range(1, 10)]
    assert 0 <= decision.lower <= decision.upper
    figures = trained.manifest.metrics
    assert {"dice", "iou", "sensitivity"} <= set(figures["metrics"])
    assert figures["baselines"]["predict_nothing"]["dice"] == 0
    assert figures["baselines"]["bright_blob"]["dice"] > 0.1


def test_that_a_resumed_run_ends_with_the_same_weights(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe(
        augmentation={"rotation_deg": 90, "stain": 0.2, "style": 0.5},
        training={"loss": "binary-crossentropy", "learning_rate": 1e-3, "batch": 8, "epochs": 4, "ema": 0.9},
    )
    run(TrainRequest(recipe, idc, tmp_path / "whole", seed=5))
    stop = threading.Event()
    with pytest.raises(Cancelled):
        run(
            TrainRequest(recipe, idc, tmp_path / "cut", seed=5),
            lambda report: stop.set() if report.epoch == 2 else None,
            stop,
        )
    assert not (tmp_path / "cut" / WEIGHTS).exists()
    run(TrainRequest(recipe, idc, tmp_path / "cut", seed=5, resume=True))
    assert read_manifest(tmp_path / "cut").sha256 == read_manifest(tmp_path / "whole").sha256


def test_that_the_same_seed_gives_the_same_weights_and_another_others(idc: Path, tmp_path: Path) -> None:
    shas = [
        run(TrainRequest(tiny_cnn_recipe(), idc, tmp_path / name, epochs=1, seed=seed)).manifest.sha256
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert shas[0] == shas[1] != shas[2]


def test_that_a_damaged_state_is_told(idc: Path, tmp_path: Path) -> None:
    state = tmp_path / "out" / "state" / STATE
    state.parent.mkdir(parents=True)
    state.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="cannot be resumed"):
        run(TrainRequest(tiny_cnn_recipe(), idc, tmp_path / "out", resume=True))


def test_that_a_loss_that_is_no_number_ends_in_a_sentence(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe(
        training={"loss": "binary-crossentropy", "optimizer": "sgd", "learning_rate": 1e30, "batch": 8, "epochs": 3}
    )
    with pytest.raises(DataError, match="lower the learning rate"):
        run(TrainRequest(recipe, idc, tmp_path / "out"))


def test_that_early_stopping_stops_and_keeps_the_best(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe(
        training={
            "loss": "binary-crossentropy", "learning_rate": 1e-9, "batch": 8, "epochs": 30, "early_stopping": 2,
        }
    )  # fmt: skip
    reports = []
    run(TrainRequest(recipe, idc, tmp_path / "out"), reports.append)
    best = max(report.epoch for report in reports if report.best)
    assert len(reports) == min(30, best + 2)


def test_that_data_without_patients_is_refused(tmp_path: Path) -> None:
    for name in ("negative", "idc"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((50, 50, 3), (90, 20, 40), np.uint8)).save(tmp_path / name / "a.png")
    with pytest.raises(DataError, match="name no patient"):
        run(TrainRequest(tiny_cnn_recipe(), tmp_path, tmp_path / "out"))


def test_that_a_class_without_images_is_named(tmp_path: Path) -> None:
    for patient in range(4):
        folder = write_patch_folder(tmp_path / "d" / str(patient), columns=2, patient=f"{patient}_idx5")
        for path in (folder / "1").iterdir():
            path.unlink()
    with pytest.raises(DataError, match="no image of the class 'idc'"):
        run(TrainRequest(tiny_cnn_recipe(), tmp_path / "d", tmp_path / "out"))


def test_that_a_mask_of_another_size_is_named(lesions: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(lesions, tmp_path / "d")
    for path in (tmp_path / "d" / "masks").iterdir():
        Image.open(path).resize((10, 10)).save(path)
    with pytest.raises(DataError, match=r"mask .* is 10 x 10"):
        run(TrainRequest(tiny_unet_recipe(), tmp_path / "d", tmp_path / "out"))


def loaded(path: Path, recipe):
    samples = read_dataset(path, recipe, Settings()).samples
    return load_samples(samples, recipe, Settings(), no_progress, never())[0]


def test_that_batches_depend_on_seed_and_epoch_alone(idc: Path) -> None:
    recipe = tiny_cnn_recipe(augmentation={"rotation_deg": 180, "style": 0.5})
    one, two = (TrainingBatches(loaded(idc, recipe), recipe, 7) for _ in range(2))
    two.batch(0, 0)
    assert all(np.array_equal(a, b) for a, b in zip(one.batch(3, 2), two.batch(3, 2), strict=True))
    assert not np.array_equal(one.batch(3, 2)[0], one.batch(4, 2)[0])


@pytest.mark.parametrize("balance", ["undersample", "patients"])
def test_that_balanced_batches_hold_both_classes_alike(balance: str, idc: Path) -> None:
    training = {"loss": "binary-crossentropy", "learning_rate": 1e-3, "batch": 4, "epochs": 1, "balance": balance}
    recipe = tiny_cnn_recipe(training=training)
    some = [one for one in loaded(idc, recipe) if one.label == 1 or one.sample.patient in ("0", "1")]
    batches = TrainingBatches(some, recipe, 0)
    truths = np.concatenate([batches.batch(0, index)[1] for index in range(len(batches))])
    assert truths[:, 1].mean() == pytest.approx(0.5, abs=0.13)


def test_that_a_trained_network_predicts_what_training_saw(idc: Path, tmp_path: Path) -> None:
    recipe = tiny_cnn_recipe(
        network={"name": "idc-cnn", "options": {"dense": 16, "dropout": 0.1}},
        training={"loss": "binary-crossentropy", "learning_rate": 3e-3, "batch": 8, "epochs": 15},
    )
    run(TrainRequest(recipe, idc, tmp_path / "out", seed=3))
    network = load_network(tmp_path / "out")
    some = loaded(idc, recipe)
    scores = network.predict(np.stack([one.working.pixels for one in some]).astype(np.float32) / 255)
    assert np.mean(scores.argmax(1) == [one.label for one in some]) > 0.9
