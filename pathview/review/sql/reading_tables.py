"""The tables of readers and their reading. Every change needs a numbered migration beside the first tables' file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pathview.review.sql.base import Sealed, UtcDateTime

EVERYBODY = ""
"""No reader's name: a reading of everybody says since when any reader may have seen the model's result of a case."""


class ReaderTable(Sealed):
    """A person who reads; known by name alone."""

    __tablename__ = "readers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class WorklistTable(Sealed):
    """A list of cases that are read in one mode and by one form; every case is in exactly one."""

    __tablename__ = "worklists"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    mode: Mapped[str] = mapped_column(String(20))
    """One of :data:`pathview.review.records.modes.MODES`."""
    form: Mapped[str] = mapped_column(String(40))
    """Name of an assessment form, see :mod:`pathview.review.records.forms`."""
    kind: Mapped[str | None] = mapped_column(String(20), unique=True)
    """Images of this kind come here unless another list is named; "" is every other kind."""
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    closed: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when the reading has ended: all is shown, nothing is decided any more."""


class ReadingTable(Sealed):
    """How far one reader is with one case; what they decided stands in the decisions, this is for lists."""

    __tablename__ = "readings"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    reader: Mapped[str] = mapped_column(String(80))
    opened: Mapped[datetime] = mapped_column(UtcDateTime)
    """For the first time."""
    locked: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the first assessment was locked, before anything of the model was shown."""
    revealed: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the model's result was first shown to this reader; where that was before ``locked``, they did not read
    without it."""
    decided: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the newest final decision was made; None after it was withdrawn."""
    first: Mapped[str | None] = mapped_column(String(20))
    """Value of the first assessment."""
    final: Mapped[str | None] = mapped_column(String(20))
    """Value of the decision that stands."""
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    """How long the case was on the screen until it was decided."""
    __table_args__ = (
        UniqueConstraint("case_id", "reader"),
        Index("ix_readings_reader", "reader", "decided", "case_id"),
    )


class DraftTable(Sealed):
    """What a reader has begun to fill in and not decided yet; replaced as they go on."""

    __tablename__ = "drafts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    reader: Mapped[str] = mapped_column(String(80))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (UniqueConstraint("case_id", "reader"),)


class TruthTable(Sealed):
    """What a case turned out to be; never changed, the newest row stands."""

    __tablename__ = "truths"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    value: Mapped[str | None] = mapped_column(String(20))
    """positive or negative; None: taken back."""
    source: Mapped[str] = mapped_column(Text, default="")
    """Where it is known from, in words: pathology, follow-up of two years, a data set."""
    reader: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class SavedViewTable(Sealed):
    """Filters, search and order of a worklist under a name."""

    __tablename__ = "saved_views"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    reader: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(80))
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (UniqueConstraint("reader", "name"),)
