"""The tables of the store. Every change needs a numbered migration beside this file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pathview.review.sql.base import Base, Sealed, UtcDateTime
from pathview.review.sql.reading_tables import WorklistTable

LIST_ORDERS = {
    "uncertain": ("rank", "doubt"),
    "score": ("position",),
    "title": ("title",),
    "date": ("study_date",),
    "shuffle": ("shuffle",),
    "newest": (),
}
"""Columns that worklists are sorted by, before ``id``."""


def _order_indexes() -> Iterator[Index]:
    """An index for each order of the worklist.

    In SQLite each also holds what lists are filtered by, so that a page is one walk over one index, in whatever
    order, however it is filtered and however deep it lies. PostgreSQL keeps entries short, and joins and sorts well.
    """
    listed = ("worklist_id", "state", "label", "kind", "assigned_to", "seen", "words")
    for name, columns in LIST_ORDERS.items():
        yield Index(f"ix_cases_{name}", *columns, "id", *listed).ddl_if(dialect="sqlite")
        if columns:
            yield Index(f"ix_cases_{name}", *columns, "id").ddl_if(dialect="postgresql")


class CaseTable(Sealed):
    """A study, a slide, a mosaic or a single image."""

    __tablename__ = "cases"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(20))
    patient_key: Mapped[str | None] = mapped_column(String(80), index=True)
    study_date: Mapped[str | None] = mapped_column(String(10))
    """ISO, for the order of priors."""
    state: Mapped[str] = mapped_column(String(20), default="new")
    """new, analysed, decided or arbitration: of all readers together, see :mod:`pathview.review.cases.summarising`."""
    label: Mapped[str | None] = mapped_column(String(20))
    score: Mapped[float | None] = mapped_column(Float)
    position: Mapped[float | None] = mapped_column(Float)
    rank: Mapped[int] = mapped_column(Integer, default=1)
    """Order of the worklist by label: not sure, not analysed, new, positive, negative."""
    doubt: Mapped[float] = mapped_column(Float, default=1.0)
    """Distance of ``position`` from the middle of the not-sure band."""
    flags: Mapped[int] = mapped_column(Integer, default=0)
    decision: Mapped[str | None] = mapped_column(String(20))
    """The newest of any reader."""
    worklist_id: Mapped[int] = mapped_column(ForeignKey("worklists.id"))
    assigned_to: Mapped[str | None] = mapped_column(String(80))
    """The reader who is to read it; None: anybody."""
    shuffle: Mapped[int] = mapped_column(Integer, default=lambda: random.getrandbits(31))
    """A case's place in the random order, drawn once."""
    seen: Mapped[str] = mapped_column(Text, default="")
    """How far which reader is, see :mod:`pathview.review.reading.listed`."""
    words: Mapped[str] = mapped_column(Text, default="")
    """What a search looks in: title, patient's key and date of the study, casefolded, a line each."""
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    images: Mapped[list[ImageTable]] = relationship(back_populates="case", order_by="ImageTable.place")
    decisions: Mapped[list[DecisionTable]] = relationship(order_by="DecisionTable.id")
    worklist: Mapped[WorklistTable] = relationship()

    __table_args__ = tuple(_order_indexes())


class ImageTable(Sealed):
    """An image of a case: where it lies and what its header said."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    place: Mapped[int] = mapped_column(Integer)
    """Order within the case."""
    path: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(32), default="")
    """What lay at the path when the image was added; another file there is another image."""
    info: Mapped[dict[str, Any]] = mapped_column(JSON)
    mpp_um: Mapped[float | None] = mapped_column(Float)
    case: Mapped[CaseTable] = relationship(back_populates="images")
    __table_args__ = (UniqueConstraint("path", "fingerprint"),)
    results: Mapped[list[ResultTable]] = relationship(order_by="ResultTable.id")


class ResultTable(Sealed):
    """One analysis of one image; never changed, a new analysis is a new row."""

    __tablename__ = "results"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    status: Mapped[str] = mapped_column(String(20))
    recipe: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str | None] = mapped_column(Text)
    task: Mapped[str | None] = mapped_column(String(20))
    score: Mapped[float | None] = mapped_column(Float)
    score_name: Mapped[str | None] = mapped_column(String(200))
    lower: Mapped[float | None] = mapped_column(Float)
    upper: Mapped[float | None] = mapped_column(Float)
    label: Mapped[str | None] = mapped_column(String(20))
    threshold: Mapped[float | None] = mapped_column(Float)
    flags: Mapped[list[list[str]]] = mapped_column(JSON)
    stages: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Of a cascade, as :meth:`pathview.results.result.Stage.as_json` writes them."""
    mask: Mapped[dict[str, Any]] = mapped_column(JSON)
    provenance: Mapped[dict[str, Any]] = mapped_column(JSON)
    seconds: Mapped[float | None] = mapped_column(Float)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    maps: Mapped[list[MapTable]] = relationship(order_by="MapTable.id")


class SilentTable(Sealed):
    """What a model in silent mode said of an image; never changed, and in no list, file or sum of a reader's."""

    __tablename__ = "silent_results"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    beside: Mapped[int | None] = mapped_column(ForeignKey("results.id"))
    """What the present model said of the image at the same time."""
    model: Mapped[str] = mapped_column(String(80), index=True)
    version: Mapped[int] = mapped_column(Integer)
    weights_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None] = mapped_column(Float)
    lower: Mapped[float | None] = mapped_column(Float)
    upper: Mapped[float | None] = mapped_column(Float)
    label: Mapped[str | None] = mapped_column(String(20))
    seconds: Mapped[float | None] = mapped_column(Float)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class MapTable(Sealed):
    """A probability or heat map of a result, apart so that lists never load it."""

    __tablename__ = "maps"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id"), index=True)
    layer: Mapped[str] = mapped_column(String(80))
    """Empty for the probability map."""
    rows: Mapped[int] = mapped_column(Integer)
    columns: Mapped[int] = mapped_column(Integer)
    place: Mapped[list[float]] = mapped_column(JSON)
    smooth: Mapped[bool]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    """zlib over little-endian float32."""


class DecisionTable(Sealed):
    """What a reader decided; never changed, an undo is a new row without a value."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    value: Mapped[str | None] = mapped_column(String(20))
    stage: Mapped[str] = mapped_column(String(20), default="final")
    """One of :data:`pathview.review.records.modes.STAGES`."""
    mode: Mapped[str] = mapped_column(String(20), default="assisted")
    """The worklist's when it was made."""
    form: Mapped[str] = mapped_column(String(40), default="simple")
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """By field of the form."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why the first assessment was kept or changed."""
    seconds: Mapped[float | None] = mapped_column(Float)
    """How long the case was on the screen."""
    note: Mapped[str] = mapped_column(Text, default="")
    reader: Mapped[str] = mapped_column(String(80), default="")
    context: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (
        Index(
            "ux_decisions_first",
            "case_id",
            "reader",
            unique=True,
            sqlite_where=text("stage = 'first'"),
            postgresql_where=text("stage = 'first'"),
        ),
    )


class AuditTable(Base):
    """Who did what and when; the database itself refuses to change or delete a row."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    """A sequence without gaps from 1."""
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    case_id: Mapped[int | None] = mapped_column(Integer, index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    app_version: Mapped[str] = mapped_column(String(20))
    previous: Mapped[str] = mapped_column(String(64))
    """The hash of the row before, see :mod:`pathview.review.sql.audit`."""
    hash: Mapped[str] = mapped_column(String(64))


class MarkTable(Sealed):
    """A ruler, angle or region that a reader drew; moved in place, removed by a time, never deleted."""

    __tablename__ = "marks"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    points: Mapped[list[list[float]]] = mapped_column(JSON)
    """Stored level-0 (x, y), see :class:`pathview.results.measurement.Mark`."""
    frame: Mapped[int] = mapped_column(Integer, default=0)
    rings: Mapped[list[list[list[list[float]]]]] = mapped_column(JSON, default=list)
    """Of a region of several parts or with holes: a list of parts, each its outline and then its holes."""
    label: Mapped[str] = mapped_column(String(80), default="")
    """Name of a label, or empty."""
    properties: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Words of the reader's own by name, and where a copy was taken from."""
    reader: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    removed: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LabelTable(Sealed):
    """A name and a colour that marks may have."""

    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    color: Mapped[str] = mapped_column(String(7))
    """As #rrggbb."""
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class AnswerTable(Sealed):
    """What a reader said of one tile; never changed, a later answer is a new row, one taken back has no value."""

    __tablename__ = "answers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id"))
    x: Mapped[int] = mapped_column(Integer)
    """Left edge of the tile in stored level-0 pixels; the next three likewise."""
    y: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    value: Mapped[str | None] = mapped_column(String(20))
    reader: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    probability: Mapped[float] = mapped_column(Float)
    weights_sha256: Mapped[str] = mapped_column(String(64))
    place_count: Mapped[int] = mapped_column(Integer)
