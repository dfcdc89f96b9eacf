"""Page 5: are the data fit to learn from? Red findings stop here, amber ones explain; then the advice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from pathview.gui.job_runner import Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim, strong
from pathview.gui.wizard.finding_card import FindingCard
from pathview.gui.wizard.parts import count, wrapped
from pathview.gui.wizard.picture_strip import PictureStrip, Rgb8, Shown
from pathview.gui.wizard.state import Known, Run, read_known
from pathview.jobs import CancelToken, ProgressSink
from pathview.training.preparing.health import check_health
from pathview.training.preparing.inspect import thumbnails
from pathview.training.runs.plan import Finding, Health

_STRIP = 190


class HealthPage(BasePage):
    """Findings below each other, the worst first; images of the one that is asked for."""

    name = "health"
    step = "Health check"
    heading = "Can these data teach a model honestly?"
    words = "Red findings stop here. Amber ones are no obstacle, but belong beside every figure that comes of this."

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing checked yet."""
        super().__init__(run, theme)
        self.verdict = wrapped("", "verdict")
        self.again = QPushButton("Chec&k again")
        self.again.setAutoDefault(False)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(6)
        self.cards: list[FindingCard] = []
        self._baseline_title = strong("A baseline that knows nothing but colour")
        self._advice_title = strong("Advice")
        self._apart = {"mean_colour": QVBoxLayout(), "advice": QVBoxLayout()}
        self._about = dim("")
        self.strip = PictureStrip("Images of the finding", self._draw)
        self.strip.setFixedHeight(_STRIP)
        self._empty = QLabel("")
        self._lay_parts()
        self._shown: Health | None = None
        self.again.clicked.connect(self.check)

    def _lay_parts(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.verdict, 1)
        top.addWidget(self.again, 0, Qt.AlignmentFlag.AlignRight)
        self.body.addLayout(top)
        self.body.addWidget(self._empty)
        self.body.addLayout(self._cards)
        self.body.addWidget(self._about)
        self.body.addWidget(self.strip)
        for title, place in zip((self._baseline_title, self._advice_title), self._apart.values(), strict=True):
            self.body.addWidget(title)
            self.body.addLayout(place)
        self.body.addStretch(1)

    # what is shown

    def enter(self) -> None:
        """Check anew where data, labels or split are others than those that were checked."""
        self._hide_images()
        known = self.run.known
        if known.begun and known.health is not None:
            return
        self.check()

    def refresh(self) -> None:
        """Show what was found."""
        health = self.run.known.health
        there = health is not None
        self.verdict.setVisible(there)
        for title, code in ((self._baseline_title, "mean_colour"), (self._advice_title, "advice")):
            title.setVisible(health is not None and health.found(code) is not None)
        self._empty.setVisible(not there)
        self._empty.setText("" if there else "Checking ..." if self.working else "Nothing was checked yet.")
        if health is None or health is self._shown:
            return
        self._shown = health
        self.verdict.setText(_verdict(health))
        self._fill(health)

    def _fill(self, health: Health) -> None:
        for card in self.cards:
            card.hide()
            card.deleteLater()
        self.cards = [FindingCard(finding) for finding in health.findings]
        for card in self.cards:
            self._apart.get(card.finding.code, self._cards).addWidget(card)
            card.images_asked.connect(self._show_images)

    # images of a finding

    @Slot(object)
    def _show_images(self, finding: Finding) -> None:
        rows = {row.file: row for row in self.run.rows}
        shown = [
            Shown(row.file, f"{row.label}\n{row.patient}", f"{row.file.name}, {row.label}, {row.patient}", row.masks)
            for file in finding.files
            if (row := rows.get(file)) is not None
        ]
        self._about.setText(f"Images of: {finding.sentence}")
        self._about.show()
        self.strip.show()
        self.strip.show_images(shown)
        self.strip.setFocus()
        self.scrolled.ensureWidgetVisible(self.strip)

    def _hide_images(self) -> None:
        self._about.hide()
        self.strip.hide()

    def _draw(self, images: Sequence[Shown], side: int, done: Callable[[Rgb8], None]) -> None:
        files = [(one.file, one.masks) for one in images]
        self.run.fetch(self.run.in_opener(thumbnails, files, side), done)

    # checking

    @Slot()
    def check(self) -> None:
        """Check data and split."""
        self.start(self._checking(), self._take, "checking the data")
        self.refresh()

    def _checking(self) -> Work:
        run, folder = self.run, self.run.made

        def work(progress: ProgressSink, cancel: CancelToken) -> Known:
            run.in_child(check_health, folder)(progress, cancel)
            return read_known(folder)

        return run.kept_first(work)

    def _take(self, known: Known) -> None:
        self._hide_images()
        self.run.take_known(known)

    def problem(self) -> str:
        """The first red finding."""
        health = self.run.known.health
        if health is None:
            return "The data are not checked yet."
        red = [finding for finding in health.findings if finding.level == "red"]
        return red[0].sentence if red else ""


def _verdict(health: Health) -> str:
    red = sum(finding.level == "red" for finding in health.findings)
    amber = sum(finding.level == "amber" for finding in health.findings)
    if red:
        return f"{count(red, 'finding')} stop{'s' if red == 1 else ''} here."
    return f"Nothing stops here; {count(amber, 'finding')} to know of." if amber else "Nothing to object to."
