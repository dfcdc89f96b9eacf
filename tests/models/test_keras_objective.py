"""Losses against plain NumPy, class weights, and one training on two devices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pathview.jobs import never, no_progress
from pathview.models.keras_objective import dice, loss
from pathview.models.keras_training import FitRequest, fit, prefetched
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe

RNG = np.random.default_rng(3)
SPREAD = """
import json
import sys
import numpy as np
from pathview.jobs import never, no_progress
from pathview.models import devices, keras_backend

keras_backend.start()
import tensorflow as tf

count = int(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
if count > 1:
    devices.spread = lambda: tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])

from tests.models.test_keras_objective import Noise, request
from pathlib import Path

reports = []
predicted = lambda predict: {"loss": float(predict(Noise().batch(9, 9)[0]).mean())}
from pathview.models.keras_training import fit

fitted = fit(
    request(Path(sys.argv[2])), Noise(), predicted, reports.append, no_progress, never()
)
np.savez(sys.argv[3], *[fitted.tensors[name] for name in sorted(fitted.tensors)])
print(json.dumps([report.loss for report in reports]))
"""


class Noise:
    """Batches of noise."""

    def __len__(self) -> int:
        return 3

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([epoch, index])
        truths = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 4)]
        return rng.random((4, 50, 50, 3), dtype=np.float32), truths


def request(folder: Path, **changes: object) -> FitRequest:
    training = {
        "loss": "binary-crossentropy", "optimizer": "sgd", "learning_rate": 0.05, "batch": 4, "epochs": 2,
    }  # fmt: skip
    recipe = tiny_cnn_recipe(training=training, network={"name": "idc-cnn", "options": {"dense": 4, "dropout": 0.0}})
    return FitRequest(recipe, 2, 0, folder, **changes)  # type: ignore[arg-type]


def of(training: dict, segmentation: bool = False):
    recipe = tiny_unet_recipe() if segmentation else tiny_cnn_recipe()
    return loss(recipe.model_copy(update={"training": recipe.training.model_copy(update=training)}))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_that_the_focal_loss_is_that_of_its_paper(gamma: float) -> None:
    scores = RNG.dirichlet(np.ones(2), 20).astype(np.float32)
    truths = np.eye(2, dtype=np.float32)[RNG.integers(0, 2, 20)]
    right = (scores * truths).sum(axis=1)
    found = float(of({"loss": "focal", "focal_gamma": gamma})(truths, scores))
    assert found == pytest.approx(float(np.mean(-((1 - right) ** gamma) * np.log(right))), rel=1e-4)
    masks = RNG.random((3, 8, 8, 1)).astype(np.float32).round()
    pixels = RNG.uniform(0.05, 0.95, (3, 8, 8, 1)).astype(np.float32)
    right = np.where(masks > 0, pixels, 1 - pixels)
    found = float(of({"loss": "focal", "focal_gamma": gamma}, segmentation=True)(masks, pixels))
    assert found == pytest.approx(float(np.mean(-((1 - right) ** gamma) * np.log(right))), rel=1e-4)


def test_that_dice_counts_pixels_and_nothing_against_nothing_is_whole() -> None:
    truths = np.zeros((3, 4, 4, 1), np.float32)
    scores = np.zeros((3, 4, 4, 1), np.float32)
    truths[0, :2], scores[0, 1:3] = 1, 0.9
    truths[1, 0] = 1
    assert np.asarray(dice(truths, scores)) == pytest.approx([0.5, 0.0, 1.0])


def test_that_class_weights_weigh_the_loss(tmp_path: Path) -> None:
    def first_loss(weights: tuple[float, ...]) -> float:
        reports: list = []
        fit(request(tmp_path, class_weights=weights, last_epoch=1), Noise(), None, reports.append, no_progress, never())
        return reports[0].loss

    plain, only_second, doubled = (first_loss(weights) for weights in ((), (0.0, 1.0), (2.0, 2.0)))
    assert doubled > plain > only_second > 0


def test_that_batches_come_in_their_order() -> None:
    found = [images for images, _ in prefetched(Noise(), 5)]
    assert all(np.array_equal(images, Noise().batch(5, index)[0]) for index, images in enumerate(found))
    assert len(found) == 3


def test_that_two_devices_learn_what_one_does(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    found = []
    for count in (1, 2):
        kept = tmp_path / f"{count}.npz"
        words = [sys.executable, "-c", SPREAD, str(count), str(tmp_path / f"state{count}"), str(kept)]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(kept) as arrays:
            found.append(([arrays[name] for name in arrays.files], json.loads(done.stdout)))
    (one, losses), (two, others) = found
    assert others == pytest.approx(losses, rel=1e-4)
    for alone, shared in zip(one, two, strict=True):
        assert shared == pytest.approx(alone, abs=1e-5)
