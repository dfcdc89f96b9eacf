"""What a silent model said beside the present one, in sums over many patients: no case can be told from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pathview.errors import DataError
from pathview.results.statistics import Float, kappa
from pathview.review.cases.silent import SilentPair, SilentRecords
from pathview.training.measures.comparing import Difference, paired
from pathview.training.measures.predictions import Scored
from pathview.training.runs.plan import Fields

LABELS = ("negative", "not_sure", "positive")
LEAST_PATIENTS = 10
"""Below it nothing is told: sums over a few patients would tell single cases."""


class SilentReport(Fields):
    """Sums over all images that both models scored."""

    model: str
    version: int
    patients: int
    images: int
    failed: int
    """Images that the silent model alone could not analyse."""
    labels: dict[str, dict[str, int]]
    """Images by the present model's label, then by the silent one's."""
    same: float
    """Share of the images with the same label."""
    kappa: float | None
    """Cohen's, linearly weighted; None where it is not defined."""
    against_truth: Difference | None
    """AUC on cases whose truth is known: the silent model as the new one."""
    against_decisions: Difference | None
    """The same with what readers decided as the truth; they saw the present model, which favours it."""
    sentences: tuple[str, ...]


def silent_report(model: str, version: int, records: SilentRecords) -> SilentReport:
    """Compare a silent model with the present one.

    Args:
        model: name of the silent one.
        version: its number.
        records: all that both said.

    Raises:
        DataError: of too few patients to tell anything without telling of single cases.
    """
    pairs = records.pairs
    patients = len({pair.patient for pair in pairs})
    if patients < LEAST_PATIENTS:
        raise DataError(
            f"Version {version} of {model} has silently seen {patients:,} patients; below {LEAST_PATIENTS} nothing is "
            "told, since sums over so few would tell single cases."
            + (f" {records.hidden:,} images are of cases whose model is hidden from you." if records.hidden else "")
        )
    table = np.zeros((3, 3))
    for pair in pairs:
        table[LABELS.index(pair.present_label), LABELS.index(pair.label)] += 1
    agreement = float(kappa(table, "linear"))
    truth = _difference(pairs, [pair.truth for pair in pairs])
    decisions = _difference(pairs, [pair.decision for pair in pairs])
    same = float(np.trace(table) / table.sum())
    return SilentReport(
        model=model,
        version=version,
        patients=patients,
        images=len(pairs),
        failed=records.failed,
        labels={row: {column: int(table[i, j]) for j, column in enumerate(LABELS)} for i, row in enumerate(LABELS)},
        same=same,
        kappa=agreement if np.isfinite(agreement) else None,
        against_truth=truth,
        against_decisions=decisions,
        sentences=tuple(_sentences(len(pairs), patients, records.failed, same, table, truth, decisions)),
    )


def _difference(pairs: Sequence[SilentPair], truths: Sequence[str | None]) -> Difference | None:
    """The difference of AUC where the truth is positive or negative; None where there are not enough of both."""
    chosen = [(pair, truth) for pair, truth in zip(pairs, truths, strict=True) if truth in ("positive", "negative")]
    labels = np.array([truth == "positive" for _, truth in chosen], np.intp)
    patients = np.array([pair.patient for pair, _ in chosen])
    if len(np.unique(patients)) < LEAST_PATIENTS or len(np.unique(labels)) < 2:
        return None
    new, present = (
        Scored(patients, labels, np.array(scores, np.float64), np.zeros(len(labels), np.bool_))
        for scores in ([pair.score for pair, _ in chosen], [pair.present_score for pair, _ in chosen])
    )
    return paired(new, present, "auc")


def _sentences(
    images: int,
    patients: int,
    failed: int,
    same: float,
    table: Float,
    truth: Difference | None,
    decisions: Difference | None,
) -> list[str]:
    more, fewer = int(np.triu(table, 1).sum()), int(np.tril(table, -1).sum())
    found = [
        f"On {images:,} images of {patients:,} patients both models gave the same label to {same:.0%}; the silent one "
        f"was more worried about {more} images and less about {fewer}."
    ]
    if failed:
        found.append(f"{failed} images the silent model alone could not analyse.")
    if truth is not None:
        found.append(f"Where the truth is known: {truth.sentence}.")
    else:
        found.append("Of too few cases of both kinds the truth is known to compare the models with it.")
    if decisions is not None:
        found.append(
            f"Against what readers decided, who saw the present model, which favours it: {decisions.sentence}."
        )
    return found
