from __future__ import annotations

import io

import numpy as np
from PIL import ImageCms

from pathview.images.color_profile import ColorTransform, _transform, converted, transform_of, usable
from tests.images.slides import tissue_pixels


def matrix_profile(gamma: float = 1.8) -> bytes:
    """A small RGB profile with a gamma of its own (ICC.1:2001, matrix and curves), primaries near sRGB's."""
    columns = [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(round(v * 65536).to_bytes(4, "big", signed=True) for v in values)

    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    text = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"test\0" + b"\0" * 78 + b"\0"
    rights = b"text\0\0\0\0none\0\0\0\0"
    tags = {b"desc": text, b"cprt": rights, b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    tags |= {name: xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, table, body = 128 + 4 + 12 * len(tags), len(tags).to_bytes(4, "big"), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + (place + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data
    head = (place + len(body)).to_bytes(4, "big") + b"\0\0\0\0\x02\x10\0\0mntrRGB XYZ " + b"\0" * 12 + b"acsp"
    head += b"\0" * 28 + b"".join(round(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + table + body


class Source:
    def __init__(self, icc: bytes | None) -> None:
        self.icc = icc


def test_that_the_made_profile_is_one() -> None:
    ImageCms.getOpenProfile(io.BytesIO(matrix_profile()))
    assert usable(matrix_profile()) == (matrix_profile(), ())


def test_that_tiles_come_out_as_little_cms_has_them() -> None:
    pixels = tissue_pixels(512, 512)
    for data in (matrix_profile(), matrix_profile(2.6)):
        exact = _transform(data)
        assert exact is not None
        wanted = converted(pixels, exact).astype(int)
        assert np.abs(wanted - pixels).max() > 5
        found = ColorTransform(exact).apply(pixels)
        assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
        difference = np.abs(found - wanted)
        assert np.percentile(difference, 99) <= 2
        assert difference.max() <= 6


def test_that_srgb_and_nothing_are_left_alone() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert transform_of(Source(srgb)) is None
    assert transform_of(Source(None)) is None
    assert transform_of(object()) is None
    assert transform_of(Source(b"broken")) is None
    assert transform_of(Source(matrix_profile())) is transform_of(Source(matrix_profile()))
