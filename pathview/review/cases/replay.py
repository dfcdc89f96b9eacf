"""What a reader saw when they decided, brought back: "show what I saw"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.review.cases import rows
from pathview.review.cases.marks import StoredMark, marks_at
from pathview.review.records.case import DecisionRow, ImageRow
from pathview.review.records.modes import Sight
from pathview.review.sql.tables import AuditTable, CaseTable, DecisionTable, ResultTable


@dataclass(frozen=True)
class Replay:
    """A decision, and what was on the screen."""

    decision: DecisionRow
    """Its ``context`` is what the window and the store noted down."""
    images: tuple[ImageRow, ...]
    """Of the case as it was then, each with the result that was shown, not with its newest one."""
    marks: Mapping[int, tuple[StoredMark, ...]] = field(default_factory=dict)
    """What was drawn on the images by then and could be seen, by the id of the image."""

    @property
    def image(self) -> ImageRow | None:
        """The image that panels and keys were about."""
        return next((image for image in self.images if image.id == self.decision.context.get("image")), None)

    @property
    def shown(self) -> tuple[ImageRow, ...]:
        """The images that hung on the light box; of the case alone, and all of them where the window noted none."""
        ids = self.decision.context.get("images_shown")
        return tuple(image for image in self.images if ids is None or image.id in ids)

    @property
    def threshold(self) -> float | None:
        """Of the mask on :attr:`image`; None: no result was shown."""
        image = self.image
        return self.threshold_of(image) if image is not None else None

    def threshold_of(self, image: ImageRow) -> float | None:
        """Of the mask on an image; None: no result of it was shown."""
        if image.result is None:
            return None
        moved: Mapping[str, float] = self.decision.context.get("thresholds", {})
        return moved.get(str(image.result.id), image.result.threshold)

    @property
    def overlays(self) -> Mapping[str, Any]:
        """What lay over the images: ``mask_shown``, ``heat_shown`` (a layer) and the like."""
        return {
            key: value
            for key, value in self.decision.context.items()
            if key.endswith("_shown") and key not in _NO_OVERLAYS
        }

    @property
    def window(self) -> Any:
        """The grey-scale window, as the program's window noted it down; None where it did not."""
        return self.decision.context.get("window")


_NO_OVERLAYS = ("images_shown", "model_shown", "others_shown")


def replayed(session: Session, row: DecisionTable, sight: Sight) -> Replay:
    """What a decision was made on, as far as it may be seen."""
    decision = rows.decision_row(row)
    case = session.get_one(CaseTable, row.case_id)
    wanted = decision.context.get("results", ()) if sight.model else ()
    results = {
        result.image_id: rows.result_row(result)
        for result in session.scalars(select(ResultTable).where(ResultTable.id.in_(wanted)))
    }
    there = decision.context.get("images")
    images = [rows.image_row(image) for image in case.images if there is None or str(image.id) in there]
    marks = _marks(session, row, sight.others and bool(decision.context.get("others_shown", True)))
    if not sight.model:
        decision = replace(decision, context={})
    return Replay(decision, tuple(replace(image, result=results.get(image.id)) for image in images), marks)


def _marks(session: Session, row: DecisionTable, others: bool) -> dict[int, tuple[StoredMark, ...]]:
    """The marks of a case when a decision was made; ``others``: not only those of who decided."""
    trail = select(AuditTable).where(AuditTable.case_id == row.case_id).order_by(AuditTable.id)
    entry = next((entry for entry in session.scalars(trail) if entry.detail.get("decision") == row.id), None)
    if entry is None:
        return {}
    found = marks_at(session, row.case_id, entry)
    return {key: tuple(one for one in marks if others or one.reader == row.reader) for key, marks in found.items()}
