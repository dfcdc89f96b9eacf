"""A run's folder becomes a model, whatever comes between: pauses, kills, full disks, too little memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from pathview.errors import DataError
from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.models import training_state
from pathview.models.keras_training import NotFinite
from pathview.models.training_state import STATE, DiskFull, epochs_kept
from pathview.models.weights import read_manifest, read_seen
from pathview.settings import Settings
from pathview.training.learning.batches import TrainingBatches
from pathview.training.learning.forecast import forecast
from pathview.training.learning.running import Ran, RunOptions, run_training
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import RecipePlan, TrainingEvent
from pathview.training.runs.run_folder import EVENTS, HISTORY, RunFolder
from pathview.training.runs.run_log import present
from pathview.training.runs.steering import ask, go_on, is_training
from tests.makers import tiny_cnn_recipe, write_random_model
from tests.training.runs import collected, plan_of, save_table, write_table
from tests.training.trainings import cancel, copy_of, kinds

EPOCHS = 4
KILLED = """
import os, signal, sys
from pathview.jobs import never
from pathview.settings import Settings
from pathview.training.runs.run_folder import RunFolder
from pathview.training.learning.running import RunOptions, run_training

def progress(step):
    if step.message.startswith("epoch 3") and step.early is None:
        os.kill(os.getpid(), signal.SIGKILL)

run_training(RunFolder(__import__("pathlib").Path(sys.argv[1])), RunOptions(), Settings(), progress, never())
"""


@pytest.fixture(scope="module")
def recipe_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose recipe the plans name."""
    return write_random_model(
        tmp_path_factory.mktemp("models"),
        tiny_cnn_recipe(augmentation={"rotation_deg": 90, "stain": 0.2}, input={
            "height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0,
        }),
    )  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, recipe_folder: Path) -> Path:
    """A run whose data are split and locked, before its training."""
    folder = tmp_path_factory.mktemp("data")
    save_table(folder, write_table(folder, patients=20, images=2))
    run = RunFolder(tmp_path_factory.mktemp("runs") / "begun")
    changes = {"training.epochs": EPOCHS, "training.batch": 4, "training.ema": 0.9}
    plan = plan_of(folder / "labels.csv", recipe=RecipePlan(name=str(recipe_folder), level="exact", changes=changes))
    collected(run, plan)
    lock_split(run)
    return run.path


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> RunFolder:
    return copy_of(begun, tmp_path / "run")


@pytest.fixture(scope="module")
def whole(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """SHA-256 of the weights of a training that ran through."""
    return train(copy_of(begun, tmp_path_factory.mktemp("whole") / "run")).manifest.sha256


def train(run: RunFolder, progress: Callable[[Progress], None] = no_progress, **options: bool) -> Ran:
    return run_training(run, RunOptions(**options), Settings(), progress, never())


def on_event(kind: str, epoch: int | None, act: Callable[[TrainingEvent], None]) -> Callable[[Progress], None]:
    """A sink that acts on an event."""

    def sink(step: Progress) -> None:
        event = step.early
        if isinstance(event, TrainingEvent) and event.kind == kind and epoch in (None, event.epoch):
            act(event)

    return sink


def test_that_a_run_leaves_a_model_events_and_a_history_and_the_test_patients_alone(run: RunFolder) -> None:
    seen: list[Progress] = []
    ran = train(run, seen.append)
    assert kinds(run) == ["started", *["epoch"] * EPOCHS, "finished"]
    epochs = [event for event in run.events() if event.kind == "epoch"]
    assert [event.epoch for event in epochs] == list(range(1, EPOCHS + 1))
    for event in epochs:
        numbers = event.numbers
        assert {"loss", "accuracy", "validation_loss", "validation_accuracy", "device"} <= set(numbers)
        assert numbers["batch"] == 4
        assert numbers["memory_bytes"] > 2**27
        assert str(numbers["device"]).startswith(("CPU", "NVIDIA"))
    assert epochs[-1].numbers["seconds_left"] == 0
    losses = [event.numbers["validation_loss"] for event in epochs]
    assert ran.best_epoch == epochs[-1].numbers["best_epoch"] == int(np.argmin(losses)) + 1
    assert [report["epoch"] for report in json.loads((run.path / HISTORY).read_text())] == [1, 2, 3, 4]
    manifest = read_manifest(run.model)
    assert manifest.metrics == {}
    assert manifest.recipe.training.epochs == EPOCHS
    assert manifest.recipe.classes == run.plan().question.classes
    assert len(read_seen(run.model).test) == run.split().images["test"]
    assert any("left" in step.message for step in seen)
    assert [step.early for step in seen if step.early is not None] == list(run.events())
    assert not is_training(run)


def test_that_the_same_seed_gives_the_same_numbers_and_another_others(run: RunFolder, whole: str) -> None:
    assert train(run).manifest.sha256 == whole
    run.write_plan(run.plan().model_copy(update={"seed": 1}))
    assert train(run, anew=True).manifest.sha256 != whole


def test_that_a_training_killed_in_its_third_epoch_goes_on_to_the_same_weights(run: RunFolder, whole: str) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(run.path)], cwd=Path(__file__).parents[2], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(epochs_kept(run.state)) == 2
    assert not run.model.exists()
    assert not is_training(run)
    with pytest.raises(DataError, match="resume it after epoch 2"):
        train(run)
    ran = train(run, resume=True)
    assert ran.manifest.sha256 == whole
    assert kinds(run) == ["started", "epoch", "epoch", "resumed", "epoch", "epoch", "finished"]


def test_that_an_epoch_that_was_kept_but_not_told_is_told_when_it_goes_on(run: RunFolder) -> None:
    with pytest.raises(Cancelled):
        train(run, on_event("epoch", 2, lambda event: cancel()))
    lines = (run.path / EVENTS).read_bytes().splitlines(keepends=True)
    (run.path / EVENTS).write_bytes(b"".join(lines[:2]) + lines[2][:20])  # a power cut within a line
    train(run, resume=True)
    epochs = [event.epoch for event in present(run.events()) if event.kind == "epoch"]
    assert epochs == [1, 2, 3, 4]


def test_that_a_pause_loses_nothing(run: RunFolder, whole: str) -> None:
    def sink(step: Progress) -> None:
        if step.message.startswith("epoch 2 ") and step.early is None and "paused" not in kinds(run):
            ask(run, "pause")
        on_event("paused", None, lambda event: go_on(run))(step)

    assert train(run, sink).manifest.sha256 == whole
    assert kinds(run).count("paused") == 1
    assert kinds(run)[kinds(run).index("paused") + 1] == "resumed"


def test_that_the_first_epoch_is_finished_before_it_stops(run: RunFolder) -> None:
    def sink(step: Progress) -> None:
        if step.message.startswith("epoch 1 "):
            ask(run, "stop")

    ran = train(run, sink)
    assert (ran.ended, ran.manifest.epochs, ran.best_epoch) == ("stopped", 1, 1)


def test_that_stop_after_two_epochs_gives_a_model_of_the_better(run: RunFolder) -> None:
    ran = train(run, on_event("epoch", 2, lambda event: ask(run, "stop")))
    assert ran.ended == "stopped"
    assert ran.manifest.epochs == 2
    assert kinds(run)[-1] == "stopped"
    assert f"epoch {ran.best_epoch} of 2 is kept" in run.events()[-1].sentence
    assert read_manifest(run.model).sha256 == ran.manifest.sha256


def nothing_from(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truths that are no numbers, from an epoch on (counted from 0)."""
    whole_batch = TrainingBatches.batch

    def batch(self: TrainingBatches, number: int, index: int):
        images, truths = whole_batch(self, number, index)
        return images, np.full_like(truths, np.nan) if number >= epoch else truths

    monkeypatch.setattr(TrainingBatches, "batch", batch)


def test_that_a_loss_that_is_no_number_ends_with_the_best_epoch_before_it(run: RunFolder, monkeypatch) -> None:
    nothing_from(2, monkeypatch)
    ran = train(run)
    assert ran.ended == "not_a_number"
    assert ran.manifest.epochs == 2
    assert "no number any more" in run.events()[-1].sentence
    assert run.model.exists()


def test_that_a_loss_that_never_was_a_number_is_one_sentence(run: RunFolder, monkeypatch) -> None:
    nothing_from(0, monkeypatch)
    with pytest.raises(NotFinite, match="lower the learning rate"):
        train(run)
    assert kinds(run) == ["started", "not_a_number"]
    assert not run.model.exists()


def test_that_too_little_memory_takes_a_smaller_batch_and_says_so(run: RunFolder, monkeypatch) -> None:
    import tensorflow as tf

    whole_batch = TrainingBatches.batch
    asked_for: list[tuple[int, int]] = []

    def batch(self: TrainingBatches, number: int, index: int):
        images, truths = whole_batch(self, number, index)
        if number >= 1 and len(images) > 2:
            tf.zeros([2**44])  # what a batch too large meets with
        asked_for.append((number, len(images)))
        return images, truths

    monkeypatch.setattr(TrainingBatches, "batch", batch)
    ran = train(run)
    assert ran.ended == "whole"
    assert kinds(run) == ["started", "epoch", "smaller_batch", "epoch", "epoch", "epoch", "finished"]
    told = next(event for event in run.events() if event.kind == "smaller_batch")
    assert told.numbers == {"batch": 2}
    assert "not enough memory to train on 4 images" in told.sentence
    assert {number for number, size in asked_for if size == 4} == {0}
    assert [report["batch"] for report in epochs_kept(run.state)] == [4, 2, 2, 2]


def test_that_a_full_disk_leaves_the_earlier_state_to_go_on_from(run: RunFolder, whole: str, monkeypatch) -> None:
    partial = run.state / f"{STATE}.new"

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of a state")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    def fill(event: TrainingEvent) -> None:
        monkeypatch.setattr(training_state, "save_file", full)

    with pytest.raises(DiskFull, match=r"state after epoch 3 could not be kept; the state after epoch 2 is"):
        train(run, on_event("epoch", 2, fill))
    assert kinds(run)[-1] == "disk_full"
    assert len(epochs_kept(run.state)) == 2
    assert not partial.exists()
    monkeypatch.undo()
    assert train(run, resume=True).manifest.sha256 == whole


def test_that_two_trainings_do_not_write_to_one_folder(run: RunFolder) -> None:
    refused: list[str] = []

    def second(event: TrainingEvent) -> None:
        assert is_training(run)
        with pytest.raises(DataError) as error:
            train(run)
        refused.append(str(error.value))

    train(run, on_event("epoch", 1, second))
    assert refused == ["run is being trained already, here or in another window."]


def test_that_what_was_trained_is_not_overwritten_unasked(run: RunFolder, whole: str) -> None:
    train(run)
    for options in ({}, {"resume": True}):
        with pytest.raises(DataError, match="is trained already"):
            train(run, **options)
    assert train(run, anew=True).manifest.sha256 == whole
    assert kinds(run) == ["started", *["epoch"] * EPOCHS, "finished"]


def test_that_other_settings_do_not_go_on_from_a_state(run: RunFolder) -> None:
    with pytest.raises(Cancelled):
        train(run, on_event("epoch", 1, lambda event: cancel()))
    plan = run.plan()
    other = plan.recipe.model_copy(update={"changes": {**plan.recipe.changes, "training.learning_rate": 0.5}})
    run.write_plan(plan.model_copy(update={"recipe": other}))
    with pytest.raises(Exception, match="begun with other settings"):
        train(run, resume=True)
    assert kinds(run)[-1] == "failed"


def test_that_an_exact_recipe_that_was_changed_is_called_so(run: RunFolder) -> None:
    assert any("No longer the settings of tiny-cnn" in notice for notice in train(run).notices)


def test_that_figures_are_written_for_tensorboard(run: RunFolder) -> None:
    import tensorflow as tf

    train(run, tensorboard=True)
    found = set()
    for path in run.tensorboard.iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found |= {(value.tag, event.step) for value in event.summary.value}
    assert {("training/loss", 4), ("training/accuracy", 1), ("validation/loss", 2)} <= found


def test_that_the_time_is_told_before(run: RunFolder) -> None:
    before = sorted(path.name for path in run.path.iterdir())
    found = forecast(run, RunOptions(), Settings(), no_progress, never())
    assert 0 < found.seconds.low <= found.seconds.likely <= found.seconds.high
    assert found.epochs == EPOCHS
    assert found.sentence.startswith("About ")
    assert sorted(path.name for path in run.path.iterdir()) == before
