"""What the split page counts beside the images."""

from __future__ import annotations

from pathview.gui.wizard.split_page import drawn
from pathview.training.runs.plan import Plan, SplitPlan
from tests.training.runs import PLAIN, row

ROWS = tuple(row(patient, sha256=f"{10 * patient + k:064x}") for patient in range(8) for k in range(2))


def test_that_the_table_counts_the_patients_of_each_class_and_warns_where_few_test() -> None:
    plan = Plan(title="Try", question=PLAIN.question, split=SplitPlan(train=0.5, validation=0.25))
    found = drawn(plan, ROWS)
    assert found.split is not None
    for part, counts in found.classes:
        of = {name: found.patients.get((part, name), 0) for name in counts}
        assert sum(of.values()) == len(found.split.patients(part))
        assert all(counts[name] == 2 * patients for name, patients in of.items())
    assert len(found.thin) == len(dict(found.classes)["test"])
    assert all("figures that need them will have no interval" in sentence for sentence in found.thin)
    many = tuple(row(patient) for patient in range(80))
    assert drawn(plan, many).thin == ()
