"""What readers say of tiles, and what follows: the use cases, once, for the window and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pathview.compute.engine import Engine
from pathview.errors import DataError, PathViewError
from pathview.geometry import Region
from pathview.jobs import CancelToken, ProgressSink, no_progress
from pathview.models.catalogue import Catalogue
from pathview.models.temperature import tempered_limit
from pathview.results.regions import LIMIT, TileOrder, TileRegion
from pathview.review.records.answered import Answer, AnswerValue, Reviewed, reviewable, reviewed, tile_regions
from pathview.review.records.case import ImageRow
from pathview.settings import Settings

if TYPE_CHECKING:  # the command line starts without their libraries
    from pathview.review.protocol import ReadingProtocol
    from pathview.review.store import Store
    from pathview.training.data.answers import LabelsWritten


@dataclass(frozen=True)
class Answering:
    """One reader at one store, who sees of it what the reading protocol lets them see."""

    protocol: ReadingProtocol
    store: Store
    catalogue: Catalogue
    opener: Engine
    """Opens images."""
    settings: Settings

    def tiles(
        self,
        image: ImageRow,
        order: TileOrder = "uncertain",
        threshold: float | None = None,
        seed: int = 0,
        limit: int | None = LIMIT,
    ) -> tuple[TileRegion, ...]:
        """The places of an image's newest result to look at; see :func:`pathview.review.records.answered.tile_regions`.

        Raises:
            NotAnalysable: there is no result of tiles.
            ReadingError: the model is hidden from this reader.
        """
        self.protocol.require_model(image.case_id)
        result = image.result
        if result is None or not reviewable(result):
            return tile_regions(image, None, None, (), order)
        try:
            decision = self.catalogue.model(result.recipe).recipe.decision
            scale = result.provenance.get("settings", {}).get("temperature", 1.0) / decision.temperature
            band: tuple[float, float] | None = (
                tempered_limit(decision.lower, scale), tempered_limit(decision.upper, scale),
            )  # fmt: skip
        except PathViewError:
            band = None
        return tile_regions(
            image, self.store.map(result.id), band, self.answers_of(image.id), order, threshold, seed, limit
        )

    def answer(self, image_id: int, result_id: int, tile: TileRegion, value: AnswerValue) -> Answer:
        """Keep what the reader says of a tile; committed when this returns.

        Raises:
            ReadingError: the model is hidden from this reader, as it is in the next three.
        """
        self.protocol.require_image(image_id)
        return self.store.answers.add(image_id, result_id, tile, value, self.protocol.reader)

    def withdraw(self, image_id: int, tile: Region) -> Answer:
        """Take back the answer that stands on a tile; committed when this returns."""
        self.protocol.require_image(image_id)
        return self.store.answers.withdraw(image_id, tile, self.protocol.reader)

    def answers_of(self, image_id: int) -> tuple[Answer, ...]:
        """The answers that stand on an image, the oldest first; not those of others while they are hidden."""
        return self.protocol.answers(image_id)

    def reviewed(self, image: ImageRow, threshold: float | None = None) -> Reviewed | None:
        """An image's score with its answers beside the model's own."""
        answers = self.answers_of(image.id)
        if image.result is None or not reviewable(image.result):
            return None
        return reviewed(image.result, self.store.map(image.result.id), answers, threshold)

    def new_answers(self) -> int:
        """How many answers that are labels came since a training on answers was planned the last time."""
        since = last_planned(self.settings)
        seen, _ = self.protocol.labelled(())
        answers = (label.answer for image in seen for label in image.labels)
        return sum(
            answer.value in ("positive", "negative") and (since is None or answer.created > since) for answer in answers
        )

    def export_labels(
        self,
        out: Path,
        case_ids: Sequence[int] = (),
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> LabelsWritten:
        """Write the answers on cases (none: on all) as a training set; see :mod:`pathview.training.data.answers`.

        Images whose result is hidden from this reader are left out, which is told.

        Raises:
            DataError, OutputError: there is nothing to write, or it cannot be written.
            ReadingError: a case that is named is hidden.
        """
        from pathview.training.data.answers import LabelsRequest, export_labels

        seen, left_out = self.protocol.labelled(case_ids)
        request = LabelsRequest(seen, out.absolute())
        written: LabelsWritten = self.opener.run(
            export_labels, request, self.settings, progress=progress, cancel=cancel
        )
        if not left_out:
            return written
        told = f"{left_out:,} image(s) with answers were left out: what the model said of them is hidden from you."
        return replace(written, notices=(*written.notices, told))


def last_planned(settings: Settings) -> datetime | None:
    """When a training on answers of the gallery was planned the last time; None: never, as far as can be read."""
    from pathview.training.runs.run_folder import runs

    found = []
    for run in runs(settings):
        try:
            plan = run.plan()
        except DataError:
            continue
        if any(source.kind == "answers" for source in plan.sources):
            found.append(datetime.fromisoformat(plan.created))
    return max(found, default=None)
