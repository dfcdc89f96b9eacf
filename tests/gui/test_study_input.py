"""Bad input in the window: told in one sentence, and whatever else is there can be read."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from pathview.geometry import Turn
from pathview.gui.main_window import MainWindow
from pathview.images.pyramid import PictureData
from pathview.settings import Settings
from tests.gui.conftest import titles
from tests.gui.studies import (
    RIGHT,
    as_kept,
    canvas_of,
    click,
    drag,
    drawn,
    hung_titles,
    keep_result,
    middle,
    move,
    open_folder,
    settled,
    wheel,
    with_protocols,
    with_results,
    write_four,
    write_view,
)
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key
STUDY = {"StudyInstanceUID": "1.2.3.4"}
FOUR_TITLES = [["R CC", "L CC"], ["R MLO", "L MLO"]]


@pytest.fixture
def window(make_window, tiny_models: Settings) -> MainWindow:
    with_protocols(tiny_models)
    return make_window()


def steps(window: MainWindow) -> list[str]:
    return [step.title for step in window.desk.state.steps]


def test_that_an_image_without_side_and_view_is_the_last_and_told(qtbot, window: MainWindow, tmp_path: Path) -> None:
    write_four(tmp_path / "s", **STUDY)
    write_dicom(tmp_path / "s" / "nameless.dcm", breast_pixels(), StudyDate="20260102", **STUDY)
    open_folder(qtbot, window, tmp_path / "s")
    assert hung_titles(window) == FOUR_TITLES
    assert steps(window)[-1] == "Further images"
    qtbot.keyClick(window, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
    settled(qtbot, window)
    assert hung_titles(window) == [["nameless.dcm"]]
    assert "does not state which breast" in window.banner.text
    assert "states no view" in window.banner.text
    assert np.array_equal(window.viewer.canvas.data.levels[0].pixels, breast_pixels())


def test_that_contradicting_tags_are_told_and_the_weightier_hangs(qtbot, window: MainWindow, tmp_path: Path) -> None:
    write_four(tmp_path / "s", views=[("L", "CC")], **STUDY)
    write_view(tmp_path / "s" / "r.dcm", "R", "CC", Laterality="L", **STUDY)
    open_folder(qtbot, window, tmp_path / "s")
    assert hung_titles(window)[0] == ["R CC", "L CC"]
    click(canvas_of(window, "R CC"))
    info = window.desk.state.image.info
    assert info["notices"] == ["Image Laterality says R but Laterality says L; the first was taken."]
    assert "says R but Laterality says L" in window.banner.text


def test_that_an_impossible_orientation_hangs_as_stored_and_is_told(qtbot, window: MainWindow, tmp_path: Path) -> None:
    shown = drawn("R", "CC")
    open_folder(qtbot, window, write_view(tmp_path / "a.dcm", "R", "CC", shown=shown, PatientOrientation=["L", "R"]))
    canvas = window.viewer.canvas
    assert np.array_equal(canvas.data.levels[0].pixels, shown)
    assert "cannot be true of this view" in window.banner.text
    assert canvas.stand.walled is False
    left, right = canvas.to_screen(0, 0).x(), canvas.to_screen(canvas.data.size.width, 0).x()
    assert (left + right) / 2 == pytest.approx(canvas.viewport().width() / 2, abs=1)  # in the middle: no wall is known


def test_that_patients_in_one_folder_and_study_never_hang_together(qtbot, window: MainWindow, tmp_path: Path) -> None:
    for name, patient, side in (("a", "one", "R"), ("b", "one", "L"), ("c", "two", "R"), ("d", "two", "L")):
        write_view(tmp_path / "mixed" / f"{name}.dcm", side, "CC", PatientID=patient, **STUDY)
    open_folder(qtbot, window, tmp_path / "mixed")
    assert "one study number for several patients" in window.banner.text
    assert len(titles(window)) == 2
    for row in window.worklist.model.rows:
        window.worklist.choose(row.id)
        settled(qtbot, window)
        state = window.desk.state
        assert state.prior is None
        assert state.priors == ()
        patients = {state.view_of(image.id).picture.info.patient_key for image in state.hung}
        assert len(patients) == 1
        assert hung_titles(window)[0] == ["R CC", "L CC"]


def test_that_a_spacing_of_zero_is_none(qtbot, window: MainWindow, tmp_path: Path) -> None:
    write_view(tmp_path / "s" / "zero.dcm", "R", "CC", ImagerPixelSpacing=[0, 0], PixelSpacing=[0, 0], **STUDY)
    write_view(tmp_path / "s" / "l.dcm", "L", "CC", **STUDY)
    open_folder(qtbot, window, tmp_path / "s")
    canvas = canvas_of(window, "R CC")
    assert canvas.data.spacing is None
    assert not canvas.stand.metric
    assert "no pixel spacing" in window.banner.text
    move(canvas, middle(canvas))
    assert "mm" not in window.viewer._readout.text()
    assert "px" in window.viewer._readout.text()
    canvas.grab()
    for key in (KEY.Key_F, KEY.Key_E, KEY.Key_1, KEY.Key_Q):
        qtbot.keyClick(window, key)
        settled(qtbot, window)
        assert np.isfinite(canvas.current_view().scale)
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, middle(canvas), middle(canvas) * 1.3)
    assert "no pixel size" in window.banner.text


def palette(count: int = 256) -> dict[str, object]:
    """A palette of 8 bits: red falls, green rises, blue is constant."""
    tables = {"Red": np.arange(count)[::-1], "Green": np.arange(count), "Blue": np.full(count, 40)}
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, table in tables.items():
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [count % 65536, 0, 8]
        tags[f"{name}PaletteColorLookupTableData"] = table.astype(np.uint8).tobytes()
    return tags


def test_that_a_palette_of_colours_hangs_beside_grey_images(qtbot, window: MainWindow, tmp_path: Path) -> None:
    turn = Turn(False, True, True)
    codes = (drawn("L", "CC") // 16).clip(0, 255).astype(np.uint8)
    write_view(tmp_path / "s" / "r.dcm", "R", "CC", **STUDY)
    header = {"ImageLaterality": "L", "ViewPosition": "CC", "PatientOrientation": ["P", "L"], **STUDY}
    write_dicom(
        tmp_path / "s" / "l.dcm", as_kept(codes, turn), bits=8, ImagerPixelSpacing=[0.2, 0.2], **header, **palette()
    )
    open_folder(qtbot, window, tmp_path / "s")
    canvas = canvas_of(window, "L CC")
    pixels = canvas.data.levels[0].pixels
    assert canvas.data.scale is None
    assert np.array_equal(pixels[..., 1], codes)
    assert np.array_equal(pixels[..., 0], 255 - codes)
    click(canvas)
    assert not window.viewer._tone.isVisible()
    for key in (KEY.Key_V, KEY.Key_R, KEY.Key_I, KEY.Key_I, KEY.Key_Y, KEY.Key_Q, KEY.Key_B, KEY.Key_O):
        qtbot.keyClick(window, key)
        settled(qtbot, window)
    drag(canvas, middle(canvas), middle(canvas) * 1.1, button=RIGHT)
    place = canvas.to_screen(40.5, 70.5)
    move(canvas, place)
    stored = as_kept(codes, turn)[70, 40]
    assert f"RGB {255 - stored} {stored} 40" in window.viewer._readout.text()
    qtbot.keyClick(window, KEY.Key_E, Qt.KeyboardModifier.ShiftModifier)
    drag(canvas, canvas.to_screen(30, 30), canvas.to_screen(70, 70))
    settled(qtbot, window)
    (one,) = canvas.drawing._marks
    assert one.lines[0] == "no mean or SD: a colour image"
    assert canvas_of(window, "R CC").data is not None


def test_that_a_study_of_500_images_can_be_read_within_the_caches_bound(
    qtbot, make_window, tiny_models: Settings, tmp_path: Path, monkeypatch
) -> None:
    limit = 24 * 32 * 32 * 2
    monkeypatch.setattr("pathview.gui.desk._CACHE_BYTES", limit)
    with_protocols(tiny_models)
    window = make_window()
    write_four(tmp_path / "many", **STUDY)
    small = breast_pixels(32, 32)
    for number in range(496):
        side = "RL"[number % 2]
        tags = {"ImageLaterality": side, "ViewPosition": "CC", "InstanceNumber": number, **STUDY}
        write_dicom(tmp_path / "many" / f"{number:03}.dcm", small, StudyDate="20260102", **tags)
    window.open_paths([tmp_path / "many"])
    qtbot.waitUntil(lambda: not window.desk.busy, timeout=180_000)
    settled(qtbot, window)
    state = window.desk.state
    assert len(state.detail.images) == 500
    shown = {slot.image_id for step in state.steps for slot in step.slots}
    assert shown.issuperset(image.id for image in state.detail.images)
    table, model = window.study.table, window.study.model
    assert model.rowCount() >= 500
    for _ in range(40):
        qtbot.keyClick(window, KEY.Key_S)
        settled(qtbot, window)
        assert all(tile.canvas.data is not None for tile in window.viewer.box.tiles if tile.image_id is not None)
    last = model.index(model.rowCount() - 1, 0)
    table.scrollTo(last)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(last).center())
    settled(qtbot, window)
    assert window.desk.state.image is not None
    assert window.viewer.canvas.data is not None
    gc.collect()
    pictures = [thing for thing in gc.get_objects() if isinstance(thing, PictureData)]
    alive = [one for one in pictures if one.info.path.parent == tmp_path / "many"]
    assert window.desk._cache.nbytes <= limit
    assert sum(picture.nbytes for picture in {id(p): p for p in alive}.values()) <= limit + 8 * 150 * 110 * 2
    assert sum(view.picture is not None for view in window.desk.state.views.values()) <= 4


def test_that_a_file_that_goes_while_it_is_open_is_told_and_others_stay(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    open_folder(qtbot, window, write_four(tmp_path / "s", **STUDY))
    (tmp_path / "s" / "LCC.dcm").unlink()
    qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert hung_titles(window) == [["R CC", "L CC"]]
    left = canvas_of(window, "L CC")
    assert left.data is None
    assert "LCC.dcm" in left.message
    assert "LCC.dcm" in window.banner.text
    assert canvas_of(window, "R CC").data is not None
    wheel(canvas_of(window, "R CC"), 2)
    click(left)
    wheel(left, 2)
    drag(left, middle(left), middle(left) * 1.2)
    qtbot.keyClick(window, KEY.Key_Q)
    settled(qtbot, window)
    assert window.decision.form.buttons["negative"].isEnabled()  # the other view can be decided on
    for _ in range(2):
        qtbot.keyClick(window, KEY.Key_S)
        settled(qtbot, window)
    assert all(tile.canvas.data is not None or "LCC" in tile.canvas.message for tile in window.viewer.box.tiles)


def test_that_a_file_that_is_replaced_while_it_is_open_is_not_shown_as_the_old_one(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    open_folder(qtbot, window, write_four(tmp_path / "s", **STUDY))
    with_results(qtbot, window, lambda: keep_result(window, "R CC"))
    write_view(tmp_path / "s" / "RCC.dcm", "R", "CC", PatientID="another", **STUDY)
    window.desk.open_case(window.desk.case_id)
    settled(qtbot, window)
    assert canvas_of(window, "R CC").data is None
    assert "another file" in canvas_of(window, "R CC").message
    for title in ("L CC", "R MLO", "L MLO"):
        assert canvas_of(window, title).data is not None
    assert "RCC.dcm" in window.banner.text


def test_that_frames_of_a_file_that_goes_are_told(qtbot, window: MainWindow, tmp_path: Path) -> None:
    from pathview.images.slab import CACHE

    CACHE.clear()
    stack = np.stack([drawn("R", "CC") // (n + 1) for n in range(4)])
    path = write_view(tmp_path / "s" / "t.dcm", "R", "CC", shown=stack, **STUDY)
    write_view(tmp_path / "s" / "l.dcm", "L", "CC", **STUDY)
    open_folder(qtbot, window, tmp_path / "s")
    canvas = canvas_of(window, "R CC")
    click(canvas)
    path.unlink()
    qtbot.keyClick(window, KEY.Key_Down, Qt.KeyboardModifier.ControlModifier)
    settled(qtbot, window)
    assert canvas.data is None
    assert "t.dcm" in canvas.message
    assert canvas_of(window, "L CC").data is not None


def test_that_a_broken_protocol_is_one_sentence_and_the_rest_still_hangs(
    qtbot, window: MainWindow, tiny_models: Settings, tmp_path: Path
) -> None:
    own = tiny_models.data_dir / "hanging"
    own.mkdir()
    (own / "broken.toml").write_text("name = 'broken'\ntitle = ")
    open_folder(qtbot, window, write_four(tmp_path / "s", **STUDY))
    assert "broken.toml" in window.banner.text
    assert "not valid TOML" in window.banner.text
    assert window.banner.text.count("broken.toml") == 1
    assert hung_titles(window) == FOUR_TITLES
    names = [protocol.name for protocol in window.desk.room.protocols]
    assert "screening" in names
    assert "broken" not in names


def test_that_a_protocol_with_a_wrong_field_names_it(
    qtbot, window: MainWindow, tiny_models: Settings, tmp_path: Path
) -> None:
    own = tiny_models.data_dir / "hanging"
    own.mkdir()
    step = "[[steps]]\ntitle = 'A'\nrows = 1\ncolumns = 1\nslots = [{ row = 3, column = 0 }]\n"
    (own / "mine.toml").write_text(f"name = 'mine'\ntitle = 'Mine'\n{step}")
    open_folder(qtbot, window, write_four(tmp_path / "s", **STUDY))
    assert "mine.toml" in window.banner.text
    assert "reaches beyond" in window.banner.text
    assert hung_titles(window) == FOUR_TITLES


def test_that_copies_are_listed_once_and_told(qtbot, window: MainWindow, tmp_path: Path) -> None:
    folder = write_four(tmp_path / "s", **STUDY)
    shutil.copy(folder / "RCC.dcm", folder / "copy of RCC.dcm")
    open_folder(qtbot, window, folder)
    assert "is a copy of" in window.banner.text
    assert "listed once" in window.banner.text
    assert len(window.desk.state.detail.images) == 4
    assert hung_titles(window) == FOUR_TITLES
    shutil.copytree(folder, tmp_path / "again")
    open_folder(qtbot, window, tmp_path / "again")
    assert len(titles(window)) == 1
    assert len(window.desk.state.detail.images) == 4


def test_that_an_unreadable_file_of_a_study_is_listed_beside_the_others(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    folder = write_four(tmp_path / "s", **STUDY)
    whole = (folder / "LMLO.dcm").read_bytes()
    (folder / "LMLO.dcm").write_bytes(whole[: len(whole) // 2])
    open_folder(qtbot, window, folder)
    assert "LMLO.dcm is cut off" in window.banner.text
    assert hung_titles(window)[0] == ["R CC", "L CC"]
    (row,) = [line for line in window.study.model.lines if line.words[0].strip() == "LMLO.dcm"]
    assert "not analysed" in row.words[1].lower()
    assert "cut off" in row.tip
