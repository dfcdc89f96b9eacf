"""Two networks in turn: one outlines places, the other classifies each place that was outlined (seed 2's future work).

The score is the classifier's for the most suspicious place; the outlining network's own score stands beside it, and
where one calls the image positive and the other negative, nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from pathview.analysis.gradcam import relative
from pathview.analysis.looks import NO_FACTS, OutlineLook
from pathview.analysis.predict import as_input, checked_score
from pathview.analysis.prepare import Working, prepare
from pathview.analysis.uncertainty import Verdict, label_of
from pathview.geometry import Region, Size
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, ProgressSink, checkpoint, part_of
from pathview.models.backend import Batch, Network
from pathview.models.recipe import RegionSpec
from pathview.results.mask import MaskStats, measure
from pathview.results.result import Flag, FloatMap, Label, Place, ScoreMap, Stage, score_words

SCORE_NAME = "probability of the most suspicious place"
NO_PLACE = "no place was outlined"


class CascadeLook:
    """See :class:`pathview.analysis.looks.Look`."""

    stride: int | None = None
    facts: Mapping[str, Any] = NO_FACTS

    def __init__(
        self, source: ImageSource, classifier: Network, outliner: Network, frame: int, threshold: float | None
    ) -> None:
        """Prepare an image; what reaches ``threshold`` on the outlining network's map is a place.

        Raises:
            NotAnalysable: it does not fit one of the recipes.
            ImageError: its pixels cannot be read.
        """
        self._source, self._frame = source, frame
        self._classifier, self._outliner = classifier, outliner
        self._outline = OutlineLook(source, outliner, frame)
        self.threshold = self._outline.threshold if threshold is None else threshold
        self._places: tuple[Place, ...] = ()
        self._stages: tuple[Stage, ...] = ()

    @property
    def within_breast(self) -> bool:
        """As the outlining network's."""
        return self._outline.within_breast

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """The outlining network's map."""
        return self._outline.probability(progress, cancel)

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> Verdict:
        """The classifier's on the most suspicious place; not sure where the two contradict each other.

        Without a place it is the outlining network's own, and never positive.
        """
        self._places = self._classified(mask, cancel)
        outlined, judged = self._outline.verdict(probability, mask, cancel), self._judged()
        self._stages = (_stage(self._outliner, outlined, ()), _stage(self._classifier, judged, self._places))
        if judged is None:
            label: Label = "negative" if outlined.label == "negative" else "not_sure"
            return replace(outlined, name=f"{outlined.name}; {NO_PLACE}", label=label)
        return replace(judged, label="not_sure") if _opposed(judged.label, outlined.label) else judged

    def flags(self, verdict: Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """What the two networks leave open."""
        first, second = self._stages
        found = [flag for flag in self._outline.flags(verdict, probability, mask) if flag.code == "no_breast_found"]
        if second.label is None and first.label != "negative":
            found.append(
                Flag("nothing_to_classify", f"{first.recipe} calls it {_words(first)}, but outlines no place.")
            )
        elif _opposed(first.label, second.label):
            sentence = f"{first.recipe} calls it {_words(first)}, {second.recipe} {_words(second)}: look for yourself."
            found.append(Flag("stages_disagree", sentence))
        elif second.label == "not_sure":
            band = f"{second.lower:.2f} and {second.upper:.2f}"
            found.append(Flag("score_in_band", f"Score {second.score:.2f} lies between {band}: too near to call."))
        if left_out := len(mask.components) - len(self._places):
            found.append(Flag("places_left_out", f"{left_out} smaller places were outlined but not classified."))
        return found

    def stages(self) -> tuple[Stage, ...]:
        """The outlining network's own result, and the classifier's; none before the verdict."""
        return self._stages

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """The classifier's on each place, laid where the place is; blank elsewhere, and outside the breast."""
        if not layers:
            return {}
        if not self._stages:
            info = self._source.info
            probability = self.probability(part_of(progress, 0, 2), cancel)
            mask = measure(probability, self.threshold, info.size, info.spacing, cancel)
            self._places = self._classified(mask, cancel)
        checkpoint(cancel)
        working = self._outline.working
        regions = [place.region for place in self._places]
        maps = self._classifier.gradcam(self._cut_out(regions, cancel), layers) if regions else {}
        laid = {layer: _laid(maps.get(layer, ()), regions, working) for layer in layers}
        return {layer: ScoreMap(relative(working.within(values)), working.place) for layer, values in laid.items()}

    def _classified(self, mask: MaskStats, cancel: CancelToken) -> tuple[Place, ...]:
        """The places of a mask with the classifier's scores, the surest first."""
        size = self._source.info.size
        regions = [region.square_around(self._spec.margin, size) for region in worth_asking(mask, self._spec, size)]
        if not regions:
            return ()
        scores = checked_score(self._classifier, self._cut_out(regions, cancel))
        places = [Place(region, float(score)) for region, score in zip(regions, scores, strict=True)]
        return tuple(sorted(places, key=lambda place: -place.score))

    def _judged(self) -> Verdict | None:
        """The classifier's own; None where it had no place to look at."""
        if not self._places:
            return None
        spec, score = self._classifier.recipe.decision, self._places[0].score
        return Verdict(score, SCORE_NAME, spec.lower, spec.upper, label_of(score, spec.lower, spec.upper))

    @property
    def _spec(self) -> RegionSpec:
        spec = self._classifier.recipe.regions
        if spec is None:
            raise ValueError("this is no cascade's recipe")
        return spec

    def _cut_out(self, regions: Sequence[Region], cancel: CancelToken) -> Batch:
        """The places as the classifier reads them, [n, rows, columns, channels]."""
        pixels = []
        for region in regions:
            checkpoint(cancel)
            pixels.append(prepare(self._source, self._classifier.recipe, self._frame, region).pixels)
        return as_input(np.stack(pixels))


def worth_asking(mask: MaskStats, spec: RegionSpec, size: Size) -> list[Region]:
    """The boxes of a mask's components that a cascade classifies: no specks, and not too many, the largest first."""
    least = spec.least_share * size.pixels
    return [part.region for part in mask.components if part.area_px >= least][: spec.most]


def _opposed(one: Label | None, other: Label | None) -> bool:
    return {one, other} == {"positive", "negative"}


def _words(stage: Stage) -> str:
    return f"{(stage.label or 'nothing').replace('_', ' ')} ({score_words(stage.score)})"


def _stage(network: Network, verdict: Verdict | None, places: tuple[Place, ...]) -> Stage:
    recipe, weights, limits = network.recipe.name, network.weights_sha256, network.recipe.decision
    if verdict is None:
        return Stage(recipe, weights, None, NO_PLACE, limits.lower, limits.upper, None)
    return Stage(recipe, weights, verdict.score, verdict.name, verdict.lower, verdict.upper, verdict.label, places)


def _laid(maps: Sequence[FloatMap] | Batch, regions: Sequence[Region], working: Working) -> FloatMap:
    """Maps of places on the working grid [rows, columns], the larger value where places overlap; NaN elsewhere."""
    canvas = np.full(working.pixels.shape[:2], np.nan, np.float32)
    for values, region in zip(maps, regions, strict=True):
        left, top = (max(0, round(v)) for v in working.place.to_grid(region.x, region.y))
        right, bottom = (round(v) for v in working.place.to_grid(region.right, region.bottom))
        part = canvas[top:bottom, left:right]
        if part.size:
            whole = cv2.resize(values, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
            part[:] = np.fmax(part, whole[: part.shape[0], : part.shape[1]])
    return canvas
