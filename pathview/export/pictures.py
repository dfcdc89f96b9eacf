"""Pictures of results without a window: the image with its mask's outline, or under a heat map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pathview.geometry import Region
from pathview.images.render import colors, display_pixels, fitted, under_heat
from pathview.images.source import ImageSource
from pathview.results.place_labels import apart
from pathview.results.result import AnalysisResult, ScoreMap, score_words
from pathview.settings import INVESTIGATIONAL

Rgb8 = npt.NDArray[np.uint8]
OUTLINE = (255, 209, 71)
HEAT_OPACITY = 0.65
_BAR_WIDTH = 14
_LABEL_HEIGHT = 18
_TEXT = (230, 233, 238)
_PAPER = (16, 18, 22)


@dataclass(frozen=True)
class Canvas:
    """An image at picture size and how level-0 pixels map onto it."""

    pixels: Rgb8
    scale: float
    """Picture pixels a level-0 pixel."""


def canvas(source: ImageSource, side: int, frame: int = 0) -> Canvas:
    """The whole image as RGB, its longer side at most ``side`` pixels."""
    size = fitted(source.info.size, side)
    pixels = display_pixels(source, Region.whole(source.info.size), size, frame)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Canvas(pixels, size.width / source.info.size.width)


def on_canvas(score_map: ScoreMap, base: Canvas) -> npt.NDArray[np.float32]:
    """A map at picture size: float32 [rows, columns], NaN where there is none."""
    rows, columns = base.pixels.shape[:2]
    place = score_map.place
    sx, sy = place.cell_width * base.scale, place.cell_height * base.scale
    offset = (place.x * base.scale, place.y * base.scale)
    matrix = np.array([[sx, 0, offset[0] + (sx - 1) / 2], [0, sy, offset[1] + (sy - 1) / 2]], np.float32)
    flags = cv2.INTER_LINEAR if score_map.smooth else cv2.INTER_NEAREST
    known = ~np.isnan(score_map.values)
    warped = cv2.warpAffine(
        np.where(known, score_map.values, 0).astype(np.float32), matrix, (columns, rows), flags=flags
    )
    present = cv2.warpAffine(known.astype(np.uint8), matrix, (columns, rows), flags=cv2.INTER_NEAREST)
    return np.where(present > 0, warped, np.float32(np.nan)).astype(np.float32)


def with_outline(base: Canvas, result: AnalysisResult) -> Rgb8:
    """The image with the mask's outline at the result's threshold."""
    values = np.nan_to_num(on_canvas(result.probability, base), nan=-1.0)
    mask = (values >= np.float32(result.threshold)).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    picture = base.pixels.copy()
    cv2.drawContours(picture, contours, -1, OUTLINE, 2, cv2.LINE_AA)
    return _with_places(picture, result, base.scale) if result.stages else picture


def _with_places(picture: Rgb8, result: AnalysisResult, scale: float) -> Rgb8:
    """Squares about the places that a cascade's classifier scored, with their scores."""
    sheet = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    labels = []
    for place in result.stages[-1].places:
        region = place.region
        left, top, right, bottom = (scale * v for v in (region.x, region.y, region.right - 1, region.bottom - 1))
        draw.rectangle((left, top, right, bottom), outline=OUTLINE)
        labels.append((left, top, score_words(place.score)))
    spots = apart([(left, top, font.getlength(text) + 8) for left, top, text in labels], _LABEL_HEIGHT)
    for (left, top), (_, _, text) in zip(spots, labels, strict=True):
        draw.rectangle((left, top, left + font.getlength(text) + 8, top + _LABEL_HEIGHT), fill=_PAPER)
        draw.text((left + 4, top + 1), text, fill=OUTLINE, font=font)
    return np.asarray(sheet)


def with_heat(base: Canvas, heat: ScoreMap, colormap: str = "inferno") -> Rgb8:
    """The image under a heat map, with a colour bar at its right."""
    mixed = under_heat(base.pixels, on_canvas(heat, base), colormap, HEAT_OPACITY)
    return with_bar(mixed, colors(colormap))


def with_bar(picture: Rgb8, table: Rgb8) -> Rgb8:
    """A picture with a vertical colour bar, high values at the top."""
    rows = picture.shape[0]
    ramp = table[np.linspace(255, 0, rows).astype(np.intp)]
    bar = np.repeat(ramp[:, None], _BAR_WIDTH, axis=1)
    gap = np.full((rows, 6, 3), _PAPER, np.uint8)
    return np.concatenate([picture, gap, bar], axis=1)


def captioned(picture: Rgb8, lines: list[str]) -> Rgb8:
    """A picture with lines of text below it, the last of them the investigational notice."""
    font = ImageFont.load_default(14)
    lines = [*lines, INVESTIGATIONAL]
    height = 20 * len(lines) + 10
    width = max(picture.shape[1], int(max(font.getlength(line) for line in lines)) + 16)
    sheet = Image.new("RGB", (width, picture.shape[0] + height), _PAPER)
    sheet.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((8, picture.shape[0] + 6 + 20 * number), line, fill=_TEXT, font=font)
    return np.asarray(sheet)


def png_note(**facts: str) -> PngInfo:
    """PNG text chunks: the notice, and facts that belong to the picture."""
    note = PngInfo()
    note.add_text("Comment", INVESTIGATIONAL)
    for key, value in facts.items():
        note.add_text(key, value)
    return note
