"""ONNX Runtime, and OpenVINO on the same file: scores without TensorFlow, which takes seconds to start.

Gradients stay with the reference: it is loaded when the first heat map is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pathview.models.backend import Batch, Predict
from pathview.models.graphs import graph_of
from pathview.models.keras_backend import KerasNetwork, load_network
from pathview.models.weights import Tensors, read_manifest, read_weights
from pathview.settings import Settings

PROVIDERS = {"CUDAExecutionProvider": "GPU", "DmlExecutionProvider": "GPU", "CPUExecutionProvider": "CPU"}
"""What ONNX Runtime may compute on, the best first."""
_MOST_LANES = 8
"""Each holds a batch's maps in memory; where there are more cores, what reads takes a small share of them."""


@dataclass(frozen=True)
class LoadedGraph:
    """A graph in a runtime: what computes, where, how precisely, and the function of a batch."""

    runtime: str
    device: str
    precision: str
    run: Callable[[Batch], Any]
    on_one_core: Callable[[bytes], LoadedGraph] | None = None
    """Loads a graph that each calling thread runs on its own core; None where there is no such way."""


def best_providers(offered: Sequence[str]) -> list[str]:
    """Those of the offered providers that the program uses, the best first."""
    return [name for name in PROVIDERS if name in offered]


def in_onnx_runtime(graph: bytes, cores: int = 0) -> LoadedGraph:
    """ONNX Runtime in single precision, on a GPU where the installed package knows one (on Windows: DirectML).

    Args:
        graph: ONNX.
        cores: what a call computes on without a GPU; 0: all.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = cores
    options.enable_mem_pattern = False  # DirectML asks for it; elsewhere it is as fast, in a third less memory
    session = onnxruntime.InferenceSession(
        graph, options, providers=best_providers(onnxruntime.get_available_providers())
    )
    name, device = session.get_inputs()[0].name, PROVIDERS[session.get_providers()[0]]
    return LoadedGraph(
        f"ONNX Runtime {onnxruntime.__version__}",
        device,
        "float32",
        lambda images: session.run(None, {name: images})[0],
        partial(in_onnx_runtime, cores=1) if device == "CPU" else None,
    )


def in_openvino(graph: bytes, precision: str) -> LoadedGraph:
    """OpenVINO, which on some processors takes bfloat16 unless it is told.

    Args:
        graph: ONNX.
        precision: ``float32`` or ``bfloat16``.
    """
    import openvino

    core = openvino.Core()
    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(BytesIO(graph)), "CPU", hints)
    version = openvino.get_version().split("-")[0]
    return LoadedGraph(f"OpenVINO {version}", "CPU", precision, lambda images: compiled(images)[0])


class FastNetwork:
    """See :class:`pathview.models.backend.Network`."""

    def __init__(self, folder: Path, settings: Settings, load: Callable[[bytes], LoadedGraph]) -> None:
        """Join a model's weights to its network's graph.

        Raises:
            ModelError: missing, damaged, swapped or misfitting weights.
            NotConvertible: there is no graph of its network, and none can be made.
        """
        self._folder, self._settings, self._load = folder, settings, load
        self._manifest = read_manifest(folder)
        self.recipe, self.weights_sha256 = self._manifest.recipe, self._manifest.sha256
        graph = graph_of(self.recipe, "", settings, lambda: self._reference)
        self._facts = graph.facts
        self._loaded = load(graph.with_weights(self._tensors()))
        self.runtime, self.device = self._loaded.runtime, self._loaded.device
        self.precision = self._loaded.precision

    @cached_property
    def _reference(self) -> KerasNetwork:
        return load_network(self._folder)

    def _tensors(self) -> Tensors:
        """The checked weights; read anew each time, since the runtime holds a copy of its own."""
        return read_weights(self._folder, self._manifest, self._facts.weights)

    def predict(self, images: Batch) -> Batch:
        """See :class:`pathview.models.backend.Network`."""
        return np.asarray(self._loaded.run(np.ascontiguousarray(images)), np.float32)

    @cached_property
    def lanes(self) -> tuple[Predict, ...]:
        """See :class:`pathview.models.backend.Network`; with a copy of the weights of their own."""
        cores = os.cpu_count() or 1
        if self._loaded.on_one_core is None or not 1 < cores <= _MOST_LANES:
            return (self.predict,)
        graph = graph_of(self.recipe, "", self._settings, lambda: self._reference)
        loaded = self._loaded.on_one_core(graph.with_weights(self._tensors()))
        return (lambda images: np.asarray(loaded.run(np.ascontiguousarray(images)), np.float32),) * cores

    @property
    def window_stride(self) -> int | None:
        """See :class:`pathview.models.backend.Network`."""
        return self._facts.window_stride

    def predict_windows(self, images: Batch) -> Batch:
        """See :class:`pathview.models.backend.Network`."""
        return np.asarray(self._windows.run(np.ascontiguousarray(images)), np.float32)

    @cached_property
    def _windows(self) -> LoadedGraph:
        graph = graph_of(self.recipe, "convolutional", self._settings, lambda: self._reference.convolutional)
        return self._load(graph.with_weights(self._tensors()))

    def explainable_layers(self) -> tuple[str, ...]:
        """See :class:`pathview.models.backend.Network`."""
        return self._facts.layers

    def can_explain(self, layer: str) -> bool:
        """See :class:`pathview.models.backend.Network`."""
        return layer in self._facts.mapped

    def gradcam(self, images: Batch, layers: Sequence[str]) -> dict[str, Batch]:
        """See :class:`pathview.models.backend.Network`."""
        return self._reference.gradcam(images, layers)
