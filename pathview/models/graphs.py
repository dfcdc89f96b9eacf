"""Networks as ONNX graphs without their weights: a few kilobytes that need no TensorFlow to run.

A graph is made by TensorFlow from a recipe once: for the bundled models it comes with the program, for others it is
kept in the user's cache. The weights are joined to it when it is loaded, from the one checked file that holds them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from pathview.errors import ModelError
from pathview.models.keras_backend import KerasNetwork
from pathview.models.recipe import NOT_OF_THE_NETWORK, Recipe
from pathview.models.weights import Tensors, parameter_count
from pathview.settings import Settings

OPSET = 18
_FORMAT = 2
_FACTS, _GRAPH = "facts.json", "network.onnx"
_IMAGES = "images"
_MAX_BYTES = 2**31
_log = logging.getLogger(__name__)


class NotConvertible(ModelError):
    """A network that the converter cannot express; the reference runtime still runs it."""


class Facts(BaseModel):
    """What the program asks of a network besides its scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Of the file: a graph under another name is not believed."""
    layers: tuple[str, ...]
    """See :meth:`pathview.models.backend.Network.explainable_layers`."""
    mapped: frozenset[str]
    """The layers that :meth:`pathview.models.backend.Network.can_explain` says yes to."""
    window_stride: int | None
    """See :class:`pathview.models.backend.Network`."""
    weights: dict[str, tuple[int, ...]]
    """Shape of each weight by its variable's path, in the order of the graph's inputs ``w0``, ``w1`` ..."""


@dataclass(frozen=True)
class Graph:
    """An ONNX model whose inputs are the images [n, rows, columns, channels] and the weights, and its facts."""

    onnx: bytes
    facts: Facts

    def with_weights(self, tensors: Tensors) -> bytes:
        """The ONNX model with weights by their variable's path; the images alone are left as input.

        A weight may have another shape of the same size here: a dense layer's that became a convolution's.

        Raises:
            NotConvertible: they are too many for one ONNX file.
        """
        import onnx
        from onnx import numpy_helper

        if 4 * parameter_count(self.facts.weights) >= _MAX_BYTES:
            raise NotConvertible("The network is too large for ONNX (2 GiB); use the runtime tensorflow.")
        model = onnx.load_from_string(self.onnx)
        read = {name for node in model.graph.node for name in node.input}
        for number, (path, shape) in enumerate(self.facts.weights.items()):
            if f"w{number}" in read:
                values = np.ascontiguousarray(tensors[path].reshape(shape), np.float32)
                model.graph.initializer.append(numpy_helper.from_array(values, f"w{number}"))
        images = [entry for entry in model.graph.input if entry.name == _IMAGES]
        del model.graph.input[:]
        model.graph.input.extend(images)
        return bytes(model.SerializeToString())


def graph_of(recipe: Recipe, form: str, settings: Settings, reference: Callable[[], KerasNetwork]) -> Graph:
    """The graph of a recipe's network: of the program, of the cache, or made of ``reference()``.

    Args:
        recipe: of the network.
        form: names what ``reference`` gives, where it is not the network as it was trained.
        settings: tell where graphs are kept.
        reference: gives the network in TensorFlow; its weights do not matter.

    Raises:
        NotConvertible: the network has something that the converter does not know.
        ModelError: ``reference`` cannot be loaded.
    """
    name = file_name(recipe, form)
    for folder in settings.graph_dirs:
        kept = read(folder / name)
        if kept is not None:
            return kept
    made = convert(reference(), name)
    try:
        write(settings.graph_dirs[-1] / name, made)
    except OSError as error:
        _log.info("a graph could not be kept: %s", error.strerror)
    return made


def file_name(recipe: Recipe, form: str) -> str:
    """Of a network's graph, with a hash of all that it is made from."""
    network = recipe.network.model_dump(mode="json")
    spec = recipe.input.model_dump(mode="json", exclude=set(NOT_OF_THE_NETWORK))
    made_from = [_FORMAT, OPSET, form, recipe.task, len(recipe.classes), recipe.heat_layer, network, spec]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    return "-".join(part for part in (recipe.network.name, form, digest[:16]) if part) + ".zip"


def convert(network: KerasNetwork, name: str) -> Graph:
    """A network's graph, for a file of this name.

    Raises:
        NotConvertible: it has something that the converter does not know.
    """
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do, the check finds
    shapes = network.weight_shapes()
    function = network.of_images_and_weights(_IMAGES, [f"w{number}" for number in range(len(shapes))])
    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
        onnx.checker.check_model(model)
    except (ValueError, RuntimeError, NotImplementedError, onnx.checker.ValidationError) as error:
        raise NotConvertible(
            f"{network.recipe.name} cannot be converted to ONNX ({type(error).__name__}); use the runtime tensorflow."
        ) from error
    facts = Facts(
        name=name,
        layers=network.explainable_layers(),
        mapped=frozenset(name for name in network.layer_names() if network.can_explain(name)),
        window_stride=network.window_stride,
        weights=shapes,
    )
    return Graph(model.SerializeToString(), facts)


def read(path: Path) -> Graph | None:
    """A graph that was kept, if it is there, whole (a ZIP archive's checksums tell) and the one that was meant."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = Graph(archive.read(_GRAPH), Facts.model_validate_json(archive.read(_FACTS)))
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, ValidationError):
        return None
    return found if found.facts.name == path.name else None


def write(path: Path, graph: Graph) -> None:
    """Write beside, then move into place, so that no reader sees half a file.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in ((_FACTS, graph.facts.model_dump_json()), (_GRAPH, graph.onnx)):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # of no date: the same bytes
        part.replace(path)
