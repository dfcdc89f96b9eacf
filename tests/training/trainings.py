"""Trainings in runs' folders: copied before they begin, trained, interrupted at something that they tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.settings import Settings
from pathview.training.learning.running import Ran, RunOptions, run_training
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import RecipePlan, SplitPlan, TrainingEvent
from pathview.training.runs.run_folder import RunFolder
from pathview.training.runs.run_log import present
from tests.makers import tiny_unet_recipe, write_random_model
from tests.training.test_result import write_outlined_run


def copy_of(begun: Path, to: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(begun, to)))


def train(run: RunFolder, progress: Callable[[Progress], None] = no_progress, options: RunOptions | None = None) -> Ran:
    return run_training(run, options or RunOptions(), Settings(), progress, never())


def kinds(run: RunFolder) -> list[str]:
    """Of all that happened since the training was begun the last time."""
    return [event.kind for event in present(run.events())]


def on_sentence(beginning: str, act: Callable[[], None]) -> Callable[[Progress], None]:
    """A sink that acts once, on the event whose sentence begins so."""
    left = [act]

    def sink(step: Progress) -> None:
        if isinstance(step.early, TrainingEvent) and step.early.sentence.startswith(beginning) and left:
            left.pop()()

    return sink


def cancel() -> None:
    raise Cancelled


def write_untrained_outlines(folder: Path, changes: Mapping[str, int], split: SplitPlan, trials: bool) -> RunFolder:
    """Sixteen patients whose masses a tiny U-Net is to outline; the split is locked, nothing is trained."""
    recipe = tiny_unet_recipe(input={"height": 64, "width": 64, "channels": 1, "crop": "none", "fit": "stretch"})
    model = write_random_model(folder / "models", recipe)
    run = write_outlined_run(folder, model)
    shutil.rmtree(run.model)
    told = {"color": (100.0,) * 6, "kind": "mammogram"}
    run.write_rows(one.model_copy(update={**told, "outlined": 0.1 * (one.label == "malignant")}) for one in run.rows())
    planned = RecipePlan(name=str(model), level="exact", changes=dict(changes), trials=trials)
    run.write_plan(run.plan().model_copy(update={"recipe": planned, "split": split}))
    lock_split(run)
    return run
