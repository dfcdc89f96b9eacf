"""Blocks of the last page: version, comparison and publishing; the versions that there are; and trust in a key."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.panels.decimal_box import DecimalBox
from pathview.gui.wizard.base_page import strong
from pathview.gui.wizard.finished import Finished
from pathview.gui.wizard.parts import Table, row, wrapped
from pathview.gui.wizard.standing import Standing, VersionLine

_MARGIN = 0.02
_TITLE = 2
"""Column of the versions that takes what room is left."""
_NOT_KEPT = "Not kept as a version yet. A version is never changed again, and is not used before it is published."
_NOT_COMPARED = "Not compared yet. Both models are measured on the same locked patients; the look is counted."
_REFUSED = "So it is not published, unless somebody signs for it."
_UNCHALLENGED = "It was not challenged."
_SILENT = "In silent mode it sees every image that the present model sees; what it says is kept and shown nowhere."


class PublishBlock(QWidget):
    """From a training to the model that analyses images, a step below the other."""

    register_asked = Signal()
    compare_asked = Signal(object)
    """By how much it may be worse, or None."""
    publish_asked = Signal(str, str)
    """Who signs, and why; the reason is empty where the comparison says that it is better."""
    silent_asked = Signal(bool)
    """Whether it is to end."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        super().__init__()
        self._who = ""
        self._silent = False
        self.version = wrapped(_NOT_KEPT)
        self.register = QPushButton("&Keep as a version")
        self.comparison = wrapped(_NOT_COMPARED)
        self.verdict = wrapped("", "dim")
        self.compare = QPushButton("C&ompare with the present model")
        self.with_margin = QCheckBox("Enough if it is at most")
        self.margin = DecimalBox()
        self.margin.setRange(0.001, 0.1)
        self.margin.setDecimals(3)
        self.margin.setSingleStep(0.005)
        self.margin.setValue(_MARGIN)
        self.margin.setAccessibleName("By how much it may be worse")
        self.margin.setEnabled(False)
        self.about_publish = wrapped()
        """What it analyses once it is published, or now."""
        self.challenged = wrapped("", "problem")
        """What the challenges say against it."""
        self.publish = QPushButton("Publis&h")
        self.override = QCheckBox("Publish it whatever the comparison says, and &sign for it")
        self.who = QLineEdit()
        self.who.setAccessibleName("Who signs")
        self.why = QLineEdit()
        self.why.setAccessibleName("Why it is published all the same")
        self.why.setPlaceholderText("stands on the model card")
        self.signing = QWidget()
        self.silent = QPushButton("")
        self.about_silent = wrapped(_SILENT, "dim")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        form = QFormLayout(self.signing)
        form.setContentsMargins(22, 0, 0, 0)
        form.addRow("Who", self.who)
        form.addRow("Why", self.why)
        self.signing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(6)
        layout.addWidget(strong("Version"))
        layout.addWidget(self.version)
        layout.addWidget(row(self.register))
        layout.addWidget(strong("Against the present model"))
        layout.addWidget(self.comparison)
        layout.addWidget(self.verdict)
        worse = wrapped("worse")
        worse.setWordWrap(False)
        layout.addWidget(row(self.compare))
        layout.addWidget(row(self.with_margin, self.margin, worse))
        layout.addWidget(strong("Publish"))
        layout.addWidget(self.about_publish)
        layout.addWidget(self.challenged)
        layout.addWidget(self.override)
        layout.addWidget(self.signing)
        layout.addWidget(row(self.publish, self.silent))
        layout.addWidget(self.about_silent)

    def _connect(self) -> None:
        self.register.clicked.connect(self.register_asked)
        self.compare.clicked.connect(self._compare)
        self.with_margin.toggled.connect(self.margin.setEnabled)
        self.publish.clicked.connect(self._publish)
        self.silent.clicked.connect(lambda: self.silent_asked.emit(self._silent))
        self.override.toggled.connect(self.signing.setVisible)
        self.override.toggled.connect(self._show_publish)
        for line in (self.who, self.why):
            line.textChanged.connect(self._show_publish)

    def show_standing(self, standing: Standing, finished: Finished, working: bool) -> None:
        """Show how far it is, and what can be done next."""
        version, found = standing.version, finished.comparison
        self._free = not working and version is not None and not standing.done
        self._promotes = found is not None and found.promotes
        self._silent = bool(standing.silent_beside)
        if self._who != standing.reader:
            self._who = standing.reader
            self.who.setText(standing.reader)
        self.version.setText(_version_words(standing))
        _lead(self.register, version is None)
        self.register.setVisible(version is None)
        self.register.setEnabled(not working)
        self.comparison.setText(_not_compared(standing) if found is None else found.sentence)
        self.verdict.setText("" if found is None or found.promotes or standing.is_present else _REFUSED)
        self.verdict.setVisible(bool(self.verdict.text()))
        self.compare.setText("C&ompare again" if found is not None else "C&ompare with the present model")
        self.compare.setEnabled(self._free)
        _lead(self.compare, self._free and found is None)
        self.with_margin.setEnabled(self._free)
        self.about_publish.setText(_use_words(standing))
        self.challenged.setText(against_it(finished))
        self.challenged.setVisible(bool(self.challenged.text()))
        self.override.setVisible(not standing.done and not self._promotes)
        self.override.setEnabled(self._free)
        self.silent.setText("End silent mode" if self._silent else "&Run silently first")
        self.silent.setEnabled(self._free and (self._silent or bool(standing.rival)))
        self.about_silent.setText("\n".join(standing.silent_said) or _SILENT)
        self._show_publish()

    def forget_signature(self) -> None:
        """What was signed once is not signed again by the next click."""
        self.override.setChecked(False)
        self.why.clear()

    _free = False
    _promotes = False

    @Slot()
    def _show_publish(self) -> None:
        signed = self.override.isChecked() and not self.override.isHidden()
        self.signing.setVisible(signed)
        enough = bool(self.who.text().strip() and self.why.text().strip()) if signed else self._promotes
        self.publish.setEnabled(self._free and enough)
        self.publish.setText("Sign and publis&h" if signed else "Publis&h")
        wanted = "Who and why are wanted" if signed else _REFUSED
        self.publish.setToolTip(wanted if self._free and not enough else "")
        _lead(self.publish, self._free and enough)

    @Slot()
    def _compare(self) -> None:
        self.compare_asked.emit(self.margin.value() if self.with_margin.isChecked() else None)

    @Slot()
    def _publish(self) -> None:
        signed = self.override.isChecked() and not self.override.isHidden()
        why = self.why.text().strip() if signed else ""
        self.publish_asked.emit(self.who.text().strip(), why)


def against_it(finished: Finished) -> str:
    """What the challenges say against a model, for whoever signs; empty: nothing."""
    if finished.challenges is None:
        return _UNCHALLENGED
    return "\n".join([finished.doubt, *(one.sentence for one in finished.failed)])


def _not_compared(standing: Standing) -> str:
    if standing.done:
        return "No comparison is kept here; the card tells how it was published."
    against = standing.rival or "the best plain baseline, since there is no model in its place yet"
    return f"{_NOT_COMPARED} It would be against {against}."


def _use_words(standing: Standing) -> str:
    """What is analysed by it, now or once it is published."""
    now = f"It is published: {standing.use}." if standing.is_present else ""
    then = f"{'Published again' if now else 'Once it is published'}, {standing.would}." if standing.would else ""
    return " ".join(words for words in (now, then) if words)


def _version_words(standing: Standing) -> str:
    version = standing.version
    if version is None:
        return _NOT_KEPT
    words = f"{version.words[:1].upper()}{version.words[1:]}"
    if standing.is_present:
        return f"{words} is published."
    if standing.silent_beside:
        return f"{words} runs silently beside {standing.silent_beside}."
    return f"{words} is kept, and not used."


def _lead(button: QPushButton, leads: bool) -> None:
    """Let a button be the one that comes next, or one among others."""
    name = "primary" if leads else ""
    if button.objectName() != name:
        button.setObjectName(name)
        button.style().unpolish(button)
        button.style().polish(button)


class VersionsBlock(QWidget):
    """The versions of the model's name; going back, and the model as one file."""

    roll_back_asked = Signal(str)
    """Why."""
    export_asked = Signal()
    import_asked = Signal()

    def __init__(self) -> None:
        """No version yet."""
        super().__init__()
        self.heading = strong("Versions")
        self.none = wrapped("There is no version yet.", "dim")
        self.table = Table("Versions of this model", whole=True)
        self.table.setWordWrap(False)  # a long title is cut in its cell: the whole stands below, and in the tool tip
        self.about = wrapped()
        """The version that is chosen in the table: where it is from, and what was done with it last."""
        self.back = QPushButton("Ro&ll back")
        self.after = wrapped("", "dim")
        """What going back leads to, where the button has no room for it."""
        self.why = QLineEdit()
        self.why.setAccessibleName("Why it is gone back to what was before")
        self.why.setPlaceholderText("why, for the card")
        self.why.setMinimumWidth(150)
        self.export = QPushButton("&Export...")
        self.take_in = QPushButton("&Import...")
        self.said = wrapped("", "result")
        self.written = QLineEdit()
        self.written.setAccessibleName("File that was written")
        self.written.setReadOnly(True)
        self._lay_out()
        self.say("")
        self.table.currentCellChanged.connect(self._show_about)
        self.back.clicked.connect(lambda: self.roll_back_asked.emit(self.why.text().strip()))
        self.export.clicked.connect(self.export_asked)
        self.take_in.clicked.connect(self.import_asked)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(6)
        back = row(self.back, self.why, stretch=False)
        parts = (self.heading, self.none, self.table, self.about, self.after, back)
        for part in (*parts, row(self.export, self.take_in), self.said, self.written):
            layout.addWidget(part)
        layout.addStretch(1)

    def say(self, words: str, written: str = "") -> None:
        """Say what was done; ``written``: whole path of a file that there is now."""
        self.said.setText(words)
        self.said.setVisible(bool(words))
        self.written.setText(written)
        self.written.setToolTip(written)
        self.written.setVisible(bool(written))

    def show_standing(self, standing: Standing, working: bool) -> None:
        """Show the versions, the newest first."""
        self.heading.setText(f"Versions of {standing.name}")
        self._lines = standing.lines
        lines = [(str(line.number), line.state, line.title, line.when) for line in standing.lines]
        self.none.setVisible(not lines)
        self.table.setVisible(bool(lines))
        if self.table.texts() != [list(line) for line in lines]:
            self._fill(lines)
        self._show_about()
        self._show_way_back(standing, working)
        self.export.setEnabled(not working and standing.version is not None)
        self.take_in.setEnabled(not working)

    _lines: tuple[VersionLine, ...] = ()

    def _fill(self, lines: Sequence[tuple[str, ...]]) -> None:
        self.table.fill(("", "Now", "Training", "When"), lines)
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(_TITLE, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(len(lines[0]) - 1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setCurrentCell(0, 0)

    @Slot()
    def _show_about(self) -> None:
        chosen = self.table.currentRow()
        self.about.setText(self._lines[chosen].about if 0 <= chosen < len(self._lines) else "")
        self.about.setVisible(bool(self.about.text()))

    def _show_way_back(self, standing: Standing, working: bool) -> None:
        withdraws = standing.earlier == 0
        for part in (self.back, self.why):
            part.setVisible(standing.earlier is not None)
        self.back.setEnabled(not working)
        self.back.setText(
            f"&Withdraw version {standing.present}" if withdraws else f"Ro&ll back to version {standing.earlier}"
        )
        self.after.setVisible(withdraws)
        after = standing.after or f"no version of {standing.name} is used"
        self.after.setText(f"Once version {standing.present} is withdrawn, {after}.")


class TrustDialog(QDialog):
    """Somebody else's key is trusted by typing its digits as they came by another way."""

    def __init__(self, said: str, fingerprint: str, parent: QWidget | None = None) -> None:
        """``said``: whose model it is; ``fingerprint``: the digits that the file has."""
        super().__init__(parent)
        self.setWindowTitle("Trust this key?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._wanted = fingerprint
        asked = wrapped(
            f"{said} Nobody here trusts this key yet. Ask its owner for the digits by another way than the file came "
            "by, and type them here: it is trusted only if they are the same."
        )
        self.digits = QLineEdit()
        self.digits.setAccessibleName("Digits of the key, as its owner says them")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.trust = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.trust.setText("&Trust and import")
        for button in buttons.buttons():
            button.setIcon(QIcon())  # the style's own are dark on dark
        self.trust.setEnabled(False)
        self.digits.textChanged.connect(self._check)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(asked)
        layout.addWidget(self.digits)
        layout.addWidget(buttons)
        self.setMinimumWidth(460)

    @Slot()
    def _check(self) -> None:
        from pathview.models.signing import same_fingerprint

        self.trust.setEnabled(same_fingerprint(self.digits.text(), self._wanted))
