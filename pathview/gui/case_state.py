"""What is on the desk now: the case, its images as far as they are loaded, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region
from pathview.gui.viewer.picture import Overlay
from pathview.images.pyramid import PictureData
from pathview.results.findings import Finding
from pathview.results.mask import AREA_STEPS
from pathview.results.result import ScoreMap
from pathview.review.records.case import CaseDetail, CaseRow, ImageRow, ResultRow

if TYPE_CHECKING:  # the window starts without their libraries
    from pathview.images.graphics import Graphics
    from pathview.images.slab import SlabMode
    from pathview.images.stain import Channel
    from pathview.review.records.hanging import HungStep


@dataclass(frozen=True)
class ViewState:
    """One image, as far as it is loaded."""

    picture: PictureData | None = None
    problem: str | None = None
    """Why there is no picture."""
    slab: tuple[int, SlabMode] = (1, "MIP")
    """How many frames the picture combines, and how."""
    breast: ScoreMap | None = None
    """Where the breast was found, in stored pixels."""
    breast_box: Region | None = None
    """Its box, or the whole image where none was found; None until the picture was here once."""
    probability: ScoreMap | None = None
    """In stored pixels."""
    heatmaps: Mapping[str, ScoreMap] = field(default_factory=dict)
    """By layer, in stored pixels."""
    answered: ScoreMap | None = None
    """The probability map with what the reader said of tiles; None where nothing was said."""
    growing: ScoreMap | None = None
    """The map so far of an analysis that goes on."""
    areas: npt.NDArray[np.int64] | None = None
    """See :func:`pathview.results.mask.area_curve`; None while it is being made."""
    findings: tuple[Finding, ...] | None = None
    """At the threshold; None while they are being found."""
    graphics: Graphics | None = None

    def without_result(self) -> ViewState:
        """The same image before its maps are loaded."""
        return ViewState(self.picture, self.problem, self.slab, self.breast, self.breast_box, graphics=self.graphics)


_NOTHING = ViewState()
_KEPT = ("mask", "fill", "heat", "breast", "graphics", "layer", "colormap", "opacity")
"""How a reader wants to see cases, whichever it is."""


@dataclass(frozen=True)
class CaseState:
    """One moment; a change makes a new one. Only the reading room changes it."""

    detail: CaseDetail | None = None
    priors: tuple[CaseRow, ...] = ()
    """Earlier studies of the same patient, the newest first."""
    prior: CaseDetail | None = None
    """The one that hangs beside the case."""
    steps: tuple[HungStep, ...] = ()
    protocol: str = ""
    step_index: int = 0
    active: int | None = None
    """Id of the image that panels and keys are about."""
    views: Mapping[int, ViewState] = field(default_factory=dict)
    """By image id."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """What the reader moved a recipe's threshold to."""
    finding: tuple[int, int] | None = None
    """Image id and number of the finding that is pointed out."""
    mask: bool = True
    fill: bool = False
    heat: bool = False
    breast: bool = False
    """Outline the breast as it was found."""
    graphics: bool = False
    """Draw the file's own overlays and shutter."""
    icc: bool = True
    """Whether a slide's colour profile is applied."""
    channel: Channel = ""
    """One stain of a slide alone; empty: its colours."""
    layer: str = ""
    colormap: str = "inferno"
    opacity: float = 0.6

    # which images

    @property
    def images(self) -> tuple[ImageRow, ...]:
        """Of the case, then of the prior."""
        own = self.detail.images if self.detail is not None else ()
        return own + (self.prior.images if self.prior is not None else ())

    def image_of(self, image_id: int | None) -> ImageRow | None:
        """An image of the case or of its prior."""
        return next((image for image in self.images if image.id == image_id), None)

    @property
    def step(self) -> HungStep | None:
        """What hangs on the light box."""
        return self.steps[self.step_index] if self.steps else None

    @property
    def hung(self) -> tuple[ImageRow, ...]:
        """The images on the light box, in the order of their places."""
        found = [self.image_of(slot.image_id) for slot in self.step.slots] if self.step is not None else []
        return tuple(image for image in found if image is not None)

    @property
    def index(self) -> int:
        """Where the active image stands in the case; 0 for one of the prior."""
        own = self.detail.images if self.detail is not None else ()
        return next((index for index, image in enumerate(own) if image.id == self.active), 0)

    # the active image

    @property
    def image(self) -> ImageRow | None:
        """The active image."""
        return self.image_of(self.active)

    @property
    def view(self) -> ViewState:
        """What is loaded of it."""
        return self.view_of(self.active)

    @property
    def result(self) -> ResultRow | None:
        """Its newest result."""
        return self.image.result if self.image is not None else None

    @property
    def picture(self) -> PictureData | None:
        """Its picture."""
        return self.view.picture

    @property
    def problem(self) -> str | None:
        """Why it has none."""
        return self.view.problem

    @property
    def probability(self) -> ScoreMap | None:
        """Its probability map, in stored pixels."""
        return self.view.probability

    @property
    def heatmaps(self) -> Mapping[str, ScoreMap]:
        """Its heat maps by layer, in stored pixels."""
        return self.view.heatmaps

    @property
    def threshold(self) -> float:
        """Its mask's threshold."""
        return self.threshold_of(self.result)

    @property
    def area_px(self) -> int | None:
        """Its mask's area at the threshold, or None while it is not known."""
        areas = self.view.areas
        return int(areas[round(self.threshold * AREA_STEPS)]) if areas is not None else None

    @property
    def places(self) -> int | None:
        """Components of its mask; None while they are being found."""
        return len(self.view.findings) if self.view.findings is not None else None

    @property
    def overlay(self) -> Overlay:
        """What lies over it."""
        return self.overlay_of(self.image) if self.image is not None else Overlay()

    # any image

    def view_of(self, image_id: int | None) -> ViewState:
        """What is loaded of an image."""
        return self.views.get(image_id, _NOTHING) if image_id is not None else _NOTHING

    def of_case(self, detail: CaseDetail, priors: tuple[CaseRow, ...], prior: CaseDetail | None) -> CaseState:
        """Another case, shown the way this one is."""
        kept = {name: getattr(self, name) for name in _KEPT}
        return CaseState(detail, priors, prior, **kept)

    def activating(self, image_id: int | None) -> CaseState:
        """Another image is active; a finding stays pointed out on the image that the reader looks at alone."""
        kept = self.finding if self.finding is not None and self.finding[0] == image_id else None
        return replace(self, active=image_id, finding=kept)

    def with_threshold(self, recipe: str, threshold: float) -> CaseState:
        """One threshold for all views that a recipe scored; their places are to be found again."""
        scored = {i.id for i in self.images if i.result is not None and i.result.recipe == recipe}
        views = {
            number: replace(view, findings=None) if number in scored else view for number, view in self.views.items()
        }
        return replace(self, thresholds={**self.thresholds, recipe: threshold}, finding=None, views=views)

    def forgetting(self, image_id: int, recipe: str) -> CaseState:
        """Without what was shown of an image's result, which is another one now."""
        thresholds = {name: at for name, at in self.thresholds.items() if name != recipe}
        return replace(
            self, thresholds=thresholds, views={**self.views, image_id: self.view_of(image_id).without_result()}
        )

    def with_view(self, image_id: int, **changes: Any) -> CaseState:
        """The same with something more known of an image."""
        return replace(self, views={**self.views, image_id: replace(self.view_of(image_id), **changes)})

    def keeping_pictures(self, image_ids: Iterable[int]) -> CaseState:
        """Without the pictures of other images: they are large, and the cache holds the newest."""
        kept = set(image_ids)
        views = {key: view if key in kept else replace(view, picture=None) for key, view in self.views.items()}
        return replace(self, views=views)

    def threshold_of(self, result: ResultRow | None) -> float:
        """Where the reader moved the recipe's threshold, else where it stood at the decision, else its own."""
        if result is None:
            return 0.5
        if result.recipe in self.thresholds:
            return self.thresholds[result.recipe]
        decided = _decided_threshold(self.detail, result)
        own = result.threshold if result.threshold is not None else 0.5
        return float(decided if decided is not None else own)

    def overlay_of(self, image: ImageRow) -> Overlay:
        """What lies over an image, turned as its picture is; nothing before that is there."""
        view, result = self.view_of(image.id), image.result
        if view.picture is None:
            return Overlay()
        info = view.picture.info
        heat = view.heatmaps.get(self.layer) or view.heatmaps.get(result.heat_layer if result is not None else "")

        def shown(score_map: ScoreMap | None) -> ScoreMap | None:
            return score_map.turned(info.turn, info.size) if score_map is not None else None

        places = result.places if result is not None and self.mask else ()
        return Overlay(
            probability=shown(view.answered or view.probability),
            threshold=self.threshold_of(result),
            mask=self.mask,
            fill=self.fill,
            heat=shown(view.growing) if view.growing is not None else shown(heat) if self.heat else None,
            colormap=self.colormap,
            opacity=self.opacity,
            places=tuple(replace(p, region=info.turn.region_to_shown(p.region, info.size)) for p in places),
            breast=shown(view.breast) if self.breast else None,
            graphics=view.graphics if self.graphics else None,
        )

    def finding_on(self, image_id: int) -> Finding | None:
        """The finding that is pointed out, where it is on this image."""
        if self.finding is None or self.finding[0] != image_id:
            return None
        found = self.view_of(image_id).findings or ()
        return next((one for one in found if one.number == self.finding[1]), None)

    def finding_at(self, image_id: int, x: float, y: float) -> tuple[int, int] | None:
        """Image id and number of the finding at a stored point, the smallest where several lie there."""
        found = [one for one in self.view_of(image_id).findings or () if one.region.holds(x, y)]
        nearest = min(found, key=lambda one: one.area_px, default=None)
        return (image_id, nearest.number) if nearest is not None else None

    def finding_after(self, by: int) -> tuple[int, int] | None:
        """The finding so many after the one that is pointed out, else from the active view, of the case and around."""
        images = self.detail.images if self.detail is not None else ()
        found = [[(image.id, one.number) for one in self.view_of(image.id).findings or ()] for image in images]
        places = [place for view in found for place in view]
        if not places:
            return None
        before = sum(map(len, found[: self.index]))
        now = places.index(self.finding) if self.finding in places else before - (by > 0)
        return places[(now + by) % len(places)]

    @property
    def any_picture(self) -> bool:
        """Whether there is anything on the light box to decide on."""
        return any(self.view_of(image.id).picture is not None for image in self.hung)

    def context(self) -> dict[str, Any]:
        """What a decision was made on, for the store."""
        results = [image.result for image in self.hung if image.result is not None]
        return {
            "image": self.image.id if self.image is not None else None,
            "images_shown": [image.id for image in self.hung],
            "hanging": self.step.title if self.step is not None else None,
            "threshold": self.threshold,
            "thresholds": {str(result.id): self.threshold_of(result) for result in results},
            "frame": self.picture.frame if self.picture is not None else 0,
            "slab": list(self.view.slab),
            "mask_shown": self.mask,
            "fill_shown": self.fill,
            "heat_shown": self.layer if self.heat else None,
        }


def _decided_threshold(detail: CaseDetail | None, result: ResultRow) -> float | None:
    """Where the threshold stood when the decision that stands was made on this result; None where it was not."""
    latest = detail.decisions[-1] if detail is not None and detail.decisions else None
    if latest is None or latest.value is None or result.id not in latest.context.get("results", ()):
        return None
    shown: Mapping[str, float] = latest.context.get("thresholds", {})
    if str(result.id) in shown:
        return shown[str(result.id)]
    return latest.context.get("threshold") if latest.context.get("image") == result.image_id else None
