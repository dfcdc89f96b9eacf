"""The two ways to look at an image: outline regions on it, or classify it patch by patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pathview.analysis import gradcam, predict, uncertainty
from pathview.analysis.prepare import check_fits, prepare
from pathview.errors import NotAnalysable
from pathview.images.patches import PatchMosaic
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.backend import Network
from pathview.results.mask import MaskStats
from pathview.results.result import Flag, ScoreMap


class Look(Protocol):
    """One network on one frame of one image, prepared; everything else follows from the probability map."""

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


def look_at(source: ImageSource, network: Network, frame: int) -> Look:
    """Prepare an image for a network.

    Raises:
        NotAnalysable: the image does not fit the recipe.
        ImageError: its pixels cannot be read.
    """
    if network.recipe.task == "segmentation":
        return OutlineLook(source, network, frame)
    return PatchLook(source, network, frame)


class OutlineLook:
    """A segmentation network over tiles."""

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


def _patch_grid(source: ImageSource, network: Network, frame: int) -> predict.PatchGrid:
    if isinstance(source, PatchMosaic):
        check_fits(source.info, network.recipe, frame)  # what preparing does for every other image
        return predict.mosaic_grid(source, network.recipe)
    grid = predict.working_grid(prepare(source, network.recipe, frame), network.recipe)
    if not grid.cells:
        raise NotAnalysable("it shows nothing but empty glass")
    return grid
