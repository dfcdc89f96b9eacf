"""Cells that a spreadsheet would run: marked as text, and read as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.csv_cells import plain_cell, safe_row


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
