"""What an outline misses of new patients' lesions is kept down by conformal risk control, by patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.geometry import GridPlace
from pathview.jobs import never, no_progress
from pathview.results.result import ScoreMap
from pathview.settings import Settings
from pathview.training.data.samples import Sample
from pathview.training.judging.chooser import choosers
from pathview.training.judging.result import make_result, read_result
from pathview.training.measures.risk import controlled, risk_of
from pathview.training.measures.scoring import Outlined
from tests.training.test_result import write_outlined_run

LEVELS = np.linspace(0.05, 0.95, 19)


def outlined(found: float, number: int = 0) -> Outlined:
    """A lesion of the left half, whose upper part (a share ``found`` of it) has 0.8, the rest 0.25."""
    values = np.full((20, 20), 0.01, np.float32)
    values[:, :10] = 0.25
    values[: round(20 * found), :10] = 0.8
    truth = np.zeros((20, 20), np.bool_)
    truth[:, :10] = True
    sample = Sample(Path(f"{number}.png"), f"p{number}", 1)
    return Outlined(sample, ScoreMap(values, GridPlace(0, 0, 1, 1), smooth=False), truth, values * 0, 1.0, True)


def test_that_what_is_missed_of_new_patients_is_kept_down_on_average() -> None:
    rng = np.random.default_rng(1)

    def losses(patients: int) -> dict[float, np.ndarray]:
        weak = rng.random(patients)  # each patient's lesion is the harder to see
        return {float(level): np.clip(level - weak, 0, 1) for level in LEVELS}

    reached = []
    for _ in range(400):
        level = controlled(losses(30), 0.1)
        assert level is not None
        reached.append(losses(1)[level].mean())
    assert np.mean(reached) <= 0.11
    assert np.mean(reached) > 0.05  # and no more careful than it has to be


def test_that_few_patients_allow_no_promise() -> None:
    perfect = {0.1: np.zeros(8), 0.5: np.zeros(8)}
    assert controlled(perfect, 0.1) is None
    assert controlled({level: np.zeros(9) for level in perfect}, 0.1) == 0.5


def test_that_the_threshold_is_the_largest_that_keeps_what_is_wished() -> None:
    images = [outlined(0.5, number) for number in range(20)]
    found = risk_of(images, np.array([f"p{i}" for i in range(20)]), 0.5)
    assert found is not None
    assert found.threshold == 0.2
    assert found.missed["0.2"] == pytest.approx(0)
    assert found.missed["0.5"] == pytest.approx(0.5)
    assert "threshold of 0.2 for a pixel misses at most 10 %" in found.sentence
    assert "0.5, missed 50 % on these" in found.sentence
    alike = risk_of(images, np.array(["one"] * 20), 0.5)  # twenty images of one patient are one patient
    assert alike is not None
    assert alike.threshold is None
    assert "cannot be told of 1 patient." in alike.sentence


def test_that_nothing_is_said_without_a_lesion() -> None:
    image = outlined(0.5)
    empty = Outlined(image.sample, image.probability, image.truth & False, image.gray, 0.0, False)
    assert risk_of([empty], np.array(["p"]), 0.5) is None


def test_that_the_result_of_a_model_that_outlines_has_its_risk(
    tmp_path: Path, tiny_unet: Path, settings: Settings
) -> None:
    run = write_outlined_run(tmp_path, tiny_unet)
    result = make_result(run, "ada", settings, no_progress, never())
    assert result.risk is not None
    assert read_result(run).risk == result.risk
    assert choosers(run)["validation"].about_risk == result.risk.sentence
    missed = [result.risk.missed[key] for key in sorted(result.risk.missed, key=float)]
    assert missed == sorted(missed)
