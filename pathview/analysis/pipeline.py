"""The whole way from an opened image to a frozen result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pathview import __version__
from pathview.analysis import gradcam, predict, uncertainty
from pathview.analysis.prepare import check_fits, prepare
from pathview.errors import NotAnalysable
from pathview.images.digest import combined, file_digests
from pathview.images.formats import open_image
from pathview.images.patches import PatchMosaic
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models.backend import Network
from pathview.models.weights import Seen, read_manifest, read_seen
from pathview.results.mask import measure
from pathview.results.result import AnalysisResult, Flag, Provenance, ScoreMap
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


@dataclass(frozen=True)
class _Findings:
    probability: ScoreMap
    verdict: uncertainty.Verdict
    flags: list[Flag]
    heatmaps: Mapping[str, ScoreMap]


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
        network = _network(request.model_folder, read_manifest(request.model_folder).sha256)
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
    recipe = network.recipe
    threshold = recipe.decision.threshold if request.threshold is None else request.threshold
    try:
        check_fits(source.info, recipe, request.frame)
        layers = gradcam.chosen_layers(network, request.explain)
        look = _look_at_map if recipe.task == "segmentation" else _look_at_patches
        found = look(source, network, threshold, layers, request.frame, progress, cancel)
    except NotAnalysable as error:
        raise NotAnalysable(f"{source.info.path.name} is not analysed: {error}.") from error
    info = source.info
    mask = measure(found.probability, threshold, info.size, info.spacing, cancel)
    flags = found.flags + uncertainty.image_flags(info, seen_part, request.frame)
    if recipe.task == "segmentation":
        flags = uncertainty.map_flags(found.verdict, mask) + flags
    return AnalysisResult(
        recipe=recipe.name,
        task=recipe.task,
        score=found.verdict.score,
        score_name=found.verdict.name,
        lower=found.verdict.lower,
        upper=found.verdict.upper,
        label=uncertainty.whole_image_label(found.verdict.label, info),
        flags=tuple(flags),
        threshold=threshold,
        probability=found.probability,
        size=info.size,
        spacing=info.spacing,
        mask=mask,
        provenance=_provenance(network, request, image_sha256),
        seconds=time.perf_counter() - started,
        heatmaps=found.heatmaps,
    )


def _look_at_map(
    source: ImageSource,
    network: Network,
    threshold: float,
    layers: tuple[str, ...],
    frame: int,
    progress: ProgressSink,
    cancel: CancelToken,
) -> _Findings:
    working = prepare(source, network.recipe, frame)
    parts = 2 if layers else 1
    probability = predict.segment(network, working, part_of(progress, 0, parts, "network"), cancel)
    verdict = uncertainty.judge_map(probability, network.recipe.input, network.recipe.decision)
    heatmaps = {}
    if layers:
        heatmaps = gradcam.explain_tiles(network, working, layers, part_of(progress, 1, parts, "heat maps"), cancel)
    return _Findings(probability, verdict, [], heatmaps)


def _look_at_patches(
    source: ImageSource,
    network: Network,
    threshold: float,
    layers: tuple[str, ...],
    frame: int,
    progress: ProgressSink,
    cancel: CancelToken,
) -> _Findings:
    recipe = network.recipe
    grid = _patch_grid(source, network, frame)
    parts = 2 if layers else 1
    probability = predict.classify(network, grid, part_of(progress, 0, parts, "network"), cancel)
    verdict = uncertainty.judge_patches(probability, recipe.decision, threshold)
    flags = uncertainty.patch_flags(verdict, probability, recipe.decision, grid)
    heatmaps = {}
    if layers:
        heatmaps = gradcam.explain_patches(network, grid, layers, part_of(progress, 1, parts, "heat maps"), cancel)
    return _Findings(probability, verdict, flags, heatmaps)


def _patch_grid(source: ImageSource, network: Network, frame: int) -> predict.PatchGrid:
    if isinstance(source, PatchMosaic):
        return predict.mosaic_grid(source, network.recipe)
    grid = predict.working_grid(prepare(source, network.recipe, frame), network.recipe)
    if not grid.cells:
        raise NotAnalysable("it shows nothing but empty glass")
    return grid


def explain_path(
    path: Path, request: AnalysisRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Mapping[str, ScoreMap]:
    """Heat maps of the layers that ``request.explain`` names, for an image that was analysed before (a job).

    Raises:
        PathViewError, Cancelled: see :func:`analyse_path`.
    """
    source = open_image(path, settings, request.mpp_um)
    try:
        network = _network(request.model_folder, read_manifest(request.model_folder).sha256)
        check_fits(source.info, network.recipe, request.frame)
        layers = gradcam.chosen_layers(network, request.explain)
        if network.recipe.task == "segmentation":
            working = prepare(source, network.recipe, request.frame)
            return gradcam.explain_tiles(network, working, layers, progress, cancel)
        return gradcam.explain_patches(network, _patch_grid(source, network, request.frame), layers, progress, cancel)
    finally:
        source.close()


@lru_cache(maxsize=4)
def _network(folder: Path, sha256: str) -> Network:
    """A loaded network, kept in this process; ``sha256`` makes a replaced model a new entry."""
    from pathview.models.keras_backend import load_network

    return load_network(folder)


def _seen_part(seen: Seen, digests: tuple[str, ...]) -> str | None:
    """Which part of the training data an image, or any patch of it, belonged to."""
    parts = {seen.part_of(digest) for digest in digests}
    return next((part for part in ("train", "validation", "test") if part in parts), None)


def _provenance(network: Network, request: AnalysisRequest, image_sha256: str) -> Provenance:
    return Provenance(
        image_sha256=image_sha256,
        recipe=network.recipe.name,
        recipe_sha256=network.recipe.digest,
        weights_sha256=network.weights_sha256,
        app_version=__version__,
        runtime=network.runtime,
        device=network.device,
        precision="float32",
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        settings={
            "frame": request.frame,
            "mpp_um": request.mpp_um,
            "input": [network.recipe.input.height, network.recipe.input.width],
            "layers": list(network.explainable_layers()),
            "heat_layer": network.recipe.heat_layer or network.explainable_layers()[-1],
            "summed_at": network.recipe.decision.sum_side if network.recipe.task == "segmentation" else None,
        },
    )
