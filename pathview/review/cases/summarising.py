"""What of a case's images, results and decisions stands in its own row, for lists to be sorted and filtered by."""

from __future__ import annotations

from collections.abc import Iterable

from pathview.review.cases import rows
from pathview.review.records.study import study_summary
from pathview.review.sql.tables import CaseTable, DecisionTable

_RANKS = {"not_sure": 0, "not_analysed": 1, None: 2, "positive": 3, "negative": 4}


def refresh(case: CaseTable) -> None:
    """Bring a case's columns up to date."""
    images = [rows.image_row(image, with_layers=False) for image in case.images]
    case.label, case.score, case.position, case.flags = study_summary(images)
    case.doubt = abs(case.position - 0.5) if case.position is not None else 1.0
    standing = standing_of(case.decisions)
    case.decision = standing[-1].value if standing else None
    if in_dispute(standing):
        case.state = "arbitration"
    else:
        case.state = "decided" if standing else "analysed" if any(image.result for image in images) else "new"
    case.rank = _RANKS[case.label]


def standing_of(decisions: Iterable[DecisionTable]) -> list[DecisionTable]:
    """Of all that was decided on a case, oldest first, what stands: the last of each reader, none withdrawn.

    First assessments are no decisions; what an arbiter decided stands beside what they decided as a reader.
    """
    last: dict[tuple[str, str], DecisionTable] = {}
    for row in decisions:
        if row.stage != "first":
            last.pop((row.reader, row.stage), None)
            last[row.reader, row.stage] = row
    return [row for row in last.values() if row.value is not None]


def in_dispute(standing: Iterable[DecisionTable]) -> bool:
    """Whether readers' decisions differ and no arbiter has decided."""
    found = list(standing)
    return all(row.stage != "arbitration" for row in found) and len({row.value for row in found}) > 1
