"""imagecodecs as pydicom's decoder: the one codec dependency for every compressed transfer syntax.

pydicom finds this module by the name that :func:`register` gives it and calls :func:`decode_frame`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

PLUGIN = "imagecodecs"

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000)
_HTJ2K = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
_END_OF_IMAGE = b"\xff\xd9"
_PADDING = 16
"""Bytes at the end of a frame that may be padding."""
SUPPORTED = (*_JPEG, *_JPEG_LS, *_JPEG_2000, *_HTJ2K, uid.RLELossless)

DECODER_DEPENDENCIES = dict.fromkeys(SUPPORTED, ("imagecodecs",))


def is_available(transfer_syntax: str) -> bool:
    """Whether this module decodes a transfer syntax (asked by pydicom)."""
    return transfer_syntax in SUPPORTED


@cache
def register() -> None:
    """Make pydicom know this module; once a process."""
    for syntax in SUPPORTED:
        get_decoder(syntax).add_plugin(PLUGIN, (__name__, "decode_frame"))


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray | memoryview:
    """One compressed frame as little-endian samples, colour by pixel (RLE: by plane).

    What was decoded is lent to pydicom, which copies it: a copy as bytes takes a fifth of the decoding on top.
    """
    syntax = runner.transfer_syntax
    if syntax == uid.RLELossless:
        return _decode_rle(source, runner)
    pixels = _decode(source, syntax, runner)
    expected = (runner.rows, runner.columns)
    if pixels.shape[:2] != expected:
        raise ValueError(f"the compressed image is {pixels.shape[:2]}, its header says {expected}")
    runner.set_option("bits_allocated", pixels.dtype.itemsize * 8)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return np.ascontiguousarray(pixels).data


def _decode(source: bytes, syntax: str, runner: DecodeRunner) -> np.ndarray[Any, Any]:
    if syntax in _JPEG_LS:
        return np.asarray(imagecodecs.jpegls_decode(source))
    if syntax in (*_JPEG_2000, *_HTJ2K):  # OpenJPEG reads both; OpenJPH only prints what it stumbles over
        pixels = np.asarray(imagecodecs.jpeg2k_decode(source))
        _became_rgb(runner, "YBR_ICT", "YBR_RCT")
        return pixels
    if _END_OF_IMAGE not in source[-_PADDING:]:
        raise ValueError("the JPEG stream has no end")  # libjpeg would make up the rest
    if runner.samples_per_pixel == 1:
        return np.asarray(imagecodecs.jpeg_decode(source))
    stored = "RGB" if runner.photometric_interpretation == "RGB" else "YCBCR"
    pixels = np.asarray(imagecodecs.jpeg8_decode(source, colorspace=stored, outcolorspace="RGB"))
    _became_rgb(runner, "YBR_FULL", "YBR_FULL_422")
    return pixels


def _became_rgb(runner: DecodeRunner, *names: str) -> None:
    if runner.photometric_interpretation in names:
        runner.set_option("photometric_interpretation", "RGB")


def _decode_rle(source: bytes, runner: DecodeRunner) -> bytearray:
    dtype = np.dtype(f"<u{runner.bits_allocated // 8}")
    decoded = imagecodecs.dicomrle_decode(source, dtype)
    runner.set_option("planar_configuration", 1)
    return bytearray(np.asarray(bytearray(decoded)).tobytes())
