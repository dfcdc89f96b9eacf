"""What the model says of the image on the canvas: score, reasons, mask and heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.panels.decimal_box import DecimalBox
from pathview.gui.panels.model_choice import ModelChoice
from pathview.gui.panels.score_band import ColorBar, MapHistogram, ScoreBand
from pathview.gui.theme import Theme, label_color
from pathview.images.render import COLORMAPS
from pathview.results.mask import AREA_STEPS
from pathview.results.result import ScoreMap, score_words
from pathview.review.records.case import CaseRow, ResultRow

_LABEL_HEADINGS = {
    "positive": "Positive",
    "negative": "Negative",
    "not_sure": "Not sure: look here",
    "not_analysed": "Not analysed",
}


_HIDDEN_HEADINGS = {
    "second_read": "First without the model",
    "blind": "Read blind",
    "arbitration": "Not yours to arbitrate",
}
_STEPS = (
    "<ol style='margin-left:-20px'>"
    "<li>Look at the images and fill in your assessment below.</li>"
    "<li>Lock it with Ctrl+Return. What is locked stays.</li>"
    "<li>The model's result appears here: keep your assessment, or change it and say why.</li></ol>"
)

_THRESHOLD_TIP = "Threshold of the mask (, and .)"


class AiPanel(QWidget):
    """Shows one result; every control only asks, the desk changes."""

    display_changed = Signal(object)
    """What changed of threshold, layer, colormap and opacity, as a dict of the state's fields."""
    mask_toggled = Signal(bool)
    fill_toggled = Signal(bool)
    heat_toggled = Signal(bool)
    analyse_asked = Signal()
    pixel_size_stated = Signal(float)

    def __init__(self, theme: Theme) -> None:
        """Nothing analysed yet."""
        super().__init__()
        self.setObjectName("panel")
        self._theme = theme
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(6)
        heading = QLabel("Model")
        heading.setObjectName("heading")
        self.choice = ModelChoice()
        top = QHBoxLayout()
        top.addWidget(heading)
        top.addWidget(self.choice, 1)
        layout.addLayout(top)
        self._hidden = QLabel("")
        self._hidden.setWordWrap(True)
        self._hidden.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(self._hidden)
        self._build_verdict(layout)
        self._build_mask(layout)
        self._build_heat(layout)
        self._source = QLabel("")
        self._source.setObjectName("dim")
        self._source.setWordWrap(True)
        self._source.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self._source)
        layout.addStretch(1)
        self.show_result(None, False)

    def _build_verdict(self, layout: QVBoxLayout) -> None:
        self._nothing = QLabel("What the model says of an image stands here.")
        self._nothing.setObjectName("dim")
        self._nothing.setWordWrap(True)
        layout.addWidget(self._nothing)
        self._label = QLabel("")
        self._label.setObjectName("verdict")
        self._label.setWordWrap(True)
        self._score = QLabel("")
        self._score.setWordWrap(True)
        self._stages = QLabel("")
        self._stages.setObjectName("dim")
        self._stages.setWordWrap(True)
        self._band = ScoreBand(self._theme)
        self._reasons = QLabel("")
        self._reasons.setWordWrap(True)
        self._reasons.setTextFormat(Qt.TextFormat.RichText)
        self._caution = QLabel("")
        self._caution.setObjectName("dim")
        self._caution.setWordWrap(True)
        self._analyse = QPushButton("Analyse this case  (A)")
        self._analyse.clicked.connect(self.analyse_asked)
        self._pixel_size = DecimalBox()
        self._pixel_size.setRange(0.01, 500.0)
        self._pixel_size.setDecimals(3)
        self._pixel_size.setSuffix(" µm a pixel")
        self._pixel_size.setValue(0.25)
        self._pixel_size.setMinimumWidth(120)
        self._pixel_size.setAccessibleName("Pixel size in micrometres")
        self._state_size = QPushButton("Use and analyse")
        self._state_size.clicked.connect(self._on_pixel_size)
        self._size_row = QWidget()
        size = QVBoxLayout(self._size_row)
        size.setContentsMargins(0, 6, 0, 0)
        self._stated_um: float | None = None
        self._size_words = QLabel("")
        size.addWidget(self._size_words)
        row = QHBoxLayout()
        size.addLayout(row)
        row.addWidget(self._pixel_size, 1)
        row.addWidget(self._state_size)
        for widget in (
            self._label,
            self._score,
            self._band,
            self._stages,
            self._reasons,
            self._caution,
            self._size_row,
            self._analyse,
        ):
            layout.addWidget(widget)

    def _build_mask(self, layout: QVBoxLayout) -> None:
        self._mask_group = QWidget()
        group = QVBoxLayout(self._mask_group)
        group.setContentsMargins(0, 8, 0, 0)
        group.setSpacing(4)
        title = QHBoxLayout()
        self._mask = QCheckBox("Mask")
        self._mask.setChecked(True)
        self._mask.setToolTip("Show the mask (M)")
        self._fill = QCheckBox("filled")
        self._fill.setToolTip("Fill the mask (L)")
        title.addWidget(self._mask)
        title.addWidget(self._fill)
        title.addStretch(1)
        self._threshold_words = QLabel("")
        title.addWidget(self._threshold_words)
        self._histogram = MapHistogram(self._theme)
        self._threshold = QSlider(Qt.Orientation.Horizontal)
        self._threshold.setRange(0, AREA_STEPS)
        self._threshold.setPageStep(50)
        self._threshold.setAccessibleName("Threshold")
        self._threshold.setToolTip(_THRESHOLD_TIP)
        self._area = QLabel("")
        group.addLayout(title)
        group.addWidget(self._histogram)
        group.addWidget(self._threshold)
        group.addWidget(self._area)
        layout.addWidget(self._mask_group)
        self._threshold.valueChanged.connect(self._on_threshold)
        self._mask.toggled.connect(self.mask_toggled)
        self._fill.toggled.connect(self.fill_toggled)

    def _build_heat(self, layout: QVBoxLayout) -> None:
        self._heat_group = QWidget()
        group = QFormLayout(self._heat_group)
        group.setContentsMargins(0, 8, 0, 0)
        group.setVerticalSpacing(5)
        self._heat = QCheckBox("Heat map")
        self._heat.setToolTip("Show the heat map (H)")
        self._layer = QComboBox()
        self._layer.setAccessibleName("Layer of the heat map")
        self._colormap = QComboBox()
        self._colormap.addItems(list(COLORMAPS))
        self._colormap.setAccessibleName("Colours of the heat map")
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(5, 100)
        self._opacity.setValue(60)
        self._opacity.setAccessibleName("Opacity of the heat map")
        self._bar = ColorBar(self._theme, "inferno")
        self._heat_words = QLabel("Model attention, not a lesion outline.")
        self._heat_words.setObjectName("dim")
        self._heat_words.setWordWrap(True)
        group.addRow(self._heat)
        group.addRow("Layer", self._layer)
        group.addRow("Colours", self._colormap)
        group.addRow("Opacity", self._opacity)
        group.addRow(self._bar)
        group.addRow(self._heat_words)
        layout.addWidget(self._heat_group)
        self._heat.toggled.connect(self.heat_toggled)
        self._layer.textActivated.connect(self._on_layer)
        self._colormap.textActivated.connect(self._on_colormap)
        self._opacity.valueChanged.connect(self._on_opacity)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        for widget in (self._band, self._histogram, self._bar):
            widget.theme = theme
            widget.update()

    def show_result(self, result: ResultRow | None, has_image: bool, busy: bool = False, wanted: str = "") -> None:
        """Show another result, or that there is none yet, or that there can be none.

        ``wanted``: the model that the reader chose for such images; where the result is another's, it can be made.
        """
        analysed = result is not None and result.status == "analysed"
        key = (result.label if analysed else "not_analysed") if result is not None else None
        words = _LABEL_HEADINGS[key or ""] if key else ("Not analysed yet" if has_image else "")
        other = result is not None and bool(wanted) and wanted != result.recipe
        if other and result is not None:
            words += f"  ({result.recipe})"
        if busy:
            words, key = "Analysing ..." if result is None else "Analysing again ...", None
        self._label.setText(words)
        style = f"color: {label_color(self._theme, key)}"
        if style != self._label.styleSheet():
            self._label.setStyleSheet(style)
        self._nothing.setVisible(not has_image)
        self.choice.setVisible(has_image)
        self._score.setVisible(analysed)
        self._band.setVisible(analysed)
        self._mask_group.setVisible(analysed)
        self._heat_group.setVisible(analysed)
        self._source.setVisible(analysed)
        self._caution.setVisible(result is not None and analysed and bool(result.caution))
        self._stages.setVisible(result is not None and analysed and bool(result.stages))
        self._analyse.setText("Analyse with this model  (A)" if other else "Analyse this case  (A)")
        settled = not other and (analysed or _lacks_pixel_size(result))
        self._analyse.setVisible(has_image and not busy and not settled)
        self._reasons.setText(_reason_list(result))
        self._reasons.setVisible(bool(self._reasons.text()))
        if result is None or not analysed:
            self._forget()
            return
        self._score.setText(f"<b>{score_words(result.score or 0.0)}</b> &nbsp;{result.score_name}")
        self._band.show_result(result)
        self._stages.setText("\n".join(_stage_words(stage) for stage in result.stages))
        weights = str(result.provenance.get("weights_sha256", ""))[:8]
        runtime = result.provenance.get("runtime", "")
        stride = result.provenance.get("settings", {}).get("stride")
        fine = f", a field every {stride} pixels" if stride else ""
        self._source.setText(f"{result.recipe}, weights {weights}, {runtime}{fine}")
        self._caution.setText(result.caution)
        self._show_layers(result)

    def _forget(self) -> None:
        """Keep nothing of the result before, not even where it cannot be seen."""
        for label in (self._score, self._stages, self._source, self._caution, self._area, self._threshold_words):
            label.setText("")
        self._layer.clear()
        self._band.show_result(None)

    def show_hidden(self, case: CaseRow | None) -> None:
        """Say why nothing of the model stands here, and what comes next; nothing where it may be seen."""
        hidden = case is not None and bool(case.hidden)
        self._hidden.setVisible(hidden)
        self._label.setVisible(not hidden)
        if case is None or not hidden:
            return
        ran = "An analysis has run." if case.ran else "No analysis has run yet; what it finds will be hidden too."
        steps = _STEPS if case.mode == "second_read" else ""
        self._hidden.setText(
            f"<p><b>{_HIDDEN_HEADINGS.get(case.mode, '')}</b></p>{steps}<p>{case.hidden}</p><p>{ran}</p>"
        )
        self._analyse.setVisible(not case.ran and self._analyse.isVisibleTo(self))

    def show_pixel_size(self, result: ResultRow | None, stated_um: float | None) -> None:
        """Ask for a pixel size where one is missing; let one that was stated be changed."""
        self._size_row.setVisible(stated_um is not None or _lacks_pixel_size(result))
        self._size_words.setText("Pixel size, as stated" if stated_um is not None else "Pixel size of this image")
        if stated_um is not None and stated_um != self._stated_um:  # what is being typed stays
            self._pixel_size.setValue(stated_um)
        self._stated_um = stated_um

    def show_probability(self, probability: ScoreMap | None) -> None:
        """Draw the histogram of another map."""
        self._histogram.show_map(probability.values if probability is not None else None)

    def show_threshold(self, threshold: float) -> None:
        """Set slider, line and words without asking for a change."""
        self._threshold.blockSignals(True)
        self._threshold.setValue(round(threshold * AREA_STEPS))
        self._threshold.blockSignals(False)
        self._histogram.show_threshold(threshold)
        self._threshold_words.setText(f"threshold <b>{threshold:.3f}</b>")

    def show_area(self, area_px: int | None, pixel_area_mm2: float | None, places: int | None) -> None:
        """The mask's area now, and in how many places it lies (None: being counted)."""
        if area_px is None:
            self._area.setText("measuring ...")
            return
        size = f"{area_words(area_px * pixel_area_mm2)}  =  " if pixel_area_mm2 is not None else ""
        where = "..." if places is None else f"{places} place{'s' if places != 1 else ''}"
        self._area.setText(f"{size}{area_px:,} px,  {where}")

    def show_switches(self, mask: bool, fill: bool, heat: bool) -> None:
        """Follow the menu's own switches."""
        for box, on in ((self._mask, mask), (self._fill, fill), (self._heat, heat)):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)
        for widget in (self._layer, self._colormap, self._opacity, self._bar):
            widget.setEnabled(heat)

    def show_layer(self, layer: str) -> None:
        """Name the layer whose heat map is shown or asked for; empty: the one that would be."""
        if layer and self._layer.findText(layer) >= 0:
            self._layer.setCurrentText(layer)

    def show_heat(self, heatmap: ScoreMap | None, in_the_making: bool) -> None:
        """Say what the heat map is, that it is being made, or that there is nothing on it to see."""
        words = "Model attention, not a lesion outline."
        if heatmap is None and in_the_making:
            words = "The heat map is being made ..."
        elif heatmap is not None and heatmap.blank:
            words = "The heat map of this layer is empty: nothing in the image spoke for a positive."
        self._heat_words.setText(words)

    @property
    def layer(self) -> str:
        """The layer that is chosen."""
        return self._layer.currentText()

    def hold(self, reason: str) -> None:
        """Let nothing that is shown be moved, for this reason; empty: it may be again."""
        self._threshold.setEnabled(not reason)
        self._threshold.setToolTip(reason or _THRESHOLD_TIP)

    def step_threshold(self, by: float) -> None:
        """Move the threshold by a step, as the keys do."""
        self._threshold.setValue(self._threshold.value() + round(by * AREA_STEPS))

    def _show_layers(self, result: ResultRow) -> None:
        current = self._layer.currentText()
        self._layer.clear()
        self._layer.addItems(result.explainable)
        self._layer.setCurrentText(current if current in result.explainable else result.heat_layer)

    @Slot(int)
    def _on_threshold(self, value: int) -> None:
        threshold = value / AREA_STEPS
        self.show_threshold(threshold)
        self.display_changed.emit({"threshold": threshold})

    @Slot(str)
    def _on_layer(self, name: str) -> None:
        self.display_changed.emit({"layer": name})

    @Slot(str)
    def _on_colormap(self, name: str) -> None:
        self._bar.set_colormap(name)
        self.display_changed.emit({"colormap": name})

    @Slot(int)
    def _on_opacity(self, value: int) -> None:
        self.display_changed.emit({"opacity": value / 100})

    @Slot()
    def _on_pixel_size(self) -> None:
        self.pixel_size_stated.emit(self._pixel_size.value())


def _stage_words(stage: Mapping[str, Any]) -> str:
    """One step of a cascade in a line: what it is, its score, and what it alone would say."""
    if stage["label"] is None:
        return f"{stage['recipe']}: {stage['score_name']}"
    return f"{stage['recipe']}: {score_words(stage['score'])}, {stage['label'].replace('_', ' ')}"


def area_words(mm2: float) -> str:
    """An area in as many digits as mean something."""
    return f"{mm2:,.1f} mm²" if mm2 >= 10 or mm2 == 0 else f"{mm2:.3g} mm²"


def _lacks_pixel_size(result: ResultRow | None) -> bool:
    return result is not None and result.status != "analysed" and "no pixel size" in (result.reason or "")


def _reason_list(result: ResultRow | None) -> str:
    if result is None:
        return ""
    if result.status != "analysed":
        return _escaped(result.reason or "")
    items = "".join(f"<li>{_escaped(sentence)}</li>" for _, sentence in result.flags)
    return f"<ul style='margin-left:-24px'>{items}</ul>" if items else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
