"""One training's folder: the only place that knows its files' names. It survives a crash at any moment.

Every file is written beside its place, synced, and moved there. Lists that grow are lines of JSON; a last line that a
crash cut off is not there.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pathview.errors import DataError, OutputError
from pathview.settings import Settings
from pathview.training.data.samples import MASK_SEPARATOR, read_table
from pathview.training.runs.plan import DatasetRow, Health, Plan, Split, TrainingEvent

PLAN = "plan.json"
DATASET = "dataset.csv"
SPLIT = "split.json"
HEALTH = "health.json"
HISTORY = "history.json"
EVENTS = "events.jsonl"
RESULT = "result.json"
FOLDS = "folds.json"
TRIALS = "trials.json"
PREDICTIONS = "predictions.csv"
TEST_USES = "test-uses.jsonl"
WIZARD = "wizard.json"
ASKED = "asked"
LOCK = ".lock"
COLUMNS = tuple(DatasetRow.model_fields)
_RENAMED = {"masks": "mask"}  # as the csv reader of training/data/dataset.py calls it
_TOLD = 5
"""Names of other trainings where one is not found."""
Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training."""

    path: Path

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.name

    @property
    def state(self) -> Path:
        """Folder of the state after each epoch."""
        return self.path / "state"

    @property
    def epochs(self) -> Path:
        """Folder of the pictures after each epoch."""
        return self.path / "epochs"

    @property
    def model(self) -> Path:
        """Folder of the finished model: weights, manifest, card (names of :mod:`pathview.models.weights`)."""
        return self.path / "model"

    @property
    def refit(self) -> Path:
        """Folder of the state of the second training, on training and validation patients."""
        return self.path / "refit"

    @property
    def folds(self) -> Path:
        """Folder of the cross-validation while it is trained: a folder for each fold, with its state or its scores."""
        return self.path / "folds"

    @property
    def trials(self) -> Path:
        """Folder of the trials while they are trained, as :attr:`folds`."""
        return self.path / "trials"

    @property
    def made(self) -> Path:
        """Folder of images and masks that were cut out of the store's cases."""
        return self.path / "made"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's logs."""
        return self.path / "tensorboard"

    def has(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return (self.path / name).is_file()

    def remove(self, name: str) -> None:
        """Take a file away, if it is there.

        Raises:
            OutputError: it cannot be removed.
        """
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.path / name, error) from error

    def plan(self) -> Plan:
        """The choices.

        Raises:
            DataError: missing or damaged, as in all that read.
        """
        return self.read(PLAN, Plan)

    def write_plan(self, plan: Plan) -> None:
        """Keep the choices.

        Raises:
            OutputError: the folder cannot be written (disk full, no right), as in all that write.
        """
        self.write(PLAN, plan)

    def split(self) -> Split:
        """The locked split."""
        return self.read(SPLIT, Split)

    def health(self) -> Health:
        """The findings on the data."""
        return self.read(HEALTH, Health)

    def events(self) -> tuple[TrainingEvent, ...]:
        """What happened so far, the oldest first."""
        return self.lines(EVENTS, TrainingEvent)

    def read(self, name: str, kind: type[Record]) -> Record:
        """One record of JSON.

        Raises:
            DataError: missing or damaged.
        """
        try:
            return kind.model_validate_json((self.path / name).read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"The training {self.name} has no {name} yet.") from error
        except OSError as error:
            raise DataError(f"{name} of the training {self.name} cannot be read.") from error
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "its form"
            raise DataError(f"{name} of the training {self.name} is damaged ({place}).") from error

    def write(self, name: str, record: BaseModel) -> None:
        """Write one record of JSON.

        Raises:
            OutputError: it cannot be written.
        """
        self.write_text(name, record.model_dump_json(indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, UTF-8, so that either the old or the new one is there, whatever happens.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(self.path / name, text.encode())

    def append(self, name: str, record: BaseModel) -> None:
        """Add one line of JSON, synced.

        Raises:
            OutputError: it cannot be written.
        """
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                if file.tell() and not _ends_a_line(file):
                    file.write(b"\n")
                file.write(record.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(path, error) from error

    def lines(self, name: str, kind: type[Record]) -> tuple[Record, ...]:
        """Records that were appended; none where there is no file. A line that a crash cut off is left out.

        Raises:
            DataError: unreadable, or a whole line is damaged.
        """
        path = self.path / name
        try:
            rows = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise DataError(f"{name} of the training {self.name} cannot be read.") from error
        found = []
        for row in rows:
            if not _is_json(row):
                continue
            try:
                found.append(kind.model_validate_json(row))
            except ValidationError as error:
                raise DataError(f"{name} of the training {self.name} is damaged.") from error
        return tuple(found)

    def rows(self) -> tuple[DatasetRow, ...]:
        """All images that were found, those with a problem too.

        Raises:
            DataError: missing or damaged.
        """
        path = self.path / DATASET
        if not path.is_file():
            raise DataError(f"The training {self.name} has no {DATASET} yet; collect its data first.")
        table = read_table(path, ("file",), "collect the data again").rows
        try:
            return tuple(_row(cells) for cells in table)
        except (ValidationError, ValueError) as error:
            raise DataError(f"{DATASET} of the training {self.name} is damaged; collect the data again.") from error

    def write_rows(self, rows: Iterable[DatasetRow]) -> None:
        """Write the table of all images.

        Raises:
            OutputError: it cannot be written.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_RENAMED.get(column, column) for column in COLUMNS)
        writer.writerows([_cell(getattr(row, column)) for column in COLUMNS] for row in rows)
        self.write_text(DATASET, text.getvalue())


def training_dir(settings: Settings) -> Path:
    """Where runs lie by default."""
    return settings.data_dir / "training"


def new_run(settings: Settings, plan: Plan) -> RunFolder:
    """A fresh folder named after the plan's title, with the plan in it.

    Raises:
        OutputError: it cannot be made.
    """
    base = training_dir(settings)
    slug = re.sub(r"[^a-z0-9]+", "-", plan.title.lower()).strip("-")[:60] or "training"
    number = 1
    try:
        base.mkdir(parents=True, exist_ok=True)
        while True:
            path = base / (slug if number == 1 else f"{slug}-{number}")
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
    except OSError as error:
        raise _unwritable(base / slug, error) from error
    folder = RunFolder(path)
    folder.write_plan(plan)
    return folder


def named_run(name: str, settings: Settings) -> RunFolder:
    """The run of a name among this installation's, or of a path."""
    path = Path(name)
    bare = len(path.parts) == 1 and not path.is_absolute() and name not in (".", "..")
    return RunFolder(training_dir(settings) / name if bare and not path.is_dir() else path.absolute())


def existing_run(name: str, settings: Settings) -> RunFolder:
    """The run of a name or path that is there.

    Raises:
        DataError: there is none; the sentence has names like it, or says how to begin one.
    """
    found = named_run(name, settings)
    if found.has(PLAN):
        return found
    names = [run.name for run in runs(settings)]
    near = get_close_matches(found.name, names, cutoff=0.5) or names[:_TOLD]
    what = f"those that are here: {', '.join(near)}" if near else "none is here yet"
    raise DataError(
        f"There is no training {name}; {what}. The window begins one (Training, New training), and so does "
        "pathview dataset collect."
    )


def runs(settings: Settings) -> tuple[RunFolder, ...]:
    """All runs of this installation, the newest plan first."""
    found = [path for path in training_dir(settings).glob(f"*/{PLAN}") if path.is_file()]
    return tuple(RunFolder(path.parent) for path in sorted(found, key=lambda path: -path.stat().st_mtime))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, sync it, and move it there.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            partial = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, is a disk without room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if error.__cause__ is None:
            return False
        error = error.__cause__
    return False


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = "the disk is full" if is_disk_full(error) else error.strerror or "input/output error"
    return OutputError(f"{path.name} cannot be written to {path.parent.name}: {reason}.")


def _ends_a_line(file: io.BufferedRandom) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _is_json(row: bytes) -> bool:
    try:
        json.loads(row)
    except ValueError:
        return False
    return True


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        separator = MASK_SEPARATOR if value and isinstance(value[0], Path) else " "
        return separator.join(str(part) for part in value)
    return "" if value is None else str(value)


def _row(cells: dict[str, str]) -> DatasetRow:
    values: dict[str, object] = {name: cells.get(_RENAMED.get(name, name), "") for name in COLUMNS}
    values["file"] = Path(str(values["file"]))
    values["masks"] = tuple(Path(part) for part in str(values["masks"]).split(MASK_SEPARATOR) if part)
    values["color"] = tuple(float(part) for part in str(values["color"]).split())
    values["outlined"] = float(str(values["outlined"])) if values["outlined"] else None
    values["width"], values["height"] = int(str(values["width"]) or 0), int(str(values["height"]) or 0)
    return DatasetRow.model_validate(values)
