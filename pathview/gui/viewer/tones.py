"""Grey-scale windows as they are noted down with a decision, and brought back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.picture import Tone
from pathview.gui.viewer.tile import Tile
from pathview.images.intensity import Window


def noted_tones(tiles: Iterable[Tile]) -> dict[str, dict[str, Any]]:
    """The tone of each image that hangs, by its id (JSON); colour pictures have none."""
    return {
        str(tile.image_id): _noted(tile.canvas)
        for tile in tiles
        if tile.image_id is not None and tile.canvas.data is not None and tile.canvas.data.scale is not None
    }


def recall_tone(canvas: Canvas, noted: Mapping[str, Any]) -> None:
    """Show a picture in the tone that was noted down; of a look-up table that has gone, the file's first."""
    from pathview.images.presets import voi_choices

    data = canvas.data
    if data is None or data.scale is None:
        return
    inverted, window = bool(noted.get("inverted")), noted.get("window")
    if window is not None:
        canvas.set_tone(Tone(Window(**window), inverted))
        return
    named = (choice.voi for choice in voi_choices(data.scale) if choice.voi.name == noted.get("name"))
    canvas.set_tone(Tone(next(named, None), inverted))


def _noted(canvas: Canvas) -> dict[str, Any]:
    assert canvas.data is not None
    assert canvas.data.scale is not None
    voi = canvas.tone.voi or canvas.data.scale.voi
    window = vars(voi) if isinstance(voi, Window) else None
    return {"name": voi.name, "window": window, "inverted": canvas.tone.invert}
