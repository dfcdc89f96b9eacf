"""The wizard by keyboard alone: underlined letters, Enter, the order of Tab."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QTabBar, QWidget, QWizard

from pathview.gui.main_window import MainWindow
from pathview.gui.wizard.frame import PAGES, TrainingWizard
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.first_pages import at_labels
from tests.gui.wizard.test_whole_way import write_patches

_FRAME = (QWizard.WizardButton.BackButton, QWizard.WizardButton.CancelButton)


def words_of(page: QWidget) -> Iterator[str]:
    """Everything on a page that a letter can be underlined in, shown or not."""
    for button in page.findChildren(QAbstractButton):
        yield button.text()
    for label in page.findChildren(QLabel):
        if label.buddy() is not None:
            yield label.text()
    for bar in page.findChildren(QTabBar):
        yield from (bar.tabText(number) for number in range(bar.count()))


def letters(wizard: TrainingWizard, page: QWidget) -> Counter[str]:
    """How often each letter is underlined."""
    onward = QWizard.WizardButton.FinishButton if page is wizard.pages[-1] else QWizard.WizardButton.NextButton
    told = [wizard.button(which).text() for which in (*_FRAME, onward)]
    found = (re.search(r"&([^&\s])", words.replace("&&", "")) for words in (*words_of(page), *told))
    return Counter(match.group(1).casefold() for match in found if match)


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_that_an_underlined_letter_means_one_thing_on_a_page(open_wizard, seen: RunFolder, name: str) -> None:
    wizard = open_wizard(seen, name)
    counts = letters(wizard, wizard.page_now)
    assert {letter: count for letter, count in counts.items() if count > 1} == {}
    assert {"b", "c"} <= counts.keys()


def test_that_enter_never_closes_the_wizard(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "result")
    wizard.button(QWizard.WizardButton.CancelButton).setFocus()
    qtbot.keyClick(wizard.focusWidget(), Qt.Key.Key_Return)
    assert wizard.isVisible()
    assert wizard.page_now.name == "threshold"


def test_that_the_last_page_begins_at_its_last_button(open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "publish")
    assert wizard.focusWidget() is wizard.button(QWizard.WizardButton.FinishButton)


def test_that_tab_leads_from_the_sheet_over_the_classes_to_what_is_done_with_them(
    qtbot, make_window: Callable[[], MainWindow], tmp_path: Path
) -> None:
    page = at_labels(qtbot, make_window(), write_patches(tmp_path / "ours"), "negative, idc").page_now
    qtbot.waitUntil(lambda: all(button.isVisible() for button in page.classes))
    wanted = [page.filter, page.sheet, *page.classes, page.leave_out, page.take_back]
    walked = [page.filter]
    while len(walked) < len(wanted):
        following = walked[-1].nextInFocusChain()
        while not (following.isVisible() and following.focusPolicy() & Qt.FocusPolicy.TabFocus):
            following = following.nextInFocusChain()
        walked.append(following)
    assert walked == wanted
