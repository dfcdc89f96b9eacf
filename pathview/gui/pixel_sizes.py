"""Stating the pixel size of the image that is shown: a way that is there in every mode of reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pathview.gui.desk import Desk
from pathview.gui.dialogs.pixel_size import PixelSizeDialog

if TYPE_CHECKING:
    from pathview.review.records.case import ImageRow

_REPLAY = "This is a replay; Esc goes back to the case."


class PixelSizes(QObject):
    """Asks for it and has it kept. The model has no part in it, so it may be asked for in a blind first read too."""

    said = Signal(str)
    """A sentence for the banner."""

    def __init__(self, desk: Desk, window: QWidget) -> None:
        """Of the image that is active on the desk."""
        super().__init__(window)
        self._desk, self._window = desk, window

    @Slot()
    def ask(self) -> None:
        """Ask for the size, unless the file tells it."""
        image = self._desk.state.image
        if image is None:
            self.said.emit("Open an image first, to state its pixel size.")
        elif self._desk.reading.replay is not None:
            self.said.emit(_REPLAY)
        elif (told := _told_by_file(image)) is not None:
            self.said.emit(f"The file of this image states its pixel size: {told}.")
        else:
            dialog = PixelSizeDialog(str(image.info.get("kind", "")), image.mpp_um, self._window)
            if dialog.exec() and dialog.um is not None:
                self._desk.state_pixel_size(dialog.um, analyse=False)


def _told_by_file(image: ImageRow) -> str | None:
    pair = image.info.get("spacing_mm")
    if image.mpp_um is not None or not pair:
        return None
    return " × ".join(f"{side:g}" for side in dict.fromkeys(pair)) + " mm"
