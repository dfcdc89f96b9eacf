"""Cells that a spreadsheet would run: marked as text, and read as they were; letters as it saved them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.csv_cells import csv_text, plain_cell, safe_row


@pytest.mark.parametrize("cell", ["=1+2", "+x", "-x", "@SUM(A1)", "\tx", "\r=x", "'=x", "''-"])
def test_that_text_that_looks_like_a_formula_is_marked(cell: str) -> None:
    assert safe_row([cell]) == (f"'{cell}",)


@pytest.mark.parametrize("cell", ["", "x=1", "-1", "-1.5e-3", "+7", -3, -0.5, None, "'quoted'", "'"])
def test_that_numbers_and_other_text_stay(cell: object) -> None:
    assert safe_row([cell]) == (cell,)


@given(st.text(alphabet="'=+-@\t\r1ae. ", max_size=8))
def test_that_every_cell_is_read_as_it_was(cell: str) -> None:
    (written,) = safe_row([cell])
    assert plain_cell(str(written)) == cell


@given(st.text(alphabet="aZ,;\n\u00e9\u00fc\u00df"))
def test_that_letters_are_read_as_they_were_saved(text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        read = csv_text(text.encode(encoding), "t.csv", errors="replace")
        assert read.text == text
        assert bool(read.notice) == (encoding == "cp1252" and not text.isascii())


@pytest.mark.parametrize(
    "content",
    ["ä,".encode() + b"\xf6", b"\xef\xbb\xbf\xf6", b"\xf6\x81", b"\xf6\0", b"\xff\xfea\0b"],
    ids=["mixed", "mark of UTF-8", "no letter", "binary", "half a letter"],
)
def test_that_letters_are_never_guessed(content: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        csv_text(content, "t.csv")
