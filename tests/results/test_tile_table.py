"""Tile tables: what is kept, what grows, what is removed, and the levels of a large map."""

from __future__ import annotations

import csv
import itertools
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import NotAnalysable, StoreError
from pathview.geometry import GridPlace, Region
from pathview.results.growing_map import Cells
from pathview.results.map_levels import halvings, reduced
from pathview.results.result import ScoreMap
from pathview.results.tile_files import GrowingMaps, read_tiles, table_of, trim, write_csv
from pathview.results.tile_table import MapPart, Plan, Tile, TileTable, locked, table_name

CELLS = Cells((2, 3), GridPlace(0, 0, 100, 100))
FINE = Cells((4, 6), GridPlace(0, 0, 50, 50))


def tile(number: int, probability: float | None = 0.5) -> Tile:
    region = Region(100 * (number % 3), 100 * (number // 3), 100, 100)
    return Tile(number, region, probability, "unreadable" if probability is None else "analysed")


def begun(path: Path, fine: Cells | None = None, mark: str = "f") -> TileTable:
    table = TileTable(path, {"image": path.stem}, clock=itertools.count().__next__)
    table.begin(Plan(CELLS, fine, 6), {"fingerprint": mark})
    return table


def test_that_a_map_grows_with_its_table(tmp_path: Path) -> None:
    maps = GrowingMaps(tmp_path)
    assert maps.of("f") is None
    table = begun(tmp_path / "a.sqlite", FINE)
    found = maps.of("f")
    assert found is not None
    assert np.isnan(found.values).all()
    table.add([tile(0, 0.25), tile(4, None)])
    table.add([tile(5, 0.75)])
    first = maps.of("f")
    assert first is not None
    assert (first.values[0, 0], first.values[1, 2]) == (0.25, 0.75)
    assert np.isfinite(first.values).sum() == 2
    table.add([tile(4, 0.5)])
    table.add((), MapPart(0, 1, 1, np.full((1, 2), 0.9, np.float32)))
    fine = maps.of("f")
    assert fine is not None
    assert fine.values.shape == FINE.shape
    assert fine.values[0, :2].tolist() == [0.25, 0.25]
    assert fine.values[1, 1:3] == pytest.approx([0.9, 0.9])
    assert fine.values[3, 3] == 0.5
    assert np.isnan(fine.values[0, 3])
    assert np.isfinite(first.values).sum() == 2  # what was given out stays as it was
    assert maps.of("another") is None
    table.finish()
    assert maps.of("f") is None
    table.close()


def test_that_transactions_wait_for_each_other_a_moment_at_most(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "a.sqlite"
    table = TileTable(path, {}, clock=lambda: now[0])
    for number, (when, written) in enumerate(((0.0, 1), (0.1, 1), (0.15, 1), (0.21, 4), (0.3, 4))):
        now[0] = when
        table.add([tile(number)])
        assert len(read_tiles(path)) == written
    table.close()
    assert len(read_tiles(path)) == 5


def test_that_the_newest_run_on_an_image_is_shown(tmp_path: Path) -> None:
    for name, probability, when in (("a", 0.1, 100), ("b", 0.2, 200)):
        table = begun(tmp_path / f"{name}.sqlite")
        table.add([tile(0, probability)])
        table.close()
        os.utime(tmp_path / f"{name}.sqlite", (when, when))
    maps = GrowingMaps(tmp_path)
    found = maps.of("f")
    assert found is not None
    assert found.values[0, 0] == np.float32(0.2)
    os.utime(tmp_path / "a.sqlite", (300, 300))
    found = maps.of("f")
    assert found is not None
    assert found.values[0, 0] == np.float32(0.1)


def test_that_probabilities_come_back_to_the_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(6, np.float32)
    table = begun(tmp_path / "a.sqlite")
    table.add([tile(number, float(value)) for number, value in enumerate(values)])
    assert np.array_equal(table.maps()[0].values.ravel(), values)
    table.close()
    assert [np.float32(one.probability) for one in read_tiles(tmp_path / "a.sqlite")] == values.tolist()


def test_that_the_oldest_tables_are_removed_and_never_one_in_use(tmp_path: Path) -> None:
    for number, name in enumerate("abcd"):
        table = begun(tmp_path / f"{name}.sqlite")
        table.add([tile(0)])
        table.close()
        os.utime(tmp_path / f"{name}.sqlite", (number, number))
    size = (tmp_path / "a.sqlite").stat().st_size
    in_use = locked(tmp_path / "a.sqlite")
    trim(tmp_path, 2 * size + size // 2)
    in_use.release()
    assert {path.stem for path in tmp_path.glob("*.sqlite")} == {"a", "d"}
    assert not (tmp_path / "b.lock").exists()
    trim(tmp_path, 0, keep=tmp_path / "d.sqlite")
    assert {path.stem for path in tmp_path.glob("*.sqlite")} == {"d"}


def test_that_another_identity_begins_anew_and_the_same_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    table = begun(path)
    table.add([tile(0), tile(1)])
    table.close()
    again = TileTable(path, {"image": "a"})
    assert again.statuses() == {0: "analysed", 1: "analysed"}
    with pytest.raises(NotAnalysable, match="PathView is at it already"):
        TileTable(path, {"image": "a"})
    again.close()
    other = TileTable(path, {"image": "b"})
    assert other.statuses() == {}
    other.close()
    assert path.stat().st_mode & 0o77 == 0


def test_that_a_disk_that_refuses_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"^The tiles of a slide cannot be kept in .*: .*; what was kept stays\.$"):
        TileTable(tmp_path / "file" / "a.sqlite", {})
    table = begun(tmp_path / "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as other:
        other.execute("DROP TABLE tiles")
    with pytest.raises(StoreError, match="cannot be kept"):
        table.add([tile(0)])
    with pytest.raises(StoreError):
        table.close()
    with pytest.raises(StoreError):
        read_tiles(tmp_path / "nowhere.sqlite")


def test_that_tiles_are_written_as_lines(tmp_path: Path) -> None:
    table = begun(tmp_path / "a.sqlite")
    table.add([tile(1, 0.125), tile(0, None)])
    table.close()
    write_csv(tmp_path / "a.sqlite", tmp_path / "tiles.csv")
    with (tmp_path / "tiles.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines == [
        ["x", "y", "width", "height", "probability", "status"],
        ["0", "0", "100", "100", "", "unreadable"],
        ["100", "0", "100", "100", "0.125", "analysed"],
    ]


def test_that_names_are_made_of_hashes_and_never_leave_the_folder(tmp_path: Path) -> None:
    assert table_name("ab" * 32, "idc", "cd" * 32, None) == f"{'ab' * 8}-idc-{'cd' * 8}.sqlite"
    assert table_name("ab" * 32, "idc", "", 4) == f"{'ab' * 8}-idc-none-4.sqlite"
    (tmp_path / "slides").mkdir()
    (tmp_path / "a.sqlite").write_bytes(b"")
    assert table_of(tmp_path / "slides", {"tile_table": "../a.sqlite"}) is None
    assert table_of(tmp_path, {"tile_table": "a.sqlite"}) == tmp_path / "a.sqlite"
    assert table_of(tmp_path, {}) is None


def test_that_a_large_map_is_halved_by_what_is_known() -> None:
    values = np.array([[0, 1, np.nan], [np.nan, 0.5, np.nan], [1, 1, 0.25]], np.float32)
    assert np.array_equal(reduced(values, 2), np.array([[0.5, np.nan], [1, 0.25]], np.float32), equal_nan=True)
    whole = ScoreMap(np.random.default_rng(0).random((100, 70), np.float32), GridPlace(3, 5, 2, 4), smooth=False)
    assert halvings(whole) == (whole,)
    levels = halvings(whole, large=500)
    assert [level.values.shape for level in levels] == [(100, 70), (50, 35), (25, 18)]
    assert levels[2].place == GridPlace(3, 5, 8, 16)
    assert levels[1].values.mean() == pytest.approx(whole.values.mean(), abs=1e-5)
