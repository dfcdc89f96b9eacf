"""What each action of the table does in the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pathview.gui.dialogs.preferences_dialog import PreferencesDialog
from pathview.gui.panels.notices import KeyboardHelp
from pathview.gui.viewer.tools import TOOLS, ToolName

if TYPE_CHECKING:
    from pathview.gui.main_window import MainWindow

Handlers = Mapping[str, Callable[..., object]]


def handlers(window: MainWindow) -> Handlers:
    """One handler for each id of :data:`pathview.gui.actions.ACTIONS`."""
    return {
        **_cases(window),
        **_lists(window),
        **_hanging(window),
        **_viewing(window),
        **_results(window),
        **_tools(window),
        **_slides(window),
    }


def _cases(window: MainWindow) -> Handlers:
    return {
        "open_files": lambda: window.opening.ask_files(),
        "open_folder": lambda: window.opening.ask_folder(),
        "preferences": lambda: _ask_preferences(window),
        "quit": window.close,
        "next_case": lambda: window.worklist.step(1),
        "previous_case": lambda: window.worklist.step(-1),
        "next_image": lambda: window.desk.room.next_image(1),
        "previous_image": lambda: window.desk.room.next_image(-1),
        "decide_positive": lambda: window.decide("positive"),
        "decide_negative": lambda: window.decide("negative"),
        "decide_cant_tell": lambda: window.decide("cant_tell"),
        "undo_decision": window.flow.undo,
        "fill_form": window.decision.take_focus,
        "assess": window.flow.confirm,
        "keep_first": window.decision.keep,
        "change_first": window.decision.change,
        "what_was_seen": window.decision.history.show_button.click,
        "reader": window.sitting.ask_reader,
        "focus_note": window.decision.note.setFocus,
        "agreement": lambda: window.desk.show_agreement(window),
        "new_training": window.trainings.begin,
        "continue_training": window.trainings.ask_which,
        "drift": lambda: window.desk.show_drift(window),
        "analyse_case": window.analyse_case,
        "analyse_selection": window.analyse_selection,
        "analyse_all": window.desk.analyse_new,
        "fine_map": window.desk.use_fine_maps,
        "cancel": window.leave_or_cancel,
        "theme": window.switch_theme,
        "keys": lambda: KeyboardHelp(window, window.preferences).exec(),
        "about": window.about,
    }


def _lists(window: MainWindow) -> Handlers:
    lists, keeper = window.lists, window.desk.keeper
    return {
        "search": window.worklist.filters.search.setFocus,
        "worklists": lists.ask_lists,
        "import_csv": lambda: window.opening.ask_table(),
        "assign_me": lists.assign_to_me,
        "assign": lists.ask_reader,
        "assign_nobody": lists.assign_to_nobody,
        "move_cases": lists.ask_list,
        "arbitration": lists.send_to_arbitration,
        "close_list": lists.close_list,
        "backup": keeper.back_up,
        "restore": window.sitting.ask_restore,
        "check_store": keeper.check,
    }


def _hanging(window: MainWindow) -> Handlers:
    room, box = window.desk.room, window.viewer.box

    def link(on: bool) -> None:
        box.linked = on
        window.preferences.layout = replace(window.preferences.layout, linked=on)

    return {
        "next_step": lambda: window.reading.step(1),
        "previous_step": lambda: window.reading.step(-1),
        "single": box.set_single,
        "linked": link,
        "next_finding": lambda: window.reading.next_finding(1),
        "previous_finding": lambda: window.reading.next_finding(-1),
        "next_quadrant": lambda: box.next_quadrant(1),
        "previous_quadrant": lambda: box.next_quadrant(-1),
        "breast": lambda on: room.show(breast=on),
        "graphics": lambda on: room.show(graphics=on),
    }


def _viewing(window: MainWindow) -> Handlers:
    viewer, box = window.viewer, window.viewer.box

    def texts(on: bool) -> None:
        viewer.set_corner_texts(on)
        window.preferences.layout = replace(window.preferences.layout, corner_texts=on)

    return {
        "fit": lambda: box.set_mode("fit"),
        "same_size": lambda: box.set_mode("same"),
        "one_to_one": lambda: box.set_mode("one"),
        "true_size": window.reading.true_size,
        "zoom_in": lambda: box.zoom(1.25),
        "zoom_out": lambda: box.zoom(0.8),
        "next_voi": lambda: viewer.step_voi(1),
        "previous_voi": lambda: viewer.step_voi(-1),
        "reset_window": box.reset_window,
        "invert": box.invert,
        "corner_texts": texts,
    }


def _results(window: MainWindow) -> Handlers:
    room = window.desk.room
    return {
        "mask": lambda on: room.show(mask=on),
        "fill": lambda on: room.show(fill=on),
        "heat": lambda on: room.show(heat=on),
        "threshold_down": lambda: window.ai.step_threshold(-0.02),
        "threshold_up": lambda: window.ai.step_threshold(0.02),
    }


def _tools(window: MainWindow) -> Handlers:
    box, cine = window.viewer.box, window.viewer.cine

    marks, annotating = window.desk.marks, window.annotating

    def use(tool: ToolName | None) -> Callable[[bool], None]:
        return lambda on: box.drawings.use(tool) if on else None

    return {
        "pixel_size": window.pixel_sizes.ask,
        "tool_look": use(None),
        **{f"tool_{tool}": use(tool) for tool in TOOLS},
        "tool_larger": lambda: box.drawings.resize(1),
        "tool_smaller": lambda: box.drawings.resize(-1),
        "undo": marks.undo,
        "redo": marks.redo,
        "merge": annotating.merge,
        "smooth": annotating.smooth,
        "fill_between": annotating.fill_between,
        "import_marks": annotating.ask_import,
        "take_finding": annotating.take_finding,
        "label_marks": window.viewer.labels.open_menu,
        "properties": annotating.ask_properties,
        "remove_mark": lambda: window.viewer.canvas.drawing.delete(),
        "lens": box.use_lens,
        "play": cine.toggle,
        "next_frame": lambda: cine.step(1),
        "previous_frame": lambda: cine.step(-1),
        "thicker": lambda: cine.thicker(1),
        "thinner": lambda: cine.thicker(-1),
    }


def _slides(window: MainWindow) -> Handlers:
    reading, room = window.reading, window.desk.room

    def stain(channel: str) -> Callable[[bool], None]:
        return lambda on: room.show(channel=channel) if on else None

    def magnify(times: int) -> Callable[[], None]:
        return lambda: reading.magnify(times)

    return {
        "gallery": window.show_gallery,
        "tile_layers": reading.explain_tile,
        "rotate": room.rotate,
        **{f"magnify_{times}": magnify(times) for times in (1, 2, 5, 10, 20, 40)},
        "stain_all": stain(""),
        "stain_h": stain("haematoxylin"),
        "stain_e": stain("eosin"),
        "stain_r": stain("residual"),
        "icc": lambda on: room.show(icc=on),
        "label": reading.ask_label,
    }


def _ask_preferences(window: MainWindow) -> None:
    protocols = [(protocol.name, protocol.title) for protocol in window.desk.room.protocols]
    PreferencesDialog(window.preferences, protocols, window).exec()
