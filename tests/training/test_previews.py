"""Previews of augmentation are what training does to the same images; new answers are counted from the last plan."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from pathview.jobs import never, no_progress
from pathview.models.recipe import AugmentationSpec
from pathview.settings import Settings
from pathview.training.data.samples import Sample
from pathview.training.learning.previews import previews
from pathview.training.preparing.answering import last_planned
from pathview.training.runs.plan import Plan, Source
from pathview.training.runs.run_folder import new_run
from tests.makers import tiny_cnn_recipe
from tests.training.runs import tissue, write_picture


def test_that_the_first_picture_is_as_the_network_sees_it_and_the_others_change(settings: Settings, tmp_path) -> None:
    pixels = tissue(1, 50)
    readable = Sample(write_picture(tmp_path / "a.png", pixels), "P1", 0)
    broken = Sample(tmp_path / "gone.png", "P2", 1)
    recipe = tiny_cnn_recipe(augmentation=AugmentationSpec(flip_horizontal=True, rotation_deg=90))
    found = previews([readable, broken], recipe, 3, 50, settings, no_progress, never())
    assert found.shape == (1, 4, 50, 50, 3)
    assert np.array_equal(found[0, 0], pixels)
    assert all(not np.array_equal(found[0, 0], found[0, variant]) for variant in (1, 2, 3))


def test_that_without_augmentation_nothing_changes(settings: Settings, tmp_path: Path) -> None:
    sample = Sample(write_picture(tmp_path / "a.png", tissue(1, 50)), "P1", 0)
    found = previews([sample], tiny_cnn_recipe(), 2, 50, settings, no_progress, never())
    assert np.array_equal(found[0, 0], found[0, 1])
    assert np.array_equal(found[0, 1], found[0, 2])


def test_that_only_plans_on_answers_count_as_trained_on_them(settings: Settings, tmp_path: Path) -> None:
    assert last_planned(settings) is None
    new_run(settings, Plan(title="Files", sources=(Source(path=tmp_path),), created="2026-03-01T00:00:00+00:00"))
    assert last_planned(settings) is None
    for month in (1, 2):
        created = f"2026-0{month}-01T00:00:00+00:00"
        run = new_run(settings, Plan(title="Answers", sources=(Source(kind="answers"),), created=created))
    assert last_planned(settings) == datetime.fromisoformat("2026-02-01T00:00:00+00:00")
    (run.path / "plan.json").write_text("{")
    assert last_planned(settings) == datetime.fromisoformat("2026-01-01T00:00:00+00:00")
