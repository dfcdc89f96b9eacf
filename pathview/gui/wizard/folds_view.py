"""The cross-validation of a training: what it says of the way of training, without a look at the test patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from pathview.gui.wizard.parts import Table, count, number, wrapped
from pathview.gui.wizard.result_views import PEERS, about_figures, figure
from pathview.training.measures.words import BELOW_HALF, FIGURES

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.measures.folds import CrossValidation, FoldFigures

_OPENING = "The test patients were not looked at for this."
_OF_ONE_TRAINING = "The intervals do not hold what training once more would change."


class FoldsView(QWidget):
    """A sentence, then a row a fold and one for all of them together."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.heading = wrapped("Cross-validation", "name")
        self.said = wrapped("", "result")
        self.about = wrapped("", "dim")
        self.table = Table("Figures of each fold", whole=True)
        self.notices = wrapped("", "dim")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.heading, self.said, self.about, self.table, self.notices):
            layout.addWidget(part)
        layout.addStretch(1)

    def show_folds(self, found: CrossValidation | None, why_not: str) -> None:
        """Show it, or say why there is none."""
        there = found is not None
        for part in (self.said, self.table, self.notices):
            part.setVisible(there)
        if found is None:
            self.about.setText(why_not)
            return
        self.said.setText(found.sentence)
        shown = [found.metrics, *(one.metrics for one in found.baselines)]
        pooled_figures = [{name: own for name, own in one.items() if name == found.figure} for one in shown]
        self.about.setText(f"{found.about} {_OPENING} {about_figures(pooled_figures)} {_OF_ONE_TRAINING}")
        if _one_below_half(found) and BELOW_HALF not in self.about.text():
            self.about.setText(f"{self.about.text()} {BELOW_HALF}")
        self.notices.setText("\n".join(found.notices))
        self.notices.setVisible(bool(found.notices))
        names = [one.name for one in found.baselines]
        header = ["Fold", "Patients", "Images", "Trained on", FIGURES[found.figure]]
        header += [PEERS[name][0] if name in PEERS else name for name in names]
        rows = [_row(one, found.figure, names) for one in found.folds]
        pooled = ["All", f"{found.patients:,}", f"{found.images:,}", "", figure(found.metrics.get(found.figure))]
        rows.append([*pooled, *(figure(one.metrics.get(found.figure)) for one in found.baselines)])
        self.table.fill(header, rows)


def _one_below_half(found: CrossValidation) -> bool:
    """Whether some fold has an AUC below 0.5."""
    told = [figures for one in found.folds for figures in (one.metrics, *one.baselines.values())]
    return found.figure == "auc" and any(figures.get("auc", 1.0) < 0.5 for figures in told)


def _row(one: FoldFigures, name: str, baselines: list[str]) -> list[str]:
    told = [metrics.get(name) for metrics in (one.metrics, *(one.baselines.get(base, {}) for base in baselines))]
    figures = ["-" if value is None else number(value) for value in told]
    return [
        str(one.fold),
        f"{one.patients:,}",
        f"{one.images:,}",
        count(one.train + one.validation, "patient"),
        *figures,
    ]
