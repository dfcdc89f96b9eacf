"""Page 11: the model card, the comparison that decides, silent mode, versions, and the model as one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFileDialog, QSplitter, QTextBrowser

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
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.addWidget(column(self.block, last=self.versions, margins=2))
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
        self.card.setMarkdown(standing.card or "*The card is written when the model is kept as a version.*")
        self._show_blocks()

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

    def _changed(self, _: Any) -> None:
        self.run.models_changed.emit()

    def do(self, deed: Deed, said: str = "", done: Callable[[Any], None] | None = None) -> None:
        """Do something with the model, and read again how it stands."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return deed(self.run.handle.get(), progress, cancel)

        def finish(result: Any) -> None:
            self.block.say("")
            if done is not None:
                done(result)
            self.reread()

        self.start(work, finish, said)

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
        self.do(publishing(self.run.made, self._version, override), "publishing", self._changed)

    @Slot(bool)
    def _silence(self, end: bool) -> None:
        self.do(silencing(self._version, end))

    @Slot(str)
    def _roll_back(self, why: str) -> None:
        assert self.standing is not None
        self.do(rolling_back(self.standing.name, why), "", self._changed)

    @Slot()
    def _ask_export(self) -> None:
        version = self._version
        name = f"{version.name}-{version.number}.pathview-model"
        path, _ = QFileDialog.getSaveFileName(self, "Write the model as one file", name, _FILES)
        if path:
            self.export(Path(path))

    def export(self, target: Path) -> None:
        """Write the version as one signed file."""

        def done(archive: Archive) -> None:
            self.block.say(
                f"Written to {target.name}. Whoever imports it is asked to trust the key {archive.fingerprint}: tell "
                "them these digits by another way."
            )

        self.do(exporting(self._version, target), "writing the file", done)

    @Slot()
    def _ask_import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Take in a model of another machine", "", _FILES)
        if path:
            self.take_in(Path(path))

    def take_in(self, source: Path, trusting: str = "") -> None:
        """Take in the model of a file; whose key nobody here trusts yet is asked about."""
        from pathview.models.archive import UnknownKey

        def done(version: Version) -> None:
            self.block.say(f"It is {version.words}, and not used before it is published.")

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
