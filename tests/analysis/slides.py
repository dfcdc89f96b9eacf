"""Slides that are made on demand, networks that answer by what they see, and both run together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pathview.analysis.pipeline import AnalysisRequest, Models, analyse
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.damage import DamagedPart
from pathview.images.source import ImageInfo, Level, level_shape
from pathview.jobs import CancelToken, Progress, ProgressSink, never, no_progress
from pathview.models.backend import Predict
from pathview.models.recipe import Recipe
from pathview.results.result import AnalysisResult
from pathview.settings import Settings

GLASS = (243, 242, 244)
SIZE, TISSUE = Size(1600, 1200), Region(200, 100, 900, 800)


@dataclass
class MadeSlide:
    """A slide of any size whose pixels are computed when asked for: stained stripes inside a box, glass outside."""

    path: Path
    size: Size = SIZE
    tissue: Region = TISSUE
    downsamples: tuple[int, ...] = (1, 4)
    mpp_um: float | None = 1.0
    damaged: tuple[Region, ...] = ()
    reads: list[Region] = field(default_factory=list)
    largest: int = 0

    def __post_init__(self) -> None:
        self.path.write_bytes(b"a slide")
        levels = tuple(Level(self.size.scaled(1 / d), float(d)) for d in self.downsamples)
        spacing = None if self.mpp_um is None else SpacingMm.from_mpp(self.mpp_um)
        self.info = ImageInfo(self.path, "made", self.size, levels, 1, 8, "RGB", "histology", "SM", spacing=spacing)

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> np.ndarray:
        assert region.clipped(self.size) == region
        self.reads.append(region)
        down = self.downsamples[level]
        rows, columns = level_shape(region, down)
        self.largest = max(self.largest, rows * columns)
        if any(_meet(region, bad) for bad in self.damaged):
            raise DamagedPart("A part of it is damaged.")
        y = (region.y // down + np.arange(rows))[:, None] * down
        x = (region.x // down + np.arange(columns))[None] * down
        box = self.tissue
        inside = (x >= box.x) & (x < box.right) & (y >= box.y) & (y < box.bottom)
        pixels = np.empty((rows, columns, 3), np.uint8)
        pixels[...] = GLASS
        shade = (x * 7 + y * 3) // 16 % 90 + 60 * ((x // 160 + y // 160) % 2)
        for channel, dark in enumerate((200, 150, 230)):
            pixels[..., channel] = np.where(inside, np.clip(dark - shade, 20, 235), GLASS[channel])
        return pixels

    def gray_scale(self, frame: int = 0) -> None:
        return None

    def close(self) -> None:
        pass


def _meet(one: Region, other: Region) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


@dataclass
class DarkNetwork:
    """Says how dark an image (or each of its pixels) is; as real networks do, a little otherwise in other company."""

    recipe: Recipe
    weights_sha256: str = "dark"
    runtime: str = "none"
    device: str = "none"
    precision: str = "float32"
    window_stride: int | None = None
    calls: int = 0
    images: int = 0
    before: Callable[[int], None] = lambda _: None
    lanes: tuple[Predict, ...] = ()

    def __post_init__(self) -> None:
        self.lanes = self.lanes or (self.predict,)

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.before(self.calls)
        self.calls += 1
        self.images += len(images)
        if self.recipe.task == "segmentation":
            return (1 - images.mean(axis=3, keepdims=True)).astype(np.float32)
        company = np.float32(1e-6 * len(images))
        positive = (1 - images.mean(axis=(1, 2, 3)) + company).astype(np.float32)
        return np.stack([1 - positive, positive], axis=1)

    def explainable_layers(self) -> tuple[str, ...]:
        return ("one", "two")

    def can_explain(self, layer: str) -> bool:
        return layer in ("one", "two")

    def gradcam(self, images: np.ndarray, layers) -> dict[str, np.ndarray]:
        self.calls += 1
        return {layer: 1 - images[:, ::5, ::5].mean(axis=3) for layer in layers}


class After(CancelToken):
    """Cancels once progress has been told of so many tiles."""

    def __init__(self, tiles: int) -> None:
        self._tiles, self.steps = tiles, list[Progress]()

    def sink(self, step: Progress) -> None:
        self.steps.append(step)

    def is_set(self) -> bool:
        return any(step.total and step.done >= self._tiles for step in self.steps)


def said(
    source: MadeSlide,
    network: DarkNetwork,
    settings: Settings | None = None,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
    **options,
) -> AnalysisResult:
    request = AnalysisRequest(source.path, **options)
    cancel = cancel or never()
    models = Models(network)
    return analyse(source, models, request, "cafe" * 16, None, progress, cancel, settings=settings)
