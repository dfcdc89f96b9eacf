"""The whole way from an opened image to a frozen result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pathview import __version__
from pathview.analysis import uncertainty
from pathview.analysis.cascade import CascadeLook
from pathview.analysis.gradcam import chosen_layers
from pathview.analysis.looks import Look, OutlineLook, PatchLook, WindowLook
from pathview.analysis.slide_heat import explain_one
from pathview.analysis.slide_look import SlideLook
from pathview.analysis.slide_tiles import reads_by_tiles
from pathview.analysis.windows import NoFields, fine_stride
from pathview.errors import ModelError, NotAnalysable
from pathview.images.digest import combined, file_digests
from pathview.images.formats import open_image
from pathview.images.source import ImageInfo, ImageSource
from pathview.images.turned import as_hung
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models.backend import Network
from pathview.models.catalogue import Catalogue
from pathview.models.recipe import RegionSpec
from pathview.models.runtimes import open_network
from pathview.models.weights import Manifest, Seen, read_manifest, read_seen
from pathview.results.mask import measure
from pathview.results.result import AnalysisResult, Provenance, ScoreMap, Stage
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
    """Pixels at the recipe's scale from one field of a patch classifier to the next; None: side by side; 0: as fine
    as its network does at no great cost, where fields can be moved at all."""
    resume: bool = True
    """Whether what an earlier analysis of the same slide finished is taken over."""


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
        models = load(request.model_folder, settings)
        seen = _seen_part(models.seen, digests)
        checkpoint(cancel)
        return analyse(source, models, request, combined(digests), seen, progress, cancel, started, settings)
    finally:
        source.close()


def analyse(
    source: ImageSource,
    models: Models,
    request: AnalysisRequest,
    image_sha256: str,
    seen_part: str | None,
    progress: ProgressSink,
    cancel: CancelToken,
    started: float | None = None,
    settings: Settings | None = None,
) -> AnalysisResult:
    """Analyse an opened image with loaded networks, as it hangs; the result is told in stored pixels.

    The tiles of a slide are kept where ``settings`` say.
    """
    started = time.perf_counter() if started is None else started
    network, info = models.network, source.info
    hung = as_hung(source)
    recipe = network.recipe
    layers = chosen_layers(network, request.explain)
    parts = 2 if layers else 1
    try:
        look = look_at(hung, models, request, image_sha256, settings)
        probability = look.probability(part_of(progress, 0, parts, "network"), cancel)
        threshold = look.threshold if request.threshold is None else request.threshold
        mask = measure(probability, threshold, hung.info.size, hung.info.spacing, cancel)
        verdict = look.verdict(probability, mask, cancel)
    except NotAnalysable as error:
        raise NotAnalysable(f"{info.path.name} is not analysed: {error}.") from error
    flags = look.flags(verdict, probability, mask) + uncertainty.image_flags(info, seen_part, request.frame)
    heatmaps = look.heatmaps(layers, part_of(progress, 1, parts, "heat maps"), cancel)
    stored = as_stored(probability, info)
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
        probability=stored,
        size=info.size,
        spacing=info.spacing,
        mask=mask if stored is probability else measure(stored, threshold, info.size, info.spacing, cancel),
        heatmaps={layer: as_stored(heat, info) for layer, heat in heatmaps.items()},
        stages=tuple(_stored_stage(stage, info) for stage in look.stages()),
        provenance=_provenance(models, request, look, image_sha256),
        seconds=time.perf_counter() - started,
    )


def explain_tile(
    path: Path,
    request: AnalysisRequest,
    x: float,
    y: float,
    layers: Sequence[str],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Mapping[str, ScoreMap]:
    """Heat maps of the one tile or patch that a level-0 point lies in, at the network's own resolution (a job).

    Args:
        path: a slide, a mosaic or an image of tissue.
        request: which model, frame and pixel size.
        x: level-0 pixels from the left.
        y: level-0 pixels from the top.
        layers: by name; all come from one pass.
        settings: limits.
        progress: gets a step for each stage.
        cancel: is asked between stages.

    Returns:
        By layer: 0..1 of the layer's own largest value on that tile, placed on it alone.

    Raises:
        PathViewError, Cancelled: see :func:`analyse_path`.
    """
    progress(Progress(0, 2, "opening"))
    source = open_image(path, settings, request.mpp_um)
    try:
        network = load(request.model_folder, settings).network
        found = [layer for name in layers for layer in chosen_layers(network, name)]
        checkpoint(cancel)
        progress(Progress(1, 2, "heat maps"))
        return explain_one(source, network, request.frame, x, y, found)
    except NotAnalysable as error:
        raise NotAnalysable(f"No heat map of {path.name}: {error}.") from error
    finally:
        source.close()


def explain_path(
    path: Path, request: AnalysisRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Mapping[str, ScoreMap]:
    """Heat maps of the layers that ``request.explain`` names, for an image that was analysed before (a job).

    Raises:
        PathViewError, Cancelled: see :func:`analyse_path`.
    """
    source = open_image(path, settings, request.mpp_um)
    try:
        models = load(request.model_folder, settings)
        layers = chosen_layers(models.network, request.explain)
        found = look_at(as_hung(source), models, request).heatmaps(layers, progress, cancel)
        return {layer: as_stored(heat, source.info) for layer, heat in found.items()}
    finally:
        source.close()


def as_stored(shown: ScoreMap, info: ImageInfo) -> ScoreMap:
    """A map over an image as it hangs, over the stored image."""
    return shown.turned(info.turn.inverse(), info.shown_size)


def _stored_stage(stage: Stage, info: ImageInfo) -> Stage:
    places = tuple(replace(p, region=info.turn.region_to_stored(p.region, info.size)) for p in stage.places)
    return replace(stage, places=places)


@dataclass(frozen=True)
class Models:
    """What an analysis runs: one network, and for a cascade the one whose places it classifies."""

    network: Network
    outliner: Network | None = None
    seen: tuple[Seen, ...] = ()
    """What each was trained on."""

    @property
    def caution(self) -> str:
        """What a reader must know of each of them."""
        if self.outliner is None:
            return self.network.recipe.caution
        both = (self.outliner.recipe, self.network.recipe)
        return " ".join(f"{recipe.name}: {recipe.caution}" for recipe in both if recipe.caution)


def load(folder: Path, settings: Settings) -> Models:
    """The networks of a model folder, kept in this process.

    Raises:
        ModelError: missing or damaged weights, of the model or of the one that its cascade begins with.
        RecipeError: there is no model of the name that its cascade begins with.
    """
    manifest = read_manifest(folder)
    network = _network(folder, manifest, settings)
    spec = manifest.recipe.regions
    if spec is None:
        return Models(network, None, (read_seen(folder),))
    outlines = outliner_folder(spec, settings)
    outliner = _network(outlines, read_manifest(outlines), settings)
    return Models(network, outliner, (read_seen(folder), read_seen(outlines)))


def outliner_folder(spec: RegionSpec, settings: Settings) -> Path:
    """Where the model lies that a cascade begins with.

    Raises:
        ModelError: it has no weights, or outlines nothing.
        RecipeError: there is none of that name.
    """
    model = Catalogue(settings).model(spec.model)
    if model.recipe.task != "segmentation":
        raise ModelError(f"A cascade cannot begin with {spec.model}, which outlines nothing.")
    if model.folder is None:
        raise ModelError(
            f"A cascade begins with {spec.model}, which has no weights; train that one (pathview train) first."
        )
    return model.folder


def look_at(
    source: ImageSource,
    models: Models,
    request: AnalysisRequest,
    image_sha256: str = "",
    settings: Settings | None = None,
) -> Look:
    """Prepare an image for what the request asks; the tiles of a slide are kept under its hash where ``settings`` say.

    Raises:
        NotAnalysable: the image does not fit the recipe, or the recipe no stride.
        ImageError: its pixels cannot be read.
    """
    network, frame, stride = models.network, request.frame, request.stride
    if network.recipe.task != "classification" and stride:
        raise NotAnalysable(f"{network.recipe.name} outlines and has no stride; leave it out")
    if models.outliner is not None:
        return CascadeLook(source, network, models.outliner, frame, request.threshold)
    if reads_by_tiles(source, network.recipe, frame):
        step = None if network.recipe.task == "segmentation" else _slide_stride(network, stride)
        return SlideLook(source, network, frame, step, image_sha256, settings, request.resume)
    if network.recipe.task == "segmentation":
        return OutlineLook(source, network, frame)
    if stride is None:
        return PatchLook(source, network, frame)
    try:
        return WindowLook(source, network, frame, stride or fine_stride(network))
    except NoFields:
        if stride:
            raise
        return PatchLook(source, network, frame)


def _slide_stride(network: Network, stride: int | None) -> int | None:
    """The stride on a slide; None for fields side by side.

    Raises:
        NotAnalysable: the recipe has none.
    """
    if network.recipe.input.equalise:
        if stride:
            raise NotAnalysable(f"{network.recipe.name} equalises each patch by itself; leave the stride out")
        return None
    return fine_stride(network) if stride == 0 else stride


def _network(folder: Path, manifest: Manifest, settings: Settings) -> Network:
    """A loaded network, kept in this process; a replaced model is a new one, and so is one whose recipe was changed."""
    return _kept_network(folder, manifest.sha256, manifest.recipe.digest, settings)


@lru_cache(maxsize=4)
def _kept_network(folder: Path, sha256: str, recipe_sha256: str, settings: Settings) -> Network:
    return open_network(folder, settings)


def _seen_part(seen: tuple[Seen, ...], digests: tuple[str, ...]) -> str | None:
    """Which part of the training data of one of the models an image, or any patch of it, belonged to."""
    parts = {one.part_of(digest) for one in seen for digest in digests}
    return next((part for part in ("train", "validation", "test") if part in parts), None)


def _provenance(models: Models, request: AnalysisRequest, look: Look, image_sha256: str) -> Provenance:
    network = models.network
    temperature = network.recipe.decision.temperature
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
            "stride": look.stride,
            "within_breast": look.within_breast,
            "input": [network.recipe.input.height, network.recipe.input.width],
            "layers": list(network.explainable_layers()),
            "caution": models.caution,
            "heat_layer": network.recipe.heat_layer or network.explainable_layers()[-1],
            "summed_at": network.recipe.decision.sum_side if network.recipe.task == "segmentation" else None,
            **({"temperature": temperature} if temperature != 1 else {}),
            **look.facts,
        },
    )
