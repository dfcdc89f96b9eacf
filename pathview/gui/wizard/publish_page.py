"""Page 11: the model card, the comparison that decides, silent mode, versions, and the model as one file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication, QFileDialog, QFrame, QScrollArea, QSplitter, QTextBrowser, QWidget

from pathview.gui.theme import Theme
from pathview.gui.wizard.finished import Finished
from pathview.gui.wizard.finished_page import FinishedPage
from pathview.gui.wizard.parts import column
from pathview.gui.wizard.publish_parts import PublishBlock, TrustDialog, VersionsBlock
from pathview.gui.wizard.standing import (
    Deed,
    Standing,
    comparing,
    exporting,
    importing,
    publishing,
    read_standing,
    registering,
    rolling_back,
    silencing,
)
from pathview.gui.wizard.state import Run
from pathview.jobs import CancelToken, ProgressSink

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.models.archive import Archive
    from pathview.models.registry import Version

_FILES = "Models of PathView (*.pathview-model)"


class PublishPage(FinishedPage):
    """Publishing is refused unless the comparison says that it is better, or somebody signs for it."""

    name: ClassVar[str] = "publish"
    step: ClassVar[str] = "Publish"
    heading: ClassVar[str] = "Publish it, or keep the present model"

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing is known yet."""
        super().__init__(run, theme)
        self.standing: Standing | None = None
        self._told = ""
        self.offer.addStretch(1)
        self.block = PublishBlock()
        self.versions = VersionsBlock()
        self.card = QTextBrowser()
        self.card.setAccessibleName("Model card")
        self.card.setOpenLinks(False)
        self.deeds = QScrollArea()
        self.deeds.setObjectName("page")
        self.deeds.setWidgetResizable(True)
        self.deeds.setFrameShape(QFrame.Shape.NoFrame)
        self.deeds.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        held = column(self.block, last=self.versions, margins=2)
        held.setObjectName("page")
        self.deeds.setWidget(held)
        self._from: tuple[QWidget | None, QWidget | None] = (None, None)
        """Where the keys were when something was asked for, and where they went when its button was switched off."""
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.addWidget(self.deeds)
        parts.addWidget(self.card)
        parts.setSizes([560, 400])
        parts.setChildrenCollapsible(False)
        self.inner.addWidget(parts, 1)
        self._connect()

    def _connect(self) -> None:
        block, versions = self.block, self.versions
        block.register_asked.connect(self._register)
        block.compare_asked.connect(self._compare)
        block.publish_asked.connect(self._publish)
        block.silent_asked.connect(self._silence)
        versions.roll_back_asked.connect(self._roll_back)
        versions.export_asked.connect(self._ask_export)
        versions.import_asked.connect(self._ask_import)

    def take(self, finished: Finished) -> None:
        """Read how the model stands, too."""
        super().take(finished)
        if finished.trained:
            folder, handle = self.run.made, self.run.handle
            self.run.fetch(lambda *_: read_standing(folder, handle.get()), self._take_standing)

    def _take_standing(self, standing: Standing) -> None:
        self.standing = standing
        self.card.setMarkdown(shown_card(standing.card) or "*The card is written when it is kept as a version.*")
        self._show_blocks()
        self._stay()

    def _show_blocks(self) -> None:
        if self.standing is not None:
            self.block.show_standing(self.standing, self.finished, self.working)
            self.versions.show_standing(self.standing, self.working)

    def tell(self) -> None:
        """While something runs nothing else can be asked for."""
        super().tell()
        if getattr(self, "standing", None) is not None:
            self._show_blocks()

    # what somebody does

    def do(self, deed: Deed, said: str = "", done: Callable[[Any], None] | None = None) -> None:
        """Do something with the model, and read again how it stands."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return deed(self.run.handle.get(), progress, cancel)

        def finish(result: Any) -> None:
            self.versions.say("")
            if done is not None:
                done(result)
            self.reread()

        before = QApplication.focusWidget()
        self.start(work, finish, said)
        self._from = before, QApplication.focusWidget()

    def _stay(self) -> None:
        """Bring the keys back to where the reader was, unless they went elsewhere; else to what was done there."""
        (was, went), self._from = self._from, (None, None)
        if was is None or QApplication.focusWidget() not in (None, was, went):
            return
        if not (was.isEnabled() and was.isVisible()):
            done: dict[QWidget, QWidget] = {
                self.block.register: self.block.version,
                self.versions.back: self.versions.about,
            }
            was = done.get(was, self.block.about_publish)
        was.setFocus()
        self._see(was)

    def fail(self, words: str) -> None:
        """The keys stay, too."""
        super().fail(words)
        self._stay()

    @property
    def _version(self) -> Version:
        assert self.standing is not None  # the buttons are off
        assert self.standing.version is not None
        return self.standing.version

    @Slot()
    def _register(self) -> None:
        self.do(registering(self.run.made), "measuring what it was trained on")

    @Slot(object)
    def _compare(self, margin: float | None) -> None:
        self.do(comparing(self.run.made, self._version, margin), "comparing on the locked test patients")

    @Slot(str, str)
    def _publish(self, who: str, why: str) -> None:
        from pathview.training.runs.plan import Override

        override = Override(who=who, why=why) if why else None
        self.do(publishing(self.run.made, self._version, override), "publishing", self._published)

    def _published(self, _: Any) -> None:
        self.block.forget_signature()
        self.run.models_changed.emit()

    @Slot(bool)
    def _silence(self, end: bool) -> None:
        self.do(silencing(self._version, end))

    @Slot(str)
    def _roll_back(self, why: str) -> None:
        assert self.standing is not None
        self.do(rolling_back(self.standing.name, why), "", self._rolled_back)

    def _rolled_back(self, _: Any) -> None:
        self.versions.why.clear()
        self.run.models_changed.emit()

    @Slot()
    def _ask_export(self) -> None:
        version = self._version
        path, _ = QFileDialog.getSaveFileName(self, "Write the model as one file", file_name(version), _FILES)
        if path:
            self.export(Path(path))

    def export(self, target: Path) -> None:
        """Write the version as one signed file."""

        def done(archive: Archive) -> None:
            self._say(
                f"Whoever imports the file is asked to trust the key {archive.fingerprint}: tell them these digits by "
                "another way. Written to:",
                str(target.absolute()),
            )

        self.do(exporting(self._version, target), "writing the file", done)

    def _say(self, words: str, written: str = "") -> None:
        self.versions.say(words, written)
        self._see(self.versions.written if written else self.versions.said)

    def _see(self, part: QWidget) -> None:
        QTimer.singleShot(0, self, lambda: self.deeds.ensureWidgetVisible(part))  # once it is laid out

    @Slot()
    def _ask_import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Take in a model of another machine", "", _FILES)
        if path:
            self.take_in(Path(path))

    def take_in(self, source: Path, trusting: str = "") -> None:
        """Take in the model of a file; whose key nobody here trusts yet is asked about."""
        from pathview.models.archive import UnknownKey

        def done(version: Version) -> None:
            self._say(f"It is {version.words}, and not used before it is published.")

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            try:
                return importing(source, trusting)(self.run.handle.get(), progress, cancel)
            except UnknownKey as error:
                return error

        def finish(result: Any) -> None:
            if isinstance(result, UnknownKey):
                self._ask_trust(source, result.archive)
            else:
                done(result)
                self.reread()

        self.start(work, finish, "taking the model in")

    def _ask_trust(self, source: Path, archive: Archive) -> None:
        asked = TrustDialog(archive.words, archive.fingerprint, self)
        asked.accepted.connect(lambda: self.take_in(source, archive.fingerprint))
        asked.open()

    def closing_words(self) -> str:
        """Nothing is half done."""
        return "Something still runs. If the wizard is closed it is stopped, and the present model stays."


def shown_card(card: str) -> str:
    """A card as the narrow column of the page shows it: small headings, and no table that begins with empty cells."""
    first = r"^\| \| \|\n(\|---\|---\|)\n(\|.*\|)$"
    return re.sub(r"^#+ ", "#### ", re.sub(first, r"\2\n\1", card, flags=re.MULTILINE), flags=re.MULTILINE)


def file_name(version: Version) -> str:
    """What the file of a version is called unless somebody names it otherwise."""
    title = re.sub(r"[^\w]+", "-", version.title.lower()).strip("-")[:60]
    return f"{version.name}-{version.number}{f'-{title}' if title else ''}.pathview-model"
