"""The ways that one network looks at an image: it outlines regions, or classifies it patch by patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from pathview.analysis import gradcam, predict, uncertainty, windows
from pathview.analysis.prepare import check_fits, prepare
from pathview.errors import NotAnalysable
from pathview.images.patches import PatchMosaic
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Network
from pathview.results.mask import MaskStats
from pathview.results.result import Flag, ScoreMap, Stage

NO_FACTS: Mapping[str, Any] = MappingProxyType({})


class Look(Protocol):
    """One network on one frame of one image, prepared; everything else follows from the probability map."""

    stride: int | None
    """Pixels at the recipe's scale between fields that overlap; None where there are none."""
    threshold: float
    """On the probability map, where no other is asked for."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else a result keeps beside its settings; asked for after the verdict."""
        ...

    @property
    def within_breast(self) -> bool:
        """Whether what lies outside a breast that was found is left out."""
        ...

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """Run the network."""
        ...

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> uncertainty.Verdict:
        """The recipe's decision rule, on the map and on what reaches ``mask.threshold`` there."""
        ...

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """Reasons to look that lie in the map."""
        ...

    def stages(self) -> tuple[Stage, ...]:
        """What each model of a cascade says; none for a single network."""
        ...

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Grad-CAM of layers; empty where none is wanted."""
        ...


class OutlineLook:
    """A segmentation network over tiles."""

    stride: int | None = None
    facts: Mapping[str, Any] = NO_FACTS

    def __init__(self, source: ImageSource, network: Network, frame: int) -> None:
        """Prepare an image.

        Raises:
            NotAnalysable: it does not fit the recipe.
            ImageError: its pixels cannot be read.
        """
        self._network = network
        self.threshold = network.recipe.decision.threshold
        self.working = prepare(source, network.recipe, frame)

    @property
    def within_breast(self) -> bool:
        """Where the recipe says so and a breast was found."""
        return self.working.inside is not None

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """At the working scale; NaN outside the breast."""
        return predict.segment(self._network, self.working, progress, cancel)

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> uncertainty.Verdict:
        """The mask-sum rule, which has no threshold on the map."""
        recipe = self._network.recipe
        return uncertainty.judge_map(probability, recipe.input, recipe.decision)

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """See :func:`uncertainty.map_flags`."""
        return uncertainty.map_flags(verdict, mask, self.working.breast_found)

    def stages(self) -> tuple[Stage, ...]:
        """None."""
        return ()

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Over the same tiles."""
        return gradcam.explain_tiles(self._network, self.working, layers, progress, cancel) if layers else {}


class PatchLook:
    """A patch classifier over a mosaic, or over the patches that an image is cut into."""

    stride: int | None = None
    within_breast = False
    facts: Mapping[str, Any] = NO_FACTS

    def __init__(self, source: ImageSource, network: Network, frame: int) -> None:
        """See :class:`OutlineLook`."""
        self._network = network
        self.threshold = network.recipe.decision.threshold
        self._grid = _patch_grid(source, network, frame)

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """One cell a patch."""
        found, self._outputs = predict.classify(self._network, self._grid, progress, cancel)
        return found

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> uncertainty.Verdict:
        """The margin rule; of one patch of more than two classes it names the most probable one, too."""
        found = uncertainty.judge_patches(probability, self._network.recipe.decision, mask.threshold)
        words = uncertainty.class_words(self._outputs, self._network.recipe)
        return replace(found, name=f"{found.name}{words}")

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """See :func:`uncertainty.patch_flags` and :func:`uncertainty.class_flags`."""
        recipe = self._network.recipe
        flags = uncertainty.patch_flags(verdict, probability, recipe.decision, self._grid, mask)
        return [*flags, *uncertainty.class_flags(self._outputs, recipe)]

    def stages(self) -> tuple[Stage, ...]:
        """None."""
        return ()

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Put together as the patches lie."""
        return gradcam.explain_patches(self._network, self._grid, layers, progress, cancel) if layers else {}


class WindowLook(PatchLook):
    """A patch classifier over fields that overlap.

    Only the map gets finer: score, label and flags stay those of the patches side by side, which the recipe's limits
    are for.
    """

    def __init__(self, source: ImageSource, network: Network, frame: int, stride: int) -> None:
        """See :class:`OutlineLook`."""
        super().__init__(source, network, frame)
        self.stride = stride
        self._canvas = windows.canvas(source, network.recipe, frame, stride)

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """One cell a field."""
        self._patches = super().probability(part_of(progress, 0, 2, "patches"), cancel)
        fine = part_of(progress, 1, 2, "fine map")
        return windows.window_map(self._network, self._canvas, self._patches, fine, cancel)

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> uncertainty.Verdict:
        """Of the patches side by side."""
        return super().verdict(self._patches, mask, cancel)

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """Of the patches side by side, and where the fine map speaks against them."""
        fine = uncertainty.judge_patches(probability, self._network.recipe.decision, mask.threshold)
        return [*super().flags(verdict, self._patches, mask), *uncertainty.fine_flags(verdict, fine)]


def _patch_grid(source: ImageSource, network: Network, frame: int) -> predict.PatchGrid:
    if isinstance(source, PatchMosaic):
        check_fits(source.info, network.recipe, frame)  # what preparing does for every other image
        return predict.mosaic_grid(source, network.recipe)
    grid = predict.working_grid(prepare(source, network.recipe, frame), network.recipe)
    if not grid.cells:
        raise NotAnalysable("it shows nothing but empty glass")
    return grid
