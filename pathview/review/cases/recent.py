"""The newest analyses of one model, for drift: numbers without the cases behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from pathview.review.cases.study_records import Studies, StudyCase
from pathview.review.sql.database import Database
from pathview.review.sql.tables import ImageTable, ResultTable


@dataclass(frozen=True)
class RecentImage:
    """One analysed image."""

    patient: str
    """The patient's key; a case of no known patient stands for itself."""
    path: Path
    fingerprint: str
    score: float
    score_name: str
    mpp_um: float | None
    """As stated by the reader, else by the file."""


@dataclass(frozen=True)
class RecentDecision:
    """One reader's decision on a case of which the model had said positive or negative."""

    patient: str
    overridden: bool
    """Whether it is the other one."""


@dataclass(frozen=True)
class RecentAnalyses:
    """What was analysed and decided lately."""

    images: tuple[RecentImage, ...]
    """The newest result of each, the newest first."""
    decisions: tuple[RecentDecision, ...]
    hidden: int = 0
    """Images of cases whose model is hidden from whoever asks; they are left out."""


def recent_analyses(database: Database, weights_sha256: str, asker: str, limit: int) -> RecentAnalyses:
    """The last images that a model analysed, and what was decided on their cases.

    Args:
        database: an open store.
        weights_sha256: of the model.
        asker: the reader who asks; see :data:`pathview.review.cases.study_records.RULE`.
        limit: of the images.

    Raises:
        StoreError: the store cannot be read.
    """
    newest = select(func.max(ResultTable.id)).group_by(ResultTable.image_id)
    statement = (
        select(ResultTable, ImageTable)
        .join(ImageTable, ImageTable.id == ResultTable.image_id)
        .where(ResultTable.id.in_(newest), ResultTable.status == "analysed")
        .where(ResultTable.provenance["weights_sha256"].as_string() == weights_sha256)
        .order_by(ResultTable.id.desc())
        .limit(limit)
    )
    cases = {case.id: case for case in Studies(database).records(asker).cases}
    with database.reading() as session:
        rows = [(result, image, cases[image.case_id]) for result, image in session.execute(statement)]
    told = [row for row in rows if not row[2].hidden]
    images = tuple(_image(result, image, case) for result, image, case in told)
    decided = {case.id: case for _, _, case in told}
    decisions = tuple(one for case in decided.values() for one in _decisions(case, weights_sha256))
    return RecentAnalyses(images, decisions, len(rows) - len(told))


def _image(result: ResultTable, image: ImageTable, case: StudyCase) -> RecentImage:
    mpp_um = image.mpp_um if image.mpp_um is not None else image.info.get("mpp_um")
    score_name = result.score_name or ""
    return RecentImage(case.patient, Path(image.path), image.fingerprint, float(result.score or 0), score_name, mpp_um)


def _decisions(case: StudyCase, weights_sha256: str) -> list[RecentDecision]:
    """Of each reader who decided for or against, when the model had too."""
    sides = ("positive", "negative")
    return [
        RecentDecision(case.patient, one.value != one.model.label)
        for one in case.assessed
        if one.stage != "first" and one.model is not None and one.model.weights_sha256 == weights_sha256
        if one.value in sides and one.model.label in sides
    ]
