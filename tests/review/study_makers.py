"""Studies whose truths, results and decisions are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import TruthTable, WorklistTable
from pathview.review.sql.tables import CaseTable, DecisionTable, ImageTable, ResultTable

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
POSITION = {"negative": 0.1, "not_sure": 0.5, "positive": 0.9}
"""Scores between limits of 0.4 and 0.6."""


class StudyMaker:
    """Puts rows into a store, each a second after the one before."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._clock = START

    def _now(self) -> datetime:
        self._clock += timedelta(seconds=1)
        return self._clock

    def _add(self, row: Any) -> int:
        with self.database.transaction() as session:
            session.add(row)
            session.flush()
            found: int = row.id
            return found

    def worklist(self, name: str, mode: str = "second_read", form: str = "simple", closed: bool = True) -> str:
        now = self._now()
        self._add(WorklistTable(name=name, mode=mode, form=form, created=now, closed=now if closed else None))
        return name

    def close(self, name: str) -> None:
        with self.database.transaction() as session:
            row = session.scalars(select(WorklistTable).where(WorklistTable.name == name)).one()
            row.closed = self._now()

    def case(
        self, worklist: str, patient: str | None = None, model: str | None = None, truth: str | None = None
    ) -> int:
        with self.database.transaction() as session:
            home = session.scalars(select(WorklistTable).where(WorklistTable.name == worklist)).one()
            now = self._now()
            case = CaseTable(
                key=f"case at {now}",
                title=f"Study {now:%H:%M:%S}",
                kind="other",
                patient_key=patient,
                worklist_id=home.id,
                created=now,
            )
            session.add(case)
            session.flush()
            case_id = case.id
        if model is not None:
            self.analyse(case_id, model)
        if truth is not None:
            self.truth(case_id, truth)
        return case_id

    def analyse(self, case_id: int, label: str, score: float | None = None, recipe: str = "tiny") -> int:
        """A result for the case's one image, which is made where there is none."""
        with self.database.transaction() as session:
            image = session.scalar(select(ImageTable).where(ImageTable.case_id == case_id))
            if image is None:
                image = ImageTable(case_id=case_id, place=0, path=f"/data/{case_id}.png", info={"kind": "other"})
                session.add(image)
                session.flush()
            ran = label != "not_analysed"
            row = ResultTable(
                image_id=image.id,
                status="analysed" if ran else "not_analysed",
                recipe=recipe,
                label=label if ran else None,
                score=(POSITION[label] if score is None else score) if ran else None,
                lower=0.4 if ran else None,
                upper=0.6 if ran else None,
                threshold=0.5 if ran else None,
                flags=[],
                stages=[],
                mask={},
                provenance={"weights_sha256": f"{recipe:w<64}"} if ran else {},
                created=self._now(),
            )
            session.add(row)
            session.flush()
            found: int = row.id
            return found

    def truth(self, case_id: int, value: str | None, source: str = "pathology") -> None:
        self._add(TruthTable(case_id=case_id, value=value, source=source, reader="registry", created=self._now()))

    def say(
        self,
        case_id: int,
        reader: str,
        stage: str,
        value: str | None,
        mode: str = "second_read",
        form: str = "simple",
        answers: Mapping[str, Any] | None = None,
        seconds: float | None = None,
        reason: str = "",
        results: Iterable[int] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._add(
            DecisionTable(
                case_id=case_id,
                value=value,
                stage=stage,
                mode=mode,
                form=form,
                answers=dict(answers or {}),
                reason=reason,
                seconds=seconds,
                note="",
                reader=reader,
                context={"results": list(results), **(context or {})},
                created=self._now(),
            )
        )

    def read(self, case_id: int, reader: str, first: str, final: str, **words: Any) -> None:
        """A second read: locked, then decided."""
        self.say(case_id, reader, "first", first, **words)
        self.say(case_id, reader, "final", final, **words)
