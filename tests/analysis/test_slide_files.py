"""Real slide files from end to end: read quickly, corrupt tiles, the session, the command line, heat maps of a tile."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pathview import cli
from pathview.analysis import slide_run
from pathview.analysis.pipeline import AnalysisRequest, analyse_path, explain_tile
from pathview.compute.engine import LocalEngine
from pathview.errors import ModelError, NotAnalysable
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.images.quick_slide import quick_slide
from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.models import fast_backend
from pathview.results import tile_table
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings
from tests.makers import write_patch_folder

SIDE, CELL = 1024, 200


def write_slide(path: Path, side: int = SIDE, mpp_um: float = 1.0) -> Path:
    """A tiled JPEG pyramid with tissue in its upper left three quarters."""
    y, x = np.mgrid[0:side, 0:side]
    pixels = np.full((side, side, 3), (243, 242, 244), np.uint8)
    inside = (x < 0.75 * side) & (y < 0.75 * side)
    shade = (40 * np.sin(x / 40) * np.cos(y / 30)).astype(int)
    for channel, value in enumerate((170, 90, 170)):
        pixels[..., channel][inside] = (value + shade)[inside]
    with tifffile.TiffWriter(path) as writer:
        for down in (1, 4):
            resolution = (1e4 / mpp_um / down, 1e4 / mpp_um / down)
            writer.write(
                pixels[::down, ::down],
                tile=(128, 128),
                photometric="rgb",
                compression="jpeg",
                subfiletype=int(down > 1),
                resolution=resolution,
                resolutionunit="CENTIMETER",
            )
    return path


def corrupt(path: Path, page: int, tile: int) -> None:
    """Overwrite a tile's bytes."""
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[page].dataoffsets[tile], tiff.pages[page].databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\0" * count)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_slide(tmp_path / "a.tif")


@pytest.fixture
def session(tiny_models: Settings, tmp_path: Path):
    engine = LocalEngine()
    found = Session(tiny_models, engine, engine, Store(Database(tmp_path / "cases.sqlite")), reader="r")
    yield found
    found.close()


def analysed(path: Path, model: Path, settings: Settings, **options):
    return analyse_path(path, AnalysisRequest(model, **options), settings, no_progress, never())


def test_that_a_slide_is_read_quickly_with_its_own_pixels(slide: Path) -> None:
    source = open_image(slide)
    quick = quick_slide(source)
    assert quick is not None
    for level, region in ((0, Region(100, 50, 300, 200)), (1, Region(400, 200, 400, 400))):
        assert np.array_equal(quick.read_region(region, level), source.read_region(region, level))
    quick.close()
    source.close()


def test_that_another_reader_of_one_level_is_compared_there_alone(slide: Path) -> None:
    corrupt(slide, 0, 27)  # in the middle of the finest level, where pixels are compared
    source = open_image(slide)
    assert quick_slide(source) is None
    assert quick_slide(source, level=0) is None
    quick = quick_slide(source, level=1)
    assert quick is not None
    region = Region(400, 200, 400, 400)
    assert np.array_equal(quick.read_region(region, 1), source.read_region(region, 1))
    quick.close()
    source.close()


def test_that_the_real_slide_is_read_quickly(data_dir: Path) -> None:
    source = open_image(data_dir / "slides" / "cmu-1-small-region.svs")
    quick = quick_slide(source)
    assert quick is not None
    region = Region(500, 700, 600, 400)
    assert np.array_equal(quick.read_region(region), source.read_region(region))
    quick.close()
    source.close()


@pytest.mark.parametrize("page", [0, 1])
def test_that_a_corrupt_tile_of_a_file_is_told_and_not_called_negative(
    page: int, slide: Path, tiny_cnn: Path, settings: Settings
) -> None:
    sound = analysed(slide, tiny_cnn, settings)
    assert sound.provenance.settings["tiles"] == {"analysed": 16, "skipped": 20, "unreadable": 0, "resumed": 0}
    corrupt(slide, page, 0)
    found = analysed(slide, tiny_cnn, settings)
    tiles = found.provenance.settings["tiles"]
    if page == 0:  # another level than the one that is read
        assert np.array_equal(found.probability.values, sound.probability.values, equal_nan=True)
        return
    assert tiles["unreadable"] == 9
    assert tiles["analysed"] + tiles["unreadable"] >= 16
    assert "unreadable_tiles" in {flag.code for flag in found.flags}
    assert found.label != "negative"


def test_that_the_window_sees_the_map_grow(slide: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_run, "PATCH_BATCH", 4)
    monkeypatch.setattr(tile_table, "EVERY_S", 0.0)
    monkeypatch.setattr(fast_backend, "_MOST_LANES", 1)  # what runs beside a batch is kept too, on any number of cores
    image = session.cases.case(session.add([slide]).case_ids[0]).images[0]
    seen: list[int] = []

    def look(step: Progress) -> None:
        so_far = session.slide_progress(image)
        seen.append(-1 if so_far is None else int(np.isfinite(so_far.values).sum()))

    class After:
        def is_set(self) -> bool:
            return bool(seen) and seen[-1] >= 8

    with pytest.raises(Cancelled):
        session.analyse_image(image, AnalyseOptions(), look, After())
    kept = session.slide_progress(image)
    assert kept is not None
    done = int(np.isfinite(kept.values).sum())
    assert 8 <= done < 16
    session.analyse_image(image, AnalyseOptions(), look, None)
    assert {0, 4, 8, 12, 16} <= set(seen)
    assert session.slide_progress(image) is None
    result = session.cases.case(image.case_id).images[0].result
    assert result is not None
    assert result.provenance["settings"]["tiles"]["resumed"] == done
    table = session.tile_table(result)
    assert table is not None
    table.unlink()
    assert session.tile_table(result) is None
    assert session.cases.map(result.id).values.shape == (6, 6)


def test_that_layers_of_one_tile_are_explained_in_place(slide: Path, tiny_cnn: Path, settings: Settings) -> None:
    def maps_at(x: float, y: float, layers):
        request = AnalysisRequest(tiny_cnn)
        return explain_tile(slide, request, x, y, layers, settings, no_progress, never())

    maps = maps_at(2 * CELL + 30, CELL + 10, ["pool1", "conv4"])
    assert list(maps) == ["pool1", "conv4"]
    for heat in maps.values():
        assert heat.values.shape == (50, 50)
        place = heat.place
        assert (place.x, place.y) == (2 * CELL, CELL)
        assert 50 * place.cell_width == pytest.approx(CELL)
        assert 0 <= heat.values.min() <= heat.values.max() <= 1
    alone = maps_at(2 * CELL + 199, CELL + 199, ["conv4"])["conv4"]
    assert np.allclose(alone.values, maps["conv4"].values, atol=1e-5)
    assert len(maps_at(1, 1, ["all"])) > 4
    with pytest.raises(NotAnalysable, match=r"^No heat map of a\.tif: there is no tile at 5000, 10\.$"):
        maps_at(5000, 10, ["conv4"])
    with pytest.raises(ModelError, match="no layer 'conv9'"):
        maps_at(10, 10, ["conv9"])
    corrupt(slide, 1, 0)
    with pytest.raises(NotAnalysable, match=r"the tile at 10, 10 cannot be read"):
        maps_at(10, 10, ["conv4"])


def test_that_a_patch_of_a_mosaic_is_explained_in_place(tmp_path: Path, tiny_cnn: Path, settings: Settings) -> None:
    folder = write_patch_folder(tmp_path / "p")
    request = AnalysisRequest(tiny_cnn)
    heat = explain_tile(folder, request, 60, 70, ["pool2"], settings, no_progress, never())["pool2"]
    assert (heat.place.x, heat.place.y, heat.values.shape) == (50, 50, (50, 50))
    with pytest.raises(NotAnalysable, match="there is no patch at 175, 125"):
        explain_tile(folder, request, 175, 125, ["pool2"], settings, no_progress, never())


def test_that_the_session_explains_a_tile_of_a_kept_result(slide: Path, session: Session) -> None:
    case_id = session.add([slide]).case_ids[0]
    image = session.cases.case(case_id).images[0]
    with pytest.raises(NotAnalysable, match="has no result to explain"):
        session.explain_tile(image, 10, 10, ["pool1"])
    session.analyse_cases([case_id], AnalyseOptions())
    image = session.cases.case(case_id).images[0]
    assert set(session.explain_tile(image, 10, 10, ["pool1", "pool2"])) == {"pool1", "pool2"}


def test_that_all_tiles_can_be_explained_on_one_map(slide: Path, tiny_cnn: Path, settings: Settings) -> None:
    found = analysed(slide, tiny_cnn, settings, explain="all")
    assert max(np.nanmax(heat.values) for heat in found.heatmaps.values()) == 1.0
    heat = found.heatmaps["pool2"]
    assert heat.values.shape == (300, 300)
    assert np.array_equal(np.isnan(heat.values[::50, ::50]), np.isnan(found.probability.values))


@pytest.mark.usefixtures("tiny_models")
def test_that_the_command_line_tells_and_writes_tiles(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    lines = []
    for options in (["--out", str(out)], [], ["--no-resume"]):
        assert cli.run(["analyse", str(slide), "--recipe", "tiny-cnn", *options], lambda _: 0) == 0
        lines.append(json.loads(capsys.readouterr().out))
    assert [line["tiles"]["resumed"] for line in lines] == [0, 16, 0]
    assert lines[0]["tiles"]["analysed"] == 16
    with Path(lines[0]["files"]["tiles"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert {row["status"] for row in rows} == {"analysed"}
