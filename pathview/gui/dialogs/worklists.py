"""Worklists: made, named, and how each is read. Every change is saved as it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import plain_buttons
from pathview.gui.lists import Lists
from pathview.review.records.modes import MODE_NAMES, MODES, Mode

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.gui.lists import Listing
    from pathview.review.reading.worklist import Worklist

_SIZE = QSize(860, 560)
_SENTENCES: dict[Mode, str] = {
    "second_read": "Each reader first locks an assessment without the model; then all is shown, and they keep it or "
    "change it and say why.",
    "assisted": "The model's result is shown from the beginning, and one decision is made.",
    "blind": "The model's result is never shown, nor what others said: to measure readers.",
    "arbitration": "What the readers decided stands side by side, and one person decides between them.",
}
_KINDS = {
    "mammogram": "New mammograms come here.",
    "histology": "New slides and tissue come here.",
    "": "New images of every other kind come here.",
}


class WorklistsDialog(QDialog):
    """Lists on the left; name, mode and form of the chosen one on the right."""

    shown = Signal(object)
    """Id of the list that the reader chose here."""

    def __init__(self, lists: Lists, listing: Listing, parent: QWidget | None = None) -> None:
        """``listing`` knows all lists and forms as they are."""
        super().__init__(parent)
        self.setWindowTitle("Worklists")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._lists, self._listing = lists, listing
        self._wanted: str | None = None
        self._make_parts()
        self._lay_out()
        self.names.currentRowChanged.connect(self._show_chosen)
        self.new.clicked.connect(self._create)
        self.name.editingFinished.connect(self._rename)
        self.form.activated.connect(self._set_form)
        self.modes.idClicked.connect(self._set_mode)
        self.reopen.clicked.connect(self._reopen)
        lists.changed.connect(self._reload)
        lists.failed.connect(self._fail)
        lists.said.connect(self._tell)
        self.resize(_SIZE.boundedTo(self.screen().availableSize()))
        self._fill()
        self.names.setCurrentRow(0)
        self.names.setFocus()

    def _make_parts(self) -> None:
        self.names = QListWidget()
        self.names.setObjectName("pages")
        self.names.setAccessibleName("Worklists")
        self.new = QPushButton("New list")
        self.name, self.form = QLineEdit(), QComboBox()
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the list")
        self.form.setAccessibleName("Assessment form")
        for name, title in sorted(self._listing.forms.items(), key=lambda form: form[1]):
            self.form.addItem(title, name)
        self.modes = QButtonGroup(self)
        self._mode_rows = QVBoxLayout()
        self._mode_rows.setSpacing(2)
        for number, mode in enumerate(MODES):
            button, words = QRadioButton(MODE_NAMES[mode].capitalize()), _dim(_SENTENCES[mode])
            words.setContentsMargins(24, 0, 0, 6)
            self.modes.addButton(button, number)
            self._mode_rows.addWidget(button)
            self._mode_rows.addWidget(words)
        self._facts, self._problem = _dim(""), QLabel("")
        self._problem.setObjectName("problem")
        self._problem.setWordWrap(True)
        self.reopen = QPushButton("Open this list again")

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.names, 1)
        left.addWidget(self.new)
        right = QFormLayout()
        right.setVerticalSpacing(12)
        right.setHorizontalSpacing(16)
        right.addRow("Name", self.name)
        right.addRow("How it is read", self._mode_rows)
        right.addRow("Form", self.form)
        right.addRow("", self._facts)
        row = QHBoxLayout()
        row.addWidget(self.reopen)
        row.addStretch(1)
        right.addRow("", row)
        upper = QHBoxLayout()
        upper.setSpacing(20)
        upper.addLayout(left, 2)
        upper.addLayout(right, 5)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        plain_buttons(buttons)
        buttons.rejected.connect(self.reject)
        for button in (self.new, self.reopen):
            button.setAutoDefault(False)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addLayout(upper, 1)
        layout.addWidget(self._problem)
        layout.addWidget(buttons)

    # what is shown

    @property
    def chosen(self) -> Worklist | None:
        """The list that is shown at the right."""
        row = self.names.currentRow()
        return self._listing.lists[row] if 0 <= row < len(self._listing.lists) else None

    def _fill(self) -> None:
        wanted = self._wanted or (self.chosen.name if self.chosen is not None else None)
        self._wanted = None
        self.names.blockSignals(True)
        self.names.clear()
        for each in self._listing.lists:
            mode = "closed" if each.closed else MODE_NAMES[each.mode]
            count = self._listing.sizes.get(each.id, 0)
            item = QListWidgetItem(f"{each.name}\n{mode}, {count:,} case{'' if count == 1 else 's'}", self.names)
            if each.name == wanted:
                self.names.setCurrentItem(item)
        if self.names.currentRow() < 0:
            self.names.setCurrentRow(0)
        self.names.blockSignals(False)
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        chosen = self.chosen
        if chosen is None:
            return
        self.name.setText(chosen.name)
        self.form.setCurrentIndex(self.form.findData(chosen.form))
        self.modes.button(MODES.index(chosen.mode)).setChecked(True)
        open_ = chosen.closed is None
        for part in (self.form, *self.modes.buttons()):
            part.setEnabled(open_)
        facts = [_KINDS[chosen.kind]] if chosen.kind in _KINDS else []
        facts += ["What was decided keeps the mode and the form that it was decided in."] if open_ else []
        facts += [] if chosen.closed is None else [f"Closed since {chosen.closed.astimezone():%Y-%m-%d %H:%M}."]
        self._facts.setText(" ".join(facts))
        self.reopen.setVisible(not open_)

    @Slot()
    def _reload(self) -> None:
        self._lists.overview(self._take)

    def _take(self, listing: Listing) -> None:
        self._listing = listing
        self._fill()

    @Slot(str)
    def _tell(self, _: str) -> None:
        self._problem.setText("")

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._problem.setText(str(error))
        self._show_chosen()

    # what the reader does

    @Slot()
    def _create(self) -> None:
        taken = {each.name for each in self._listing.lists}
        names = ("New list" if n == 1 else f"New list {n}" for n in range(1, len(taken) + 2))
        self._wanted = next(name for name in names if name not in taken)
        name, form = self._wanted, str(self.form.currentData())
        self._lists.change(
            lambda lists, actor: lists.create(name, "second_read", form, actor), lambda made: f"Made: {made.name}."
        )
        self.name.setFocus()

    @Slot()
    def _rename(self) -> None:
        chosen, name = self.chosen, self.name.text().strip()
        if chosen is not None and name and name != chosen.name:
            self._wanted = name
            self._lists.change(
                lambda lists, actor: lists.rename(chosen.id, name, actor), lambda row: f"Renamed: {row.name}."
            )

    @Slot()
    def _set_form(self) -> None:
        chosen, form = self.chosen, str(self.form.currentData())
        if chosen is not None and form != chosen.form:
            self._lists.change(
                lambda lists, actor: lists.set_form(chosen.id, form, actor),
                lambda row: f"{row.name} is assessed by the form {form} from now on.",
            )

    @Slot(int)
    def _set_mode(self, number: int) -> None:
        chosen, mode = self.chosen, MODES[number]
        if chosen is not None and mode != chosen.mode:
            self._lists.set_mode(chosen.id, mode)

    @Slot()
    def _reopen(self) -> None:
        chosen = self.chosen
        if chosen is not None and chosen.closed is not None:
            self._lists.change(
                lambda lists, actor: lists.reopen(chosen.id, actor), lambda row: f"{row.name} is open again."
            )


def _dim(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("dim")
    label.setWordWrap(True)
    return label
