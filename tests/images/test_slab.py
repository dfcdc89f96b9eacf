from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from pathview.compute.engine import LocalEngine
from pathview.errors import ImageError
from pathview.geometry import Region, Turn
from pathview.images import slab
from pathview.images.formats import open_image
from pathview.images.slab import CACHE, Slab, load_slab
from pathview.jobs import Cancelled, never, no_progress
from pathview.samples import study, tomosynthesis
from pathview.settings import Settings
from tests.makers import lut_item, write_dicom

STACK = np.random.default_rng(3).integers(0, 4096, (7, 40, 32)).astype(np.uint16)


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """What other tests left must not answer here."""
    CACHE.clear()
    yield
    CACHE.clear()


def write_stack(path: Path, stack: np.ndarray = STACK, windows: bool = True, **tags) -> Path:
    """A multi-frame file whose frames each have a window of their own."""
    if windows:
        tags.setdefault("PerFrameFunctionalGroupsSequence", [frame_group(c) for c in range(100, 100 + len(stack))])
    return write_dicom(path, stack, **tags)


def frame_group(center: int, slope: float | None = None, intercept: float = 0.0) -> Dataset:
    group, voi = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = center, 500
    group.FrameVOILUTSequence = [voi]
    if slope is not None:
        transformation = Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, intercept
        group.PixelValueTransformationSequence = [transformation]
    return group


def loaded(path: Path, center: int, thickness: int = 1, mode: str = "MIP", downsample: float = 1.0, **rest) -> Slab:
    return LocalEngine().run(load_slab, path, Settings(**rest), center, thickness, mode, downsample)


def test_that_a_slab_of_one_is_that_frame_with_its_own_window(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm")
    for frame in (0, 4, 6):
        found = loaded(path, frame)
        assert np.array_equal(found.pixels, STACK[frame])
        assert found.scale.voi.center == 100 + frame
        assert (found.center, found.frames, found.downsample) == (frame, (frame, frame), 1.0)


@pytest.mark.parametrize(
    ("center", "thickness", "first", "last"), [(3, 3, 2, 4), (3, 4, 1, 4), (0, 5, 0, 2), (6, 5, 4, 6), (3, 99, 0, 6)]
)
def test_that_thick_slabs_take_frames_about_the_centre_that_exist(
    center: int, thickness: int, first: int, last: int, tmp_path: Path
) -> None:
    path = write_stack(tmp_path / "a.dcm")
    part = STACK[first : last + 1]
    brightest = loaded(path, center, thickness)
    assert brightest.frames == (first, last)
    assert np.array_equal(brightest.pixels, part.max(axis=0))
    assert brightest.scale.voi.center == 100 + center
    assert np.abs(loaded(path, center, thickness, "average").pixels - part.mean(axis=0)).max() <= 0.5


def test_that_a_centre_beyond_the_ends_is_the_last_frame(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm")
    assert loaded(path, 99).center == 6
    assert loaded(path, -3, 0).frames == (0, 0)


def test_that_the_brightest_is_the_smallest_where_small_values_are_bright(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(loaded(path, 3, 3).pixels, STACK[2:5].min(axis=0))


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": -1, "RescaleIntercept": 4095},
        {"ModalityLUTSequence": [lut_item(0, list(range(4095, -1, -1)), 12)]},
    ],
    ids=["negative slope", "falling modality LUT"],
)
def test_that_the_brightest_is_that_of_values_not_of_codes(tags: dict, tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm", **tags)
    assert np.array_equal(loaded(path, 3, 3).pixels, STACK[2:5].min(axis=0))
    assert np.abs(loaded(path, 3, 3, "average").pixels - STACK[2:5].mean(axis=0)).max() <= 0.5


@pytest.mark.parametrize("padding", [4095, 0])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_that_padding_wins_over_no_image(padding: int, photometric: str, tmp_path: Path) -> None:
    stack = np.clip(STACK, 10, 4000)
    stack[2, :20], stack[3, :30], stack[4, 5:] = padding, padding, padding
    tags = {"PixelPaddingValue": padding, "PhotometricInterpretation": photometric}
    path = write_stack(tmp_path / "a.dcm", stack, **tags)
    image = np.ma.masked_equal(stack[2:5], padding)
    best = image.max(axis=0) if photometric == "MONOCHROME2" else image.min(axis=0)
    assert np.array_equal(loaded(path, 3, 3).pixels, best.filled(padding))
    mean = loaded(path, 3, 3, "average").pixels
    assert np.abs(mean - image.mean(axis=0).filled(padding)).max() <= 0.5
    assert (mean[5:20] == padding).all()


@pytest.mark.parametrize("padding", [4095, 0, 2000])
def test_that_padding_does_not_leak_into_coarser_pixels(padding: int, tmp_path: Path) -> None:
    stack = np.full((3, 64, 64), 1000, np.uint16)
    stack[:, :, :31] = padding
    path = write_stack(tmp_path / "a.dcm", stack, PixelPaddingValue=padding)
    for mode in ("MIP", "average"):
        found = loaded(path, 1, 3, mode, 4.0)
        assert found.downsample == 4.0
        assert set(np.unique(found.pixels)) == {padding, 1000}


def test_that_signed_codes_count_from_the_lowest(tmp_path: Path) -> None:
    stack = STACK.astype(np.int16) - 2048
    assert np.array_equal(loaded(write_stack(tmp_path / "a.dcm", stack), 1, 3).pixels, STACK[0:3].max(axis=0))


@pytest.mark.parametrize("mode", ["MIP", "average"])
def test_that_frames_of_different_rescale_are_combined_by_value(mode: str, tmp_path: Path) -> None:
    steps = ((1.0, 0.0), (2.0, -50.0), (0.5, 10.0))
    groups = [frame_group(100, slope, intercept) for slope, intercept in steps]
    stack = STACK[:3] // 8
    path = write_stack(tmp_path / "a.dcm", stack, PerFrameFunctionalGroupsSequence=groups)
    values = np.stack([frame * slope + intercept for frame, (slope, intercept) in zip(stack, steps, strict=True)])
    wanted = values.max(axis=0) if mode == "MIP" else values.mean(axis=0)
    for center in range(3):
        found = loaded(path, center, 99, mode)
        shown = found.scale.values(found.pixels)
        reachable = np.clip(wanted, *found.scale.values(np.array([0, 4095])))
        assert np.abs(shown - reachable).max() <= found.scale.slope / 2 + 1e-9


def test_that_a_slab_hangs_as_the_image_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_stack(tmp_path / "a.dcm")
    turn = Turn(transpose=True, mirror_y=True)

    def turned(*args):
        source = open_image(*args)
        source.info = replace(source.info, turn=turn)
        return source

    monkeypatch.setattr(slab, "open_image", turned)
    assert np.array_equal(loaded(path, 2).pixels, turn.array(STACK[2]))


@pytest.mark.parametrize(("wanted", "found"), [(0.3, 1), (1.9, 1), (2.0, 2), (3.9, 2), (4.1, 4)])
def test_that_coarser_frames_are_never_coarser_than_wanted(wanted: float, found: int, tmp_path: Path) -> None:
    result = loaded(write_stack(tmp_path / "a.dcm"), 0, 1, "MIP", wanted)
    assert result.downsample == found
    assert result.pixels.shape == (40 // found, 32 // found)


def test_that_frames_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_stack(tmp_path / "a.dcm")
    loaded(path, 3, 7, "MIP", 2.0)
    monkeypatch.setattr(slab, "_from_lowest", lambda *_: pytest.fail("decoded again"))
    loaded(path, 3, 7, "average", 2.0)
    loaded(path, 1, 2)


def test_that_the_cache_keeps_to_its_bytes_and_drops_full_frames_first(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm")
    limit = 2 * STACK[0].nbytes + 7 * STACK[0].nbytes // 4
    for frame in range(7):
        loaded(path, frame, 1, "MIP", 2.0, frame_cache_bytes=limit)
    assert CACHE.bytes <= limit
    assert [key.frame for key in CACHE._coarse] == list(range(7))
    assert [key.frame for key in CACHE._full] == [5, 6]
    loaded(path, 0, 7, frame_cache_bytes=10)
    assert CACHE.bytes == 0


def test_that_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.dcm")
    loaded(path, 0)
    write_stack(path, STACK[::-1].copy()[:5])
    assert np.array_equal(loaded(path, 0).pixels, STACK[6])


def test_that_pages_of_a_tiff_are_frames_too(tmp_path: Path) -> None:
    pages = [Image.fromarray(page) for page in STACK]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(loaded(tmp_path / "a.tif", 1, 3).pixels, STACK[0:3].max(axis=0))


def test_that_colour_and_damage_are_told_in_a_sentence(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png is a colour image"):
        loaded(tmp_path / "a.png", 0)
    with pytest.raises(ImageError, match="does not exist"):
        loaded(tmp_path / "none.dcm", 0)


def test_that_a_slab_can_be_cancelled(tmp_path: Path) -> None:
    cancel = never()
    cancel.set()
    with pytest.raises(Cancelled):
        load_slab(write_stack(tmp_path / "a.dcm"), Settings(), 0, 3, "MIP", 1.0, no_progress, cancel)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tomosynthesis.write_tomosynthesis(tmp_path_factory.mktemp("tomosynthesis"))


def test_that_the_phantoms_mass_stands_out_in_its_plane(phantom: Path) -> None:
    source = open_image(phantom)
    info = source.info
    assert (info.frames, info.laterality, info.view, info.phantom) == (tomosynthesis.FRAMES, "R", "CC", True)
    assert info.acquisition == "tomosynthesis"
    mass, around = Region(600, 450, 60, 60), Region(500, 350, 260, 260)
    contrast = []
    for frame in range(info.frames):
        inside, outside = (source.read_region(region, 0, frame) for region in (mass, around))
        contrast.append(inside.mean() / np.median(outside))
    assert int(np.argmax(contrast)) == tomosynthesis.MASS_FRAME
    assert contrast[tomosynthesis.MASS_FRAME] > 1.5 * max(contrast[0], contrast[-1])
    centers = {source.gray_scale(frame).voi.center for frame in range(info.frames)}
    assert len(centers) > 5


def test_that_the_phantoms_planes_say_what_they_are(phantom: Path) -> None:
    for frame in (0, 19):
        label = loaded(phantom, frame).pixels[100:350, :400]
        assert (label > 2000).sum() > 3000


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_that_dciodvfy_finds_no_error_in_it(phantom: Path) -> None:
    done = subprocess.run(["dciodvfy", str(phantom)], capture_output=True, text=True)
    assert "Error" not in done.stdout + done.stderr
    assert "BreastTomosynthesisImage" in done.stdout + done.stderr


def test_that_it_belongs_to_the_study_and_the_prior_to_its_patient(phantom: Path, tmp_path: Path) -> None:
    tomo = pydicom.dcmread(phantom, stop_before_pixels=True)
    assert tomo.StudyInstanceUID == study.uid_of("study")
    earlier = study.write_prior(tmp_path)
    sets = [pydicom.dcmread(path, stop_before_pixels=True) for path in earlier]
    assert [(ds.ImageLaterality, ds.ViewPosition) for ds in sets] == [(v.laterality, v.view) for v in study.STUDY]
    assert {ds.PatientID for ds in sets} == {tomo.PatientID}
    assert {ds.StudyDate for ds in sets} == {"20240101"}
    assert tomo.StudyDate == "20260101"
    assert len({ds.StudyInstanceUID for ds in sets}) == 1
    uids = {ds.SOPInstanceUID for ds in sets} | {ds.SeriesInstanceUID for ds in sets}
    assert len(uids) == 8
    assert not uids & {study.uid_of(part) for part in ("study", "image 1", "series 1")}
    assert sets[0].StudyInstanceUID != tomo.StudyInstanceUID
    assert [view.masses != () for view in study.PRIOR_STUDY] == [True, False, True, False]
