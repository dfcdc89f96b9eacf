"""One table of everything that can be done: its name, its key, and where it stands in the menus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow

Keys = Mapping[str, tuple[str, ...]]
"""Keys by action, in Qt's portable writing."""


@dataclass(frozen=True)
class ActionSpec:
    """One row. ``keys``: the first is shown in menus and in the keyboard help; ``text`` marks its mnemonic by "&"."""

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    checked: bool = False
    group: str = ""
    """Of checkable actions with the same group one is on: tools."""


_DIGITS = 9
"""Entries of a menu that can be chosen by one."""
_MAGNIFIED = {
    1: "Magnified &1 ×",
    2: "Magnified &2 ×",
    5: "Magnified &5 ×",
    10: "Magnified 1&0 ×",
    20: "Ma&gnified 20 ×",
    40: "Magnified &40 ×",
}
ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("open_files", "File", "&Open images...", ("Ctrl+O",), "Add images to the worklist"),
    ActionSpec("open_folder", "File", "Open &folder...", ("Ctrl+Shift+O",), "Add a folder: DICOM, patches or images"),
    ActionSpec("backup", "File", "&Back up now", (), "A checked copy of the store, beside those of each day"),
    ActionSpec("restore", "File", "R&estore a backup...", (), "What is there now is put aside, and never deleted"),
    ActionSpec("check_store", "File", "&Check the store", (), "Every row, and the audit trail from its beginning"),
    ActionSpec("preferences", "File", "&Preferences...", ("Ctrl+P",), "Mouse, keys, layout, and the monitor's size"),
    ActionSpec("quit", "File", "&Quit", ("Ctrl+Q",)),
    ActionSpec("next_case", "Case", "&Next case", ("PgDown", "J")),
    ActionSpec("previous_case", "Case", "&Previous case", ("PgUp", "K")),
    ActionSpec("next_image", "Case", "Next &image of the case", ("]",)),
    ActionSpec("previous_image", "Case", "Previous i&mage of the case", ("[",)),
    ActionSpec("fill_form", "Case", "&Fill in the assessment", ("F2",), "Then one key an answer"),
    ActionSpec("assess", "Case", "&Lock or decide", ("Ctrl+Return",), "Locks a first read, or saves what is filled in"),
    ActionSpec("keep_first", "Case", "&Keep the first read", (), "K, while it waits for that"),
    ActionSpec("change_first", "Case", "C&hange the first read...", ("Ctrl+K",), "With a reason"),
    ActionSpec("decide_positive", "Case", "Decide: p&ositive", ("P",)),
    ActionSpec("decide_negative", "Case", "Decide: ne&gative", ("N",)),
    ActionSpec("decide_cant_tell", "Case", "Decide: &can't tell", ("C",)),
    ActionSpec("undo_decision", "Case", "&Undo the decision", ("U",), "Until you go to the next case"),
    ActionSpec("focus_note", "Case", "&Write a note", ("Ctrl+N",)),
    ActionSpec("agreement", "Case", "&Agreement...", ("Ctrl+Shift+G",), "Readers, model and truth compared"),
    ActionSpec(
        "what_was_seen", "Case", "&Show what was seen", ("Ctrl+H",), "At the assessment that is chosen below it"
    ),
    ActionSpec("reader", "Case", "&Reader...", ("Ctrl+Shift+R",), "Whose name stands beside what is decided"),
    ActionSpec(
        "import_marks", "Case", "Import annota&tions...", (), "GeoJSON, as QuPath and PathView write it, on this image"
    ),
    ActionSpec("search", "Worklist", "&Search", ("/",), "In titles, patients' keys and dates"),
    ActionSpec("worklists", "Worklist", "&Worklists...", ("Ctrl+Shift+W",), "Make and change lists"),
    ActionSpec("import_csv", "Worklist", "&Import a table...", (), "A csv that names files, and the list of each"),
    ActionSpec("assign_me", "Worklist", "Assign to &me", (), "The selected cases"),
    ActionSpec("assign", "Worklist", "&Assign to...", ("Ctrl+Shift+T",), "The selected cases, to a reader by name"),
    ActionSpec("assign_nobody", "Worklist", "Assign to &nobody", (), "Anybody may read the selected cases"),
    ActionSpec("move_cases", "Worklist", "Mo&ve to a list...", ("Ctrl+M",), "The selected cases"),
    ActionSpec(
        "arbitration", "Worklist", "Send to a&rbitration", (), "Every case of this list on which readers differ"
    ),
    ActionSpec("close_list", "Worklist", "&Close the list...", (), "All is shown, and nothing is decided any more"),
    ActionSpec("analyse_case", "Analysis", "&Analyse this case", ("A",)),
    ActionSpec("analyse_selection", "Analysis", "Analyse the &selected cases", ("Shift+A",)),
    ActionSpec("analyse_all", "Analysis", "Analyse all &new cases", ("Ctrl+Shift+A",)),
    ActionSpec(
        "fine_map",
        "Analysis",
        "&Fine map of patches",
        ("Shift+F",),
        "The next analyses move the patches in small steps: a finer map, and slower",
        checkable=True,
    ),
    ActionSpec("cancel", "Analysis", "&Cancel the analysis", ("Esc",)),
    ActionSpec("next_step", "Hanging", "&Next step", ("S",), "Go through the study as it hangs"),
    ActionSpec("previous_step", "Hanging", "&Previous step", ("Shift+S",)),
    ActionSpec("single", "Hanging", "&One image or all", ("T",), "Also by a double click", checkable=True),
    ActionSpec("linked", "Hanging", "&Move images together", ("Ctrl+L",), "", checkable=True, checked=True),
    ActionSpec("next_finding", "Hanging", "Next &finding", ("W",), "Through all views of the study"),
    ActionSpec("previous_finding", "Hanging", "Previous f&inding", ("Shift+W",)),
    ActionSpec("next_quadrant", "Hanging", "Next &quarter of the breast", ("Q",), "Enlarged, one after the other"),
    ActionSpec("previous_quadrant", "Hanging", "P&revious quarter", ("Shift+Q",)),
    ActionSpec("fit", "View", "&Fit each image", ("F",)),
    ActionSpec("same_size", "View", "All at the &same size", ("E",), "The same millimetres a pixel, at the chest wall"),
    ActionSpec("one_to_one", "View", "&One image pixel a screen pixel", ("1",)),
    ActionSpec("true_size", "View", "&Life size", ("2",), "Once this monitor was calibrated (Preferences)"),
    ActionSpec("zoom_in", "View", "Zoom &in", ("+", "=")),
    ActionSpec("zoom_out", "View", "Zoom o&ut", ("-",)),
    ActionSpec("next_voi", "View", "Next &window", ("V",), "Step through the windows of the file and presets"),
    ActionSpec("previous_voi", "View", "&Previous window", ("Shift+V",)),
    ActionSpec("reset_window", "View", "&Reset the window", ("R",)),
    ActionSpec("invert", "View", "Invert &grey", ("I",), checkable=True),
    ActionSpec("mask", "View", "Show the &mask", ("M",), checkable=True, checked=True),
    ActionSpec("fill", "View", "Fill the mas&k", ("L",), checkable=True),
    ActionSpec("heat", "View", "Show the &heat map", ("H",), checkable=True),
    ActionSpec("threshold_down", "View", "Lower the &threshold", (",",)),
    ActionSpec("threshold_up", "View", "R&aise the threshold", (".",)),
    ActionSpec("breast", "View", "Show the &breast or tissue", ("B",), "Its outline, as it was found", checkable=True),
    ActionSpec("graphics", "View", "Show the file's o&verlays", ("O",), "And its shutter", checkable=True),
    ActionSpec(
        "corner_texts",
        "View",
        "Show &names and technique",
        ("X",),
        "Hide for a blinded or teaching session",
        checkable=True,
        checked=True,
    ),
    ActionSpec("theme", "View", "&Dark or light", ("Ctrl+T",)),
    ActionSpec("undo", "Marks", "&Undo", ("Ctrl+Z",), "What was drawn or changed last on the images of this case"),
    ActionSpec("redo", "Marks", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "What was undone last"),
    ActionSpec("tool_look", "Tools", "&Look only", ("Z",), "Choose marks", True, checked=True, group="tool"),
    ActionSpec("tool_point", "Tools", "&Point", ("Shift+O",), "A click", checkable=True, group="tool"),
    ActionSpec("tool_ruler", "Tools", "&Ruler", ("D",), "Drag, or click twice", checkable=True, group="tool"),
    ActionSpec("pixel_size", "Tools", "&State the pixel size...", (), "Of an image whose file does not tell it"),
    ActionSpec("tool_angle", "Tools", "&Angle", ("Shift+D",), "Three clicks", checkable=True, group="tool"),
    ActionSpec("tool_rectangle", "Tools", "Re&ctangle", ("Shift+R",), "Corner to corner", True, group="tool"),
    ActionSpec("tool_ellipse", "Tools", "Ell&ipse", ("Shift+E",), "Mean and SD inside", checkable=True, group="tool"),
    ActionSpec(
        "tool_polygon",
        "Tools",
        "Pol&ygon",
        ("Shift+P",),
        "A corner a click; double click closes",
        checkable=True,
        group="tool",
    ),
    ActionSpec("tool_freehand", "Tools", "&Freehand outline", ("Shift+H",), "Drag around it", True, group="tool"),
    ActionSpec("tool_brush", "Tools", "&Brush", ("Shift+B",), "Paints on the chosen region", True, group="tool"),
    ActionSpec("tool_eraser", "Tools", "&Eraser", ("Shift+X",), "Of the chosen region", True, group="tool"),
    ActionSpec(
        "tool_wand", "Tools", "Magic &wand", ("Shift+M",), "A click: what is about as bright", True, group="tool"
    ),
    ActionSpec("tool_split", "Tools", "Spli&t", ("Shift+C",), "A line across the chosen region", True, group="tool"),
    ActionSpec("tool_larger", "Tools", "Lar&ger tool", ("Ctrl++", "Ctrl+="), "Brush and eraser; the wand takes more"),
    ActionSpec("tool_smaller", "Tools", "S&maller tool", ("Ctrl+-",), "Brush and eraser; the wand takes less"),
    ActionSpec("merge", "Marks", "&Merge the chosen regions", ("Shift+J",), "Shift + click chooses several"),
    ActionSpec("smooth", "Marks", "&Smooth the chosen region", ("Shift+Y",)),
    ActionSpec(
        "fill_between", "Marks", "&Outline the frames between", ("Shift+I",), "Of the chosen and the next of its label"
    ),
    ActionSpec(
        "take_finding", "Marks", "&Take the finding as mine", ("Shift+T",), "A copy; the model's stays as it is"
    ),
    ActionSpec("label_marks", "Marks", "&Label...", ("Shift+L",), "Of the chosen marks and the next ones"),
    ActionSpec("properties", "Marks", "&Properties...", ("Shift+N",), "Words of your own beside the chosen mark"),
    ActionSpec("remove_mark", "Marks", "R&emove the chosen mark", ("Del",), "All that are chosen"),
    ActionSpec("lens", "Tools", "Mag&nifying glass", ("G",), checkable=True),
    ActionSpec("play", "Frames", "&Play the frames", ("Y",), "Of a tomosynthesis series"),
    ActionSpec("next_frame", "Frames", "&Next frame", ("Ctrl+Down",)),
    ActionSpec("previous_frame", "Frames", "P&revious frame", ("Ctrl+Up",)),
    ActionSpec("thicker", "Frames", "&Thicker slab", ("Ctrl+Right",)),
    ActionSpec("thinner", "Frames", "T&hinner slab", ("Ctrl+Left",)),
    ActionSpec(
        "gallery", "Slide", "&Tiles to look at", ("Ctrl+G",), "The least sure first, one key each", checkable=True
    ),
    ActionSpec("tile_layers", "Slide", "The tile's &layers...", ("Ctrl+E",), "Of the tile in the middle of the screen"),
    ActionSpec("rotate", "Slide", "&Rotate by a quarter", ("Ctrl+R",), "Only the display is turned"),
    *(
        ActionSpec(f"magnify_{times}", "Slide", text, (f"Alt+{key}",), "From the objective or the pixel size")
        for key, (times, text) in enumerate(_MAGNIFIED.items(), start=1)
    ),
    ActionSpec("stain_all", "Slide", "Colours of the &slide", ("Ctrl+1",), checkable=True, checked=True, group="stain"),
    ActionSpec("stain_h", "Slide", "&Haematoxylin alone", ("Ctrl+2",), checkable=True, group="stain"),
    ActionSpec("stain_e", "Slide", "&Eosin alone", ("Ctrl+3",), checkable=True, group="stain"),
    ActionSpec("stain_r", "Slide", "What neither e&xplains", ("Ctrl+4",), checkable=True, group="stain"),
    ActionSpec(
        "icc", "Slide", "Apply the &colour profile", ("Ctrl+I",), "Of the scanner", checkable=True, checked=True
    ),
    ActionSpec("label", "Slide", "Label and &macro image...", (), "They may carry a name, so they are shown only here"),
    ActionSpec(
        "new_training", "Training", "&New training...", ("Ctrl+Shift+F",), "Teach a model by labels of your own"
    ),
    ActionSpec("continue_training", "Training", "&Continue a training...", (), "Each is kept at the step where it was"),
    ActionSpec("drift", "Training", "&Drift...", (), "Whether what a model sees now is what it was trained on"),
    ActionSpec("keys", "Help", "&Keyboard", ("F1", "?")),
    ActionSpec("about", "Help", "&About PathView"),
)

_TITLES = (
    "&File",
    "&Worklist",
    "&Case",
    "Han&ging",
    "&Analysis",
    "&View",
    "&Slide",
    "&Tools",
    "&Marks",
    "F&rames",
    "Trai&ning",
    "&Help",
)
MENUS = tuple(title.replace("&", "") for title in _TITLES)
"""In this order; one without actions is not shown."""

_RESERVED = {
    "Tab": "Tab goes to the next control.",
    "Backtab": "Shift + Tab goes to the control before.",
    "Return": "Enter is for buttons.",
    "Enter": "Enter is for buttons.",
    "Space": "Space is for buttons and boxes to tick.",
}


_MENU_KEYS = {f"Alt+{title[title.index('&') + 1].upper()}": name for title, name in zip(_TITLES, MENUS, strict=True)}


def build_actions(
    window: QMainWindow, handlers: Mapping[str, Callable[..., object]], keys: Keys | None = None
) -> dict[str, QAction]:
    """Make all actions, connect each with the handler of its id, and fill the menus.

    Args:
        window: gets the menus, and owns the actions.
        handlers: by id; that of a checkable action is called with whether it is on, and in a group also with
            ``False`` for the action that was on before.
        keys: of actions whose keys differ from the table's.
    """
    used = {spec.menu for spec in ACTIONS}
    menus = {name: window.menuBar().addMenu(title) for name, title in zip(MENUS, _TITLES, strict=True) if name in used}
    for menu in menus.values():
        menu.setToolTipsVisible(True)  # that of an entry that cannot be used is the reason
    groups = {name: QActionGroup(window) for name in sorted({spec.group for spec in ACTIONS if spec.group})}
    actions = {}
    for spec in ACTIONS:
        action = QAction(spec.text, window)
        action.setCheckable(spec.checkable)
        if spec.group:
            groups[spec.group].addAction(action)
        action.setChecked(spec.checked)
        (action.toggled if spec.checkable else action.triggered).connect(handlers[spec.id])
        menus[spec.menu].addAction(action)
        actions[spec.id] = action
    set_keys(actions, keys)
    return actions


def set_keys(actions: Mapping[str, QAction], keys: Keys | None, lent: Keys | None = None) -> None:
    """Give actions their keys, and tell them in their tips; ``lent``: see :func:`keys_in_use`."""
    for name, own in keys_in_use(keys, lent).items():
        actions[name].setShortcuts([QKeySequence(key) for key in own])
    hold(actions, {}, keys, lent)


def hold(
    actions: Mapping[str, QAction], reasons: Mapping[str, str], keys: Keys | None, lent: Keys | None = None
) -> None:
    """Let actions be used, or not; the tip of one that cannot be is the reason. All others are told by their own."""
    in_use = keys_in_use(keys, lent)
    for spec in ACTIONS:
        own, reason = in_use[spec.id], reasons.get(spec.id, "")
        key = f" ({key_words(own[0])})" if own else ""
        actions[spec.id].setToolTip(reason or f"{spec.tip or plain_text(spec)}{key}")
        if spec.id in reasons:
            actions[spec.id].setEnabled(not reason)


def keys_in_use(keys: Keys | None = None, lent: Keys | None = None) -> dict[str, tuple[str, ...]]:
    """The keys of every action: those that were set, else the table's; ``lent``: for a while, to actions without any.

    A key that was set for one action is no other's: Qt would call neither. So it may be that a new version's
    table has a key that the reader gave away long ago.
    """
    keys = keys or {}
    taken: set[str] = set()
    found: dict[str, tuple[str, ...]] = {}
    for spec in sorted(ACTIONS, key=lambda spec: spec.id not in keys):
        own = dict.fromkeys(key for key in map(portable, keys.get(spec.id, spec.keys)) if key and key not in taken)
        taken.update(own)
        found[spec.id] = tuple(own)
    for borrower, some in (lent or {}).items():
        if not found[borrower]:
            found = {name: tuple(key for key in own if key not in some) for name, own in found.items()}
            found[borrower] = tuple(some)
    return found


def conflict(action: str, key: str, keys: Keys | None = None) -> str:
    """Why an action cannot have a key while others have theirs, in a sentence; nothing if it can."""
    wanted = portable(key)
    if not wanted:
        return "This key cannot be used."
    if reserved := _RESERVED.get(wanted.removeprefix("Shift+")):
        return reserved
    if menu := _MENU_KEYS.get(wanted):
        return f"{wanted} opens the menu {menu}."
    in_use = keys_in_use(keys)
    owner = next((spec for spec in ACTIONS if spec.id != action and wanted in in_use[spec.id]), None)
    return f'{key_words(wanted)} is already "{plain_text(owner)}".' if owner else ""


def doubled_keys(specs: Sequence[ActionSpec] = ACTIONS) -> list[str]:
    """Keys that a table gives twice."""
    keys = [portable(key) for spec in specs for key in spec.keys]
    return sorted({key for key in keys if keys.count(key) > 1})


def portable(key: str) -> str:
    """A key in Qt's own writing; nothing if it is none."""
    return _portable(str(key))


@cache
def _portable(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)


def plain_text(spec: ActionSpec) -> str:
    """An action's name in a sentence."""
    return without_mnemonic(spec.text).rstrip(".")


def without_mnemonic(text: str) -> str:
    """A text of a menu as it is read."""
    return text.replace("&", "")


def by_digit(number: int, words: str, otherwise: str = "") -> str:
    """A menu's entry that a reader or a file named, as it is: the first nine are chosen by their digit.

    Args:
        number: from 1.
        words: of the entry.
        otherwise: what stands before those that have no digit.
    """
    return (f"&{number}  " if number <= _DIGITS else otherwise) + words.replace("&", "&&")


def key_words(key: str) -> str:
    """A key as people read it."""
    words = {"PgDown": "Page down", "PgUp": "Page up", ",": ", (comma)", ".": ". (full stop)"}
    return words.get(key, key)
