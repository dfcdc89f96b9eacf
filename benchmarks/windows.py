"""The patch CNN as a fully convolutional network against patch by patch, at several steps over one image.

The limits: at a step of 4 pixels at least 15 times as fast, the scores equal to 1e-4; and the way that the analysis
takes at each step is not the slower one by more than a fifth.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common import milliseconds, report
from pathview.analysis import windows
from pathview.analysis.predict import PATCH_BATCH, positive_score
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.runtimes import open_network
from pathview.settings import Settings

SIDE, FIELD = 302, 50
STEPS = (4, 8, 12, 16, 20, 24, 36, 48)
LIMIT, EQUAL, SLOWER = 15.0, 1e-4, 1.2


def run() -> bool:
    """Whether all limits are kept."""
    image = np.random.default_rng(0).random((SIDE, SIDE, 3), np.float32)
    ok = True
    with tempfile.TemporaryDirectory() as home:
        settings = replace(Settings(), data_dir=Path(home))
        network = open_network(require_weights(Catalogue(Settings()).model("idc-patches")), settings)
        own = network.window_stride
        assert own is not None

        def patches(step: int) -> np.ndarray:
            view = np.lib.stride_tricks.sliding_window_view(image, (FIELD, FIELD), axis=(0, 1))[::step, ::step]
            shape = view.shape[:2]
            flat = np.moveaxis(view.reshape(-1, 3, FIELD, FIELD), 1, -1)
            parts = [
                network.predict(np.ascontiguousarray(flat[i : i + PATCH_BATCH]))
                for i in range(0, len(flat), PATCH_BATCH)
            ]
            return positive_score(np.concatenate(parts)).reshape(shape)

        def at_once(step: int) -> np.ndarray:
            return positive_score(network.predict_windows(image[None]))[0, :: step // own, :: step // own]

        for step in STEPS:
            differs = float(np.abs(patches(step) - at_once(step)).max())
            turns = 3 if step == STEPS[0] else 9
            slow = [milliseconds(lambda _, s=step: patches(s), 1, 0)[0] for _ in range(turns)]
            fast = [milliseconds(lambda _, s=step: at_once(s), 1, 0)[0] for _ in range(turns)]
            ratio = float(np.median(slow) / np.median(fast))
            taken = ratio if step <= windows.CONVOLUTIONAL_UP_TO else 1 / ratio
            fits = differs <= EQUAL and taken >= 1 / SLOWER and (step != own or ratio >= LIMIT)
            ok &= report(f"windows_step_{step}", fits, ratio=ratio, differs=f"{differs:.1e}",
                         patches_ms=float(np.median(slow)), at_once_ms=float(np.median(fast)))  # fmt: skip
    return ok
