"""What a result shows: figures beside their peers, errors with their images, curves, subgroups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from pathview.gui.panels.confusion import ConfusionPanel
from pathview.gui.wizard.parts import Table, column, count, number, row, wrapped
from pathview.gui.wizard.picture_strip import Draw, PictureStrip, Shown
from pathview.gui.wizard.plots import Chart, Drawing, Line
from pathview.results.confusion import Confusion
from pathview.training.measures.words import BELOW_HALF, FIGURES

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.result import Result
    from pathview.training.measures.calibration import Reliability
    from pathview.training.measures.evaluate import Reached
    from pathview.training.measures.figures import Curves, Peer, Prediction
    from pathview.training.measures.growth import LearningCurve
    from pathview.training.measures.trials import Trials

PEERS = {
    "majority": ("Commonest class", "always calling the class that is commonest in training"),
    "mean_std_rgb": ("Colour alone", "looking at colour alone"),
    "predict_nothing": ("Outlining nothing", "outlining nothing"),
    "bright_blob": ("Brightest spot", "outlining the brightest spot"),
}
"""Baselines as columns, and in a sentence."""
_INTERVALS = "In brackets the 95 % interval: whole patients drawn with replacement."
_DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


def figure(found: Reached | None) -> str:
    """A figure with its interval, or why it has none."""
    from pathview.training.measures.evaluate import WHY_NOT

    if found is None:
        return "-"
    words = " to ".join(map(number, found.span)) if found.span else WHY_NOT[found.why_not]
    unbroken = words.replace(" ", "\N{NO-BREAK SPACE}")
    return f"{number(found.value)}  ({unbroken})"


def about_figures(metrics: Iterable[Mapping[str, Reached]]) -> str:
    """What stands in the brackets of a table of figures, and what an AUC below 0.5 is where there is one."""
    from pathview.training.measures.evaluate import ABOUT_WHY_NOT

    told = [(name, found) for figures in metrics for name, found in figures.items()]
    missing = {found.why_not for _, found in told}
    below = any(name == "auc" and found.value < 0.5 for name, found in told)
    why = [words for why, words in ABOUT_WHY_NOT.items() if why in missing]
    return " ".join([_INTERVALS, *why, *([BELOW_HALF] if below else [])])


class FiguresView(QWidget):
    """A row a figure: the model, then each model and baseline that was measured on the same images."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.verdict = wrapped("", "verdict")
        self.about = wrapped("", "dim")
        self.table = Table("Figures on the locked test patients", whole=True)
        self.peers = wrapped()
        self.notices = wrapped("", "dim")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.verdict, self.about, self.table, self.peers, self.notices):
            layout.addWidget(part)
        layout.addStretch(1)

    def show_result(self, result: Result, notices: str) -> None:
        """Show the figures of a result, and what must not be overlooked beside them."""
        peers = (*result.baselines, *((result.base,) if result.base else ()))
        self.verdict.setText(verdict(result))
        self.about.setText(
            f"{count(result.images, 'image')} of {count(result.patients, 'patient')} that training never saw. "
            f"{about_figures([result.metrics, *(peer.metrics for peer in peers)])}"
        )
        header = ["", "This model", *(_told(peer)[0] for peer in peers)]
        rows = [
            [words, figure(result.metrics[name]), *(figure(peer.metrics.get(name)) for peer in peers)]
            for name, words in FIGURES.items()
            if name in result.metrics
        ]
        self.table.fill(header, rows)
        self.peers.setText("\n".join(peer.sentence for peer in peers))
        self.notices.setText(notices)


def verdict(result: Result) -> str:
    """What a result comes to, in one sentence that does not flatter."""
    beaten = [peer for peer in result.baselines if peer.better]
    if not result.baselines:
        return "There is no baseline to compare with."
    if len(beaten) < len(result.baselines):
        lower = [_lower(peer) for peer in result.baselines if _is_lower(peer)]
        missing = [_told(peer)[1] for peer in result.baselines if not peer.better and not _is_lower(peer)]
        unshown = [f"That it is better than {' and '.join(missing)} is not shown on these patients."] if missing else []
        return " ".join([*lower, *unshown])
    if result.base is not None and not result.base.better:
        return f"Better than the plain baselines; that it is better than {result.base.name} is not shown."
    rest = f" and than {result.base.name}" if result.base is not None else ""
    return f"Better than the plain baselines{rest} on these patients."


def _is_lower(peer: Peer) -> bool:
    return peer.difference is not None and peer.difference.difference < 0


def _lower(peer: Peer) -> str:
    """Of a peer whose figure is higher than the model's."""
    from pathview.training.measures.comparing import FIGURE_WORDS

    found = peer.difference
    assert found is not None  # asked by the caller
    beside = f"{_told(peer)[1]} ({FIGURE_WORDS[found.figure]} {number(found.new)} against {number(found.present)})"
    return f"It is worse than {beside}." if peer.worse else f"Its figure is lower than that of {beside}."


def _told(peer: Peer) -> tuple[str, str]:
    plain = peer.name.replace("_", " ")
    return PEERS.get(peer.name, (plain, plain))


class ErrorsView(QWidget):
    """The confusion matrix, whose cells lead to their images, and the worst errors."""

    def __init__(self, draw: Draw) -> None:
        """Empty; ``draw``: see :class:`PictureStrip`."""
        super().__init__()
        note = "Images of the locked test patients."
        self.matrix = ConfusionPanel("images", note, "No image was called.")
        self.matrix.setFixedWidth(330)
        self.heading = wrapped("", "heading")
        self.heading.setIndent(0)
        self.worst = QPushButton("Worst errors")
        self.worst.clicked.connect(self.show_worst)
        self.strip = PictureStrip("Images of the chosen cell", draw)
        hint = wrapped("Arrows walk through the images, Enter shows one large.", "dim")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(column(self.matrix, row(self.worst)))
        layout.addWidget(column(self.heading, hint, last=self.strip), 1)
        self.matrix.cell_chosen.connect(self.show_cell)
        self._result: Result | None = None
        self._rows: tuple[Prediction, ...] = ()
        self._masks: Mapping[Path, tuple[Path, ...]] = {}

    def show_result(self, result: Result, rows: Sequence[Prediction], masks: Mapping[Path, tuple[Path, ...]]) -> None:
        """Show a result's errors.

        Args:
            result: of a model.
            rows: what it said of the test images.
            masks: true outlines, by image.
        """
        self._masks = masks
        self._result, self._rows = result, tuple(row for row in rows if row.part == "test")
        self.worst.setText("Worst outlines" if result.outlines else "Worst errors")
        self.matrix.show_confusion(Confusion(result.classes, result.confusion))
        self.show_worst()

    @Slot()
    def show_worst(self) -> None:
        """Show the images that the model was surest of and wrong about."""
        if self._result is None:
            return
        self.matrix.clear_choice()
        worst = self._result.worst
        nothing = "Nothing is called wrongly on these patients."
        worst_of = "worst outline" if self._result.outlines else "worst error"
        self.heading.setText(f"The {count(len(worst), worst_of)}" if worst else nothing)
        self._show(worst)

    @Slot(int, int)
    def show_cell(self, label: int, called: int) -> None:
        """Show the images of a cell, those that the model was surest of first."""
        from pathview.training.measures.figures import cell_of

        if self._result is None:
            return
        found, names = cell_of(self._rows, label, called), self._result.classes
        more = f", the first {len(self.strip.shown)}" if len(found) > len(self.strip.shown) > 0 else ""
        self.heading.setText(f"Given {names[label]}, called {names[called]}: {count(len(found), 'image')}{more}")
        self._show(found)

    def _show(self, found: Sequence[Prediction]) -> None:
        assert self._result is not None  # asked by the callers
        self.strip.show_images([_shown(one, self._result.classes, self._masks.get(one.file, ())) for one in found])


def _shown(one: Prediction, classes: Sequence[str], masks: tuple[Path, ...]) -> Shown:
    given, called = classes[one.label], classes[one.called]
    short = f"given {given}\ncalled {called}" if given != called else f"{given}, rightly"
    score = f"{100 * one.scores[one.called]:.0f} % sure" if one.dice is None else f"Dice {one.dice:.2f}"
    if one.dice is not None:
        short = f"Patient {one.patient}"
    told = f"Patient {one.patient}, given {given}, called {called}, {score}"
    return Shown(one.file, f"{short}\n{score}", told, masks)


class CurvesView(QWidget):
    """ROC, precision and recall, reliability, and how more patients would help."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.roc = Chart("ROC", "1 - specificity", "sensitivity")
        self.precision = Chart("Precision and recall", "recall", "precision")
        self.reliability = Chart("Reliability", "probability that it gives", "share that came true")
        self.learning = Chart("Learning curve", "training patients", "AUC (validation)")
        self.roc.place_legend((1.0, 1.0))
        self.precision.place_legend((0.0, 1.0))
        self.words = wrapped("", "dim")
        self._charts = (self.roc, self.precision, self.reliability, self.learning)
        self._grid = QGridLayout()
        for place, chart in enumerate(self._charts):
            self._grid.addWidget(chart, place // 2, place % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._grid, 1)
        layout.addWidget(self.words)

    def show_result(self, result: Result, tried: Trials | None, why_not: str) -> None:
        """Show the curves of a result, and of trials; ``why_not`` there are none."""
        learning = tried.curve if tried is not None else result.learning
        self.roc.show_drawing(_roc(result))
        self.precision.show_drawing(_precision(result.curves))
        self.reliability.show_drawing(reliability_drawing(result.reliability))
        self.learning.show_drawing(_learning(learning))
        self._lay_out()
        said = [] if result.curves else ["One of the two truths is missing, so there are no curves."]
        if result.reliability is None:
            said.append(
                "The score of a model that outlines is an area, no probability, so there is no reliability to show."
            )
        if tried is not None:
            said += [tried.sentence, *tried.notices]
        elif learning is not None:
            said.append(learning.sentence)
        elif result.outlines:
            said.append(why_not)
        self.words.setText(" ".join(said))

    def _lay_out(self) -> None:
        """Two charts a row, of those that show something; the last of an odd number is as wide as two."""
        shown = [chart for chart in self._charts if chart.drawing.lines]
        for chart in self._charts:
            self._grid.removeWidget(chart)
            chart.setVisible(chart in shown)
        for place, chart in enumerate(shown):
            alone = place == len(shown) - 1 and not place % 2
            self._grid.addWidget(chart, place // 2, place % 2, 1, 2 if alone else 1)


def _roc(result: Result) -> Drawing:
    found = result.metrics.get("auc")
    lines = [Line(name, curve.roc) for name, curve in result.curves.items()]
    return Drawing(lines, _DIAGONAL, words=f"AUC {figure(found)}" if found else "")


def _precision(curves: dict[str, Curves]) -> Drawing:
    lines = [Line(name, curve.precision_recall) for name, curve in curves.items()]
    said = ", ".join(f"{name}: average precision {number(curve.average_precision)}" for name, curve in curves.items())
    share = next(iter(curves.values())).share if len(curves) == 1 else None
    return Drawing(lines, ((0.0, share), (1.0, share)) if share is not None else (), words=said)


def reliability_drawing(found: Reliability | None, after: Reliability | None = None) -> Drawing:
    """A reliability diagram, with that after a calibration."""
    if found is None:
        return Drawing(guide=_DIAGONAL, words="There is none.")
    lines = [_reliability_line("as trained" if after else "", found)]
    said = f"Expected calibration error {number(found.ece)}"
    if after is not None:
        lines.append(_reliability_line("calibrated", after))
        said += f", {number(after.ece)} after calibration"
    return Drawing(lines, _DIAGONAL, words=said)


def _reliability_line(name: str, found: Reliability) -> Line:
    return Line(name, [(point.said, point.found) for point in found.points], marked=True)


def _learning(found: LearningCurve | None) -> Drawing:
    if found is None:
        return Drawing(words="There is none.")
    points = [(float(point.patients), point.value.value) for point in found.points]
    spans = [point.value.span or (point.value.value, point.value.value) for point in found.points]
    most = max(x for x, _ in points)
    of_auc = found.figure == "auc"
    return Drawing(
        [Line("", points, spans, marked=True)],
        ((0.0, 0.5), (most, 0.5)) if of_auc else (),
        words=found.sentence,
        range=((0.0, most), (min(0.4, *(low for low, _ in spans)) if of_auc else 0.0, 1.0)),
        y=f"{found.name} (validation)",
    )


class SubgroupsView(QWidget):
    """The figures of each scanner, magnification and density that the data name."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.said = wrapped("", "dim")
        self.table = Table("Figures by scanner, magnification and density")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.said)
        layout.addWidget(self.table, 20)
        layout.addStretch(1)

    def show_result(self, result: Result) -> None:
        """Show the subgroups of a result."""
        groups = result.subgroups
        self.table.setVisible(bool(groups))
        if not groups:
            self.said.setText("The data name no scanner, magnification or density, so there are no subgroups to tell.")
            return
        about = about_figures(group.metrics for group in groups)
        self.said.setText(f"A group of few patients has wide intervals or no figures. {about}")
        names = [name for name in ("dice", "auc", "sensitivity", "specificity") if name in result.metrics]
        header = ["", "", "Patients", "Images", *(FIGURES[name] for name in names), ""]
        rows = [
            [
                group.column,
                group.value or "not known",
                f"{group.patients:,}",
                f"{group.images:,}",
                *(figure(group.metrics.get(name)) for name in names),
                group.problem,
            ]
            for group in groups
        ]
        self.table.fill(header, rows)
