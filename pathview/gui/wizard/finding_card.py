"""One finding of the health check: its level as a word and a colour, its sentence, and its images where it has some."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from pathview.gui.wizard.parts import wrapped
from pathview.training.runs.plan import Finding, Level

LEVEL_WORDS: dict[Level, str] = {"red": "stops here", "amber": "look at this", "ok": "fine"}
_GAP = 18


class FindingCard(QFrame):
    """A level, a sentence, a button."""

    images_asked = Signal(object)
    """The finding whose images are wanted."""

    def __init__(self, finding: Finding) -> None:
        """Show a finding."""
        super().__init__()
        self.finding = finding
        self.setObjectName("finding")
        self.setProperty("level", finding.level)
        word = "advice" if finding.code == "advice" else LEVEL_WORDS[finding.level]
        level = QLabel(word)
        level.setObjectName("level")
        level.setProperty("level", finding.level)
        level.ensurePolished()
        level.setMinimumWidth(max(level.fontMetrics().horizontalAdvance(each) for each in LEVEL_WORDS.values()) + _GAP)
        self.sentence = wrapped(finding.sentence)
        self.sentence.setAccessibleName(f"{word}: {finding.sentence}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 7, 8, 7)
        layout.addWidget(level)
        layout.addWidget(self.sentence, 1)
        self.show_images: QPushButton | None = None
        if finding.files:
            button = QPushButton("Show images")
            button.setFlat(True)
            button.setAutoDefault(False)
            button.setAccessibleName(f"Show images: {finding.sentence}")
            button.clicked.connect(lambda: self.images_asked.emit(finding))
            layout.addWidget(button)
            self.show_images = button
