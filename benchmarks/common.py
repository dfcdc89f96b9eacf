"""Timing and reporting."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def data_dir() -> Path | None:
    """Real images, where they are."""
    folder = Path(os.environ.get("PATHVIEW_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return folder if (folder / "INDEX.md").is_file() else None


def milliseconds(step: Callable[[int], object], runs: int = 120, warm_up: int = 5) -> np.ndarray:
    """Wall time of each of ``runs`` calls of ``step(number)``."""
    for number in range(warm_up):
        step(number)
    times = []
    for number in range(runs):
        started = time.perf_counter()
        step(warm_up + number)
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def report(name: str, ok: bool, **figures: float | str | bool) -> bool:
    """Print one line."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps({"benchmark": name, "within_limit": bool(ok), **rounded}), flush=True)
    return ok
