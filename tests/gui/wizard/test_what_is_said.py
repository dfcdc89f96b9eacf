"""What the pages say of a finished training stays true, in words: challenges, looks at the test patients, figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QFont, QFontMetrics

from pathview.gui.theme import THEMES, apply
from pathview.gui.wizard.challenge_page import ChallengePage
from pathview.gui.wizard.contact_sheet import SIDE, SheetDelegate, SheetModel
from pathview.gui.wizard.folds_view import FoldsView
from pathview.gui.wizard.frame import TrainingWizard
from pathview.gui.wizard.labelled import Labelled
from pathview.gui.wizard.parts import Table
from pathview.gui.wizard.picture_strip import PictureStrip, Shown
from pathview.gui.wizard.plots import Chart, Drawing, Line
from pathview.gui.wizard.result_views import ErrorsView, about_figures
from pathview.models.weights import read_manifest
from pathview.settings import Settings
from pathview.training.judging.challenge import CHALLENGES, Challenge, Challenges
from pathview.training.judging.result import read_result
from pathview.training.measures.evaluate import Reached
from pathview.training.measures.figures import Peer, Prediction
from pathview.training.runs.locked_uses import log_use, told, uses_of_test
from pathview.training.runs.run_folder import RESULT, RunFolder
from tests.gui.wizard.conftest import quiet
from tests.makers import tiny_unet_recipe
from tests.training.runs import row, write_folds

WARNING = "\N{WARNING SIGN}"


@pytest.fixture
def themed(qapp, settings: Settings):
    """Give the application a theme for this test."""
    before = qapp.styleSheet(), qapp.palette(), qapp.style().objectName()
    yield lambda name: apply(qapp, name, settings)
    qapp.setStyle(before[2])
    qapp.setPalette(before[1])
    qapp.setStyleSheet(before[0])


def write_challenges(run: RunFolder, passed: bool) -> None:
    kinds = ("label_shuffle", "blank_image", "randomised_weights")
    found = tuple(Challenge(kind=kind, passed=passed or kind != "blank_image", sentence=f"{kind}.") for kind in kinds)
    sha256 = read_manifest(run.model).sha256
    run.write(CHALLENGES, Challenges(sha256=sha256, challenges=found, uses=0, about_uses="."))


def step(wizard: TrainingWizard, name: str = "challenge") -> str:
    return wizard.steps.item([page.name for page in wizard.pages].index(name)).text()


@pytest.mark.parametrize("page", ["question", "result", "challenge", "publish"])
def test_that_a_failed_challenge_is_seen_in_the_steps_from_wherever_the_wizard_is(
    qtbot, open_wizard, seen: RunFolder, page: str
) -> None:
    write_challenges(seen, passed=False)
    wizard = open_wizard(seen, page)
    assert step(wizard) == f"10.  Challenge  {WARNING}"
    assert wizard.steps.item(9).toolTip() == "1 of 3 challenges failed."
    for other in ("labels", "challenge", "threshold"):
        wizard.go_to(other)
        quiet(qtbot, wizard)
        assert step(wizard).endswith(WARNING), other


def test_that_the_mark_follows_the_challenges_at_once(qtbot, open_wizard, seen: RunFolder) -> None:
    write_challenges(seen, passed=False)
    wizard = open_wizard(seen, "challenge")
    write_challenges(seen, passed=True)
    wizard.page_now.reread()
    quiet(qtbot, wizard)
    assert step(wizard) == "10.  Challenge"
    assert wizard.steps.item(9).toolTip() == ""
    wizard.go_to("publish")
    assert step(wizard) == "10.  Challenge  ✓"


def test_that_lesions_of_other_patients_are_told_of_models_that_outline_alone(open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "challenge").page_now
    assert isinstance(page, ChallengePage)
    about = page.cards["label_shuffle"].about
    assert "labels that were dealt out anew" in about.text()
    assert "lesion" not in about.text()
    finished = page.finished
    outlines = finished.manifest.model_copy(update={"recipe": tiny_unet_recipe()})
    page.take(replace(finished, manifest=outlines))
    assert "lesions of other patients" in about.text()
    assert "dealt out anew" not in about.text()


def test_that_how_often_the_test_patients_were_looked_at_is_told_as_it_is_now(
    qtbot, open_wizard, seen: RunFolder
) -> None:
    wizard = open_wizard(seen, "threshold")
    wizard.page_now.controls.conformal.click()
    quiet(qtbot, wizard)
    wizard.page_now.keep.click()
    quiet(qtbot, wizard)
    assert "looked at twice" in wizard.page_now.notices.text()
    log_use(seen, "Dr B", "comparison", read_manifest(seen.model).sha256)
    now = told(uses_of_test(seen))
    assert "3 times" in now
    for page in ("challenge", "threshold", "result"):
        wizard.go_to(page)
        quiet(qtbot, wizard)
        shown = wizard.page_now
        label = {"challenge": "about_uses", "threshold": "notices"}.get(page)
        words = getattr(shown, label).text() if label else shown.figures.notices.text()
        assert now in words, page
        assert words.count("were looked at") == 1, page


def test_that_columns_are_named_in_words_and_the_base_model_by_its_title(
    open_wizard, tiny_models: Settings, seen: RunFolder
) -> None:
    result = read_result(seen)
    base = Peer(name="tiny-cnn", metrics=result.metrics, difference=result.baselines[0].difference)
    seen.write(RESULT, result.model_copy(update={"base": base}))
    view = open_wizard(seen, "result").page_now.figures
    heads = [view.table.horizontalHeaderItem(place).text() for place in range(view.table.columnCount())]
    assert heads == ["", "This model", "Commonest class", "Colour alone", "Tiny CNN"]
    assert "Against Tiny CNN: " in view.peers.text()
    assert "tiny-cnn" not in f"{view.verdict.text()} {view.peers.text()}"


def test_that_an_auc_below_chance_is_explained() -> None:
    def about(value: float) -> str:
        return about_figures([{"auc": Reached(value=0.8)}, {"auc": Reached(value=value), "dice": Reached(value=0.1)}])

    assert "An AUC below 0.5 ranks the images worse than chance would." in about(0.31)
    assert "below 0.5" not in about(0.5)


def test_that_a_fold_below_chance_is_explained(qtbot, seen: RunFolder) -> None:
    view = FoldsView()
    qtbot.addWidget(view)
    found = write_folds(seen)

    def with_auc(value: float):
        folds = tuple(one.model_copy(update={"metrics": {"auc": value}, "baselines": {}}) for one in found.folds)
        metrics = {"auc": Reached(value=0.7, low=0.6, high=0.8)}
        return found.model_copy(update={"folds": folds, "metrics": metrics, "baselines": ()})

    view.show_folds(with_auc(0.4), "")
    assert "An AUC below 0.5" in view.about.text()
    view.show_folds(with_auc(0.6), "")
    assert "An AUC below 0.5" not in view.about.text()


@pytest.mark.parametrize("name", ["dark", "light"])
def test_that_the_chosen_picture_is_framed_and_stays_as_it_is(qtbot, themed, name: str) -> None:
    theme = themed(name)
    green = np.zeros((112, 112, 3), np.uint8)
    green[:] = (20, 160, 60)
    strip = PictureStrip("pictures", lambda shown, side, done: done(np.stack([green] * len(shown))))
    qtbot.addWidget(strip)
    strip.resize(500, 300)
    strip.show()
    strip.show_images([Shown(Path(f"{n}.png"), "given benign\ncalled malignant", "") for n in range(2)])
    strip.setFocus()
    seen = strip.viewport().grab().toImage()
    chosen, other = (strip.visualItemRect(strip.item(n)) for n in range(2))
    assert strip.item(0).isSelected()

    def colors(rect: QRect) -> set[str]:
        return {seen.pixelColor(x, rect.center().y()).name() for x in range(rect.left(), rect.right())}

    picture = QColor(20, 160, 60).name()
    assert picture in colors(chosen)
    assert theme.accent in colors(chosen)
    assert theme.accent not in colors(other)
    assert theme.selected not in colors(chosen)


@pytest.mark.parametrize("styled", [False, True])
def test_that_a_table_that_lacks_room_wraps_its_widest_columns_and_hides_none(qtbot, themed, styled: bool) -> None:
    if styled:
        themed("dark")
    table = Table("figures", whole=True)
    qtbot.addWidget(table)
    cells = [f"0.{number}00  (0.876\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.957)" for number in range(4)]
    table.resize(1200, 100)
    table.show()
    table.fill(("", "This model", "Commonest class", "Colour alone", "Fold"), [["AUC", *cells[:3], "3"]] * 6)
    wide, high = [table.columnWidth(place) for place in range(4)], table.height()
    table.resize(500, table.height())
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    assert sum(table.columnWidth(place) for place in range(5)) <= table.viewport().width()
    assert table.columnWidth(0) == wide[0]  # which is small
    assert table.columnWidth(1) < wide[1]
    assert table.height() > high  # rows of two lines
    table.resize(1200, table.height())
    assert [table.columnWidth(place) for place in range(4)] == wide
    assert table.height() == high


def test_that_a_long_name_in_a_legend_is_told_over_several_lines(qtbot) -> None:
    chart = Chart("Loss", "epoch", "loss")
    qtbot.addWidget(chart)
    points = [(1.0, 0.5), (2.0, 0.4)]
    names = ("training (1 - soft Dice, and cross-entropy)", "validation <1 - Dice>")
    chart.show_drawing(Drawing([Line(name, points) for name in names]))
    chart.show()
    labels = [label.text for _, label in chart.plot.plotItem.legend.items]
    assert labels == ["training (1 - soft Dice,<br>and cross-entropy)", "validation &lt;1 - Dice&gt;"]


def test_that_a_file_on_the_sheet_is_cut_in_its_middle_and_the_patient_stands_above(qapp) -> None:
    delegate = SheetDelegate(THEMES["dark"], SheetModel())
    painter, font = Mock(), QFont()
    name = "9029_idx5_x1801_y1151_class1.png"
    item = Labelled(row(1, file=Path(name), patient="P 30", label="malignant"), "malignant")
    delegate._draw_words(painter, font, item, QRect(0, 0, SIDE, SIDE), selected=False)
    places, words = zip(*((call.args[0], call.args[2]) for call in painter.drawText.call_args_list), strict=True)
    assert words[:2] == ("malignant", "P 30")
    start, end = words[2].split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert end.endswith("1.png")
    assert len({place.top() for place in places}) == 3
    assert max(place.bottom() for place in places) < delegate.size(font).height()
    assert all(QFontMetrics(font).horizontalAdvance(one) <= SIDE for one in words[1:])


def test_that_errors_say_what_was_given_and_what_was_called_and_outlines_have_no_errors(qtbot, seen: RunFolder) -> None:
    view = ErrorsView(lambda *_: None)
    qtbot.addWidget(view)
    result = read_result(seen)
    wrong = Prediction(part="test", file=Path("a.png"), patient="p", label=1, called=0, scores=(0.9, 0.1))
    view.show_result(result.model_copy(update={"worst": (wrong,)}), [wrong], {})
    assert view.strip.item(0).text() == f"given {result.classes[1]}\ncalled {result.classes[0]}\n90 % sure"
    assert (view.heading.text(), view.worst.text()) == ("The 1 worst error", "Worst errors")
    outlined = wrong.model_copy(update={"called": 1, "dice": 0.92})
    view.show_result(result.model_copy(update={"worst": (outlined,), "outlines": True}), [outlined], {})
    assert (view.heading.text(), view.worst.text()) == ("The 1 worst outline", "Worst outlines")
