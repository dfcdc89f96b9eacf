"""Which model an image is analysed with: those of its kind, the ones without weights greyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox

if TYPE_CHECKING:  # the catalogue is imported by the first job, after the window is painted
    from pathview.models.catalogue import Model


class ModelChoice(QComboBox):
    """Asks for a model by name; an empty name is the default of the image's kind."""

    chosen = Signal(str)

    def __init__(self) -> None:
        """No models yet."""
        super().__init__()
        self.setAccessibleName("Model")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._models: tuple[Model, ...] = ()
        self._kind = ""
        self.activated.connect(self._on_activated)
        self.setEnabled(False)

    def set_models(self, models: Sequence[Model]) -> None:
        """Know these models."""
        self._models = tuple(models)
        self._fill()

    def show_kind(self, kind: str, name: str) -> None:
        """Offer the models of a kind of image; ``name`` is chosen."""
        if kind != self._kind:
            self._kind = kind
            self._fill()
        index = self.findData(name)
        self.setCurrentIndex(max(0, index))

    def _fill(self) -> None:
        self.clear()
        fitting = [model for model in self._models if self._kind in model.recipe.kinds]
        default = next((m for m in fitting if self._kind in m.default_for), None)
        self.addItem(f"{default.title} (default)" if default else "Default", "")
        for model in fitting:
            if model is not default:
                self._add(model)
        self.setEnabled(len(fitting) > 0)

    def _add(self, model: Model) -> None:
        words = model.title if model.folder else f"{model.recipe.title}: not trained yet"
        self.addItem(words, model.name)
        index = self.count() - 1
        how = "" if model.folder else f" Train it: pathview train --recipe {model.name}."
        self.setItemData(index, model.recipe.summary + how, Qt.ItemDataRole.ToolTipRole)
        items = self.model()
        if model.folder is None and isinstance(items, QStandardItemModel):
            items.item(index).setEnabled(False)

    @Slot(int)
    def _on_activated(self, index: int) -> None:
        self.chosen.emit(self.itemData(index))
