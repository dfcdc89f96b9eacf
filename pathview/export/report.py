"""An HTML page with pictures of results; it stands alone with its folder and needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pathview import __version__
from pathview.errors import OutputError
from pathview.export.files import Written
from pathview.results.result import AnalysisResult, Outcome, score_words
from pathview.settings import INVESTIGATIONAL, resource_dir

_WORDS = {
    "positive": "positive",
    "negative": "negative",
    "not_sure": "not sure: look here",
    "not_analysed": "not analysed",
}


@dataclass(frozen=True)
class ReportEntry:
    """One image of a report."""

    title: str
    outcome: Outcome
    files: Written | None
    truth: str = ""
    """What is known to be true of the image, in words."""


def write_report(path: Path, title: str, entries: Sequence[ReportEntry]) -> Path:
    """Write the page; its pictures are linked relative to it.

    Raises:
        OutputError: the page cannot be written.
    """
    page = render_page("report.html.j2", title=title, entries=[_values(entry, path.parent) for entry in entries])
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The report cannot be written to {path}: {error.strerror}.") from error
    return path


def render_page(template: str, **values: Any) -> str:
    """A template of ``resources/templates`` as text; it also gets the notice, the version and the time."""
    page = _environment(resource_dir() / "templates").get_template(template)
    when = f"{datetime.now():%Y-%m-%d %H:%M}"
    return page.render(notice=INVESTIGATIONAL, version=__version__, when=when, **values)


@lru_cache(maxsize=4)
def _environment(folder: Path) -> Environment:
    """Kept, since it keeps the templates that it compiled."""
    environment = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=True)
    environment.filters["score"] = score_words
    return environment


def _values(entry: ReportEntry, folder: Path) -> dict[str, object]:
    outcome = entry.outcome
    result = outcome if isinstance(outcome, AnalysisResult) else None
    label = result.label if result else "not_analysed"
    pictures = []
    if entry.files:
        pictures.append((entry.files.overlay.relative_to(folder).as_posix(), "Outline of the mask"))
        pictures += [
            (picture.relative_to(folder).as_posix(), f"Heat map of {layer}: model attention, not a lesion outline")
            for layer, picture in entry.files.heatmaps.items()
        ]
    return {
        "title": entry.title,
        "label": label,
        "words": _WORDS[label],
        "result": result,
        "reason": "" if isinstance(outcome, AnalysisResult) else outcome.reason,
        "truth": entry.truth,
        "pictures": pictures,
    }
