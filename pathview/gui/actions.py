"""One table of everything that can be done: its name, its key, and where it stands in the menus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu


@dataclass(frozen=True)
class ActionSpec:
    """One row. ``keys``: the first is shown in menus and in the keyboard help."""

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    checked: bool = False


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("open_files", "File", "Open images...", ("Ctrl+O",), "Add images to the worklist"),
    ActionSpec("open_folder", "File", "Open folder...", ("Ctrl+Shift+O",), "Add a folder: DICOM, patches or images"),
    ActionSpec("quit", "File", "Quit", ("Ctrl+Q",)),
    ActionSpec("next_case", "Case", "Next case", ("PgDown", "J")),
    ActionSpec("previous_case", "Case", "Previous case", ("PgUp", "K")),
    ActionSpec("next_image", "Case", "Next image of the case", ("]",)),
    ActionSpec("previous_image", "Case", "Previous image of the case", ("[",)),
    ActionSpec("decide_positive", "Case", "Decide: positive", ("P",)),
    ActionSpec("decide_negative", "Case", "Decide: negative", ("N",)),
    ActionSpec("decide_cant_tell", "Case", "Decide: can't tell", ("C",)),
    ActionSpec("undo_decision", "Case", "Undo the decision", ("U", "Ctrl+Z"), "Until you go to the next case"),
    ActionSpec("focus_note", "Case", "Write a note", ("Ctrl+N",)),
    ActionSpec("analyse_case", "Analysis", "Analyse this case", ("A",)),
    ActionSpec("analyse_selection", "Analysis", "Analyse the selected cases", ("Shift+A",)),
    ActionSpec("analyse_all", "Analysis", "Analyse all new cases", ("Ctrl+Shift+A",)),
    ActionSpec(
        "fine_map",
        "Analysis",
        "Fine map of patches",
        ("Shift+F",),
        "The next analyses move the patches in small steps: a finer map, and slower",
        checkable=True,
    ),
    ActionSpec("cancel", "Analysis", "Cancel the analysis", ("Esc",)),
    ActionSpec("fit", "View", "Fit the image", ("F",)),
    ActionSpec("one_to_one", "View", "One image pixel a screen pixel", ("1",)),
    ActionSpec("zoom_in", "View", "Zoom in", ("+", "=")),
    ActionSpec("zoom_out", "View", "Zoom out", ("-",)),
    ActionSpec("next_voi", "View", "Next window of the file", ("V",), "Step through the windows that the file offers"),
    ActionSpec("reset_window", "View", "Reset the window", ("R",)),
    ActionSpec("invert", "View", "Invert grey", ("I",), checkable=True),
    ActionSpec("mask", "View", "Show the mask", ("M",), checkable=True, checked=True),
    ActionSpec("fill", "View", "Fill the mask", ("L",), checkable=True),
    ActionSpec("heat", "View", "Show the heat map", ("H",), checkable=True),
    ActionSpec("threshold_down", "View", "Lower the threshold", (",",)),
    ActionSpec("threshold_up", "View", "Raise the threshold", (".",)),
    ActionSpec("theme", "View", "Dark or light", ("Ctrl+T",)),
    ActionSpec("keys", "Help", "Keyboard", ("F1", "?")),
    ActionSpec("about", "Help", "About PathView"),
)

MENUS = ("File", "Case", "Analysis", "View", "Help")


def build_actions(window: QMainWindow, handlers: Mapping[str, Callable[..., object]]) -> dict[str, QAction]:
    """Make all actions, connect each with the handler of its id, and fill the menus."""
    menus: dict[str, QMenu] = {name: window.menuBar().addMenu(name) for name in MENUS}
    actions = {}
    for spec in ACTIONS:
        action = QAction(spec.text, window)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setCheckable(spec.checkable)
        action.setChecked(spec.checked)
        key = f" ({spec.keys[0]})" if spec.keys else ""
        action.setToolTip(f"{spec.tip or spec.text}{key}")
        (action.toggled if spec.checkable else action.triggered).connect(handlers[spec.id])
        menus[spec.menu].addAction(action)
        actions[spec.id] = action
    return actions
