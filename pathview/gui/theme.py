"""Colours: two quiet themes from one style sheet, measured for contrast."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from pathview.settings import Settings

ThemeName = Literal["dark", "light"]


@dataclass(frozen=True)
class Theme:
    """Named colours of the chrome; the canvas stays dark in both, as image reading needs."""

    window: str
    panel: str
    field: str
    border: str
    text: str
    dim: str
    disabled: str
    """Of what cannot be used now: readable, and not to be taken for what can."""
    accent: str
    accent_text: str
    hover: str
    selected: str
    positive: str
    not_sure: str
    negative: str
    not_analysed: str
    new: str
    warning_back: str
    warning_text: str


THEMES: dict[ThemeName, Theme] = {
    "dark": Theme(
        window="#16181c",
        panel="#1c1f25",
        field="#24282f",
        border="#3a404b",
        text="#e4e7ec",
        dim="#a4acb9",
        disabled="#6c7583",
        accent="#5aa2e6",
        accent_text="#0b1118",
        hover="#2b3039",
        selected="#27405c",
        positive="#ff8f7d",
        not_sure="#ffd147",
        negative="#8fd3c0",
        not_analysed="#c3c8d1",
        new="#a4acb9",
        warning_back="#3d2f12",
        warning_text="#ffdc8a",
    ),
    "light": Theme(
        window="#eceef1",
        panel="#f8f9fb",
        field="#ffffff",
        border="#b4bac5",
        text="#171a20",
        dim="#525b69",
        disabled="#8a92a0",
        accent="#1d6cb4",
        accent_text="#ffffff",
        hover="#e2e6ec",
        selected="#cfe2f5",
        positive="#b3261e",
        not_sure="#865700",
        negative="#0f6b56",
        not_analysed="#4d5563",
        new="#5a636f",
        warning_back="#fff1cc",
        warning_text="#5a3d00",
    ),
}


def apply(application: QApplication, name: ThemeName, settings: Settings) -> Theme:
    """Give the application a theme."""
    theme = THEMES[name]
    application.setStyle("Fusion")
    application.setPalette(_palette(theme))
    sheet = (settings.resources / "styles" / "pathview.qss").read_text(encoding="utf-8")
    for item in fields(theme):
        sheet = sheet.replace(f"@{item.name}@", getattr(theme, item.name))
    for icon in ("check", "arrow", "up"):
        file = f"{icon}.svg" if name == "dark" else f"{icon}-light.svg"
        sheet = sheet.replace(f"@{icon}@", (settings.resources / "icons" / file).as_posix())
    application.setStyleSheet(sheet)
    return theme


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.field,
        role.AlternateBase: theme.panel,
        role.Text: theme.text,
        role.Mid: theme.border,
        role.Button: theme.field,
        role.ButtonText: theme.text,
        role.ToolTipBase: theme.field,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.dim,
        role.Highlight: theme.selected,
        role.HighlightedText: theme.text,
        role.Link: theme.accent,
    }
    for key, color in colors.items():
        palette.setColor(key, QColor(color))
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, QColor(theme.disabled))
    return palette


def label_color(theme: Theme, label: str | None) -> str:
    """The colour of a state; always shown together with its word."""
    return {
        "positive": theme.positive,
        "not_sure": theme.not_sure,
        "cant_tell": theme.not_sure,
        "negative": theme.negative,
        "not_analysed": theme.not_analysed,
    }.get(label or "", theme.new)


LABEL_WORDS: dict[str | None, str] = {
    "positive": "positive",
    "not_sure": "not sure",
    "negative": "negative",
    "not_analysed": "not analysed",
    "cant_tell": "can't tell",
    None: "new",
}
"""What states are called, everywhere in the window."""
