"""The runtimes beside each other, and the pipeline beside the bare runtime that it uses.

For each network: seconds until the first score in a new process, its memory, and milliseconds an image for one and for
many; every runtime against TensorFlow, and bfloat16 against float32 in what it costs. Then the analysis' own loop over
tiles or patches against the runtime alone on the same batches, turn by turn. Weights are random but for the bundled
models; speed does not depend on them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from benchmarks.common import data_dir, milliseconds, report
from pathview.analysis.predict import TILE_BATCH, PatchGrid, as_input, classify, segment
from pathview.analysis.prepare import Working
from pathview.geometry import GridPlace
from pathview.jobs import never, no_progress
from pathview.models import keras_backend
from pathview.models.catalogue import Catalogue
from pathview.models.recipe import Recipe
from pathview.models.runtimes import open_network
from pathview.models.weights import Seen, write_model
from pathview.settings import Settings

RECIPES = ("idc-patches", "lesion-unet", "zf-unet-224", "crop-resnet50", "densenet121-tuned", "mobilenet-idc",
           "breakhis-inception-v3-head", "breakhis-vgg16-head", "separable-cnn", "vgg19-tuned")  # fmt: skip
"""One for each network that is not another's frozen form."""
RUNTIMES = ("tensorflow", "onnx", "openvino", "openvino-bf16")
LIMIT = 1.15
TURNS = 15
SINGLE = 1e-5
"""What a runtime in single precision may differ from TensorFlow."""
_CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np
started = time.perf_counter()
from dataclasses import replace
from pathview.models.runtimes import open_network
from pathview.settings import Settings
images = np.load(sys.argv[3])
network = open_network(Path(sys.argv[2]), replace(Settings(), runtime=sys.argv[1], data_dir=Path(sys.argv[4])))
network.predict(images[:1])
first = time.perf_counter() - started

def fastest(batch, runs):
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        network.predict(batch)
        times.append(1000 * (time.perf_counter() - begun) / len(batch))
    return min(times)

figures = {"start_s": first, "one_ms": fastest(images[:1], 12), "many_ms": fastest(images, 4)}
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
figures["memory_mb"] = int(status["VmHWM"].split()[0]) / 1024  # ru_maxrss would be the parent's
np.save(sys.argv[3] + "." + sys.argv[1] + ".npy", network.predict(images))
print(json.dumps(figures))
"""


def _folder(name: str, home: Path) -> Path:
    model = Catalogue(Settings()).model(name)
    if model.folder is not None:
        return model.folder
    tensors = keras_backend.get_weights(keras_backend.build(model.recipe))
    write_model(home / name, model.recipe, tensors, Seen(), version="0", created="", data="none")
    return home / name


def _alone(name: str, folder: Path, recipe: Recipe, home: Path) -> bool:
    """Each runtime in a process of its own."""
    spec = recipe.input
    count = 32 if spec.height <= 64 else 8
    inputs = home / f"{name}.npy"
    np.save(inputs, np.random.default_rng(0).random((count, spec.height, spec.width, spec.channels), np.float32))
    ok = True
    settings = replace(Settings(), runtime="onnx", data_dir=home)
    open_network(folder, settings)  # converted once, so that starts compare
    expected = None
    for runtime in RUNTIMES:
        done = subprocess.run([sys.executable, "-c", _CHILD, runtime, str(folder), str(inputs), str(home)], check=True,
                              capture_output=True, text=True)  # fmt: skip
        scores = np.load(f"{inputs}.{runtime}.npy")
        expected = scores if expected is None else expected
        differs = float(np.abs(scores - expected).max())
        fits = runtime == "openvino-bf16" or differs <= SINGLE
        report(f"runtime_{name}_{runtime}", fits, differs=f"{differs:.1e}", images=count, **json.loads(done.stdout))
        ok &= fits
    return ok


def _through_the_pipeline(name: str, folder: Path, recipe: Recipe, home: Path) -> bool:
    """The loop over an image that is read and prepared, against the same batches alone."""
    network = open_network(folder, replace(Settings(), runtime="onnx", data_dir=home))
    rows, columns = recipe.input.height, recipe.input.width
    count = 100 if rows <= 64 else TILE_BATCH
    pixels = np.random.default_rng(0).integers(0, 255, (count, rows, columns, recipe.input.channels)).astype(np.uint8)
    place = GridPlace(0, 0, 1, 1)
    if recipe.task == "segmentation":
        working = Working(pixels[0], place)
        count = 1

        def through(_: int) -> object:
            return segment(network, working, no_progress, never())
    else:
        grid = PatchGrid(pixels, tuple((0, i) for i in range(count)), (1, count), place)

        def through(_: int) -> object:
            return classify(network, grid, no_progress, never())

    images = as_input(pixels[:count])
    whole, bare = [], []
    for turn in range(TURNS):
        warm_up = 0 if turn else 2
        whole.append(milliseconds(through, 1, warm_up)[0])
        bare.append(milliseconds(lambda _: network.predict(images), 1, warm_up)[0])
    ratio = float(np.median(np.divide(whole, bare)))
    return report(f"pipeline_{name}", ratio <= LIMIT, ratio=ratio, limit=LIMIT, images=count,
                  pipeline_ms=float(np.median(whole)), runtime_ms=float(np.median(bare)))  # fmt: skip


def _decisions(home: Path) -> bool:
    """Real patches whose label another runtime changes: none in single precision; for bfloat16 it is only told."""
    data = data_dir()
    if data is None:
        return True
    from PIL import Image

    folder = _folder("idc-patches", home)
    patches = [np.asarray(Image.open(path)) for path in sorted((data / "idc").rglob("*.png"))]
    images = as_input(np.stack([patch for patch in patches if patch.shape == (50, 50, 3)]))
    labels = {}
    for runtime in RUNTIMES:
        network = open_network(folder, replace(Settings(), runtime=runtime, data_dir=home))
        parts = [network.predict(images[start : start + 128])[:, -1] for start in range(0, len(images), 128)]
        decision = network.recipe.decision
        labels[runtime] = np.digitize(np.concatenate(parts), (decision.lower, decision.threshold, decision.upper))
    changed = {name: int((found != labels["tensorflow"]).sum()) for name, found in labels.items()}
    ok = not changed["onnx"] and not changed["openvino"]
    return report("decisions_idc-patches", ok, patches=len(images), **{f"changed_{k}": v for k, v in changed.items()})


def _installed() -> bool:
    """Megabytes that each package takes."""
    sizes = {}
    for package in ("tensorflow", "onnxruntime", "openvino"):
        files = metadata.files(package) or []
        sizes[f"{package}_mb"] = round(sum(file.size or 0 for file in files) / 2**20)
    return report("installed", True, **sizes)


def run() -> bool:
    """Whether every runtime gives the reference's scores, and the pipeline keeps its limit."""
    results = [_installed()]
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        results.append(_decisions(home))
        for name in RECIPES:
            folder = _folder(name, home)
            recipe = Catalogue(Settings()).model(name).recipe
            results.append(_alone(name, folder, recipe, home))
            results.append(_through_the_pipeline(name, folder, recipe, home))
    return all(results)
