"""The agreement page as HTML: one file that stands alone, each number with the list of the cases behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from pathview.errors import OutputError
from pathview.export.report import render_page
from pathview.export.study_csv import CASES
from pathview.review.agreement.agreement import Agreement
from pathview.review.agreement.figures import Section

TITLE = "Agreement of readers, model and truth"
COLORS = ("#1f6fb8", "#b3261e", "#0f6b56", "#8a5a00", "#6b3fa0", "#00707f", "#a0326b", "#4d5563")
"""Of curves and points, by rater, in turn; each has 4.5 : 1 on white."""
_LISTED = 500
"""Ids in one list of the page."""
_SIDE = 400
"""Of the plot."""
Behind = Callable[[str, tuple[int, ...]], str]
"""A number's words and its cases as HTML."""


def write_agreement_page(path: Path, found: Agreement) -> Path:
    """Write the page.

    Raises:
        OutputError: it cannot be written.
    """
    sections = [(section, Markup(section_page(section, _listed))) for section in found.sections]  # noqa: S704 (ours)
    page = render_page("agreement.html.j2", title=TITLE, about=found.as_json(), sections=sections, plot=_plot)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The report cannot be written to {path}: {error.strerror}.") from error
    return path


def section_page(section: Section, behind: Behind) -> str:
    """One comparison as HTML, for the page and for the window."""
    return render_page("agreement_section.html.j2", section=section, behind=behind, spread=spread_of(section))


def spread_of(section: Section) -> str:
    """What stands beside each number of a section."""
    return "quartiles" if section.name == "time_a_case" else "95 % interval"


def _listed(words: str, cases: tuple[int, ...]) -> str:
    """A number that opens the list of its cases."""
    if not cases:
        return words
    ids = ", ".join(map(str, cases[:_LISTED]))
    more = f" ... and {len(cases) - _LISTED:,} more, all of them in {CASES}" if len(cases) > _LISTED else ""
    return Markup("<details><summary>{}</summary>Cases {}{}</details>").format(words, ids, more)


def colors_of(section: Section) -> dict[str, str]:
    """A colour for each rater of a section's curves and points."""
    names = dict.fromkeys([*(curve.title for curve in section.curves), *(point.title for point in section.points)])
    return {name: COLORS[index % len(COLORS)] for index, name in enumerate(names)}


def _plot(section: Section) -> str:
    """The ROC curves as SVG."""
    colors = colors_of(section)
    lines = [
        {
            "points": " ".join(f"{_SIDE * x:.1f},{_SIDE * (1 - y):.1f}" for x, y in curve.points),
            "color": colors[curve.title],
        }
        for curve in section.curves
    ]
    marks = [
        {
            "x": f"{_SIDE * point.false_positives:.1f}",
            "y": f"{_SIDE * (1 - point.sensitivity):.1f}",
            "color": colors[point.title],
        }
        for point in section.points
    ]
    drawn = render_page("agreement_roc.svg.j2", lines=lines, marks=marks, names=list(colors.items()))
    return Markup(drawn)  # noqa: S704 (escaped by the template)
