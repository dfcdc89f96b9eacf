"""The agreement as pages of the window: each number is a link that names the list of the cases behind it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from pathview.export.agreement_report import section_page
from pathview.export.report import render_page
from pathview.review.agreement.agreement import Agreement
from pathview.review.agreement.figures import Section

LINK = "cases:"
"""What a link begins with; the number of a list of :attr:`AgreementPage.lists` follows."""


@dataclass(frozen=True)
class AgreementPage:
    """One page as HTML that stays within what a text browser of Qt shows."""

    title: str
    html: str
    lists: tuple[tuple[int, ...], ...]
    """Ids of the cases that a link opens."""
    section: Section | None = None
    """What it shows; None: the overview."""


class _Links:
    """Numbers as links, and the lists that they open."""

    def __init__(self) -> None:
        self.lists: list[tuple[int, ...]] = []

    def __call__(self, words: str, cases: tuple[int, ...]) -> str:
        """A number's words and its cases as HTML."""
        if not cases:
            return words
        self.lists.append(cases)
        return Markup('<a href="{}{}">{}</a>').format(LINK, len(self.lists) - 1, words)


def agreement_pages(found: Agreement) -> tuple[AgreementPage, ...]:
    """The overview, and a page for each comparison."""
    links = _Links()
    cases = tuple(case.id for case in found.cases)
    known = tuple(case.id for case in found.records.cases if case.truth is not None)
    html = render_page("agreement_overview.html.j2", about=found.as_json(), behind=links, cases=cases, known=known)
    return (AgreementPage("Overview", html, tuple(links.lists)), *map(_page, found.sections))


def _page(section: Section) -> AgreementPage:
    links = _Links()
    html = section_page(section, links)
    return AgreementPage(section.title, html, tuple(links.lists), section)
