"""Where a training is gone on with: at the page where it was left, or that it has reached without the wizard."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathview.gui.wizard.state import Place, place_of
from pathview.models.weights import MANIFEST
from pathview.training.runs.plan import Plan
from pathview.training.runs.run_folder import DATASET, HEALTH, HISTORY, SPLIT, WIZARD, RunFolder

REACHED = {
    "question": (),
    "labels": (DATASET,),
    "health": (DATASET, SPLIT),
    "recipe": (DATASET, SPLIT, HEALTH),
    "training": (DATASET, SPLIT, HEALTH, HISTORY),
    "result": (DATASET, SPLIT, HEALTH, HISTORY, f"model/{MANIFEST}"),
}


@pytest.mark.parametrize("page", REACHED)
def test_that_a_training_begun_by_command_opens_where_it_is(tmp_path: Path, page: str) -> None:
    run = RunFolder(tmp_path)
    run.write_plan(Plan())
    for name in REACHED[page]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert place_of(run) == Place(page=page)
    run.write(WIZARD, Place(page="split"))
    assert place_of(run).page == "split"


def test_that_the_pages_before_are_done_and_locked(open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, place_of(seen).page)
    assert wizard.page_now.name == "result"
    assert all("✓" in wizard.steps.item(number).text() for number in range(wizard.currentId()))
    assert all(page.locked for page in wizard.pages[:4])
