"""What is kept between sittings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

from pathview.gui import theme as themes

_RECENT = 6


@dataclass(frozen=True)
class Preferences:
    """What is kept between sittings, in Qt's own settings file."""

    store: QSettings

    @property
    def theme(self) -> themes.ThemeName:
        """The theme's name."""
        return "light" if self.store.value("theme") == "light" else "dark"

    def recent(self) -> list[str]:
        """Paths that were opened lately, newest first; opening tells of those that have gone."""
        value = self.store.value("recent") or []
        return ([value] if isinstance(value, str) else list(value))[:_RECENT]

    def add_recent(self, paths: list[Path]) -> None:
        """Remember what was opened."""
        new = [str(path) for path in paths]
        self.store.setValue("recent", [*new, *(p for p in self.recent() if p not in new)][:_RECENT])
