"""The analysis of a 40,000 px slide against the bare network on the same tiles, and against a plain script.

The slide's pixels are taken for 1 µm, so that it has as many tiles as a whole slide of a large scanner. The whole run
counts: finding tissue, reading, decoding and scaling tiles, the network, and keeping each batch on disk.

The peer is what one writes with OpenSlide and the same network: a loop over the same tiles, read by ``read_region`` and
put together to batches. (tiatoolbox brings PyTorch and runs only its networks, so that it cannot stand in.)
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import openslide

from benchmarks.common import report
from benchmarks.made_slide import write_slide
from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.predict import PATCH_BATCH, as_input, positive_score
from pathview.analysis.slide_look import SlideLook
from pathview.analysis.slide_run import Tiles
from pathview.analysis.windows import window_values
from pathview.images.formats import open_image
from pathview.jobs import never, no_progress
from pathview.models.backend import Network
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.runtimes import open_network
from pathview.results.tile_table import TileTable
from pathview.settings import Settings

LIMIT = 0.85
MPP_UM, STRIDE, SQUARES, RUNS = 1.0, 8, 4, 5


def run() -> bool:
    """Whether all limits are kept."""
    with tempfile.TemporaryDirectory() as home:
        path = write_slide(Path(home) / "slide.tif")
        settings = replace(Settings(), data_dir=Path(home))
        model = require_weights(Catalogue(Settings()).model("idc-patches"))
        network = open_network(model, settings)
        ok = _side_by_side(path, model, network, settings)
        return _overlapping(path, network, settings) and ok


def _look(path: Path, network: Network, settings: Settings, stride: int | None = None) -> SlideLook:
    return SlideLook(open_image(path, settings, MPP_UM), network, 0, stride, "bench", settings, resume=False)


def _side_by_side(path: Path, model: Path, network: Network, settings: Settings) -> bool:
    look = _look(path, network, settings)
    patches = look._layout(never()).patches
    with patches.reader.quickly():
        tiles = Tiles.joined([patches.read(block) for block in patches.blocks])
    images = as_input(tiles.pixels[tiles.readable & ~tiles.glass])

    def bare() -> np.ndarray:
        parts = [network.predict(images[i : i + PATCH_BATCH]) for i in range(0, len(images), PATCH_BATCH)]
        return positive_score(np.concatenate(parts))

    def whole() -> np.ndarray:
        return _look(path, network, settings).probability(no_progress, never()).values

    peer = _plain_script(path, network, [patches.reader.grid.cell_region(int(n)) for n in tiles.numbers])
    alone, ours, plain = _interleaved(bare, whole, peer)
    differs = float(np.abs(np.sort(whole()[np.isfinite(whole())]) - np.sort(bare())).max())
    started = time.perf_counter()
    request = AnalysisRequest(model, mpp_um=MPP_UM, resume=False)
    analyse_path(path, request, settings, no_progress, never())
    everything = time.perf_counter() - started
    share, count = alone / ours, len(images)
    work = [_processor_seconds(call) for call in (bare, whole)]
    return report("slide_tiles", share >= LIMIT and differs <= 1e-4, share_of_bare=share, limit=LIMIT, tiles=count,
                  processor_share=work[0] / work[1],
                  tiles_s=count / ours, bare_tiles_s=count / alone, plain_script_tiles_s=count / plain,
                  faster_than_plain=plain / ours, analyse_path_s=everything, differs=f"{differs:.1e}")  # fmt: skip


def _overlapping(path: Path, network: Network, settings: Settings) -> bool:
    """The fine map alone: reading, computing and keeping its squares against the network on the same pixels."""
    fields = _look(path, network, settings, STRIDE)._layout(never()).fields
    assert fields is not None
    fields.squares = fields.squares[:SQUARES]
    squares = [fields.read(square) for square in fields.squares]
    identity = iter(range(10_000))

    def bare() -> None:
        for square in squares:
            window_values(network, square, no_progress, never())

    def ours() -> None:
        table = TileTable(settings.slides_dir / "bench.sqlite", {"run": next(identity)})
        with fields.reader.quickly():
            fields.run(table, no_progress, never())
        table.close()

    alone, whole = _interleaved(bare, ours)
    fields_count = sum(int(square.scored.sum()) for square in squares)
    return report(f"slide_stride_{STRIDE}", alone / whole >= LIMIT, share_of_bare=alone / whole, limit=LIMIT,
                  fields=fields_count, fields_s=fields_count / whole)  # fmt: skip


def _processor_seconds(call: Callable[[], object]) -> float:
    """What a call takes of all cores; a busy machine changes it less than the time on the clock."""
    started = time.process_time()
    call()
    return time.process_time() - started


def _interleaved(*calls: Callable[[], object]) -> list[float]:
    """The quickest of several runs of each, in turns: whatever else the machine does slows all of them."""
    best = [float("inf")] * len(calls)
    for turn in range(RUNS + 1):
        for number, call in enumerate(calls):
            started = time.perf_counter()
            call()
            if turn:
                best[number] = min(best[number], time.perf_counter() - started)
    return best


def _plain_script(path: Path, network: Network, regions: list) -> Callable[[], object]:
    def script() -> None:
        slide = openslide.OpenSlide(str(path))
        level = slide.get_best_level_for_downsample(4.0 / MPP_UM)
        side = round(200 / slide.level_downsamples[level])
        batch = []
        for number, region in enumerate(regions, start=1):
            tile = np.asarray(slide.read_region((region.x, region.y), level, (side, side)).convert("RGB"))
            batch.append(cv2.resize(tile, (50, 50), interpolation=cv2.INTER_AREA))
            if len(batch) == PATCH_BATCH or number == len(regions):
                network.predict(np.stack(batch).astype(np.float32) / 255)
                batch = []
        slide.close()

    return script
