"""The wizard from its first page to a published model, and what it says where the model is no better."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pathview.gui.main_window import MainWindow
from pathview.gui.wizard.frame import TrainingWizard
from pathview.gui.wizard.publish_page import PublishPage
from pathview.models.registry import Registry
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.plan import Source
from tests.gui.wizard.conftest import quiet
from tests.gui.wizard.first_pages import at_labels, begin, go_on, rest, write
from tests.training.runs import save_table, tissue, write_picture

PATCHES = 12
"""Of each class of each real patient."""


def write_patches(folder: Path, patients: int = 24, images: int = 2) -> Path:
    """Patches of a known pixel size by their names, of both classes in each patient, darker where they are ill."""
    for patient in range(patients):
        for number in range(2 * images):
            ill = number % 2
            pixels = tissue(1000 + 100 * patient + number, 50).astype(np.float64) * (0.6 if ill else 1.0)
            name = f"{9000 + patient}_idx5_x{1 + 50 * number}_y1_class{ill}.png"
            write_picture(folder / str(9000 + patient) / str(ill) / name, pixels.astype(np.uint8))
    return folder


def to_training(qtbot, wizard: TrainingWizard, level: str) -> None:
    """From the labels on; the recipe that fits is chosen already."""
    assert go_on(qtbot, wizard) == "split"
    assert go_on(qtbot, wizard) == "health"
    assert go_on(qtbot, wizard) == "recipe"
    wizard.page_now.cards[level].radio.click()
    rest(qtbot, wizard)
    assert go_on(qtbot, wizard) == "training"


def train_and_look(qtbot, wizard: TrainingWizard) -> None:
    """Train; look at the result; keep the suggested threshold; challenge."""
    wizard.page_now.begin.click()
    quiet(qtbot, wizard)
    assert wizard.page_now.problem() == "", wizard.page_now.said.text()
    assert go_on(qtbot, wizard) == "result"
    assert not uses_of_test(wizard.run.made)
    wizard.page_now.look.click()
    quiet(qtbot, wizard)
    assert go_on(qtbot, wizard) == "threshold"
    if wizard.page_now.keep.isVisible():
        wizard.page_now.keep.click()
        quiet(qtbot, wizard)
    assert go_on(qtbot, wizard) == "challenge"
    wizard.page_now.begin.click()
    quiet(qtbot, wizard)
    assert go_on(qtbot, wizard) == "publish"


def publish(qtbot, wizard: TrainingWizard) -> str:
    """Keep a version and compare it; publish it as the comparison says, else sign for it. What was said."""
    page = wizard.page_now
    assert isinstance(page, PublishPage)
    block = page.block
    block.register.click()
    quiet(qtbot, wizard)
    block.compare.click()
    quiet(qtbot, wizard)
    said = block.comparison.text()
    if not block.publish.isEnabled():
        assert block.verdict.text() == "So it is not published, unless somebody signs for it."
        block.override.setChecked(True)
        qtbot.keyClicks(block.why, "to try it beside the present one")
    block.publish.click()
    quiet(qtbot, wizard)
    assert "is published" in block.version.text()
    return said


def finish(qtbot, window: MainWindow, wizard: TrainingWizard) -> None:
    """The last button closes the wizard, and the window has the new model."""
    assert go_on(qtbot, wizard) == "publish"
    assert not window.trainings.wizards
    qtbot.waitUntil(lambda: not window.desk.busy, timeout=20_000)


@pytest.mark.parametrize("level", ["quick", "exact"])
def test_that_the_wizard_leads_from_the_question_to_a_published_model(
    qtbot, make_window: Callable[[], MainWindow], tmp_path: Path, level: str
) -> None:
    window = make_window()
    wizard = at_labels(qtbot, window, write_patches(tmp_path / "ours"), "negative, idc")
    to_training(qtbot, wizard, level)
    train_and_look(qtbot, wizard)
    uses = [use.purpose for use in uses_of_test(wizard.run.made)]
    assert uses == ["result", "threshold"]
    said = publish(qtbot, wizard)
    assert said.startswith("Against tiny-cnn, version 1: AUC")
    present = Registry(window._settings).present("tiny-cnn")
    assert present is not None
    assert present.number == 2  # the model that was there is kept as the first one
    card = (present.folder / "card.md").read_text()
    for words in ("Split by patient", "looked at", "label shuffle", "Sensitivity (SE)"):
        assert words in card
    finish(qtbot, window, wizard)


def test_that_real_patches_lead_there_too(
    qtbot, make_window: Callable[[], MainWindow], tmp_path: Path, data_dir: Path
) -> None:
    lines = []
    for patient in sorted((data_dir / "idc").iterdir()):
        for label, name in enumerate(("negative", "idc")):
            files = sorted((patient / str(label)).glob("*.png"))[:: max(1, PATCHES)][:PATCHES]
            lines += [{"file": str(file), "patient": patient.name, "label": name} for file in files]
    window = make_window()
    wizard = at_labels(qtbot, window, save_table(tmp_path, lines), "negative, idc")
    to_training(qtbot, wizard, "exact")
    train_and_look(qtbot, wizard)
    publish(qtbot, wizard)
    assert Registry(window._settings).present("tiny-cnn") is not None
    finish(qtbot, window, wizard)


def test_that_real_mammograms_teach_outlines(
    qtbot, make_window: Callable[[], MainWindow], tmp_path: Path, data_dir: Path
) -> None:
    folder = data_dir / "mammograms" / "cdd-cesm"
    rows = csv.DictReader((folder / "labels.csv").read_text().splitlines())
    chosen = [row for row in rows if row["type"] == "DM"][:60:2]
    lines = [
        {
            "file": str(folder / "images" / row["file"]),
            "patient": row["patient"],
            "mask": str(folder / "masks" / row["file"]),
        }
        for row in chosen
    ]
    window = make_window()
    wizard = begin(window)
    write(qtbot, wizard.page_now.titled, "Lesions")
    wizard.page_now.tasks.button(1).click()
    assert go_on(qtbot, wizard) == "data"
    wizard.page_now.sources.add(Source(path=save_table(tmp_path, lines)))
    assert go_on(qtbot, wizard) == "data"
    assert go_on(qtbot, wizard) == "labels"
    to_training(qtbot, wizard, "exact")
    wizard.page_now.begin.click()
    quiet(qtbot, wizard)
    assert wizard.page_now.pictures.isVisible() == bool(wizard.page_now.seen.pictures)
    assert go_on(qtbot, wizard) == "result"
