"""Blocks of the last page: version, comparison and publishing; the versions that there are; and trust in a key."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.panels.decimal_box import DecimalBox
from pathview.gui.wizard.base_page import strong
from pathview.gui.wizard.finished import Finished
from pathview.gui.wizard.parts import Table, row, wrapped
from pathview.gui.wizard.standing import Standing

_MARGIN = 0.02
_NOT_KEPT = "Not kept as a version yet. A version is never changed again, and is not used before it is published."
_NOT_COMPARED = "Not compared yet. Both models are measured on the same locked patients; the look is counted."
_REFUSED = "So it is not published, unless somebody signs for it."
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
        self.publish = QPushButton("&Publish")
        self.override = QCheckBox("Publish it whatever the comparison says, and &sign for it")
        self.who = QLineEdit()
        self.who.setAccessibleName("Who signs")
        self.why = QLineEdit()
        self.why.setAccessibleName("Why it is published all the same")
        self.why.setPlaceholderText("stands on the model card")
        self.signing = QWidget()
        self.silent = QPushButton("")
        self.about_silent = wrapped(_SILENT, "dim")
        self.said = wrapped("", "result")
        self._lay_out()
        self._connect()
        self.say("")

    def _lay_out(self) -> None:
        form = QFormLayout(self.signing)
        form.setContentsMargins(22, 0, 0, 0)
        form.addRow("Who", self.who)
        form.addRow("Why", self.why)
        self.signing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(6)
        layout.addWidget(self.said)
        layout.addWidget(strong("Version"))
        layout.addWidget(self.version)
        layout.addWidget(row(self.register))
        layout.addWidget(strong("Against the present model"))
        layout.addWidget(self.comparison)
        layout.addWidget(self.verdict)
        worse = wrapped("worse")
        worse.setWordWrap(False)
        layout.addWidget(row(self.compare, self.with_margin, self.margin, worse))
        layout.addWidget(strong("Publish"))
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

    def say(self, words: str) -> None:
        """Say what was done."""
        self.said.setText(words)
        self.said.setVisible(bool(words))

    def show_standing(self, standing: Standing, finished: Finished, working: bool) -> None:
        """Show how far it is, and what can be done next."""
        version, found = standing.version, finished.comparison
        self._free = not working and version is not None and not standing.is_present
        self._promotes = found is not None and found.promotes
        self._silent = bool(standing.silent_beside)
        if self._who != standing.reader:
            self._who = standing.reader
            self.who.setText(standing.reader)
        self.version.setText(_version_words(standing))
        _lead(self.register, version is None)
        self.register.setVisible(version is None)
        self.register.setEnabled(not working)
        against = standing.rival or "the best plain baseline, since there is no model in its place yet"
        not_compared = f"{_NOT_COMPARED} It would be against {against}."
        self.comparison.setText(not_compared if found is None else found.sentence)
        self.verdict.setText("" if found is None or found.promotes else _REFUSED)
        self.verdict.setVisible(bool(self.verdict.text()))
        self.compare.setText("C&ompare again" if found is not None else "C&ompare with the present model")
        self.compare.setEnabled(self._free)
        _lead(self.compare, version is not None and found is None and not standing.is_present)
        self.with_margin.setEnabled(self._free)
        self.override.setVisible(not standing.is_present and not self._promotes)
        self.override.setEnabled(self._free)
        self.silent.setText("End silent mode" if self._silent else "&Run silently first")
        self.silent.setEnabled(self._free and (self._silent or bool(standing.rival)))
        self.about_silent.setText("\n".join(standing.silent_said) or _SILENT)
        self._show_publish()

    _free = False
    _promotes = False

    @Slot()
    def _show_publish(self) -> None:
        signed = self.override.isChecked() and not self.override.isHidden()
        self.signing.setVisible(signed)
        enough = bool(self.who.text().strip() and self.why.text().strip()) if signed else self._promotes
        self.publish.setEnabled(self._free and enough)
        self.publish.setText("Sign and &publish" if signed else "&Publish")
        self.publish.setToolTip("" if enough else "Who and why are wanted" if signed else _REFUSED)
        _lead(self.publish, self._free and enough)

    @Slot()
    def _compare(self) -> None:
        self.compare_asked.emit(self.margin.value() if self.with_margin.isChecked() else None)

    @Slot()
    def _publish(self) -> None:
        signed = self.override.isChecked() and not self.override.isHidden()
        why = self.why.text().strip() if signed else ""
        self.publish_asked.emit(self.who.text().strip(), why)


def _version_words(standing: Standing) -> str:
    version = standing.version
    if version is None:
        return _NOT_KEPT
    words = f"{version.words[:1].upper()}{version.words[1:]}"
    if standing.is_present:
        return f"{words} is published: it analyses images from now on."
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
        self.table = Table("Versions of this model")
        self.table.setMinimumHeight(96)
        self.back = QPushButton("Roll &back")
        self.why = QLineEdit()
        self.why.setAccessibleName("Why the earlier version is wanted back")
        self.why.setPlaceholderText("why, for the card")
        self.why.setMinimumWidth(150)
        self.export = QPushButton("&Export...")
        self.take_in = QPushButton("&Import...")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(6)
        for part in (self.heading, self.none):
            layout.addWidget(part)
        layout.addWidget(self.table, 20)
        layout.addWidget(row(self.export, self.take_in, self.back, self.why))
        layout.addStretch(1)
        self.back.clicked.connect(lambda: self.roll_back_asked.emit(self.why.text().strip()))
        self.export.clicked.connect(self.export_asked)
        self.take_in.clicked.connect(self.import_asked)

    def show_standing(self, standing: Standing, working: bool) -> None:
        """Show the versions, the newest first."""
        self.heading.setText(f"Versions of {standing.name}")
        lines = [(str(line.number), line.state, line.origin, line.when, line.who, line.last) for line in standing.lines]
        self.none.setVisible(not lines)
        self.table.setVisible(bool(lines))
        header = ("", "Now", "From", "When", "Who", "Last")
        if self.table.texts() != [list(line) for line in lines]:
            self.table.fill(header, lines)
        self.export.setEnabled(not working and standing.version is not None)
        self.take_in.setEnabled(not working)
        self.back.setVisible(standing.earlier is not None)
        self.why.setVisible(standing.earlier is not None)
        self.back.setEnabled(not working)
        self.back.setText(f"Roll &back to version {standing.earlier}")


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
