"""An image that is analysed outside any store, and what the user's own store says may be told of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from pathview.errors import StoreError
from pathview.images.digest import fingerprint
from pathview.results.result import AnalysisResult, Outcome
from pathview.review.protocol import ReadingProtocol
from pathview.review.reading import veil
from pathview.review.records.modes import Sight
from pathview.review.sql.database import Database
from pathview.review.sql.tables import ImageTable
from pathview.review.store import Store
from pathview.settings import Settings

_WHY = "asked for with an analysis outside the store"
_UNCHECKED = "Whether this result is hidden from you could not be checked, so it takes --reveal to be told it."
_UNKEPT = "This result is hidden from you, and it could not be kept that you asked for it, so it is not told."


class OwnStore:
    """The store that a reader uses when none is named; it may be open elsewhere, or not be there at all."""

    def __init__(self, settings: Settings, reader: str) -> None:
        """Nothing is opened yet."""
        self._settings, self._reader = settings, reader

    def told(self, path: Path, outcome: Outcome, reveal: bool) -> Outcome | veil.ResultHidden:
        """What may be told of an analysis of an image that the store may have under any name.

        Where the store cannot be read, it cannot be known either, so the result is told only if ``reveal`` asks for it;
        where it cannot be written, what is hidden there is not told at all.

        Args:
            path: of the image.
            outcome: what the analysis came to.
            reveal: tell also what is hidden; that stands in the audit trail, and the readings count as unblinded.
        """
        mark = fingerprint(path)
        if not mark:
            return outcome
        try:
            hiding = self._hiding(mark)
        except StoreError as error:
            return outcome if reveal else _withheld(outcome, _UNCHECKED, error)
        if hiding and reveal:
            try:
                self._reveal(hiding)
            except StoreError as error:
                return _withheld(outcome, _UNKEPT, error)
        return outcome if reveal or not hiding else veil.veiled_outcome(outcome, next(iter(hiding.values())))

    def _hiding(self, mark: str) -> Mapping[int, Sight]:
        """The cases with an image of this fingerprint whose model is hidden from this reader."""
        with self._protocol(writable=False) as (database, protocol):
            with database.reading() as session:
                same = select(ImageTable.case_id).where(ImageTable.fingerprint == mark).distinct()
                cases = session.scalars(same).all()
            sights = {case_id: protocol.sight(case_id) for case_id in cases}
        return {case_id: sight for case_id, sight in sights.items() if not sight.model}

    def _reveal(self, case_ids: Iterable[int]) -> None:
        with self._protocol(writable=True) as (_, protocol):
            for case_id in case_ids:
                protocol.reveal(case_id, _WHY)

    @contextmanager
    def _protocol(self, writable: bool) -> Iterator[tuple[Database, ReadingProtocol]]:
        database = Database(self._settings.store_place, writable, self._reader)
        try:
            yield database, ReadingProtocol(Store(database), self._reader, self._settings)
        finally:
            database.close()


def _withheld(outcome: Outcome, why: str, error: StoreError) -> Outcome | veil.ResultHidden:
    """A result that is not told since the store could not be asked; that there is none may be told."""
    if not isinstance(outcome, AnalysisResult):
        return outcome
    return veil.veiled_outcome(outcome, Sight(model=False, others=False, hidden=f"{why} {error}"))
