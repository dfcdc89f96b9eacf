"""The files of ``pathview analyse --out``: mask, probability and heat maps of each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pathview.errors import OutputError
from pathview.export import pictures
from pathview.geometry import Region
from pathview.images.formats import open_image
from pathview.results.mask import full_mask, sample
from pathview.results.result import AnalysisResult, Outcome, ScoreMap, score_words
from pathview.settings import Settings

_PICTURE_SIDE = 1200
_BLOCK_ROWS = 512


@dataclass(frozen=True)
class Written:
    """Paths of what was written for one image."""

    mask: Path
    probability: Path
    overlay: Path
    heatmaps: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """The field ``files`` of ``pathview analyse``."""
        return {
            "mask": str(self.mask),
            "probability": str(self.probability),
            "overlay": str(self.overlay),
            "heatmaps": {layer: str(path) for layer, path in self.heatmaps.items()},
        }


def write_files(path: Path, result: AnalysisResult, folder: Path, settings: Settings) -> Written:
    """Write what a result shows into a folder.

    ``mask.png``: 0 and 255 at the image's stored size and orientation. ``probability.png``: 16 bit at
    that size, 65535 for a probability of 1; 0 also where nothing was analysed. ``overlay.png`` and
    ``heat-<layer>.png``: pictures to look at.

    Raises:
        OutputError: a file cannot be written.
    """
    written = Written(
        folder / "mask.png",
        folder / "probability.png",
        folder / "overlay.png",
        {layer: folder / f"heat-{layer}.png" for layer in result.heatmaps},
    )
    note = pictures.png_note(Recipe=result.recipe, Weights=result.provenance.weights_sha256)
    source = open_image(path, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        base = pictures.canvas(source, _PICTURE_SIDE, int(result.provenance.settings.get("frame", 0)))
        images: dict[Path, np.ndarray[Any, Any]] = {
            written.mask: full_mask(result.probability, result.threshold, result.size),
            written.probability: _probability16(result),
            written.overlay: pictures.captioned(pictures.with_outline(base, result), [caption(result)]),
        }
        for layer, heat in result.heatmaps.items():
            images[written.heatmaps[layer]] = heat_picture(base, heat, layer)
        for target, pixels in images.items():
            Image.fromarray(pixels).save(target, pnginfo=note)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or 'input/output error'}.") from error
    finally:
        source.close()
    return written


def heat_picture(base: pictures.Canvas, heat: ScoreMap, layer: str) -> np.ndarray[Any, Any]:
    """A heat map as a picture that says what it is."""
    return pictures.captioned(
        pictures.with_heat(base, heat), [f"Grad-CAM of {layer}: model attention, not a lesion outline"]
    )


def caption(result: AnalysisResult) -> str:
    """One line that says what was found."""
    words = {"positive": "positive", "negative": "negative", "not_sure": "NOT SURE: look here"}
    return f"{result.recipe}: {words[result.label]}, score {score_words(result.score)}, threshold {result.threshold:g}"


def outcome_json(path: Path, outcome: Outcome, files: Written | None) -> dict[str, Any]:
    """The line that ``pathview analyse`` prints for one image."""
    common: dict[str, Any] = {"path": str(path), "recipe": outcome.recipe or None}
    if not isinstance(outcome, AnalysisResult):
        empty: dict[str, Any] = {
            "score": None,
            "label": None,
            "flags": [],
            "threshold": None,
            "mask": None,
            "files": None,
        }
        return {**common, "status": "not_analysed", "reason": outcome.reason, **empty, "seconds": None}
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
        "flags": [{"code": flag.code, "reason": flag.sentence} for flag in outcome.flags],
        "threshold": outcome.threshold,
        "mask": {"area_px": mask.area_px, "area_mm2": mask.area_mm2, "components": len(mask.components)},
        "files": files.as_json() if files else None,
        "seconds": round(outcome.seconds, 3),
        "provenance": {**vars(outcome.provenance), "settings": dict(outcome.provenance.settings)},
    }


def _probability16(result: AnalysisResult) -> np.ndarray[Any, Any]:
    pixels = np.zeros(result.size.shape, np.uint16)
    for top in range(0, result.size.height, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, result.size.height - top)
        values = sample(result.probability, Region(0, top, result.size.width, rows))
        pixels[top : top + rows] = np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)
    return pixels


def folder_names(paths: list[Path]) -> list[str]:
    """A folder name for each image: its own name without the ending, numbered where two are alike."""
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names
