"""An image as it hangs: what a network was trained on lies the same way, however a file stores it."""

from __future__ import annotations

from dataclasses import replace

from pathview.geometry import AS_STORED, Region
from pathview.images.intensity import GrayScale
from pathview.images.source import ImageSource, Level, Pixels


class TurnedSource:
    """A source whose level 0 is the shown image; see :class:`pathview.images.source.ImageSource`."""

    def __init__(self, source: ImageSource) -> None:
        """Over an opened image, which stays the caller's to close."""
        self._source = source
        info = source.info
        turn = info.turn
        self.info = replace(
            info,
            size=info.shown_size,
            levels=tuple(Level(turn.size(level.size), level.downsample) for level in info.levels),
            spacing=turn.spacing(info.spacing) if info.spacing is not None else None,
            turn=AS_STORED,
        )

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """Pixels of a shown region."""
        info = self._source.info
        stored = info.turn.region_to_stored(region, info.size)
        return info.turn.array(self._source.read_region(stored, level, frame))

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """The image's own."""
        return self._source.gray_scale(frame)

    def close(self) -> None:
        """Nothing: the image is the caller's."""


def as_hung(source: ImageSource) -> ImageSource:
    """The image turned as it hangs; itself where it is stored so."""
    return source if source.info.turn == AS_STORED else TurnedSource(source)
