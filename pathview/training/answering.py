"""What readers say of tiles, and what follows: the use cases, once, for the window and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pathview.compute.engine import Engine
from pathview.errors import PathViewError
from pathview.geometry import Region
from pathview.jobs import CancelToken, ProgressSink, no_progress
from pathview.models.catalogue import Catalogue
from pathview.results.regions import LIMIT, TileOrder, TileRegion
from pathview.review.answered import Answer, AnswerValue, Reviewed, reviewable, reviewed, tile_regions
from pathview.review.case import ImageRow
from pathview.settings import Settings

if TYPE_CHECKING:  # the command line starts without their libraries
    from pathview.review.store import Store
    from pathview.training.answers import LabelsWritten


@dataclass(frozen=True)
class Answering:
    """One reader at one store."""

    store: Store
    catalogue: Catalogue
    opener: Engine
    """Opens images."""
    settings: Settings
    reader: str

    def tiles(
        self,
        image: ImageRow,
        order: TileOrder = "uncertain",
        threshold: float | None = None,
        seed: int = 0,
        limit: int | None = LIMIT,
    ) -> tuple[TileRegion, ...]:
        """The places of an image's newest result to look at; see :func:`pathview.review.answered.tile_regions`.

        Raises:
            NotAnalysable: there is no result of tiles.
        """
        result = image.result
        if result is None or not reviewable(result):
            return tile_regions(image, None, None, (), order)
        try:
            decision = self.catalogue.model(result.recipe).recipe.decision
            band: tuple[float, float] | None = (decision.lower, decision.upper)
        except PathViewError:
            band = None
        return tile_regions(
            image, self.store.map(result.id), band, self.answers_of(image.id), order, threshold, seed, limit
        )

    def answer(self, image_id: int, result_id: int, tile: TileRegion, value: AnswerValue) -> Answer:
        """Keep what the reader says of a tile; committed when this returns."""
        return self.store.answers.add(image_id, result_id, tile, value, self.reader)

    def withdraw(self, image_id: int, tile: Region) -> Answer:
        """Take back the answer that stands on a tile; committed when this returns."""
        return self.store.answers.withdraw(image_id, tile, self.reader)

    def answers_of(self, image_id: int) -> tuple[Answer, ...]:
        """The answers that stand on an image, the oldest first."""
        return self.store.answers.of_image(image_id)

    def reviewed(self, image: ImageRow, threshold: float | None = None) -> Reviewed | None:
        """An image's score with its answers beside the model's own; see :func:`pathview.review.answered.reviewed`."""
        if image.result is None or not reviewable(image.result):
            return None
        return reviewed(image.result, self.store.map(image.result.id), self.answers_of(image.id), threshold)

    def export_labels(
        self,
        out: Path,
        case_ids: Sequence[int] = (),
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> LabelsWritten:
        """Write the answers on cases (none: on all) as a training set; see :mod:`pathview.training.answers`.

        Raises:
            DataError, OutputError: there is nothing to write, or it cannot be written.
        """
        from pathview.training.answers import LabelsRequest, export_labels

        request = LabelsRequest(self.store.answers.labelled(case_ids), out.absolute())
        written: LabelsWritten = self.opener.run(
            export_labels, request, self.settings, progress=progress, cancel=cancel
        )
        return written
