"""The reading room: which images of a case hang where, what is loaded of them, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pathview.geometry import Region
from pathview.gui.case_state import CaseState
from pathview.gui.job_runner import JobRunner
from pathview.gui.loader import ImageLoader, Maps
from pathview.gui.opened import Opened
from pathview.gui.picture_cache import PictureCache
from pathview.gui.session_handle import SessionHandle
from pathview.gui.tile_feed import TileFeed
from pathview.images.pyramid import PictureData, halvings
from pathview.results.findings import Finding
from pathview.results.result import ScoreMap
from pathview.review.records.case import CaseDetail, ImageRow

if TYPE_CHECKING:  # the window starts without their libraries
    from pathview.images.graphics import Graphics
    from pathview.images.slab import Slab, SlabMode
    from pathview.images.tiles import TileKey
    from pathview.review.records.hanging import Protocol

_MEASURE_DELAY_MS = 120


class ReadingRoom(QObject):
    """The only one to change the state; loads what it needs."""

    state_changed = Signal()
    hung = Signal()
    """Other images hang on the light box, or another one is active."""
    picture_changed = Signal(int)
    """An image's picture has come, or why it has none."""
    frame_changed = Signal(int)
    """Another frame of the same image."""
    look_changed = Signal()
    """The tiles of slides are to look otherwise."""
    heat_wanted = Signal(object, str)
    """An :class:`ImageRow` and a layer."""
    settled = Signal()
    """All that hangs is loaded."""
    failed = Signal(object)

    def __init__(
        self,
        handle: SessionHandle,
        reading: JobRunner,
        store: JobRunner,
        cache: PictureCache,
        parent: QObject | None = None,
    ) -> None:
        """``reading`` opens images, ``store`` reads maps."""
        super().__init__(parent)
        self.state = CaseState()
        self._opened: Opened
        self.wanted_protocol = ""
        """The hanging that the reader prefers; empty: chosen by the images."""
        self._by_hand = ""
        """The one that the reader chose for this case."""
        self._unmapped: set[int] = set()
        """Images whose maps are read when their picture has come: reading both at once delays the picture."""
        self.loader = ImageLoader(handle, reading, store, cache, self)
        self.loader.picture_loaded.connect(self._on_picture)
        self.loader.coarse_loaded.connect(self._on_coarse)
        self.loader.maps_loaded.connect(self._on_maps)
        self.loader.areas_counted.connect(self._on_areas)
        self.loader.findings_found.connect(self._on_findings)
        self.loader.graphics_loaded.connect(self._on_graphics)
        self.loader.slab_loaded.connect(self._on_slab)
        self.loader.outline_loaded.connect(self._on_outline)
        self.loader.failed.connect(self._on_failed)
        self.tiles = TileFeed(handle, self)
        self.tiles.failed.connect(self.failed)
        self.loader.trouble.connect(self.failed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_MEASURE_DELAY_MS)
        self._rest.timeout.connect(self._find)

    @property
    def busy(self) -> bool:
        """Whether tiles are being read, or places are still to be counted."""
        return self._rest.isActive() or self.tiles.busy

    def leave(self) -> None:
        """Another case comes: what is under way for this one is not shown any more."""
        self.loader.ignore()
        self.tiles.drop()

    def drop(self) -> None:
        """Forget what is under way."""
        self.loader.drop()
        self.tiles.drop()

    def close(self) -> None:
        """Forget what is under way and end the threads."""
        self.drop()
        self.tiles.close()

    # a case

    def open(self, opened: Opened) -> None:
        """Hang a case, its first step first."""
        self._opened = opened
        self.state = self.state.of_case(opened.detail, opened.priors, opened.prior)
        self._by_hand = ""
        self._hang(self.wanted_protocol)
        self.choose_step(0)

    def _hang(self, wanted: str) -> None:
        steps, name = self._opened.hung(wanted)
        self.state = replace(self.state, steps=steps, protocol=name)

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """What the case could hang by."""
        return self._opened.protocols if self.state.detail is not None else ()

    def choose_protocol(self, name: str) -> None:
        """Hang the case in another way."""
        if self.state.detail is not None:
            self._by_hand = name
            self._hang(name)
            self.choose_step(0)

    def hang_prior(self, prior: CaseDetail | None) -> None:
        """Hang another earlier study beside the case, or none."""
        if self.state.detail is not None:
            self._opened = replace(self._opened, prior=prior)
            self.state = replace(self.state, prior=prior)
            self._hang(self._by_hand or self.wanted_protocol)
            self.choose_step(min(self.state.step_index, len(self.state.steps) - 1))

    def choose_step(self, index: int) -> None:
        """Hang another step; the active image stays where it still hangs."""
        if not self.state.steps:
            self.hung.emit()
            self.state_changed.emit()
            return
        self.state = replace(self.state, step_index=min(max(0, index), len(self.state.steps) - 1))
        ids = [image.id for image in self.state.hung]
        if self.state.active not in ids:
            self.state = self.state.activating(ids[0] if ids else None)
        self.state = self.state.keeping_pictures(ids)
        first = sorted(self.state.hung, key=lambda image: image.id != self.state.active)
        self.loader.drop(but=first)
        self.tiles.drop()
        # Before they are laid out: the decoder takes longest, and is another process.
        self.loader.read_pictures(image for image in first if "size" in image.info)
        self.hung.emit()
        self._load(first)
        if self.state.heat:
            self.need_heat()
        self.state_changed.emit()

    def choose_image(self, image_id: int) -> None:
        """Make an image active, hanging the step that shows it where this one does not."""
        if all(image.id != image_id for image in self.state.hung):
            step = next(
                (n for n, step in enumerate(self.state.steps) if any(s.image_id == image_id for s in step.slots)), None
            )
            if step is None:
                return
            self.state = self.state.activating(image_id)
            self.choose_step(step)
            return
        if image_id != self.state.active:
            before = self.state.active
            self.state = self.state.activating(image_id)
            self.hung.emit()
            self._make_whole(before)
            self._find_if_missing()
            self.state_changed.emit()

    def next_image(self, by: int) -> None:
        """Make the next image of the case active."""
        detail = self.state.detail
        if detail is not None and detail.images:
            self.choose_image(detail.images[(self.state.index + by) % len(detail.images)].id)

    def _load(self, first: Sequence[ImageRow]) -> None:
        """Show what hangs and is here, the active image first; load the maps, those of the other views after them."""
        for image in first:
            if "size" not in image.info:
                self.state = self.state.with_view(image.id, problem=str(image.info.get("reason")))
                self.picture_changed.emit(image.id)
            else:
                self.loader.show_kept(image)
        own = self.state.detail.images if self.state.detail is not None else ()
        wanted = {image.id: image for image in (*first, *own)}
        self._unmapped = {image_id for image_id, image in wanted.items() if self.loader.is_reading(image)}
        for image in wanted.values():
            if image.id not in self._unmapped:
                self._load_maps(image)

    def _load_maps_now(self, image_id: int) -> None:
        """Its picture is there, or there will be none."""
        image = self.state.image_of(image_id)
        if image_id in self._unmapped and image is not None:
            self._unmapped.remove(image_id)
            self._load_maps(image)

    def _load_maps(self, image: ImageRow) -> None:
        result = image.result
        if result is None or result.status != "analysed" or self.state.view_of(image.id).probability is not None:
            return
        self.loader.load_maps(image.id, result)

    def reload(self, fresh: CaseDetail) -> None:
        """Take the case, or the prior beside it, as the store has it now; new results are loaded."""
        before = {image.id: image.result.id if image.result else None for image in self.state.images}
        sizes = {image.id: image.mpp_um for image in self.state.images}
        if _is(self.state.detail, fresh):
            self.state = replace(self.state, detail=fresh)
            self._opened = replace(self._opened, detail=fresh)
        elif _is(self.state.prior, fresh):
            self.state = replace(self.state, prior=fresh)
            self._opened = replace(self._opened, prior=fresh)
        else:
            return
        for image in fresh.images:
            if image.result is not None and before.get(image.id) != image.result.id:
                self.state = self.state.forgetting(image.id, image.result.recipe)
                self._load_maps(image)
        if any(image.mpp_um != sizes.get(image.id, image.mpp_um) for image in fresh.images):
            self.choose_step(self.state.step_index)  # a picture carries its pixel size
        self.state_changed.emit()

    # what has come

    @Slot(int, object)
    def _on_coarse(self, image_id: int, picture: PictureData) -> None:
        """A picture as fine as a small view needs, before the whole of it has come."""
        self.state = self.state.with_view(image_id, picture=picture, problem=None)
        self.picture_changed.emit(image_id)

    @Slot(int, object)
    def _on_picture(self, image_id: int, picture: PictureData) -> None:
        breast = picture.breast
        outline = ScoreMap(breast.soft(), breast.place) if breast is not None else self.state.view_of(image_id).breast
        box = breast.region if breast is not None else Region.whole(picture.info.size)
        coarse = self.state.view_of(image_id).picture
        fresh = {"picture": picture, "problem": None, "slab": (1, "MIP"), "breast": outline, "breast_box": box}
        self.state = self.state.with_view(image_id, **fresh)
        finer = coarse is not None and not coarse.partial and coarse.levels[0].downsample > 1
        (self.frame_changed if finer else self.picture_changed).emit(image_id)
        self._load_maps_now(image_id)
        if self.state.graphics:
            self._need_graphics()
        if self.state.breast:
            self._need_outline()
        self.state_changed.emit()
        if all(self.state.view_of(i.id).picture or self.state.view_of(i.id).problem for i in self.state.hung):
            self.settled.emit()

    @Slot(object)
    def _on_maps(self, maps: Maps) -> None:
        image = self.state.image_of(maps.image_id)
        if image is None or image.result is None or image.result.id != maps.result_id:
            return
        self.state = self.state.with_view(
            image.id, probability=maps.probability, heatmaps=maps.heatmaps, findings=None, areas=None
        )
        if image.id == self.state.active and self.state.layer not in maps.heatmaps:
            self.state = replace(self.state, layer=image.result.heat_layer)
        self.state_changed.emit()
        self.loader.count_areas(image, maps.probability)
        self._rest.start()
        if self.state.heat:
            self.need_heat()

    def grow(self, image_id: int, growing: ScoreMap | None) -> None:
        """Lay the map so far of an analysis over its slide; None: it has ended."""
        if self.state.view_of(image_id).growing is not growing:
            self.state = self.state.with_view(image_id, growing=growing)
            self.state_changed.emit()

    def follow_answers(self, image_id: int, answered: ScoreMap | None) -> None:
        """Let the map follow what the reader said of tiles; None: nothing."""
        if self.state.view_of(image_id).answered is not answered:
            self.state = self.state.with_view(image_id, answered=answered)
            self.state_changed.emit()

    def add_heat(self, image: ImageRow, result_id: int, layer: str, maps: Mapping[str, ScoreMap]) -> None:
        """Take heat maps that were made."""
        known = self.state.image_of(image.id)
        if known is not None and known.result is not None and known.result.id == result_id:
            self.state = self.state.with_view(image.id, heatmaps={**self.state.view_of(image.id).heatmaps, **maps})
            if image.id == self.state.active:
                self.state = replace(self.state, layer=layer)
            self.state_changed.emit()

    @Slot(int, object, object)
    def _on_areas(self, image_id: int, probability: ScoreMap, areas: Any) -> None:
        if self.state.view_of(image_id).probability is probability:
            self.state = self.state.with_view(image_id, areas=areas)
            self.state_changed.emit()

    @Slot(int, object, float, object)
    def _on_findings(self, image_id: int, probability: ScoreMap, threshold: float, found: tuple[Finding, ...]) -> None:
        image = self.state.image_of(image_id)
        current = image is not None and self.state.threshold_of(image.result) == threshold
        if current and self.state.view_of(image_id).probability is probability:
            self.state = self.state.with_view(image_id, findings=found)
            self.state_changed.emit()

    @Slot(int, object)
    def _on_graphics(self, image_id: int, graphics: Graphics) -> None:
        self.state = self.state.with_view(image_id, graphics=graphics)
        self.state_changed.emit()

    @Slot(int, object)
    def _on_outline(self, image_id: int, outline: ScoreMap) -> None:
        self.state = self.state.with_view(image_id, breast=outline)
        self.state_changed.emit()

    @Slot(int, object)
    def _on_slab(self, image_id: int, slab: Slab) -> None:
        picture = self.state.view_of(image_id).picture
        if picture is None:
            return
        levels = halvings(slab.pixels, Region.whole(picture.size))
        fresh = replace(picture, levels=levels, scale=slab.scale, frame=slab.center)
        self.state = self.state.with_view(image_id, picture=fresh)
        self.frame_changed.emit(image_id)
        if image_id != self.state.active:
            self._make_whole(image_id)

    def _make_whole(self, image_id: int | None) -> None:
        """Read a frame again at full resolution where a film that ended left it coarse."""
        image, view = self.state.image_of(image_id), self.state.view_of(image_id)
        picture = view.picture
        if image is not None and picture is not None and picture.info.frames > 1 and picture.levels[0].downsample > 1:
            self.loader.load_slab(image, picture.frame, *view.slab, 1.0)

    @Slot(int, object)
    def _on_failed(self, image_id: int, error: Exception) -> None:
        self.state = self.state.with_view(image_id, problem=str(error), picture=None)
        self.picture_changed.emit(image_id)
        self._load_maps_now(image_id)
        self.failed.emit(error)

    # measuring

    @Slot()
    def _find(self) -> None:
        """Find the mask's places in every view, at the threshold where the slider rests."""
        for image in self.state.images:
            view = self.state.view_of(image.id)
            if view.probability is not None and view.findings is None:
                self.loader.find(image, view.probability, self.state.threshold_of(image.result))

    def _find_if_missing(self) -> None:
        if self.state.view.probability is not None and self.state.view.findings is None:
            self._rest.start()

    # how it is shown

    def show(self, **changes: Any) -> None:
        """Change how results are shown: threshold, mask, fill, heat, layer, colormap, opacity, breast, graphics."""
        threshold = changes.pop("threshold", None)
        self.state = replace(self.state, **changes)
        if threshold is not None and self.state.result is not None:
            self.state = self.state.with_threshold(self.state.result.recipe, float(threshold))
            self._rest.start()
        if changes.get("heat") or "layer" in changes:
            self.need_heat()
        if changes.get("graphics"):
            self._need_graphics()
        if changes.get("breast"):
            self._need_outline()
        if "icc" in changes or "channel" in changes:
            self.look_changed.emit()
        self.state_changed.emit()

    def need_heat(self) -> None:
        """Ask for the heat maps of what hangs that are not there, the active image's first."""
        for image in sorted(self.state.hung, key=lambda image: image.id != self.state.active):
            result = image.result
            if result is None or self.state.view_of(image.id).probability is None:
                continue  # it is asked for once the stored maps are here
            layer = self.state.layer if self.state.layer in result.explainable else result.heat_layer
            if layer and layer not in self.state.view_of(image.id).heatmaps:
                self.heat_wanted.emit(image, layer)

    def _need_graphics(self) -> None:
        for image in self.state.hung:
            if self.state.view_of(image.id).graphics is None and "size" in image.info:
                self.loader.load_graphics(image)

    def _need_outline(self) -> None:
        """A breast was found with the picture; the tissue of a slide is found when it is asked for."""
        for image in self.state.hung:
            if image.info.get("kind") == "histology" and self.state.view_of(image.id).breast is None:
                self.loader.load_tissue(image)

    def point_out(self, image_id: int, number: int | None) -> None:
        """Point a finding out, or none, and make its image active."""
        self.state = replace(self.state, finding=(image_id, number) if number is not None else None)
        self.choose_image(image_id)
        self.state_changed.emit()

    def point_at(self, image_id: int, x: float, y: float) -> None:
        """Point out the finding at a stored point, the smallest where several lie there; none where there is none."""
        wanted = self.state.finding_at(image_id, x, y)
        if wanted != self.state.finding:
            self.state = replace(self.state, finding=wanted)
            self.state_changed.emit()

    def next_finding(self, by: int) -> None:
        """Go to the next finding of the study, view by view."""
        if (wanted := self.state.finding_after(by)) is not None:
            self.point_out(*wanted)

    def show_slab(self, center: int, thickness: int, mode: SlabMode, downsample: float) -> None:
        """Show frames of the active image."""
        image = self.state.image
        if image is not None and self.state.picture is not None:
            last = self.state.picture.info.frames - 1
            self.state = self.state.with_view(image.id, slab=(thickness, mode))
            self.loader.load_slab(image, min(max(0, center), last), thickness, mode, downsample)

    def rotate(self) -> None:
        """Turn the active picture of tissue by a quarter, clockwise; only the display is turned."""
        picture, image = self.state.picture, self.state.image
        if image is not None and picture is not None and picture.info.kind == "histology":
            self.state = self.state.with_view(image.id, picture=picture.quarter_turned())
            self.picture_changed.emit(image.id)
            self.state_changed.emit()

    def want_tiles(self, image_id: int, keys: Sequence[TileKey]) -> None:
        """Have the tiles read that the screen lacks."""
        image = self.state.image_of(image_id)
        if image is not None:
            self.tiles.want(image, keys, self.state.icc, self.state.channel)


def _is(known: CaseDetail | None, fresh: CaseDetail) -> bool:
    return known is not None and known.case.id == fresh.case.id
