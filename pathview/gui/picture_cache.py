"""Pictures that were loaded lately or will be wanted next, within a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict

from pathview.images.pyramid import PictureData
from pathview.review.records.case import ImageRow

Key = tuple[str, str, float | None]


def key_of(image: ImageRow) -> Key:
    """What makes a picture another one: path, what lies there, and the pixel size that was stated."""
    return str(image.path), image.fingerprint, image.mpp_um


class PictureCache:
    """Least recently used pictures go first."""

    def __init__(self, limit_bytes: int) -> None:
        """Empty."""
        self._limit = limit_bytes
        self._pictures: OrderedDict[Key, PictureData] = OrderedDict()
        self._bytes = 0

    def __contains__(self, image: ImageRow) -> bool:
        """Whether the picture of an image is here; any thread may ask."""
        return key_of(image) in self._pictures

    def get(self, image: ImageRow) -> PictureData | None:
        """The picture of an image, if it is here."""
        key = key_of(image)
        if key in self._pictures:
            self._pictures.move_to_end(key)
        return self._pictures.get(key)

    def put(self, image: ImageRow, picture: PictureData) -> None:
        """Keep a picture, the newest of all; one that is larger than the bound is not kept."""
        self.drop(image)
        if picture.nbytes > self._limit:
            return
        self._pictures[key_of(image)] = picture
        self._bytes += picture.nbytes
        while self._bytes > self._limit:
            _, oldest = self._pictures.popitem(last=False)
            self._bytes -= oldest.nbytes

    def drop(self, image: ImageRow) -> None:
        """Forget an image's picture."""
        old = self._pictures.pop(key_of(image), None)
        if old is not None:
            self._bytes -= old.nbytes

    @property
    def nbytes(self) -> int:
        """What is held."""
        return self._bytes
