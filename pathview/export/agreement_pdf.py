"""The agreement page as PDF, to be printed or filed; the notice stands on each of its pages."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Circle, Drawing, Line, PolyLine, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from pathview import __version__
from pathview.errors import OutputError
from pathview.export.agreement_report import TITLE, colors_of, spread_of
from pathview.review.agreement.agreement import Agreement
from pathview.review.agreement.figures import CrossTable, Figure, Section
from pathview.settings import INVESTIGATIONAL

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_INNER = _WIDTH - 12
"""Between the paddings of the page's frame."""
_SIDE = 190.0
"""Of the plot, in points."""
_AMBER, _AMBER_INK = HexColor("#fff1cc"), HexColor("#5a3d00")
_INK, _DIM, _RULE = HexColor("#171a20"), HexColor("#525b69"), HexColor("#b4bac5")
_FONT, _BOLD = "Vera", "VeraBd"
_PLAIN = ParagraphStyle("plain", fontName=_FONT, fontSize=8.5, leading=12, textColor=_INK, spaceAfter=4)
_NOTE = ParagraphStyle("note", parent=_PLAIN, fontSize=7.5, leading=10, textColor=_DIM)
_CELL = ParagraphStyle("cell", parent=_PLAIN, fontSize=7.5, leading=9.5, spaceAfter=0)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=TA_RIGHT)
_DIM_CELL = ParagraphStyle("dim", parent=_CELL, textColor=_DIM)
_HEAD = ParagraphStyle("head", parent=_CELL, fontName=_BOLD, textColor=_DIM)
_TITLE = ParagraphStyle("title", parent=_PLAIN, fontName=_BOLD, fontSize=16, leading=20, spaceAfter=8)
_SECTION = ParagraphStyle(
    "section", parent=_PLAIN, fontName=_BOLD, fontSize=11.5, leading=15, spaceBefore=12, keepWithNext=1
)
_LEAD = ParagraphStyle("lead", parent=_NOTE, keepWithNext=1)
_MISSING = "?"
_TOLD_MISSING = f"Letters that this file's typeface lacks stand as {_MISSING}; report.html has them."


class _Words:
    """Text as the typeface can show it."""

    def __init__(self) -> None:
        for name in (_FONT, _BOLD):
            pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
        self._known = frozenset(pdfmetrics.getFont(_FONT).face.charToGlyph)
        self.missing = False
        """Whether any letter could not be shown."""

    def __call__(self, text: object) -> str:
        """Text with a sign for each letter that the typeface lacks."""
        shown = "".join(one if ord(one) in self._known or one.isspace() else _MISSING for one in str(text))
        self.missing |= shown != str(text)
        return shown

    def paragraph(self, text: object, style: ParagraphStyle = _PLAIN) -> Paragraph:
        """Text that wraps; nothing in it is markup."""
        return Paragraph(escape(self(text)), style)


def write_agreement_pdf(path: Path, found: Agreement) -> Path:
    """Write the page as PDF: A4, with counts where the HTML page lists cases.

    Raises:
        OutputError: it cannot be written.
    """
    content = _made(found)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"The report cannot be written to {path}: {error.strerror}.") from error
    return path


def _made(found: Agreement) -> bytes:
    words, made = _Words(), io.BytesIO()
    document = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN + 8 * mm,
        bottomMargin=_MARGIN,
        title=TITLE,
        author=f"PathView {__version__}",
        subject=INVESTIGATIONAL,
    )
    story = [*_overview(found, words)]
    for section in found.sections:
        story += _section(section, words)
    if words.missing:
        story.append(words.paragraph(_TOLD_MISSING, _NOTE))
    when = f"PathView {__version__}, {datetime.now():%Y-%m-%d %H:%M}"

    def frame(canvas: Canvas, _: object) -> None:
        _draw_frame(canvas, when)

    document.build(story, onFirstPage=frame, onLaterPages=frame)
    return made.getvalue()


def _draw_frame(canvas: Canvas, when: str) -> None:
    """The notice above, and version, time and number of the page below."""
    canvas.saveState()
    top = A4[1] - _MARGIN
    canvas.setFillColor(_AMBER)
    canvas.roundRect(_MARGIN, top - 2 * mm, _WIDTH, 8 * mm, 3, stroke=0, fill=1)
    canvas.setFillColor(_AMBER_INK)
    canvas.setFont(_BOLD, 9)
    canvas.drawString(_MARGIN + 3 * mm, top + 0.8 * mm, f"{INVESTIGATIONAL}.")
    canvas.setFillColor(_DIM)
    canvas.setFont(_FONT, 7.5)
    canvas.drawString(_MARGIN, _MARGIN - 7 * mm, when)
    canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 7 * mm, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()


def _overview(found: Agreement, words: _Words) -> Iterator[Flowable]:
    about = found.as_json()
    head = about["audit_head"]
    rows = {
        "Lists": "; ".join(map(_list_words, about["worklists"])) or "none",
        "Readers": ", ".join(about["readers"]) or "none",
        "Assessed": f"{about['from'][:10]} to {about['to'][:10]} (UTC)" if about["from"] else "nothing yet",
        "Cases": f"{about['n_cases']:,} assessed of {about['n_listed']:,} listed, of {about['n_patients']:,} patients; "
        f"truth known of {about['n_truth']:,}",
        "Asked by": about["asked_by"],
        **({"Audit trail": f"up to row {head['number']}, {head['hash'][:16]}"} if head else {}),
    }
    yield words.paragraph(TITLE, _TITLE)
    cells = [[words.paragraph(name, _HEAD), words.paragraph(told, _CELL)] for name, told in rows.items()]
    yield Table(cells, [25 * mm, _INNER - 25 * mm], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])
    yield Spacer(0, 6)
    yield words.paragraph(f"{about['intervals']} Not sure, can't tell and not analysed are never counted as negative.")
    for notice in about["notices"]:
        yield words.paragraph(notice)
    yield words.paragraph(about["blinding"], _NOTE)


def _list_words(one: dict[str, Any]) -> str:
    mode = one["mode"].replace("_", " ")
    return f"{one['name']} ({mode}, form {one['form']}{', closed' if one['closed'] else ''}; {one['n_listed']:,} cases)"


def _section(section: Section, words: _Words) -> Iterator[Flowable]:
    yield words.paragraph(section.title, _SECTION)
    for notice in section.notices:
        yield words.paragraph(notice, _LEAD)
    for table in section.tables:
        yield words.paragraph(f"Rows: {table.row_title}. Columns: {table.column_title}.", _LEAD)
        yield _cross(table, words)
        yield Spacer(0, 8)
    if section.figures:
        yield _figures(section.figures, spread_of(section), words)
    if section.curves or section.points:
        yield Spacer(0, 8)
        yield _plot(section, words)


def _cross(table: CrossTable, words: _Words) -> Table:
    """Counts of cases."""
    first = min(60 * mm, _INNER / 3)
    width = min(28 * mm, (_INNER - first) / max(1, len(table.columns)))
    rows = [[words.paragraph("", _HEAD), *(words.paragraph(column, _HEAD) for column in table.columns)]]
    for name, cells in zip(table.rows, table.cells, strict=True):
        counts = [words.paragraph(f"{len(cell):,}", _NUMBER) for cell in cells]
        rows.append([words.paragraph(name, _HEAD), *counts])
    style = [("GRID", (0, 0), (-1, -1), 0.5, _RULE), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    return Table(rows, [first] + [width] * len(table.columns), repeatRows=1, hAlign="LEFT", style=style)


def _figures(figures: Sequence[Figure], spread: str, words: _Words) -> Table:
    """A line a number, with its interval and how many cases it is of."""
    rows = [[words.paragraph(name, _HEAD) for name in ("", "", spread, "of cases", "")]]
    for one in figures:
        count = words.paragraph(f"{len(one.cases):,}", _NUMBER)
        told = [words.paragraph(one.title, _CELL), words.paragraph(one.words, _NUMBER)]
        rows.append([*told, words.paragraph(one.interval_words, _CELL), count, words.paragraph(one.why, _DIM_CELL)])
    widths = [share * _INNER for share in (0.32, 0.11, 0.17, 0.11, 0.29)]
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.25, _RULE), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    return Table(rows, widths, repeatRows=1, hAlign="LEFT", style=style)


def _plot(section: Section, words: _Words) -> Drawing:
    """ROC curves and where readers stand, with a line a name beside them."""
    colors, left, base = colors_of(section), 28.0, 24.0
    drawn = Drawing(_INNER, max(_SIDE, 14.0 * len(colors)) + base + 18)
    drawn.add(Rect(left, base, _SIDE, _SIDE, fillColor=None, strokeColor=_RULE))
    drawn.add(Line(left, base, left + _SIDE, base + _SIDE, strokeColor=_RULE, strokeDashArray=(3, 3)))
    for curve in section.curves:
        corners = [place for x, y in curve.points for place in (left + _SIDE * x, base + _SIDE * y)]
        drawn.add(PolyLine(corners, strokeColor=HexColor(colors[curve.title]), strokeWidth=1.5))
    for point in section.points:
        x, y = left + _SIDE * point.false_positives, base + _SIDE * point.sensitivity
        drawn.add(Circle(x, y, 3.5, fillColor=HexColor(colors[point.title]), strokeColor=None))
    small: dict[str, Any] = {"fontName": _FONT, "fontSize": 7.5, "fillColor": _DIM}
    drawn.add(String(left + _SIDE / 2, 8, "1 - specificity", textAnchor="middle", **small))
    drawn.add(String(left, base + _SIDE + 8, "sensitivity", **small))
    for row, (name, color) in enumerate(colors.items()):
        y = base + _SIDE - 10 - 14 * row
        drawn.add(Rect(left + _SIDE + 14, y, 8, 8, fillColor=HexColor(color), strokeColor=None))
        drawn.add(String(left + _SIDE + 28, y + 1, words(name), **small | {"fillColor": _INK}))
    return drawn
