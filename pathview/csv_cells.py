"""Cells of csv files that a spreadsheet would take for a formula: marked as text when written, plain when read.

As OWASP advises, text that begins with one of ``= + - @``, a tab or a carriage return gets an apostrophe before it.
Numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"'+[=+\-@\t\r]")


def safe_row(cells: Iterable[object]) -> tuple[object, ...]:
    """Cells as they are written; :func:`plain_cell` gives each back."""
    return tuple(_safe(cell) if isinstance(cell, str) else cell for cell in cells)


def plain_cell(cell: str) -> str:
    """A cell as it was before :func:`safe_row`."""
    return cell[1:] if _MARKED.match(cell) else cell


def _safe(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
