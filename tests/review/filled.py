"""A store with something in every table, for what must hold of all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from pathview.geometry import GridPlace
from pathview.results.result import ScoreMap
from pathview.review.cases import rows
from pathview.review.records.case import NewImage
from pathview.review.sql import audit, reading_tables, tables
from pathview.review.sql.base import Base
from pathview.review.sql.database import Database
from pathview.review.store import Store

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def a_case(store: Store, key: str = "a") -> int:
    """A slide's case: its list shows all, so that a decision is one step."""
    image = NewImage(Path(f"/data/{key}.svs"), {"kind": "histology", "size": [4, 4], "note": "ä"})
    return store.add_case(f"file {key}", f"{key}.svs", "histology", [image], "Dr A")


def fill(database: Database, cases: int = 6) -> None:
    """Put rows into all tables."""
    store = Store(database)
    for number in range(cases):
        case_id = a_case(store, f"case {number}")
        with database.transaction() as session:
            _reading(session, case_id, number)
            _image(session, case_id, number)
        store.decide(case_id, ("positive", "negative", "cant_tell")[number % 3], f"Notiz {number}: größer", "Dr A")
    with database.transaction() as session:
        session.add(reading_tables.SavedViewTable(reader="Dr A", name="mine", query={"search": "x"}, created=NOW))


def _reading(session: Any, case_id: int, number: int) -> None:
    session.add(reading_tables.DraftTable(case_id=case_id, reader="Dr B", content={"note": "half"}, changed=NOW))
    session.add(
        reading_tables.TruthTable(case_id=case_id, value="positive", source="pathology", reader="A", created=NOW)
    )


def _image(session: Any, case_id: int, number: int) -> None:
    image = session.scalars(select(tables.ImageTable).where(tables.ImageTable.case_id == case_id)).one()
    image.mpp_um = 0.25 + number
    result = tables.ResultTable(
        image_id=image.id, status="analysed", recipe="tiny", score=0.5, score_name="share", lower=0.4, upper=0.6,
        label="not_sure", threshold=0.5, flags=[["f", "Because."]], mask={"area_px": 7}, provenance={"x": number},
        seconds=1.5, created=NOW,
    )  # fmt: skip
    values = np.random.default_rng(number).random((40, 30), np.float32)
    result.maps = [rows.map_row("", ScoreMap(values, GridPlace(0, 0, 1, 1)))]
    session.add(result)
    session.flush()
    session.add(
        tables.MarkTable(
            uuid=f"{number:036}",
            image_id=image.id,
            kind="ruler",
            points=[[1.0, 2.5], [3.0, 4.0]],
            frame=0,
            reader="Dr A",
            created=NOW,
            changed=NOW,
        )
    )
    answer = tables.AnswerTable(
        image_id=image.id, result_id=result.id, x=1, y=2, width=3, height=4, value="positive", reader="Dr A",
        created=NOW, probability=0.75, weights_sha256="w" * 64, place_count=2,
    )  # fmt: skip
    silent = tables.SilentTable(
        image_id=image.id, beside=result.id, model="tiny", version=2, weights_sha256="s" * 64, status="analysed",
        score=0.25 + number, lower=0.4, upper=0.6, label="negative", seconds=0.5, created=NOW,
    )  # fmt: skip
    session.add_all([answer, silent])
    session.flush()
    audit.record(session, "Dr A", "analyse_silently", case_id, {"silent": silent.id, "image": image.id})
    audit.record(session, "Dr A", "answer", case_id, {"answer": answer.id, "image": image.id})


def content(database: Database) -> dict[str, list[tuple]]:
    """All that the store says, as the program reads it."""
    with database.reading() as session:
        return {
            table.name: [_plain(row) for row in session.execute(select(table).order_by(table.c.id))]
            for table in Base.metadata.sorted_tables
        }


def _plain(row: Any) -> tuple:
    return tuple(repr(value) for value in row)
