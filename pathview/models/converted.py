"""Networks as ONNX, for the runtimes that need no TensorFlow: converted at first use, kept by hash."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pathview.errors import ModelError
from pathview.models.keras_backend import KerasNetwork
from pathview.models.weights import Manifest

MAX_BYTES = 8 * 2**30
"""What the folder of converted networks may take; what was not used longest goes first."""
OPSET = 18
_FORMAT = 1
_FACTS, _GRAPH = "facts.json", "network.onnx"
_log = logging.getLogger(__name__)


class NotConvertible(ModelError):
    """A network that the converter cannot express; the reference runtime still runs it."""


class Facts(BaseModel):
    """What the program asks of a network besides its scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: tuple[str, ...]
    """See :meth:`pathview.models.backend.Network.explainable_layers`."""
    mapped: frozenset[str]
    """The layers that :meth:`pathview.models.backend.Network.can_explain` says yes to."""
    window_stride: int | None
    """See :class:`pathview.models.backend.Network`."""


@dataclass(frozen=True)
class Converted:
    """An ONNX graph [n, rows, columns, channels] to scores, and its facts."""

    graph: bytes
    facts: Facts


def converted(manifest: Manifest, form: str, cache: Path, reference: Callable[[], KerasNetwork]) -> Converted:
    """A model's network as ONNX, from the cache or made of ``reference()``, whose form ``form`` names.

    The file is a ZIP archive, whose checksums tell damage. A cache that cannot be written costs time, no more.

    Raises:
        NotConvertible: the network has something that the converter does not know.
        ModelError: ``reference`` cannot be loaded.
    """
    key = hashlib.sha256(f"{_FORMAT} {OPSET} {form} {manifest.sha256} {manifest.recipe.digest}".encode()).hexdigest()
    path = cache / f"{key[:32]}.zip"
    kept = _read(path)
    if kept is not None:
        return kept
    network = reference()
    made = Converted(_graph(network), _facts(network))
    try:
        _write(path, made)
        _prune(cache)
    except OSError as error:
        _log.info("a converted network could not be kept: %s", error.strerror)
    return made


def _facts(network: KerasNetwork) -> Facts:
    mapped = frozenset(name for name in network.layer_names() if network.can_explain(name))
    return Facts(layers=network.explainable_layers(), mapped=mapped, window_stride=network.window_stride)


def _graph(network: KerasNetwork) -> bytes:
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do, the check finds
    forward = network.forward
    try:
        model, _ = tf2onnx.convert.from_function(forward, input_signature=forward.input_signature, opset=OPSET)
        onnx.checker.check_model(model)
    except (ValueError, RuntimeError, NotImplementedError, onnx.checker.ValidationError) as error:
        raise NotConvertible(
            f"{network.recipe.name} cannot be converted to ONNX ({type(error).__name__}); use the runtime tensorflow."
        ) from error
    return bytes(model.SerializeToString())


def _read(path: Path) -> Converted | None:
    """What was kept, if it is whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = Converted(archive.read(_GRAPH), Facts.model_validate_json(archive.read(_FACTS)))
        os.utime(path)
    except (OSError, KeyError, zipfile.BadZipFile, ValidationError):
        return None
    return found


def _write(path: Path, made: Converted) -> None:
    """Write beside, then move into place, so that no reader sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        with zipfile.ZipFile(part, "w") as archive:
            archive.writestr(_FACTS, made.facts.model_dump_json())
            archive.writestr(_GRAPH, made.graph)
        part.replace(path)


def _prune(cache: Path) -> None:
    """Let the oldest go where there are too many."""
    newest_first = sorted(cache.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in newest_first:
        total += path.stat().st_size
        if total > MAX_BYTES and path != newest_first[0]:
            path.unlink()
