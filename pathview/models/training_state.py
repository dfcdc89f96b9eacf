"""The state of a training after each whole epoch, on disk: what a killed or interrupted run goes on from.

Written beside its place, synced and moved there, so that either the old or the new one is there, whatever happens.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from pathview.errors import ModelError, OutputError
from pathview.models.recipe import Recipe
from pathview.models.weights import Tensors

STATE = "training-state.safetensors"
HISTORY = "history.json"
_BEST = "best/"
_NO_SPACE = ("No space left", f"os error {errno.ENOSPC}", f"os error {errno.EDQUOT}")


class DiskFull(OutputError):
    """There was no room for the state after an epoch; the earlier one is whole."""


@dataclass(frozen=True)
class State:
    """A training between two epochs."""

    variables: Mapping[str, Any]
    """Weights, random states and the optimiser's moments, by number."""
    best: Tensors
    """Weights of the best epoch so far, by variable path."""
    history: tuple[dict[str, Any], ...]
    """A report of each epoch, as JSON."""
    settings: str
    """See :func:`settings_of`."""


def settings_of(recipe: Recipe, seed: int) -> str:
    """What a resumed training must share with the one that was begun: all but the batch size.

    That may have become smaller for want of memory.
    """
    alike = recipe.model_copy(update={"training": recipe.training.model_copy(update={"batch": 1})})
    return f"{alike.digest} {seed}"


def write_state(folder: Path, state: State) -> None:
    """Keep a state in place of the one before.

    Raises:
        DiskFull, OutputError: it cannot be written; the one before stays.
    """
    tensors = {name: np.asarray(values, order="C") for name, values in state.variables.items()}
    tensors |= {f"{_BEST}{name}": np.ascontiguousarray(tensor) for name, tensor in state.best.items()}
    history = json.dumps(state.history, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / STATE, lambda path: save_file(tensors, path, {"history": history, "run": state.settings}))
        _replace(folder / HISTORY, lambda path: path.write_text(history + "\n", encoding="utf-8"))  # for people to plot
    except (OSError, SafetensorError) as error:
        raise _told(error, folder, len(state.history)) from error


def read_state(folder: Path, wanted: str) -> State | None:
    """The state to go on from; None where there is none.

    Args:
        folder: where it is kept.
        wanted: :func:`settings_of` of the training that wants to go on.

    Raises:
        ModelError: damaged, or of another training.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        tensors = load_file(path)
        with safe_open(path, "np") as file:
            about = file.metadata()
        history = tuple(json.loads(about["history"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be resumed from: damaged, or of another recipe.") from error
    if about.get("run", wanted) != wanted:
        raise ModelError("The training was begun with other settings, data or another seed; begin it anew.")
    best = {name.removeprefix(_BEST): tensor for name, tensor in tensors.items() if name.startswith(_BEST)}
    return State({n: t for n, t in tensors.items() if not n.startswith(_BEST)}, best, history, wanted)


def epochs_kept(folder: Path) -> tuple[dict[str, Any], ...]:
    """The reports of the epochs that a state holds; none where there is no state that can be read."""
    try:
        with safe_open(folder / STATE, "np") as file:
            return tuple(json.loads(file.metadata()["history"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return ()


def _replace(path: Path, write: Any) -> None:
    partial = path.with_name(f"{path.name}.new")
    try:
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # half of a state only takes room
            partial.unlink(missing_ok=True)
        raise


def _told(error: Exception, folder: Path, epoch: int) -> OutputError:
    if not any(words in str(error) for words in _NO_SPACE) and getattr(error, "errno", 0) != errno.ENOSPC:
        return OutputError(f"The training state cannot be written to {folder.name}: {error}.")
    rest = (
        f"the state after epoch {epoch - 1} is whole: make room, and the training goes on from there."
        if epoch > 1
        else "make room and begin again."
    )
    return DiskFull(f"The disk is full, so the state after epoch {epoch} could not be kept; {rest}")
