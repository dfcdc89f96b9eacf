"""A model that outlines a usual place is told from one that outlines what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pathview.geometry import GridPlace
from pathview.results.result import ScoreMap
from pathview.training.data.samples import Sample
from pathview.training.judging.challenge import shuffled_outlines
from pathview.training.judging.outline_shuffle import SHUFFLES, deal_outlines
from pathview.training.measures.scoring import Outlined

SIDE = 60


def square(row: int, column: int, side: int = 12) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[row : row + side, column : column + side] = True
    return mask


def image(patient: int, truth: np.ndarray, outline: np.ndarray) -> Outlined:
    values = np.where(outline, 0.9, 0.1).astype(np.float32)
    sample = Sample(Path(f"{patient}.png"), f"p{patient}", 1)
    gray = np.zeros((SIDE, SIDE), np.uint8)
    gray[:, : SIDE // 2] = 120
    return Outlined(sample, ScoreMap(values, GridPlace(0, 0, 1, 1), smooth=False), truth, gray, 1.0, True)


def scattered(patients: int) -> list[np.ndarray]:
    return [square(4 + 6 * (i % 7), 2 + 5 * (i // 7)) for i in range(patients)]


def test_that_outlines_of_what_is_there_beat_other_patients_lesions() -> None:
    found = deal_outlines([image(i, truth, truth) for i, truth in enumerate(scattered(14))], 0.5, 0)
    assert found.own == 1
    assert len(found.shuffled) == SHUFFLES
    assert max(found.shuffled) < 0.7
    assert 0 < found.whole < 0.5
    challenge = shuffled_outlines(found)
    assert challenge.passed is True
    assert "not with a usual place: Dice 1.00" in challenge.sentence


def test_that_outlining_a_usual_place_fails() -> None:
    usual = square(20, 5, 20)
    found = deal_outlines([image(i, truth, usual) for i, truth in enumerate(scattered(14))], 0.5, 0)
    challenge = shuffled_outlines(found)
    assert challenge.passed is False
    assert "no better with their own lesions" in challenge.sentence


def test_that_a_lesion_on_the_other_side_is_no_excuse() -> None:
    truths = [square(20, 5 if i % 2 else SIDE - 17) for i in range(8)]  # the same place, left and right
    found = deal_outlines([image(i, truth, truth) for i, truth in enumerate(truths)], 0.5, 0)
    assert min(found.shuffled) == 1
    assert shuffled_outlines(found).passed is False


def test_that_nobody_is_given_a_lesion_of_her_own_other_image() -> None:
    truths = [square(6 * i, 3) for i in range(5)]
    images = [image(i, truth, truth) for i, truth in enumerate(truths) for _ in range(3)]
    found = deal_outlines(images, 0.5, 0)
    assert found.patients == 5
    assert max(found.shuffled) < 1


def test_that_too_few_patients_cannot_be_asked() -> None:
    empty = image(9, np.zeros((SIDE, SIDE), np.bool_), square(0, 0))
    images = [*(image(i, truth, truth) for i, truth in enumerate(scattered(3))), empty]
    challenge = shuffled_outlines(deal_outlines(images, 0.5, 0))
    assert challenge.passed is None
    assert challenge.sentence.startswith("Of 3 validation patients")
    assert shuffled_outlines(deal_outlines([], 0.5, 0)).passed is None
