"""The whole way from an opened image to a frozen result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pathview import __version__
from pathview.analysis import uncertainty
from pathview.analysis.gradcam import chosen_layers
from pathview.analysis.looks import look_at
from pathview.errors import NotAnalysable
from pathview.images.digest import combined, file_digests
from pathview.images.formats import open_image
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models.backend import Network
from pathview.models.runtimes import open_network
from pathview.models.weights import Seen, read_manifest, read_seen
from pathview.results.mask import measure
from pathview.results.result import AnalysisResult, Provenance, ScoreMap
from pathview.settings import Settings


@dataclass(frozen=True)
class AnalysisRequest:
    """What to do with one image."""

    model_folder: Path
    threshold: float | None = None
    """On the probability map; None: the recipe's."""
    explain: str | None = None
    """A layer's name, ``all``, or None for no heat map."""
    frame: int = 0
    """The one frame to analyse, counted from 0."""
    mpp_um: float | None = None
    """A pixel size that the user states."""
    stride: int | None = None
    """See :func:`pathview.analysis.looks.look_at`."""


def analyse_path(
    path: Path, request: AnalysisRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> AnalysisResult:
    """Open, hash and analyse one image; what the child process runs.

    Raises:
        PathViewError: the image or the model cannot be used; the sentence says why.
        Cancelled: at a checkpoint after the user cancelled.
    """
    started = time.perf_counter()
    progress(Progress(0, 100, "opening"))
    source = open_image(path, settings, request.mpp_um)
    try:
        digests = file_digests(path)
        checkpoint(cancel)
        progress(Progress(5, 100, "loading the network"))
        network = _network(request.model_folder, read_manifest(request.model_folder).sha256, settings)
        seen = _seen_part(read_seen(request.model_folder), digests)
        checkpoint(cancel)
        return analyse(source, network, request, combined(digests), seen, progress, cancel, started)
    finally:
        source.close()


def analyse(
    source: ImageSource,
    network: Network,
    request: AnalysisRequest,
    image_sha256: str,
    seen_part: str | None,
    progress: ProgressSink,
    cancel: CancelToken,
    started: float | None = None,
) -> AnalysisResult:
    """Analyse an opened image with a loaded network."""
    started = time.perf_counter() if started is None else started
    recipe, info = network.recipe, source.info
    threshold = recipe.decision.threshold if request.threshold is None else request.threshold
    layers = chosen_layers(network, request.explain)
    parts = 2 if layers else 1
    try:
        look = look_at(source, network, request.frame, request.stride)
        probability = look.probability(part_of(progress, 0, parts, "network"), cancel)
    except NotAnalysable as error:
        raise NotAnalysable(f"{info.path.name} is not analysed: {error}.") from error
    verdict = look.verdict(probability, threshold)
    mask = measure(probability, threshold, info.size, info.spacing, cancel)
    flags = look.flags(verdict, probability, mask) + uncertainty.image_flags(info, seen_part, request.frame)
    return AnalysisResult(
        recipe=recipe.name,
        task=recipe.task,
        score=verdict.score,
        score_name=verdict.name,
        lower=verdict.lower,
        upper=verdict.upper,
        label=uncertainty.label_beside(verdict.label, flags),
        flags=tuple(flags),
        threshold=threshold,
        probability=probability,
        size=info.size,
        spacing=info.spacing,
        mask=mask,
        heatmaps=look.heatmaps(layers, part_of(progress, 1, parts, "heat maps"), cancel),
        provenance=_provenance(network, request, look.stride, image_sha256),
        seconds=time.perf_counter() - started,
    )


def explain_path(
    path: Path, request: AnalysisRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Mapping[str, ScoreMap]:
    """Heat maps of the layers that ``request.explain`` names, for an image that was analysed before (a job).

    Raises:
        PathViewError, Cancelled: see :func:`analyse_path`.
    """
    source = open_image(path, settings, request.mpp_um)
    try:
        network = _network(request.model_folder, read_manifest(request.model_folder).sha256, settings)
        layers = chosen_layers(network, request.explain)
        return look_at(source, network, request.frame).heatmaps(layers, progress, cancel)
    finally:
        source.close()


@lru_cache(maxsize=4)
def _network(folder: Path, sha256: str, settings: Settings) -> Network:
    """A loaded network, kept in this process; ``sha256`` makes a replaced model a new entry."""
    return open_network(folder, settings)


def _seen_part(seen: Seen, digests: tuple[str, ...]) -> str | None:
    """Which part of the training data an image, or any patch of it, belonged to."""
    parts = {seen.part_of(digest) for digest in digests}
    return next((part for part in ("train", "validation", "test") if part in parts), None)


def _provenance(network: Network, request: AnalysisRequest, stride: int | None, image_sha256: str) -> Provenance:
    return Provenance(
        image_sha256=image_sha256,
        recipe=network.recipe.name,
        recipe_sha256=network.recipe.digest,
        weights_sha256=network.weights_sha256,
        app_version=__version__,
        runtime=network.runtime,
        device=network.device,
        precision=network.precision,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        settings={
            "frame": request.frame,
            "mpp_um": request.mpp_um,
            "stride": stride,
            "input": [network.recipe.input.height, network.recipe.input.width],
            "layers": list(network.explainable_layers()),
            "caution": network.recipe.caution,
            "heat_layer": network.recipe.heat_layer or network.explainable_layers()[-1],
            "summed_at": network.recipe.decision.sum_side if network.recipe.task == "segmentation" else None,
        },
    )
