"""Small data sets of made-up tissue, with the faults that a health check has to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pathview.jobs import never, no_progress
from pathview.settings import Settings
from pathview.training.measures.folds import CrossValidation, FoldScores, Said, cross_validation, model_way
from pathview.training.measures.predictions import Scored
from pathview.training.preparing.collect import Collected, CollectRequest, collect
from pathview.training.preparing.health import examine
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import DatasetRow, Health, Plan, Question, Source, Split, SplitPlan
from pathview.training.runs.run_folder import FOLDS, SPLIT, RunFolder

CLASSES = ("benign", "malignant")


def tissue(seed: int, side: int = 60) -> np.ndarray:
    """A picture that no other seed gives: blobs of many sizes, uint8 RGB."""
    rng = np.random.default_rng(seed)
    found = np.zeros((side, side, 3))
    for cells in (4, 10, 20):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        found += np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), float) / 3
    return found.astype(np.uint8)


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_table(folder: Path, patients: int = 12, images: int = 3) -> list[dict[str, str]]:
    """Patients P0.., every other one malignant; the lines of their table, which :func:`save_table` writes."""
    lines = []
    for patient in range(patients):
        for number in range(images):
            name = f"p{patient}-{number}.png"
            write_picture(folder / name, tissue(100 * patient + number))
            lines.append({"file": name, "patient": f"P{patient}", "label": CLASSES[patient % 2]})
    return lines


def save_table(folder: Path, lines: list[dict[str, str]]) -> Path:
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = "\n".join([",".join(columns), *(",".join(line.get(name, "") for name in columns) for line in lines)])
    path = folder / "labels.csv"
    path.write_text(text + "\n")
    return path


def plan_of(*paths: Path, **changes: object) -> Plan:
    question = changes.pop("question", Question(classes=CLASSES))
    return Plan(title="Try", question=question, sources=tuple(Source(path=path) for path in paths), **changes)


def collected(run: RunFolder, plan: Plan) -> Collected:
    run.write_plan(plan)
    return collect(CollectRequest(run, plan), Settings(), no_progress, never())


def examined(plan: Plan, rows: tuple[DatasetRow, ...], split: Split | None = None) -> Health:
    return examine(plan, rows, split, (), no_progress, never())


def row(number: int, **changes: object) -> DatasetRow:
    """A usable row of a patient of its own."""
    rng = np.random.default_rng(number)
    values: dict[str, object] = {
        "file": Path(f"/data/{number}.png"),
        "patient": f"P{number}",
        "label": CLASSES[number % 2],
        "kind": "histology",
        "width": 50,
        "height": 50,
        "sha256": f"{number:064x}",
        "color": tuple(rng.uniform(100, 150, 6).tolist()),
    }
    return DatasetRow.model_validate(values | changes)


PLAIN = Plan(title="Try", question=Question(classes=CLASSES), split=SplitPlan())


def reddish_run(folder: Path, patients: int = 48) -> RunFolder:
    """A run with a locked split, two images a patient; malignant is red."""
    rng = np.random.default_rng(1)
    lines = []
    for patient in range(patients):
        for number in range(2):
            pixels = rng.integers(0, 256, (50, 50, 3))
            pixels[..., 0] = np.clip(pixels[..., 0] // 2 + 60 * (patient % 2) + rng.integers(0, 30), 0, 255)
            name = f"p{patient}-{number}.png"
            write_picture(folder / "data" / name, pixels.astype(np.uint8))
            lines.append({"file": name, "patient": f"P{patient}", "label": CLASSES[patient % 2]})
    run = RunFolder(folder / "try")
    collected(run, plan_of(save_table(folder / "data", lines)))
    lock_split(run)
    return run


def fold_scores(fold: int, patients: list[str], labels: list[int], scores: list[float], majority: float) -> FoldScores:
    """A fold whose model gave these scores to an image of each patient, and whose baseline a constant."""
    said = Scored(np.array(patients), np.array(labels), np.array(scores), np.array(scores) >= 0.5)
    constant = np.full(len(labels), majority)
    plain = Scored(said.patients, said.labels, constant, constant >= 0.5)
    return FoldScores(
        fold=fold,
        train=4,
        validation=1,
        left_out=len(set(patients)),
        patients=tuple(patients),
        labels=tuple(labels),
        model=Said.of(said),
        baselines={"majority": Said.of(plain)},
    )


def write_folds(run: RunFolder) -> CrossValidation:
    """The cross-validation of a run that has a model: three folds that were made up."""
    split = run.split()
    learning = [*split.patients("train"), *split.patients("validation")]
    run.write(SPLIT, split.model_copy(update={"folds": {one: n % 3 for n, one in enumerate(learning)}}))
    folds = []
    for fold in range(3):
        own = learning[fold::3]
        labels = [n % 2 for n in range(len(own))]
        folds.append(fold_scores(fold + 1, own, labels, [0.3 + 0.4 * label for label in labels], fold % 2))
    found = cross_validation(model_way(run), folds, CLASSES, outlines=False)
    run.write(FOLDS, found)
    return found
