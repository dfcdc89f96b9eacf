from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from pathview.compute.engine import LocalEngine
from pathview.errors import ImageError
from pathview.geometry import Turn
from pathview.images.dicom import open_dicom
from pathview.images.formats import open_image
from pathview.images.graphics import NO_GRAPHICS, Graphics, load_graphics, read_graphics
from pathview.settings import Settings
from tests.makers import dicom_dataset

PIXELS = np.full((20, 30), 100, np.uint16)


def add_overlay(ds: Dataset, bits: np.ndarray, group: int = 0x6000, **tags) -> None:
    """An overlay plane, [rows, columns] or [frames, rows, columns]."""
    values = {0x0010: ("US", bits.shape[-2]), 0x0011: ("US", bits.shape[-1]), 0x0040: ("CS", "G"),
              0x0050: ("SS", [1, 1]), 0x0100: ("US", 1), 0x0102: ("US", 0)}  # fmt: skip
    names = {"frames": (0x0015, "IS"), "type": (0x0040, "CS"), "origin": (0x0050, "SS"), "first": (0x0051, "US"),
             "rows": (0x0010, "US"), "allocated": (0x0100, "US"), "position": (0x0102, "US")}  # fmt: skip
    for name, value in tags.items():
        values[names[name][0]] = (names[name][1], value)
    for element, (vr, value) in values.items():
        ds.add_new((group, element), vr, value)
    packed = np.packbits(bits.ravel().astype(np.uint8), bitorder="little").tobytes()
    ds.add_new((group, 0x3000), "OW", packed + b"\0" * (len(packed) % 2))


def graphics_of(tmp_path: Path, ds: Dataset, frame: int = 0, turn: Turn | None = None) -> Graphics:
    """The graphics of a data set, through a file."""
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    source = open_dicom(tmp_path / "a.dcm", Settings())
    if turn is not None:
        source.info = SimpleNamespace(turn=turn, size=source.info.size, bits=source.info.bits, is_color=False)
    return read_graphics(source, frame)


def seen_through(tmp_path: Path, **tags) -> np.ndarray | None:
    """1 where a shutter leaves the image."""
    found = graphics_of(tmp_path, dicom_dataset(PIXELS, **tags)).shutter
    return None if found is None else 1 - found


def checks(rows: int = 20, columns: int = 30) -> np.ndarray:
    return (np.add.outer(np.arange(rows) // 3, np.arange(columns) // 5) % 2).astype(np.uint8)


RECTANGLE = {"ShutterShape": "RECTANGULAR", "ShutterUpperHorizontalEdge": 3, "ShutterLowerHorizontalEdge": 10,
             "ShutterLeftVerticalEdge": 5, "ShutterRightVerticalEdge": 25}  # fmt: skip


def test_that_planes_of_the_images_size_are_joined(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS)
    dot = np.zeros((20, 30), np.uint8)
    dot[0, 0] = 1
    add_overlay(ds, checks())
    add_overlay(ds, dot, group=0x601E)
    found = graphics_of(tmp_path, ds)
    assert found.overlay is not None
    assert found.overlay.dtype == np.uint8
    assert np.array_equal(found.overlay, checks() | dot)
    assert found.shutter is None


@pytest.mark.parametrize(("origin", "rows", "columns"), [((3, 6), 5, 7), ((-2, -4), 9, 9), ((18, 28), 9, 9)])
def test_that_a_small_plane_lies_at_its_origin_and_is_cut_at_the_edge(
    origin: tuple[int, int], rows: int, columns: int, tmp_path: Path
) -> None:
    ds = dicom_dataset(PIXELS)
    add_overlay(ds, np.ones((rows, columns)), origin=list(origin))
    wanted = np.zeros((20, 30), np.uint8)
    top, left = origin[0] - 1, origin[1] - 1
    wanted[max(0, top) : max(0, top + rows), max(0, left) : max(0, left + columns)] = 1
    assert np.array_equal(graphics_of(tmp_path, ds).overlay, wanted)


def test_that_a_plane_wholly_outside_draws_nothing(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS)
    add_overlay(ds, np.ones((5, 5)), origin=[100, -100])
    overlay = graphics_of(tmp_path, ds).overlay
    assert overlay is not None
    assert not overlay.any()


def test_that_a_frame_has_its_own_plane(tmp_path: Path) -> None:
    ds = dicom_dataset(np.stack([PIXELS] * 4))
    planes = np.zeros((2, 20, 30), np.uint8)
    planes[0, 1], planes[1, 2] = 1, 1
    add_overlay(ds, planes, frames=2, first=2)
    assert graphics_of(tmp_path, ds, 0).overlay is None
    assert np.array_equal(graphics_of(tmp_path, ds, 1).overlay, planes[0])
    assert np.array_equal(graphics_of(tmp_path, ds, 2).overlay, planes[1])
    assert graphics_of(tmp_path, ds, 3).overlay is None


def test_that_frames_that_do_not_begin_on_a_byte_are_found(tmp_path: Path) -> None:
    ds = dicom_dataset(np.zeros((3, 5, 5), np.uint16))
    planes = np.random.default_rng(0).integers(0, 2, (3, 5, 5)).astype(np.uint8)
    add_overlay(ds, planes, frames=3)
    for frame in range(3):
        assert np.array_equal(graphics_of(tmp_path, ds, frame).overlay, planes[frame])


def test_that_planes_in_unused_high_bits_are_read(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS | (checks().astype(np.uint16) << 14))
    for element, vr, value in ((0x0010, "US", 20), (0x0011, "US", 30), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1]),
                               (0x0100, "US", 16), (0x0102, "US", 14)):  # fmt: skip
        ds.add_new((0x6002, element), vr, value)
    assert np.array_equal(graphics_of(tmp_path, ds).overlay, checks())
    ds[0x6002, 0x0102].value = 5  # a bit of the image
    assert graphics_of(tmp_path, ds).overlay is None


def test_that_a_region_of_interest_is_drawn_as_its_outline(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS)
    region = np.zeros((20, 30), np.uint8)
    region[5:10, 5:12] = 1
    add_overlay(ds, region, type="R")
    wanted = region.copy()
    wanted[6:9, 6:11] = 0
    assert np.array_equal(graphics_of(tmp_path, ds).overlay, wanted)


def test_that_words_of_big_endian_files_are_turned(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS)
    add_overlay(ds, checks())
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = PIXELS.astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    data = ds[0x6000, 0x3000]
    data.value = np.frombuffer(data.value, "<u2").astype(">u2").tobytes()
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, little_endian=False, implicit_vr=False)
    assert np.array_equal(read_graphics(open_dicom(tmp_path / "a.dcm", Settings())).overlay, checks())


@pytest.mark.parametrize(
    "tags",
    [
        {"rows": 0},
        {"rows": 65535},
        {"frames": 0, "rows": 40},
        {"origin": [1]},
        {"frames": 2, "first": 3},
    ],
    ids=["no rows", "more rows than bits", "half of its bits", "half an origin", "another frame's"],
)
def test_that_a_damaged_plane_is_left_out_and_the_others_stay(tags: dict, tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS)
    add_overlay(ds, np.ones((20, 30)), **tags)
    assert graphics_of(tmp_path, ds).overlay is None
    add_overlay(ds, checks(), group=0x6004)
    assert np.array_equal(graphics_of(tmp_path, ds).overlay, checks())


def test_that_a_rectangle_leaves_its_edges(tmp_path: Path) -> None:
    wanted = np.zeros((20, 30), np.uint8)
    wanted[2:10, 4:25] = 1
    assert np.array_equal(seen_through(tmp_path, **RECTANGLE), wanted)


def test_that_a_circle_leaves_what_is_within_its_radius(tmp_path: Path) -> None:
    tags = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [11, 16], "RadiusOfCircularShutter": 5}
    seen = seen_through(tmp_path, **tags)
    assert seen is not None
    assert seen[10, 10:21].all()
    assert seen[5:16, 15].all()
    assert seen.sum() == 81  # the points of a disc of radius 5


def test_that_a_polygon_is_closed(tmp_path: Path) -> None:
    tags = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 11, 11, 1]}
    seen = seen_through(tmp_path, **tags)
    assert seen is not None
    assert seen.sum() == 66
    assert seen[0, :11].all()
    assert seen[:11, 0].all()
    assert not seen[10, 10]


def test_that_of_several_shapes_the_least_is_seen(tmp_path: Path) -> None:
    circle = {"CenterOfCircularShutter": [3, 5], "RadiusOfCircularShutter": 4}
    both = seen_through(tmp_path, **RECTANGLE | circle | {"ShutterShape": ["RECTANGULAR", "CIRCULAR"]})
    one = seen_through(tmp_path, **RECTANGLE)
    other = seen_through(tmp_path, **circle, ShutterShape="CIRCULAR")
    assert both is not None
    assert one is not None
    assert other is not None
    assert np.array_equal(both, one & other)


def test_that_a_bitmap_shutter_hides_and_is_no_overlay(tmp_path: Path) -> None:
    tags = {"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6002, "ShutterPresentationValue": 0xFFFF}
    ds = dicom_dataset(PIXELS, **tags)
    add_overlay(ds, checks(), group=0x6002)
    found = graphics_of(tmp_path, ds)
    assert found.overlay is None
    assert np.array_equal(found.shutter, checks())
    assert found.shutter_gray == 255


def test_that_a_frame_may_have_its_own_shutter(tmp_path: Path) -> None:
    items = []
    for left in (2, 9):
        shutter, group = Dataset(), Dataset()
        for keyword, value in (RECTANGLE | {"ShutterLeftVerticalEdge": left}).items():
            setattr(shutter, keyword, value)
        group.FrameDisplayShutterSequence = [shutter]
        items.append(group)
    ds = dicom_dataset(np.stack([PIXELS] * 2), PerFrameFunctionalGroupsSequence=items)
    for frame, left in enumerate((2, 9)):
        shutter = graphics_of(tmp_path, ds, frame).shutter
        assert shutter is not None
        assert np.flatnonzero(shutter[5] == 0)[0] == left - 1


@pytest.mark.parametrize(("value", "gray"), [(None, 0), (0, 0), (32768, 128), (65535, 255)])
def test_that_the_shutters_grey_is_a_share_of_white(value: int | None, gray: int, tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS, **RECTANGLE, ShutterPresentationValue=value)
    assert graphics_of(tmp_path, ds).shutter_gray == gray


@pytest.mark.parametrize(
    "tags",
    [
        {"ShutterShape": "RECTANGULAR"},
        RECTANGLE | {"ShutterLeftVerticalEdge": 26},
        RECTANGLE | {"ShutterUpperHorizontalEdge": 500, "ShutterLowerHorizontalEdge": 600},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [11], "RadiusOfCircularShutter": 5},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [900, 900], "RadiusOfCircularShutter": 5},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 5, 5]},
        {"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6002},
        {"ShutterShape": "TRIANGULAR"},
    ],
)
def test_that_a_shutter_that_makes_no_sense_is_left_out(tags: dict, tmp_path: Path) -> None:
    assert seen_through(tmp_path, **tags) is None


def test_that_no_damaged_byte_is_more_than_an_image_error(tmp_path: Path) -> None:
    ds = dicom_dataset(np.zeros((8, 8), np.uint16), **RECTANGLE, ShutterOverlayGroup=0x6002)
    ds.ShutterShape = ["RECTANGULAR", "BITMAP", "CIRCULAR", "POLYGONAL"]
    ds.CenterOfCircularShutter, ds.RadiusOfCircularShutter = [4, 4], 3
    ds.VerticesOfThePolygonalShutter = [1, 1, 1, 8, 8, 1]
    for group in (0x6000, 0x6002, 0x6004):
        add_overlay(ds, checks(8, 8), group=group, frames=1, first=1)
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    good = (tmp_path / "a.dcm").read_bytes()
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        bad = bytearray(good)
        for place in rng.integers(400, len(bad), 3):
            bad[place] = rng.integers(0, 256)
        (tmp_path / "bad.dcm").write_bytes(bad)
        try:
            found += read_graphics(open_dicom(tmp_path / "bad.dcm", Settings())).overlay is not None
        except ImageError:
            pass
    assert found > 100


def test_that_graphics_are_turned_as_the_image_hangs(tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS, **RECTANGLE)
    add_overlay(ds, checks())
    turn = Turn(transpose=True, mirror_x=True)
    stored, shown = graphics_of(tmp_path, ds), graphics_of(tmp_path, ds, turn=turn)
    assert shown.overlay is not None
    assert shown.overlay.shape == (30, 20)
    assert np.array_equal(shown.overlay, turn.array(stored.overlay))
    assert np.array_equal(shown.shutter, turn.array(stored.shutter))


def test_that_a_job_reads_them_and_plain_pictures_have_none(tmp_path: Path, settings: Settings) -> None:
    ds = dicom_dataset(np.stack([PIXELS] * 2))
    planes = np.stack([np.zeros((20, 30)), checks()])
    add_overlay(ds, planes, frames=2)
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "a.png")
    engine = LocalEngine()
    assert not engine.run(load_graphics, tmp_path / "a.dcm", settings).overlay.any()
    assert np.array_equal(engine.run(partial(load_graphics, frame=1), tmp_path / "a.dcm", settings).overlay, planes[1])
    assert engine.run(load_graphics, tmp_path / "a.png", settings) == NO_GRAPHICS


@pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize("origin", [[1, 1], [4, 9], [-3, 20]])
def test_that_overlays_lie_where_dcmtk_draws_them(origin: list[int], tmp_path: Path) -> None:
    ds = dicom_dataset(PIXELS, WindowCenter=500, WindowWidth=1000)
    add_overlay(ds, checks(9, 14), origin=origin)
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    subprocess.run(["dcm2pnm", "+Wi", "1", "+O", "1", "+on", tmp_path / "a.dcm", tmp_path / "a.png"], check=True)
    drawn = np.asarray(Image.open(tmp_path / "a.png")) == 255
    assert np.array_equal(read_graphics(open_image(tmp_path / "a.dcm")).overlay, drawn)


def test_that_pydicom_reads_the_same_plane_of_its_own_example() -> None:
    path = get_testdata_file("examples_overlay.dcm", download=False)
    if path is None:
        pytest.skip("not in this wheel of pydicom")
    source = open_dicom(Path(path), Settings())
    found = read_graphics(source)
    assert np.array_equal(found.overlay, source.info.turn.array(source.dataset.overlay_array(0x6000)))
