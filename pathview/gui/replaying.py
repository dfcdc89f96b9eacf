"""A decision's screen, shown again: images as they hung, with the results, the threshold and the overlays of then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pathview.gui.desk import Desk
from pathview.gui.viewer.light_box import LightBox
from pathview.gui.viewer.tones import noted_tones, recall_tone
from pathview.review.records.case import CaseDetail

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.cases.replay import Replay

_LOOK = ("mask", "fill", "heat", "layer", "colormap", "opacity", "thresholds")
"""Of the state: what comes back when the replay ends."""


class Replaying(QObject):
    """Puts the room into a decision's state, and back."""

    began = Signal(str)
    """What is shown, in a sentence for the banner."""
    ended = Signal()

    def __init__(self, desk: Desk, box: LightBox, parent: QObject) -> None:
        """``box`` has the grey-scale windows."""
        super().__init__(parent)
        self._desk, self._box = desk, box
        self._look: dict[str, Any] | None = None
        self._tones: Mapping[str, Mapping[str, Any]] = {}
        self._tones_before: Mapping[str, Mapping[str, Any]] = {}
        desk.reading.replayed.connect(self._begin)
        desk.reading.changed.connect(self._on_reading)
        desk.room.picture_changed.connect(self._recall)
        desk.room.frame_changed.connect(self._recall)

    @property
    def on(self) -> bool:
        """Whether a replay is shown."""
        return self._desk.reading.replay is not None

    def noted(self) -> dict[str, Any]:
        """What a later replay needs and the state does not know."""
        return {"window": noted_tones(self._box.tiles)}

    @Slot(object)
    def _begin(self, found: Replay) -> None:
        room, opened, now = self._desk.room, self._desk.reading.opened, self._desk.reading.now
        if opened is None or now is None:
            return
        if self._look is None:
            self._look = {name: getattr(room.state, name) for name in _LOOK}
            self._tones_before = noted_tones(self._box.tiles)
        self._tones = found.window or {}
        context = found.decision.context
        detail = replace(now.detail, images=found.images, decisions=())
        room.open(replace(opened, detail=detail, prior=_without_results(opened.prior)))
        titles = [step.title for step in room.state.steps]
        if context.get("hanging") in titles:
            room.choose_step(titles.index(context["hanging"]))
        if isinstance(context.get("image"), int):
            room.choose_image(context["image"])
        heat = context.get("heat_shown")
        room.show(
            mask=bool(context.get("mask_shown", True)),
            fill=bool(context.get("fill_shown", False)),
            heat=bool(heat),
            layer=heat or room.state.layer,
            thresholds=_thresholds(found),
        )
        thickness, mode = context.get("slab", (1, "MIP"))
        if context.get("frame"):
            room.show_slab(context["frame"], thickness, mode, 1.0)
        for image in room.state.hung:
            self._recall(image.id)
        self._desk.marks.show_as_of(found.marks, found.decision.reader)
        self.began.emit(_words(found))

    def end(self) -> bool:
        """Show the case as it is now; whether a replay was on."""
        look, tones = self._look, self._tones_before
        self._look = None
        if look is None or not self._desk.reading.end_replay():
            return False
        self._desk.room.show(**look)
        self._tones = tones
        for image in self._desk.room.state.hung:
            self._recall(image.id)
        self._tones = {}
        if self._desk.case_id is not None:
            self._desk.marks.open(self._desk.case_id)
        self.ended.emit()
        return True

    @Slot()
    def _on_reading(self) -> None:
        """Another case was opened meanwhile: it is shown as the reader likes it, not as the replay was."""
        if not self.on and self._look is not None:
            look, self._look, self._tones = self._look, None, {}
            self._desk.room.show(**{name: value for name, value in look.items() if name != "thresholds"})
            self.ended.emit()

    @Slot(int)
    def _recall(self, image_id: int) -> None:
        if (noted := self._tones.get(str(image_id))) is not None:
            for tile in self._box.tiles_of(image_id):
                recall_tone(tile.canvas, noted)


def _thresholds(found: Replay) -> dict[str, float]:
    """By recipe, as the state has them."""
    with_result = [image for image in found.images if image.result is not None]
    known = {image.result.recipe: found.threshold_of(image) for image in with_result if image.result is not None}
    return {recipe: threshold for recipe, threshold in known.items() if threshold is not None}


def _without_results(prior: CaseDetail | None) -> CaseDetail | None:
    """An earlier study as images alone: which result of it was shown is not known."""
    if prior is None:
        return None
    return replace(prior, images=tuple(replace(image, result=None) for image in prior.images))


def _words(found: Replay) -> str:
    row = found.decision
    model = found.threshold
    seen = f"with the model at a threshold of {model:.2f}" if model is not None else "without the model"
    when = f"{row.created.astimezone():%Y-%m-%d %H:%M}"
    return f"A replay: as {row.reader} saw it on {when}, {seen}. Nothing can be changed here. Esc goes back."
