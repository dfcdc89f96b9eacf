"""The files of ``pathview analyse --out``: mask, probability and heat maps of each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pathview.errors import OutputError
from pathview.export import pictures
from pathview.geometry import GridPlace, Region, Size
from pathview.images.formats import open_image
from pathview.images.source import ImageSource
from pathview.results.mask import full_mask, row_blocks, sample
from pathview.results.result import AnalysisResult, Outcome, ScoreMap, score_words
from pathview.results.tile_files import table_of, write_csv
from pathview.review.reading.veil import ResultHidden
from pathview.settings import Settings

_PICTURE_SIDE = 1200
_MAX_PIXELS = 2**28
"""Largest mask and probability map; those of larger images are reduced."""
Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Written:
    """Paths of what was written for one image."""

    mask: Path
    probability: Path
    overlay: Path
    heatmaps: dict[str, Path]
    tiles: Path | None = None
    """The tiles of a slide, a line each; None for another image."""
    downsample: int = 1
    """Level-0 pixels along the side of one pixel of the mask and the probability map."""

    def as_json(self) -> dict[str, Any]:
        """The field ``files`` of ``pathview analyse``; tells ``downsample`` where it is not 1."""
        note = {"downsample": self.downsample} if self.downsample > 1 else {}
        return {
            "mask": str(self.mask),
            "probability": str(self.probability),
            "overlay": str(self.overlay),
            "heatmaps": {layer: str(path) for layer, path in self.heatmaps.items()},
            "tiles": None if self.tiles is None else str(self.tiles),
            **note,
        }


def write_files(path: Path, result: AnalysisResult, folder: Path, settings: Settings) -> Written:
    """Write what a result shows into a folder.

    ``mask.png``: 0 and 255 at the image's stored size and orientation. ``probability.png``: 16 bit at
    that size, 65535 for a probability of 1; 0 also where nothing was analysed. For an image of more than
    2**28 pixels both are reduced, by a power of two that :attr:`Written.downsample` tells; each of their
    pixels is the map at its centre. ``overlay.png`` and ``heat-<layer>.png``: pictures to look at. ``tiles.csv``: the
    tiles of a slide, see :func:`pathview.results.tile_files.write_csv`.

    Raises:
        OutputError: a file cannot be written.
    """
    table = table_of(settings.slides_dir, result.provenance.settings)
    written = Written(
        folder / "mask.png",
        folder / "probability.png",
        folder / "overlay.png",
        {layer: folder / f"heat-{layer}.png" for layer in result.heatmaps},
        None if table is None else folder / "tiles.csv",
        _downsample(result.size),
    )
    note = pictures.png_note(Recipe=result.recipe, Weights=result.provenance.weights_sha256)
    source = open_image(path, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, pixels in _contents(source, result, written):
            _save(Image.fromarray(pixels), target, note)
        if table is not None and written.tiles is not None:
            write_csv(table, written.tiles)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or 'input/output error'}.") from error
    finally:
        source.close()
    return written


def _save(picture: Image.Image, target: Path, note: PngInfo) -> None:
    """Write a picture whole, or not at all."""
    try:
        picture.save(target, pnginfo=note)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _contents(source: ImageSource, result: AnalysisResult, written: Written) -> Iterator[tuple[Path, Pixels]]:
    """What each file shows, one after the other since masks may be large."""
    probability, size = _reduced(result.probability, written.downsample), result.size.scaled(1 / written.downsample)
    yield written.mask, full_mask(probability, result.threshold, size)
    yield written.probability, _probability16(probability, size)
    base = pictures.canvas(source, _PICTURE_SIDE, int(result.provenance.settings.get("frame", 0)))
    yield written.overlay, pictures.captioned(pictures.with_outline(base, result), [caption(result)])
    for layer, heat in result.heatmaps.items():
        yield written.heatmaps[layer], heat_picture(base, heat, layer)


def _downsample(size: Size) -> int:
    """The least power of two that brings an image down to what is written."""
    factor = 1
    while size.scaled(1 / factor).pixels > _MAX_PIXELS:
        factor *= 2
    return factor


def _reduced(score_map: ScoreMap, factor: int) -> ScoreMap:
    """The same map over an image of which one pixel stands for ``factor`` x ``factor``."""
    place = score_map.place
    small = GridPlace(place.x / factor, place.y / factor, place.cell_width / factor, place.cell_height / factor)
    return replace(score_map, place=small)


def heat_picture(base: pictures.Canvas, heat: ScoreMap, layer: str) -> Pixels:
    """A heat map as a picture that says what it is."""
    return pictures.captioned(
        pictures.with_heat(base, heat), [f"Grad-CAM of {layer}: model attention, not a lesion outline"]
    )


def caption(result: AnalysisResult) -> str:
    """One line that says what was found."""
    words = {"positive": "positive", "negative": "negative", "not_sure": "NOT SURE: look here"}
    first = "".join(f"{stage.recipe} {score_words(stage.score)}, " for stage in result.stages[:-1])
    score = f"{first}score {score_words(result.score)}"
    return f"{result.recipe}: {words[result.label]}, {score}, threshold {result.threshold:g}"


def outcome_json(path: Path, outcome: Outcome | ResultHidden, files: Written | None) -> dict[str, Any]:
    """The line that ``pathview analyse`` prints for one image; ``tiles`` is null for what is no slide.

    ``hidden`` says why the reading protocol has it tell no more than that the analysis ran or did not; else it is null.
    """
    common: dict[str, Any] = {"path": str(path), "recipe": outcome.recipe or None}
    if not isinstance(outcome, AnalysisResult):
        empty: dict[str, Any] = {
            "score": None,
            "score_name": None,
            "lower": None,
            "upper": None,
            "label": None,
            "stages": [],
            "flags": [],
            "threshold": None,
            "mask": None,
            "tiles": None,
            "files": None,
            "seconds": None,
            "provenance": None,
        }
        if isinstance(outcome, ResultHidden):
            hidden = {"flags": None, "stages": None, "hidden": outcome.hidden}
            return {**common, "status": outcome.status, "reason": None, **empty, **hidden}
        return {**common, "status": "not_analysed", "reason": outcome.reason, **empty, "hidden": None}
    mask = outcome.mask
    return {
        **common,
        "status": "analysed",
        "reason": None,
        "score": outcome.score,
        "score_name": outcome.score_name,
        "lower": outcome.lower,
        "upper": outcome.upper,
        "label": outcome.label,
        "stages": [stage.as_json() for stage in outcome.stages],
        "flags": [{"code": flag.code, "reason": flag.sentence} for flag in outcome.flags],
        "threshold": outcome.threshold,
        "mask": {"area_px": mask.area_px, "area_mm2": mask.area_mm2, "components": len(mask.components)},
        "tiles": outcome.provenance.settings.get("tiles"),
        "files": files.as_json() if files else None,
        "seconds": round(outcome.seconds, 3),
        "provenance": {**vars(outcome.provenance), "settings": dict(outcome.provenance.settings)},
        "hidden": None,
    }


def _probability16(probability: ScoreMap, size: Size) -> Pixels:
    pixels = np.zeros(size.shape, np.uint16)
    for block in row_blocks(Region.whole(size)):
        values = sample(probability, block)
        pixels[block.y : block.bottom] = np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)
    return pixels


def folder_names(paths: list[Path]) -> list[str]:
    """A folder name for each image: its own name without the ending, numbered where two are alike.

    Names that differ only in case count as alike, since some file systems keep them in one folder.
    """
    used: set[str] = set()
    names = []
    for path in paths:
        own = path.name if path.is_dir() else path.stem
        name, number = own, 1
        while name.casefold() in used:
            number += 1
            name = f"{own}-{number}"
        used.add(name.casefold())
        names.append(name)
    return names
