"""The two ways to look at an image: outline regions on it, or classify it patch by patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pathview.analysis import gradcam, predict, uncertainty, windows
from pathview.analysis.prepare import check_fits, prepare
from pathview.errors import NotAnalysable
from pathview.images.patches import PatchMosaic
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Network
from pathview.results.mask import MaskStats
from pathview.results.result import Flag, ScoreMap


class Look(Protocol):
    """One network on one frame of one image, prepared; everything else follows from the probability map."""

    stride: int | None
    """Pixels at the recipe's scale between fields that overlap; None where there are none."""

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """Run the network."""
        ...

    def verdict(self, probability: ScoreMap, threshold: float) -> uncertainty.Verdict:
        """The recipe's decision rule."""
        ...

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """Reasons to look that lie in the map."""
        ...

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Grad-CAM of layers; empty where none is wanted."""
        ...


def look_at(source: ImageSource, network: Network, frame: int, stride: int | None = None) -> Look:
    """Prepare an image for a network.

    Args:
        source: the image.
        network: what looks at it.
        frame: counted from 0.
        stride: pixels at the recipe's scale from one field of a patch classifier to the next; None: side by side;
            0: as fine as its network does at no great cost, where fields can be moved at all.

    Raises:
        NotAnalysable: the image does not fit the recipe, or the recipe no stride.
        ImageError: its pixels cannot be read.
    """
    if network.recipe.task == "segmentation":
        if stride:
            raise NotAnalysable(f"{network.recipe.name} outlines and has no stride; leave it out")
        return OutlineLook(source, network, frame)
    if stride is None:
        return PatchLook(source, network, frame)
    try:
        return WindowLook(source, network, frame, stride or windows.fine_stride(network))
    except windows.LessThanAField:
        if stride:
            raise
        return PatchLook(source, network, frame)


class OutlineLook:
    """A segmentation network over tiles."""

    stride: int | None = None

    def __init__(self, source: ImageSource, network: Network, frame: int) -> None:
        """See :func:`look_at`."""
        self._network = network
        self._working = prepare(source, network.recipe, frame)

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """At the working scale."""
        return predict.segment(self._network, self._working, progress, cancel)

    def verdict(self, probability: ScoreMap, threshold: float) -> uncertainty.Verdict:
        """The mask-sum rule, which has no threshold on the map."""
        recipe = self._network.recipe
        return uncertainty.judge_map(probability, recipe.input, recipe.decision)

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """See :func:`uncertainty.map_flags`."""
        return uncertainty.map_flags(verdict, mask, self._working.breast_found)

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Over the same tiles."""
        return gradcam.explain_tiles(self._network, self._working, layers, progress, cancel) if layers else {}


class PatchLook:
    """A patch classifier over a mosaic, or over the patches that an image is cut into."""

    stride: int | None = None

    def __init__(self, source: ImageSource, network: Network, frame: int) -> None:
        """See :func:`look_at`."""
        self._network = network
        self._grid = _patch_grid(source, network, frame)

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """One cell a patch."""
        return predict.classify(self._network, self._grid, progress, cancel)

    def verdict(self, probability: ScoreMap, threshold: float) -> uncertainty.Verdict:
        """The margin rule."""
        return uncertainty.judge_patches(probability, self._network.recipe.decision, threshold)

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """See :func:`uncertainty.patch_flags`."""
        return uncertainty.patch_flags(verdict, probability, self._network.recipe.decision, self._grid)

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Put together as the patches lie."""
        return gradcam.explain_patches(self._network, self._grid, layers, progress, cancel) if layers else {}


class WindowLook(PatchLook):
    """A patch classifier over fields that overlap.

    Only the map gets finer: score, label and flags stay those of the patches side by side, which the recipe's limits
    are for.
    """

    def __init__(self, source: ImageSource, network: Network, frame: int, stride: int) -> None:
        """See :func:`look_at`."""
        super().__init__(source, network, frame)
        self.stride = stride
        self._canvas = windows.canvas(source, network.recipe, frame, stride)

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """One cell a field."""
        self._patches = super().probability(part_of(progress, 0, 2, "patches"), cancel)
        fine = part_of(progress, 1, 2, "fine map")
        return windows.window_map(self._network, self._canvas, self._patches, fine, cancel)

    def verdict(self, probability: ScoreMap, threshold: float) -> uncertainty.Verdict:
        """Of the patches side by side."""
        return super().verdict(self._patches, threshold)

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """Of the patches side by side."""
        return super().flags(verdict, self._patches, mask)


def _patch_grid(source: ImageSource, network: Network, frame: int) -> predict.PatchGrid:
    if isinstance(source, PatchMosaic):
        check_fits(source.info, network.recipe, frame)  # what preparing does for every other image
        return predict.mosaic_grid(source, network.recipe)
    grid = predict.working_grid(prepare(source, network.recipe, frame), network.recipe)
    if not grid.cells:
        raise NotAnalysable("it shows nothing but empty glass")
    return grid
