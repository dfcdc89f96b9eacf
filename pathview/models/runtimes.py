"""Which runtime computes: chosen by name, or by what the machine has.

Measured on two cores without a GPU (``python -m benchmarks runtimes``): ONNX Runtime gives its first score after half a
second where TensorFlow takes nine, and is at least as fast as OpenVINO at a third of its size on disk; so it is the one
that comes with the program.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from pathview.errors import ModelError
from pathview.models.backend import Network
from pathview.models.fast_backend import FastNetwork, LoadedGraph, in_onnx_runtime, in_openvino
from pathview.models.graphs import NotConvertible
from pathview.models.keras_backend import load_network
from pathview.settings import Settings

Runtime = Literal["auto", "onnx", "openvino", "openvino-bf16", "tensorflow"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)
_LOADERS: dict[str, Callable[[bytes], LoadedGraph]] = {
    "onnx": in_onnx_runtime,
    "openvino": partial(in_openvino, precision="float32"),
    "openvino-bf16": partial(in_openvino, precision="bfloat16"),
}
_NVIDIA = Path("/dev/nvidiactl")
_log = logging.getLogger(__name__)


def open_network(folder: Path, settings: Settings) -> Network:
    """A model's network in the runtime that the settings name.

    ``auto`` is TensorFlow where its GPU packages and an NVIDIA device are there, else ONNX Runtime; and TensorFlow
    where a network cannot be converted or ONNX Runtime cannot be loaded.

    Raises:
        ModelError: missing, damaged or misfitting weights; no such runtime, or it cannot be loaded.
    """
    name = settings.runtime.lower()
    if name not in RUNTIMES:
        raise ModelError(f"There is no runtime {name!r} (PATHVIEW_RUNTIME); there are {', '.join(RUNTIMES)}.")
    if name == "tensorflow" or (name == "auto" and has_tensorflow_gpu()):
        return load_network(folder)
    try:
        return FastNetwork(folder, settings, _LOADERS["onnx" if name == "auto" else name])
    except (ImportError, NotConvertible) as error:
        if name == "auto":
            _log.info("TensorFlow computes, for %s", type(error).__name__)
            return load_network(folder)
        if isinstance(error, NotConvertible):
            raise
        raise ModelError(f"The runtime {name} cannot be loaded; install pathview[openvino], or choose auto.") from error


def has_tensorflow_gpu() -> bool:
    """Whether TensorFlow would find a GPU, told without importing it."""
    return _NVIDIA.exists() and importlib.util.find_spec("nvidia") is not None
