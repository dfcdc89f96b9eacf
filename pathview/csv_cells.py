"""What spreadsheets make of csv files: the bytes of their letters, and cells that they would take for formulas.

Cells are marked as text when written, plain when read: as OWASP advises, text that begins with one of ``= + - @``, a
tab or a carriage return gets an apostrophe before it. Numbers stay as they are.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import dataclass

ASSUMED = (
    "{} is not in UTF-8: it was read as Windows-1252, the way Excel saves a csv in western Europe. "
    "Look whether its accents and umlauts are right; if not, save it as CSV UTF-8."
)
"""Told of a file whose encoding nothing states."""
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True)
class CsvText:
    """The text of a csv file."""

    text: str
    notice: str = ""
    """A sentence where its encoding was assumed; empty where the file itself tells it."""


def csv_text(content: bytes, name: str, errors: str = "strict") -> CsvText:
    """The letters of a csv file: UTF-16 where it says so, UTF-8, else Windows-1252, which is told.

    A file with letters in UTF-8 and others in something else is not taken for Windows-1252: half of it would be wrong.

    Args:
        content: of the file.
        name: of the file, for the sentence.
        errors: what is done where it is none of these, as in ``bytes.decode`` for UTF-8.

    Raises:
        UnicodeDecodeError: it is none of these, and ``errors`` is ``strict``; or its UTF-16 is damaged.
    """
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return CsvText(content.decode("utf-16"))
    try:
        return CsvText(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        if not content.startswith(BOM_UTF8) and not _UTF8_LETTER.search(content) and b"\0" not in content:
            try:
                return CsvText(content.decode("cp1252"), ASSUMED.format(name))
            except UnicodeDecodeError:
                pass  # it has bytes that are no letters there
    return CsvText(content.decode("utf-8-sig", errors))


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
