"""Tiles of a 40,000 x 40,000 slide through the reading child, against OpenSlide's own reading of the same tiles."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import openslide
from PIL import ImageCms

from benchmarks.common import milliseconds, report
from benchmarks.made_slide import SIDE, write_slide
from pathview.compute.worker import Worker
from pathview.geometry import Size
from pathview.images.color_profile import ColorTransform, converted
from pathview.images.stain import REFERENCE, normalised, shown_channel
from pathview.images.tiles import Look, TileKey, keys_for, load_tiles, tile_region
from pathview.settings import Settings

SCREEN = (1920, 1080)
SIZE = Size(SIDE, SIDE)
RATE_LIMIT, FIRST_VIEW_LIMIT = 0.8, 1.5
_VIEWS, _AT_ONCE = 16, 6


def views() -> list[list[TileKey]]:
    """The visible tiles of screens at random places of the tissue, from 20x to overview; no tile twice."""
    rng = np.random.default_rng(5)
    seen: set[TileKey] = set()
    found = []
    for number in range(_VIEWS):
        scale = (0.5, 0.25, 1.0, 0.125)[number % 4]
        x, y = rng.uniform(0.25, 0.6, 2) * SIDE
        keys = keys_for((x, y, SCREEN[0] / scale, SCREEN[1] / scale), scale, SIZE)
        fresh = [key for key in keys if key.level == keys[0].level and key not in seen]
        seen.update(fresh)
        if len(fresh) >= _AT_ONCE:
            found.append(fresh)
    return found


def openslide_seconds(path: Path, keys: list[TileKey]) -> float:
    """OpenSlide alone: ``read_region`` of the same tiles, one after another."""
    slide = openslide.OpenSlide(str(path))
    started = time.perf_counter()
    for key in keys:
        region = tile_region(*key, SIZE)
        slide.read_region((region.x, region.y), key.level, region.size.scaled(1 / (1 << key.level)).shape[::-1])
    taken = time.perf_counter() - started
    slide.close()
    return taken


def our_seconds(worker: Worker, path: Path, keys: list[TileKey], look: Look) -> float:
    """The same tiles as arrays in this process, as the window asks for them: a few a job."""
    started = time.perf_counter()
    for first in range(0, len(keys), _AT_ONCE):
        worker.run(load_tiles, path, Settings(), None, keys[first : first + _AT_ONCE], look)
    return time.perf_counter() - started


def rates(worker: Worker, path: Path) -> bool:
    """Tiles a second, view by view in turns, so that both meet the same noise; the median view counts."""
    peer, ours = [], []
    for keys in views():
        peer.append(openslide_seconds(path, keys) / len(keys))
        ours.append(our_seconds(worker, path, keys, Look()) / len(keys))
    share = float(np.median(np.array(peer) / np.array(ours)))
    return report("slide_tiles_against_openslide", share >= RATE_LIMIT, share_of_rate=share, limit=RATE_LIMIT,
                  views=len(peer), ms_a_tile=1000 * float(np.median(ours)),
                  openslide_ms_a_tile=1000 * float(np.median(peer)))  # fmt: skip


def looks(path: Path) -> bool:
    """What a look adds to reading a tile."""
    slide = openslide.OpenSlide(str(path))
    tile = np.asarray(slide.read_region((SIDE // 2, SIDE // 2), 0, (512, 512)).convert("RGB"))
    slide.close()
    profile = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(profile, profile, "RGB", "RGB")
    table = ColorTransform(transform)
    table.changes = True  # as if the scanner's colours were not the screen's
    stains = milliseconds(lambda _: shown_channel(tile, "haematoxylin"), 40)
    exact = milliseconds(lambda _: converted(tile, transform), 40)
    quick = milliseconds(lambda _: table.apply(tile), 40)
    reference = milliseconds(lambda _: normalised(tile, REFERENCE), 40)
    return report("slide_looks", True, haematoxylin_ms=float(np.median(stains)), icc_ms=float(np.median(quick)),
                  icc_by_little_cms_ms=float(np.median(exact)), macenko_ms=float(np.median(reference)))  # fmt: skip


def first_view(worker: Worker, path: Path) -> bool:
    """From nothing open to the tiles of a screen that shows the whole slide; the peer opens and reads one region."""
    scale = min(SCREEN[0] / SIDE, SCREEN[1] / SIDE)
    rect = ((SIDE - SCREEN[0] / scale) / 2, 0.0, SCREEN[0] / scale, SCREEN[1] / scale)
    wanted = keys_for(rect, scale, SIZE)
    visible = [key for key in wanted if key.level == wanted[0].level]
    ours, peer, screen = [], [], []
    for number in range(9):
        copy = path.with_name(f"other-{number}.tif")
        copy.hardlink_to(path)  # another name, so that nothing of it is open
        started = time.perf_counter()
        worker.run(load_tiles, copy, Settings(), None, visible, Look())
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        slide = openslide.OpenSlide(str(path))
        level = slide.get_best_level_for_downsample(1 / scale)
        slide.read_region((0, 0), level, slide.level_dimensions[level])
        peer.append(time.perf_counter() - started)
        slide.close()
        slide = openslide.OpenSlide(str(path))
        started = time.perf_counter()
        slide.read_region((SIDE // 3, SIDE // 3), 0, SCREEN)
        screen.append(time.perf_counter() - started)
        slide.close()
        copy.unlink()
    ratio = float(np.median(ours) / np.median(peer))
    return report("slide_first_view_against_one_read", ratio < FIRST_VIEW_LIMIT, ratio=ratio, limit=FIRST_VIEW_LIMIT,
                  tiles=len(visible), ms=1000 * float(np.median(ours)), peer_ms=1000 * float(np.median(peer)),
                  one_full_screen_ms=1000 * float(np.median(screen)))  # fmt: skip


def run() -> bool:
    worker = Worker("reading")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        path = write_slide(Path(folder) / "slide.tif")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        report("slide_made", True, seconds=time.perf_counter() - started, mb=path.stat().st_size / 1e6, peak_mb=peak)
        try:
            worker.run(load_tiles, path, Settings(), None, [TileKey(6, 0, 0)], Look())  # the child is up
            return all([rates(worker, path), first_view(worker, path), looks(path)])
        finally:
            worker.close()
