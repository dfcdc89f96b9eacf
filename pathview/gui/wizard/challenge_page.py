"""Page 10: trying to show that the model learnt nothing, and how often the test patients were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout

from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import dim, strong
from pathview.gui.wizard.finished_page import FinishedPage
from pathview.gui.wizard.parts import Table, row, wrapped
from pathview.gui.wizard.state import Run

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.challenge import Challenge, Kind
    from pathview.training.runs.locked_uses import UseOfTest
    from pathview.training.runs.plan import Level

_KINDS: dict[Kind, tuple[str, str]] = {
    "label_shuffle": (
        "Shuffled labels",
        "A head is fitted on labels that were dealt out anew. If it does well all the same, the truth reaches it by "
        "another way than the images.",
    ),
    "blank_image": (
        "Blank images",
        "Black, grey, white and the mean colour. Nothing is to be seen there, so nothing may be found.",
    ),
    "randomised_weights": (
        "Randomised weights",
        "Heat maps of a network with random weights must look different, or they show the image and not what was "
        "learnt.",
    ),
}
_OF_OUTLINES = (
    "A model that outlines has no head to fit anew. Where trials were trained, one of them learnt from other patients' "
    "outlines; else the model's own are compared with lesions of other patients. Doing as well on them is outlining a "
    "usual place."
)
"""What takes the place of shuffled labels."""
_VERDICTS: dict[bool | None, tuple[str, Level]] = {
    True: ("passed", "ok"),
    False: ("failed", "red"),
    None: ("cannot be asked", "amber"),
}
_NOT_YET = ("not challenged yet", "amber")
_FIRST = "Challenge the model first; it takes about as long as looking at its result."


class ChallengePage(FinishedPage):
    """A card for each challenge; all of them leave the test patients closed."""

    name: ClassVar[str] = "challenge"
    step: ClassVar[str] = "Challenge"
    heading: ClassVar[str] = "Try to show that it learnt nothing"
    words: ClassVar[str] = "On training and validation patients only. The verdicts stand on the model card."

    def __init__(self, run: Run, theme: Theme) -> None:
        """Not challenged yet."""
        super().__init__(run, theme)
        self.offer.addStretch(1)
        self.cards = {kind: ChallengeCard(*told) for kind, told in _KINDS.items()}
        self.begin = QPushButton("Challen&ge it")
        self.begin.setObjectName("primary")
        self.begin.clicked.connect(self.challenge)
        self.about_uses = wrapped()
        self.uses = Table("Looks at the locked test patients", whole=True)
        for card in self.cards.values():
            self.inner.addWidget(card)
        self.inner.addWidget(row(self.begin))
        self.inner.addWidget(strong("Looks at the locked test patients"))
        self.inner.addWidget(self.about_uses)
        self.inner.addWidget(self.uses)
        self.inner.addStretch(1)

    def show_finished(self) -> None:
        """Show verdicts and looks."""
        found, manifest = self.finished.challenges, self.finished.manifest
        outlines = manifest is not None and not manifest.recipe.classifies
        self.cards["label_shuffle"].about.setText(_OF_OUTLINES if outlines else _KINDS["label_shuffle"][1])
        by_kind = {one.kind: one for one in found.challenges} if found is not None else {}
        for kind, card in self.cards.items():
            card.show_challenge(by_kind.get(kind))
        self.begin.setText("Challen&ge it again" if found is not None else "Challen&ge it")
        self.about_uses.setText(self.finished.about_uses)
        self.uses.setVisible(bool(self.finished.uses))
        self.uses.fill(("", "When", "Who", "What for", "Model"), [_line(use) for use in self.finished.uses])

    def problem(self) -> str:
        """A model is not published unchallenged."""
        return super().problem() or ("" if self.finished.challenges is not None else _FIRST)

    @Slot()
    def challenge(self) -> None:
        """Challenge the model, and keep what it came to."""
        from pathview.training.judging.challenge import challenge_model

        self.start(self.run.in_child(challenge_model, self.run.made), self._done, "challenging the model")

    def tell(self) -> None:
        """While it runs it cannot be asked for again."""
        super().tell()
        if hasattr(self, "begin"):
            self.begin.setEnabled(not self.working)

    def _done(self, _: Any) -> None:
        self.reread()


class ChallengeCard(QFrame):
    """One challenge: what it is, and how the model stood it."""

    def __init__(self, title: str, about: str) -> None:
        """Not challenged yet."""
        super().__init__()
        self.setObjectName("finding")
        self._title = title
        self.verdict = wrapped("", "level")
        self.verdict.setWordWrap(False)
        self.about = dim(about)
        """What is tried."""
        self.sentence = wrapped()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(4)
        name = strong(title)
        name.setWordWrap(False)
        layout.addWidget(row(name, self.verdict))
        layout.addWidget(self.about)
        layout.addWidget(self.sentence)
        self.show_challenge(None)

    def show_challenge(self, found: Challenge | None) -> None:
        """Show a verdict; None: there is none yet."""
        said, level = _VERDICTS[found.passed] if found is not None else _NOT_YET
        self.verdict.setText(said)
        for part in (self, self.verdict):
            part.setProperty("level", level)
            part.style().unpolish(part)
            part.style().polish(part)
        self.sentence.setText(found.sentence if found is not None else "")
        self.sentence.setVisible(found is not None)
        self.setAccessibleName(f"{self._title}: {said}. {self.sentence.text()}")


def _line(use: UseOfTest) -> tuple[str, ...]:
    when = use.at.replace("T", " ").replace("+00:00", " UTC")
    return str(use.number), when, use.who, use.purpose, use.model[:12]
