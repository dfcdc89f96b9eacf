"""``pathview analyse`` against the compiled network alone on the same pixels, each as a whole process.

The limit is against compiled TensorFlow, the reference. Against the runtime that the analysis itself uses, which
starts in a tenth of a second, what is left is Python's own start and the libraries that read images; that ratio is
told, and so is the one of warm calls, without imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import milliseconds, report
from pathview.analysis import predict
from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.prepare import prepare
from pathview.images.formats import open_image
from pathview.images.patches import PatchMosaic
from pathview.jobs import never, no_progress
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.runtimes import open_network
from pathview.samples.mammogram import STUDY, draw
from pathview.samples.study import write_study
from pathview.settings import Settings

_ALONE = """
import sys, numpy as np
from dataclasses import replace
from pathlib import Path
from pathview.models.runtimes import open_network
from pathview.settings import Settings
network = open_network(Path(sys.argv[1]), replace(Settings(), runtime=sys.argv[3]))
network.predict(np.load(sys.argv[2]))
"""
LIMIT = 1.2
RUNS = 3


def _patches(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(100):
        name = f"1_idx5_x{number % 10 * 50 + 1}_y{number // 10 * 50 + 1}_class0.png"
        Image.fromarray(rng.integers(80, 240, (50, 50, 3)).astype(np.uint8)).save(folder / name)
    return folder


def _process(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _inputs(path: Path, recipe) -> np.ndarray:
    source = open_image(path)
    if isinstance(source, PatchMosaic):
        return predict.as_input(predict.mosaic_grid(source, recipe).pixels)
    working = prepare(source, recipe)
    grid = predict.tile_grid(working, recipe)
    padded = predict.pad(working.pixels, grid)
    tiles = [padded[r : r + grid.tile[0], c : c + grid.tile[1]] for r, c in grid.origins]
    return predict.as_input(np.stack(tiles))


def _compare(name: str, path: Path, model_name: str, home: Path) -> bool:
    settings = Settings()
    folder = require_weights(Catalogue(settings).model(model_name))
    network = open_network(folder, settings)
    images = _inputs(path, network.recipe)
    np.save(home / "inputs.npy", images)
    whole, alone, same = [], [], []
    for _ in range(RUNS):
        alone.append(_process(["-c", _ALONE, str(folder), str(home / "inputs.npy"), "tensorflow"]))
        same.append(_process(["-c", _ALONE, str(folder), str(home / "inputs.npy"), "auto"]))
        whole.append(_process(["-m", "pathview", "analyse", str(path), "--recipe", model_name]))
    ratio = float(np.median(whole) / np.median(alone))
    request = AnalysisRequest(folder)
    warm = milliseconds(lambda _: analyse_path(path, request, settings, no_progress, never()), 15, 2)
    bare = milliseconds(lambda _: network.predict(images), 15, 2)
    return report(f"analyse_{name}", ratio <= LIMIT, ratio=ratio, limit=LIMIT, analyse_s=float(np.median(whole)),
                  tensorflow_alone_s=float(np.median(alone)), same_runtime_alone_s=float(np.median(same)),
                  warm_analyse_ms=float(np.median(warm)), warm_network_ms=float(np.median(bare)))  # fmt: skip


def run() -> bool:
    with tempfile.TemporaryDirectory() as home:
        os.environ["PATHVIEW_HOME"] = home
        patches = _patches(Path(home) / "patches")
        mammogram = write_study([draw(STUDY[0])], Path(home) / "study")[0]
        ok = _compare("100_patches", patches, "idc-patches", Path(home))
        return _compare("one_mammogram", mammogram, "lesion-unet", Path(home)) and ok
