"""What models in silent mode said: kept beside the readers' results and never among them.

Rows are in a table of their own that nothing else reads: no list, order, flag, export or decision can come upon them.
They are told in sums alone, see :mod:`pathview.training.publishing.silent_report`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from pathview.results.result import NotAnalysed, Outcome
from pathview.review.cases.study_records import Studies, StudyCase
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.tables import ImageTable, ResultTable, SilentTable


@dataclass(frozen=True)
class SilentPair:
    """What two models said of one image at the same time, and what else is known of its case."""

    patient: str
    """The patient's key; a case of no known patient stands for itself."""
    score: float
    """Of the silent model."""
    label: str
    present_score: float
    present_label: str
    truth: str | None
    """positive or negative: of the case."""
    decision: str | None
    """What readers decided on the case, where they agree."""


@dataclass(frozen=True)
class SilentRecords:
    """All that a silent model said of images that the present one scored too."""

    pairs: tuple[SilentPair, ...]
    failed: int
    """Images that the silent model could not analyse, and the present one could."""
    hidden: int = 0
    """Images of cases whose model is hidden from whoever asks."""


class SilentResults:
    """The silent results of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def save(
        self, image_id: int, beside: int | None, model: str, version: int, weights: str, outcome: Outcome, actor: str
    ) -> int:
        """Keep what a silent model said of an image, without its maps; the row's id.

        Args:
            image_id: of the image.
            beside: id of the present model's result.
            model: name of the silent one.
            version: its number.
            weights: SHA-256 of its weights.
            outcome: what it said.
            actor: whose analysis it ran beside.

        Raises:
            StoreError: the store cannot be written.
        """
        row = _row(outcome)
        row.image_id, row.beside, row.model, row.version, row.weights_sha256 = image_id, beside, model, version, weights
        with self._db.transaction() as session:
            image = session.get_one(ImageTable, image_id)
            session.add(row)
            session.flush()
            detail = {"image": image_id, "silent": row.id, "status": row.status}
            audit.record(session, actor, "analyse_silently", image.case_id, detail)
            return row.id

    def newest_result(self, image_id: int) -> int | None:
        """Id of the newest result of an image, beside which a silent one is kept."""
        with self._db.reading() as session:
            return session.scalar(select(func.max(ResultTable.id)).where(ResultTable.image_id == image_id))

    def records(self, model: str, version: int, asker: str) -> SilentRecords:
        """Of each image the newest silent result of a version, with what the present model said beside it.

        Cases whose model is hidden from the asking reader are counted alone, see
        :data:`pathview.review.cases.study_records.RULE`.

        Raises:
            StoreError: the store cannot be read.
        """
        newest = (
            select(func.max(SilentTable.id))
            .where(SilentTable.model == model, SilentTable.version == version)
            .group_by(SilentTable.image_id)
        )
        cases = {case.id: case for case in Studies(self._db).records(asker).cases if not case.hidden}
        with self._db.reading() as session:
            rows = session.execute(
                select(SilentTable, ResultTable, ImageTable.case_id)
                .join(ResultTable, ResultTable.id == SilentTable.beside)
                .join(ImageTable, ImageTable.id == SilentTable.image_id)
                .where(SilentTable.id.in_(newest), ResultTable.status == "analysed")
                .order_by(SilentTable.id)
            ).all()
        told = [(silent, result, cases[case_id]) for silent, result, case_id in rows if case_id in cases]
        ran = tuple(_pair(*row) for row in told if row[0].status == "analysed")
        return SilentRecords(ran, len(told) - len(ran), len(rows) - len(told))


def _row(outcome: Outcome) -> SilentTable:
    created = datetime.now(UTC)
    if isinstance(outcome, NotAnalysed):
        return SilentTable(status="not_analysed", reason=outcome.reason, created=created)
    return SilentTable(
        status="analysed",
        score=outcome.score,
        lower=outcome.lower,
        upper=outcome.upper,
        label=outcome.label,
        seconds=outcome.seconds,
        created=created,
    )


def _pair(silent: SilentTable, result: ResultTable, case: StudyCase) -> SilentPair:
    return SilentPair(
        patient=case.patient,
        score=float(silent.score or 0.0),
        label=str(silent.label),
        present_score=float(result.score or 0.0),
        present_label=str(result.label),
        truth=case.truth,
        decision=decision_of(case),
    )


def decision_of(case: StudyCase) -> str | None:
    """What readers decided on a case; where they differ, what an arbiter did; None where nobody did or they differ."""
    final = [one for one in case.assessed if one.stage != "first"]
    deciding = [one for one in final if one.stage == "arbitration"] or final
    values = {one.value for one in deciding}
    return values.pop() if len(values) == 1 else None
