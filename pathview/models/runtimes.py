"""Which runtime computes: chosen by name, or by what the machine has.

Measured on two cores without a GPU (``python -m benchmarks runtimes``): ONNX Runtime starts in a tenth of a second
where TensorFlow takes nine, and is as fast as OpenVINO within a few per cent at a third of its size on disk; so it is
the one that comes with the program.
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
from pathview.models.fast_backend import Engine, FastNetwork, onnx_engine, openvino_engine
from pathview.models.graphs import NotConvertible
from pathview.models.keras_backend import load_network
from pathview.settings import Settings

Runtime = Literal["auto", "onnx", "openvino", "openvino-bf16", "tensorflow"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)
_ENGINES: dict[str, Callable[[bytes], Engine]] = {
    "onnx": onnx_engine,
    "openvino": partial(openvino_engine, precision="float32"),
    "openvino-bf16": partial(openvino_engine, precision="bfloat16"),
}
_NVIDIA = Path("/dev/nvidiactl")
_log = logging.getLogger(__name__)


def open_network(folder: Path, settings: Settings) -> Network:
    """A model's network in the runtime that the settings name.

    ``auto`` is TensorFlow where its GPU packages and an NVIDIA device are there, else ONNX Runtime; and TensorFlow
    where a network cannot be converted.

    Raises:
        ModelError: missing, damaged or misfitting weights; no such runtime, or it is not installed.
    """
    name = settings.runtime
    if name not in RUNTIMES:
        raise ModelError(f"There is no runtime {name!r}; there are {', '.join(RUNTIMES)}.")
    if name == "tensorflow" or (name == "auto" and has_tensorflow_gpu()):
        return load_network(folder)
    try:
        return FastNetwork(folder, settings, _ENGINES["onnx" if name == "auto" else name])
    except ImportError as error:
        raise ModelError(f"The runtime {name} is not installed; install pathview[openvino], or choose auto.") from error
    except NotConvertible as error:
        if name != "auto":
            raise
        _log.info("%s", error)
        return load_network(folder)


def has_tensorflow_gpu() -> bool:
    """Whether TensorFlow would find a GPU, told without importing it."""
    return _NVIDIA.exists() and importlib.util.find_spec("nvidia") is not None
